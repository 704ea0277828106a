"""Realistic tenants out of a seed: any row by its index, so that a million customers cost no memory.

Customers come in blocks of twenty with the same mixture each time: people alone, a household of two records, a landlord with many
locations, a chain with branches, a duplicate of an earlier record, a record merged into another, an inactive one.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from bridge.simulator.account import Account
from bridge.simulator.generator_words import (
    AREA_CODES,
    CHAINS,
    CITIES,
    GIVEN,
    MAIL_HOSTS,
    STREETS,
    SUFFIXES,
    SURNAMES,
)
from bridge.simulator.tables import BaseRows, Position, Row, Table

BLOCK = 20
LOCATIONS = (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 1, 5, 4, 1)
"""How many locations the customers of a block have, by their place in it."""

HOUSEHOLD, COPY, MERGED, LANDLORD, CHAIN, INACTIVE = 11, 12, 13, 17, 18, 19
"""Places in a block: a second person of the house of place 10; a duplicate of place 5; a duplicate of place 7 merged into it."""

CUSTOMER_CONTACTS = (2, 2, 1, 2, 2, 2, 1, 2, 2, 3, 2, 3, 2, 1, 2, 2, 1, 2, 2, 1)
LOCATIONS_PER_BLOCK = sum(LOCATIONS)
CONTACTS_PER_BLOCK = sum(CUSTOMER_CONTACTS)

FIRST_CUSTOMER = 10_000_001
FIRST_LOCATION = 30_000_001
FIRST_CUSTOMER_CONTACT = 50_000_001
FIRST_LOCATION_CONTACT = 70_000_001
MOST_CUSTOMERS = 8_000_000
"""Beyond it the id ranges would meet."""

START_SECOND = 1_577_836_800
"""2020-01-01, when the first record was made; each later one follows by seven seconds, modified as it was made."""

STEP_SECONDS = 7
PHONES = 95_999_993
"""A prime: an index times a factor modulo a prime gives every phone once, and is undone by the factor's inverse."""

PHONES_OF_AREA = 8_000_000
"""Exchanges start with 2 to 9."""

_STARTS = tuple(sum(LOCATIONS[:at]) for at in range(BLOCK))
_CONTACT_STARTS = tuple(sum(CUSTOMER_CONTACTS[:at]) for at in range(BLOCK))
_LOCATION_PLACE = tuple(place for place, many in enumerate(LOCATIONS) for _ in range(many))
_CONTACT_PLACE = tuple(place for place, many in enumerate(CUSTOMER_CONTACTS) for _ in range(many))


class Person(NamedTuple):
    """What the records of one customer are made of."""

    name: str
    email: str
    phone: str
    home: int
    address: Row
    company: bool


