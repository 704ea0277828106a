"""What every new tenant starts with: the reference lists of a home-service contractor, with the same ids each time."""

from collections.abc import Iterable
from typing import Any

from bridge.simulator.account import Account
from bridge.simulator.reference import JOB_TYPE_DEFAULTS
from bridge.simulator.tables import Row

DEMO_TENANT = 1000001
DEMO_CLIENT_ID = "cid.demo"
DEMO_CLIENT_SECRET = "cs1.demo"  # noqa: S105 - known to all, opens nothing but a stand-in
DEMO_APP_KEY = "ak1.demo"
DEMO_PROVIDER = 501
OPEN_CLIENT_ID = "cid.open"
OPEN_CLIENT_SECRET = "cs1.open"  # noqa: S105 - as above
FIRST_STAMP = "2020-01-01T00:00:00.0000000Z"

CATEGORIES = ("Digital", "Lead marketplaces", "Referral", "Print and mail")
CAMPAIGNS = (
    ("Website", 401, True),
    ("Google Ads", 401, False),
    ("Google Local Services", 401, False),
    ("Facebook Ads", 401, False),
    ("Angi", 402, False),
    ("Thumbtack", 402, False),
    ("Yelp", 402, False),
    ("Customer Referral", 403, False),
    ("Spring Mailer", 404, False),
)
BUSINESS_UNITS = ("HVAC Service", "HVAC Install", "Plumbing Service", "Electrical Service", "Roofing")
JOB_TYPES = (
    ("AC Repair", [301], 7200, "High"),
    ("Heating Repair", [301], 7200, "High"),
    ("HVAC Tune-Up", [301], 3600, "Normal"),
    ("System Replacement Estimate", [302], 5400, "Normal"),
    ("Drain Cleaning", [303], 3600, "Normal"),
    ("Water Heater", [303], 7200, "High"),
    ("Leak Repair", [303], 5400, "Urgent"),
    ("Panel Upgrade Estimate", [304], 5400, "Normal"),
    ("Outlet or Switch", [304], 3600, "Low"),
    ("Roof Inspection", [305], 3600, "Normal"),
)
TAG_TYPES = ("VIP", "Member", "Do Not Service", "Landlord", "Web Lead", "Warranty", "Opted Out")
CALL_REASONS = (
    ("Price Shopping", True),
    ("Call Back Later", True),
    ("Cancelled by Customer", False),
    ("Duplicate", False),
    ("Outside Service Area", False),
    ("Wrong Number", False),
)
CUSTOMER_FIELDS: tuple[tuple[str, str, list[str]], ...] = (
    ("Preferred Language", "Dropdown", ["English", "Spanish"]),
    ("Lead Source Detail", "Text", []),
    ("CRM Id", "Text", []),
    ("Lifetime Value", "Numeric", []),
)
LOCATION_FIELDS: tuple[tuple[str, str, list[str]], ...] = (
    ("Gate Code", "Text", []),
    ("System Age", "Numeric", []),
    ("Roof Type", "Dropdown", ["Shingle", "Tile", "Metal", "Flat"]),
    ("CRM Id", "Text", []),
)
PEOPLE = ("Ana Flores", "Ben Carter", "Chloe Nguyen", "Dev Patel")


def _rows(first_id: int, rows: Iterable[Row]) -> Iterable[Row]:
    times = {"createdOn": FIRST_STAMP, "modifiedOn": FIRST_STAMP, "createdById": 1, "active": True}
    return ({"id": first_id + at, **times, **row} for at, row in enumerate(rows))


def _fields(types: Iterable[tuple[str, str, list[str]]]) -> list[Row]:
    return [{"name": name, "dataType": kind, "dataTypeOptions": options} for name, kind, options in types]


def fill(account: Account, *, provider: int) -> None:
    """Give a new tenant its booking provider tag and reference lists."""
    tag = {"tagName": "Bridge", "description": "Bookings of the bridge", "type": "V2Api"}
    categories = list(_rows(401, ({"name": name, "type": "Regular"} for name in CATEGORIES)))
    blank: Row = {"code": "", "color": "#1F6FEB", "importance": None, "isConversionOpportunity": False}
    blank |= {"allowToUseOnTimesheetActivity": False, "isVisibleOnDispatchBoard": True}
    lists: dict[str, Iterable[Row]] = {
        "booking_provider_tags": _rows(provider, [tag]),
        "categories": categories,
        "business_units": _rows(301, (_business_unit(account, name) for name in BUSINESS_UNITS)),
        "campaigns": _rows(
            601, (_campaign(at, name, categories[c - 401], d) for at, (name, c, d) in enumerate(CAMPAIGNS))
        ),
        "job_types": _rows(
            701,
            (
                {
                    **JOB_TYPE_DEFAULTS,
                    "name": name,
                    "businessUnitIds": units,
                    "duration": duration,
                    "priority": priority,
                }
                for name, units, duration, priority in JOB_TYPES
            ),
        ),
        "tag_types": _rows(801, ({**blank, "name": name} for name in TAG_TYPES)),
        "call_reasons": _rows(901, ({"name": name, "isLead": is_lead} for name, is_lead in CALL_REASONS)),
        "customer_fields": _rows(1001, _fields(CUSTOMER_FIELDS)),
        "location_fields": _rows(1101, _fields(LOCATION_FIELDS)),
        "job_fields": _rows(1151, _fields([("PO Number", "Text", [])])),
        "employees": _rows(1201, (_employee(at, name) for at, name in enumerate(PEOPLE))),
        "technicians": _rows(1301, (_technician(at, name) for at, name in enumerate(PEOPLE))),
    }
    for name, rows in lists.items():
        for row in rows:
            account.tables[name].put(row)


def _campaign(at: int, name: str, category: Row, default: bool) -> Row:  # noqa: FBT001 - a column of the table above
    return {
        "name": name,
        "category": category,
        "isDefaultCampaign": default,
        "source": name,
        "businessUnit": None,
        "campaignPhoneNumbers": [f"512555{100 + at:04d}"],
    }


def _business_unit(account: Account, name: str) -> Row:
    return {
        "name": name,
        "officialName": f"{account.name} {name}",
        "currency": "USD",
        "tagTypeIds": [],
        "tenant": {"id": account.id, "name": account.name, "modifiedOn": FIRST_STAMP},
    }


def _person(at: int, name: str) -> Row:
    first, _, last = name.partition(" ")
    rates: dict[str, Any] = dict.fromkeys(("hourlyRate", "burdenRate", "commissionRate", "soldByRate", "dailyGoal"), 0)
    email = f"{first.lower()}@example.com"
    return {**rates, "userId": 5001 + at, "name": name, "firstName": first, "lastName": last, "email": email}


def _employee(at: int, name: str) -> Row:
    return {**_person(at, name), "role": "Dispatch", "agentId": at + 1}


def _technician(at: int, name: str) -> Row:
    person = _person(at, name)
    return {
        **person,
        "userId": person["userId"] + 100,
        "isManagedTech": True,
        "status": "Idle",
        "positions": ["Service"],
    }