def _mix(seed: int, index: int, salt: int) -> int:
    """Return 64 bits that look random and depend on nothing but these three numbers (splitmix64)."""
    value = (index * 0x9E3779B97F4A7C15 + seed * 0xBF58476D1CE4E5B9 + salt * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return value ^ (value >> 31)


def moment(second: int) -> str:
    """Write a second since 1970 as ServiceTitan writes times; days are counted, which is faster than the calendar library."""
    days, rest = divmod(second, 86_400)
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_index = (5 * day_of_year + 2) // 153
    month = month_index + 3 if month_index < 10 else month_index - 9
    year = year_of_era + era * 400 + (month <= 2)
    day = day_of_year - (153 * month_index + 2) // 5 + 1
    return f"{year}-{month:02d}-{day:02d}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}.0000000Z"


class Town:
    """The people and places of one tenant: a pure function of seed and index."""

    def __init__(self, *, seed: int, customers: int) -> None:
        if not 0 <= customers <= MOST_CUSTOMERS:
            raise ValueError(f"between 0 and {MOST_CUSTOMERS} customers")
        self.seed = seed
        self.customers = customers
        self.factor = 7_654_321 + (seed % 1000)
        self.inverse = pow(self.factor, -1, PHONES)

    def original(self, index: int) -> int:
        """Return the customer whose data this one repeats: itself, but for duplicates and merged records."""
        place = index % BLOCK
        return index - 7 if place == COPY else index - 6 if place == MERGED else index

    def phone_number(self, index: int) -> int:
        """Return the ten digits of a customer's main phone: a real area code, an exchange and a line."""
        area, rest = divmod(index * self.factor % PHONES, PHONES_OF_AREA)
        return AREA_CODES[area] * 10_000_000 + 2_000_000 + rest

    def owner_of_phone(self, number: int) -> int | None:
        """Return the index of the customer with this main phone, None if nobody has it."""
        code, rest = divmod(number, 10_000_000)
        if code not in AREA_CODES or rest < 2_000_000:
            return None
        index = (AREA_CODES.index(code) * PHONES_OF_AREA + rest - 2_000_000) * self.inverse % PHONES
        return index if index < self.customers else None

    def person(self, index: int) -> Person:
        """Return the person or company behind a customer record."""
        index = self.original(index)
        place = index % BLOCK
        bits = _mix(self.seed, index, 1)
        given = GIVEN[bits % len(GIVEN)]
        home = index - 1 if place == HOUSEHOLD else index
        surname = SURNAMES[_mix(self.seed, home, 2) % len(SURNAMES)]
        if place == CHAIN:
            name = f"{CHAINS[bits % len(CHAINS)]} #{index // BLOCK + 1}"
        elif place == LANDLORD:
            name = f"{surname} Property Management"
        else:
            name = f"{surname}, {given}" if place % 5 == 4 else f"{given} {surname}"
        host = MAIL_HOSTS[bits // 256 % len(MAIL_HOSTS)]
        return Person(
            name=name,
            email=f"{given}.{surname}{index}@{host}".lower(),
            phone=self._written(self.phone_number(index), place),
            home=home,
            address=self.address(home, 0),
            company=place in {CHAIN, LANDLORD},
        )

    @staticmethod
    def _written(number: int, place: int) -> str:
        text = str(number)
        match place % 4:
            case 0:
                return f"({text[:3]}) {text[3:6]}-{text[6:]}"
            case 1:
                return f"{text[:3]}-{text[3:6]}-{text[6:]}"
            case 2:
                return text
            case _:
                return f"+1{text}"

    def address(self, index: int, at: int) -> Row:
        """Return the address of a customer's `at`-th location; the first is the bill-to address too."""
        bits = _mix(self.seed, index, 3 + at)
        city, state, zip_code, latitude, longitude = CITIES[bits % len(CITIES)]
        street = (
            f"{100 + bits // 64 % 9_900} {STREETS[bits // 1_048_576 % len(STREETS)]} {SUFFIXES[bits // 8_388_608 % 6]}"
        )
        return {
            "street": street,
            "unit": f"Apt {at}" if at and index % BLOCK == LANDLORD else None,
            "city": city,
            "state": state,
            "zip": zip_code,
            "country": "USA",
            "latitude": latitude + (bits >> 40) % 1000 / 10_000,
            "longitude": longitude + (bits >> 50) % 1000 / 10_000,
        }

    def location_index(self, customer: int) -> int:
        """Return the index of a customer's first location."""
        block, place = divmod(customer, BLOCK)
        return block * LOCATIONS_PER_BLOCK + _STARTS[place]

    def contact_index(self, customer: int) -> int:
        """Return the index of a customer's first contact."""
        block, place = divmod(customer, BLOCK)
        return block * CONTACTS_PER_BLOCK + _CONTACT_STARTS[place]


def _customer_of(index: int, places: tuple[int, ...]) -> int:
    """Return the customer that owns the location or contact of this index."""
    block, rest = divmod(index, len(places))
    return block * BLOCK + places[rest]


class _Rows(BaseRows):
    """Rows of one kind of a town."""

    def __init__(self, town: Town, *, first_id: int, length: int) -> None:
        self.town = town
        self.first_id = first_id
        self.length = length

    def __len__(self) -> int:
        return self.length

    def index_of(self, row_id: Any) -> int | None:
        index = row_id - self.first_id if isinstance(row_id, int) else -1
        return index if 0 <= index < self.length else None

    def position(self, index: int) -> Position:
        return (moment(START_SECOND + index * STEP_SECONDS), self.first_id + index)

    def row(self, index: int) -> Row:
        """Make the row at this index."""
        raise NotImplementedError

    def stamps(self, index: int) -> Row:
        """Return the members that every record has."""
        at = moment(START_SECOND + index * STEP_SECONDS)
        return {"id": self.first_id + index, "createdOn": at, "modifiedOn": at, "createdById": 1, "active": True}


class CustomerRows(_Rows):
    """The customers of a town."""

    def row(self, index: int) -> Row:
        """Make one customer."""
        person, place = self.town.person(index), index % BLOCK
        return {
            **self.stamps(index),
            "active": place not in {INACTIVE, MERGED},
            "name": person.name,
            "type": "Commercial" if person.company else "Residential",
            "address": person.address,
            "customFields": [{"typeId": 1003, "name": "CRM Id", "value": f"crm-{index}"}] if place % 5 == 0 else [],
            "balance": 0,
            "taxExempt": False,
            "tagTypeIds": [804] if place == LANDLORD else [802] if place % 7 == 3 else [],
            "doNotMail": place == 16,
            "doNotService": False,
            "nationalAccount": place == CHAIN,
            "mergedToId": self.first_id + self.town.original(index) if place == MERGED else None,
            "externalData": [],
        }


class LocationRows(_Rows):
    """The locations of a town."""

    def row(self, index: int) -> Row:
        """Make one location; those of a merged customer belong to the survivor."""
        customer = _customer_of(index, _LOCATION_PLACE)
        at = index - self.town.location_index(customer)
        place = customer % BLOCK
        owner = self.town.original(customer) if place == MERGED else customer
        person = self.town.person(customer)
        return {
            **self.stamps(index),
            "active": place != INACTIVE,
            "customerId": FIRST_CUSTOMER + owner,
            "name": person.name if not at else f"{person.name} {at + 1}",
            "address": person.address if not at else self.town.address(customer, at),
            "customFields": [],
            "taxZoneId": None,
            "zoneId": None,
            "taxExempt": False,
            "tagTypeIds": [],
            "mergedToId": None,
            "externalData": [],
        }


def _contact(town: Town, person: Person, at: int) -> tuple[str, str]:
    """Return type and value of a person's contacts in their order: main phone, e-mail, the phone of the house."""
    match at:
        case 0:
            return ("MobilePhone" if not person.company else "Phone"), person.phone
        case 1:
            return "Email", person.email
        case _:
            return "Phone", str(town.phone_number(person.home))


class CustomerContactRows(_Rows):
    """The contacts of the customers of a town."""

    def row(self, index: int) -> Row:
        """Make one contact."""
        customer = _customer_of(index, _CONTACT_PLACE)
        person = self.town.person(customer)
        at = index - self.town.contact_index(customer)
        kind, value = _contact(self.town, person, at)
        phone_of = person.home if at == 2 else self.town.original(customer)
        return {
            **self.stamps(index),
            "customerId": FIRST_CUSTOMER + customer,
            "type": kind,
            "value": value,
            "memo": None,
            "digits": str(self.town.phone_number(phone_of)) if kind != "Email" else None,
            "phoneSettings": {"phoneNumber": value if kind != "Email" else "", "doNotText": False},
            "preferences": None,
        }


class LocationContactRows(_Rows):
    """One contact for each location of a town: the person's main phone."""

    def row(self, index: int) -> Row:
        """Make one contact."""
        person = self.town.person(_customer_of(index, _LOCATION_PLACE))
        kind, value = _contact(self.town, person, 0)
        settings = {"phoneNumber": value, "doNotText": False}
        return {
            **self.stamps(index),
            "locationId": FIRST_LOCATION + index,
            "type": kind,
            "value": value,
            "memo": None,
            "digits": None,
            "phoneSettings": settings,
            "preferences": None,
        }


def rows_of(town: Town) -> dict[str, _Rows]:
    """Return the rows of a town by the name of their table."""
    locations, contacts = town.location_index(town.customers), town.contact_index(town.customers)
    return {
        "customers": CustomerRows(town, first_id=FIRST_CUSTOMER, length=town.customers),
        "locations": LocationRows(town, first_id=FIRST_LOCATION, length=locations),
        "customer_contacts": CustomerContactRows(town, first_id=FIRST_CUSTOMER_CONTACT, length=contacts),
        "location_contacts": LocationContactRows(town, first_id=FIRST_LOCATION_CONTACT, length=locations),
    }


ATTACHED = ("customers", "locations", "customer_contacts", "location_contacts")


def iterate(town: Town, table: str) -> Iterator[Row]:
    """Yield all rows of a table (`ATTACHED`) in feed order, without HTTP and without keeping them."""
    rows = rows_of(town)[table]
    return (rows.row(index) for index in range(len(rows)))


def attach(account: Account, town: Town) -> None:
    """Let a tenant have the rows of a town below its own."""
    made = rows_of(town)
    tables = account.tables
    for name, rows in made.items():
        tables[name].base = rows

    def contacts_of(customer_id: Any) -> Iterator[int]:
        at = made["customers"].index_of(customer_id)
        return (
            iter(())
            if at is None
            else _ids(FIRST_CUSTOMER_CONTACT, town.contact_index(at), CUSTOMER_CONTACTS[at % BLOCK])
        )

    def locations_of(customer_id: Any) -> Iterator[int]:
        at = made["customers"].index_of(customer_id)
        if at is None:
            return
        yield from _ids(FIRST_LOCATION, town.location_index(at), LOCATIONS[at % BLOCK])
        if at % BLOCK == MERGED - 6 and at + 6 < town.customers:
            yield from _ids(FIRST_LOCATION, town.location_index(at + 6), LOCATIONS[MERGED])

    def by_phone(digits: Any) -> Iterator[int]:
        at = town.owner_of_phone(int(digits)) if digits else None
        if at is None:
            return
        for customer in (at, at + 1, at + 6, at + 7):
            of_house = customer == at + 1 and customer % BLOCK == HOUSEHOLD
            if customer < town.customers and (of_house or town.original(customer) == at):
                yield from contacts_of(FIRST_CUSTOMER + customer)

    _answer(tables["customer_contacts"], "customerId", contacts_of)
    _answer(tables["customer_contacts"], "digits", by_phone)
    _answer(tables["locations"], "customerId", locations_of)
    contact_shift = FIRST_LOCATION_CONTACT - FIRST_LOCATION
    _answer(
        tables["location_contacts"],
        "locationId",
        lambda row_id: iter((row_id + contact_shift,)) if made["locations"].index_of(row_id) is not None else iter(()),
    )


def _ids(first: int, start: int, many: int) -> Iterator[int]:
    return iter(range(first + start, first + start + many))


def _answer(table: Table, field: str, find: Any) -> None:
    table.index_base[field] = find
