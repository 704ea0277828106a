"""What a person does in ServiceTitan's own screens, which the API cannot: convert bookings, merge records, edit fields."""

from collections.abc import Callable
from typing import Any

from bridge.simulator import leads
from bridge.simulator.bookings import change_status
from bridge.simulator.call import Call
from bridge.simulator.parties import CUSTOMER, LOCATION, Party, put_contact, with_phone_settings
from bridge.simulator.tables import Row

PARTIES: dict[str, Party] = {"customer": CUSTOMER, "location": LOCATION}


def accept_booking(call: Call, *, booking_id: int) -> Row:
    """Take a booking up without booking a job yet."""
    return change_status(call, call.account.must("bookings", booking_id), "booking.accepted", status="Accepted")


def dismiss_booking(call: Call, *, booking_id: int, call_reason_id: int | None = None) -> Row:
    """Close a booking."""
    booking = call.account.must("bookings", booking_id)
    return change_status(call, booking, "booking.dismissed", status="Dismissed", dismissingReasonId=call_reason_id)


def convert_booking(
    call: Call, *, booking_id: int, customer_id: int | None = None, location_id: int | None = None
) -> Row:
    """Book a job from a booking, for an existing customer or a new one made of the booking's data."""
    account = call.account
    booking = account.must("bookings", booking_id)
    if customer_id is None:
        customer_id, location_id = _customer_of(call, booking)
    job = account.jobs.put(call.new(_job(call, booking, customer_id, location_id)))
    call.effect("job.created", job["id"], booking_id=booking_id, customer_id=customer_id, location_id=location_id)
    return change_status(call, booking, "booking.converted", status="Converted", jobId=job["id"])


def _job(call: Call, booking: Row, customer_id: int, location_id: int | None) -> Row:
    account = call.account
    if location_id is None:
        owned = account.locations.where("customerId", customer_id)
        location_id = owned[0]["id"] if owned else 0
    zeroes: Row = dict.fromkeys(("firstAppointmentId", "lastAppointmentId", "invoiceId"), 0)
    return {
        **zeroes,
        "jobNumber": str(booking["id"]),
        "customerId": customer_id,
        "locationId": location_id,
        "jobStatus": "Scheduled",
        "businessUnitId": booking.get("businessUnitId") or next(iter(account.business_units))["id"],
        "jobTypeId": booking.get("jobTypeId") or next(iter(account.job_types))["id"],
        "campaignId": booking.get("campaignId") or next(iter(account.campaigns))["id"],
        "priority": booking.get("priority") or "Normal",
        "appointmentCount": 1,
        "noCharge": False,
        "notificationsEnabled": True,
        "tagTypeIds": [],
        "bookingId": booking["id"],
        "customerPo": "",
        "estimateIds": [],
        "equipmentIds": [],
        "customFields": [],
        "externalData": [],
        "summary": booking.get("summary"),
    }


def _customer_of(call: Call, booking: Row) -> tuple[int, int]:
    """Make a customer with one location of a booking's data and return both ids."""
    from bridge.simulator.customers import create_customer  # noqa: PLC0415 - only conversions of strangers need it

    address = booking.get("address") or {"street": "", "city": "", "state": "", "zip": "", "country": "USA"}
    contacts = call.account.booking_contacts.where("bookingId", booking["id"])
    given = [{"type": row["type"], "value": row["value"], "memo": row["memo"]} for row in contacts]
    call.body = {
        "name": booking["name"],
        "address": dict(address),
        "locations": [{"name": booking["name"], "address": dict(address)}],
        "contacts": given,
    }
    made = create_customer(call)
    return made["id"], made["locations"][0]["id"]


def set_custom_field(call: Call, *, party: str, id: int, type_id: int, value: str) -> Row:  # noqa: A002 - the API's word
    """Set one custom field of a customer or location and leave the others."""
    kind = PARTIES[party]
    row = call.account.must(kind.table, id)
    types = call.account.tables[f"{party}_fields"]
    known = types.get(type_id)
    field = {"typeId": type_id, "name": known["name"] if known else None, "value": value}
    kept = [one for one in row["customFields"] if one["typeId"] != type_id]
    row = kind.rows(call).put(call.changed(row, {"customFields": [*kept, field]}))
    call.effect(f"{party}.updated", id, detail={"fields": ["customFields"]}, **kind.refs(row))
    return row


def edit(call: Call, *, table: str, id: int, fields: Row) -> Row:  # noqa: A002 - the API's word
    """Set any members of any record, as no API call could; contacts keep their derived members right."""
    row = call.changed(call.account.must(table, id), fields)
    row = call.account.tables[table].put(with_phone_settings(row) if "phoneSettings" in row else row)
    call.effect(f"{table}.edited", id, detail={"fields": sorted(fields)})
    return row


def change_balance(call: Call, *, customer_id: int, balance: float) -> Row:
    """Let accounting change a customer's balance, which moves `modifiedOn` though nothing else changed."""
    row = call.account.must("customers", customer_id)
    apart = row.get("contentModifiedOn") or row["modifiedOn"]
    row = call.account.customers.put(call.changed(row, {"balance": balance, "contentModifiedOn": apart}))
    call.effect("customer.balance_changed", customer_id, customer_id=customer_id)
    return row


def add_contact(call: Call, *, party: str, id: int, type: str, value: str, memo: str | None = None) -> Row:  # noqa: A002
    """Add a contact to a customer or location."""
    kind = PARTIES[party]
    return put_contact(call, kind, call.account.must(kind.table, id), {"type": type, "value": value, "memo": memo})


def merge_customers(call: Call, *, source_id: int, target_id: int) -> Row:
    """Merge one customer into another: the source goes inactive and names its survivor; locations move, missing contacts come along."""
    account = call.account
    source, target = account.must("customers", source_id), account.must("customers", target_id)
    for location in account.locations.where("customerId", source_id):
        account.locations.put(call.changed(location, {"customerId": target_id, "mergedFromCustomerId": source_id}))
        call.effect("location.moved", location["id"], location_id=location["id"], customer_id=target_id)
    have = {
        (row["type"], row["value"]) for row in account.customer_contacts.where("customerId", target_id) if row["active"]
    }
    for contact in account.customer_contacts.where("customerId", source_id):
        if contact["active"] and (contact["type"], contact["value"]) not in have:
            put_contact(call, CUSTOMER, target, contact, kind="merged")
    account.customers.put(call.changed(source, {"active": False, "mergedToId": target_id}))
    call.effect("customer.merged", source_id, customer_id=source_id, detail={"mergedToId": target_id})
    return account.customers.put(
        call.changed(target, {"tagTypeIds": sorted({*target["tagTypeIds"], *source["tagTypeIds"]})})
    )


def unmerge_customer(call: Call, *, id: int) -> Row:  # noqa: A002 - the API's word
    """Undo a merge: the record is active again and its locations come back."""
    account = call.account
    customer = account.must("customers", id)
    for location in [row for row in account.locations if row.get("mergedFromCustomerId") == id]:
        account.locations.put(call.changed(location, {"customerId": id, "mergedFromCustomerId": None}))
        call.effect("location.moved", location["id"], location_id=location["id"], customer_id=id)
    call.effect("customer.unmerged", id, customer_id=id)
    return account.customers.put(call.changed(customer, {"active": True, "mergedToId": None}))


def merge_locations(call: Call, *, source_id: int, target_id: int) -> Row:
    """Merge one location into another of the same customer."""
    account = call.account
    source, target = account.must("locations", source_id), account.must("locations", target_id)
    if source["customerId"] != target["customerId"]:
        raise ValueError("Locations merge only within one customer.")
    call.effect("location.merged", source_id, location_id=source_id, customer_id=source["customerId"])
    return account.locations.put(call.changed(source, {"active": False, "mergedToId": target_id}))


def convert_lead(call: Call, *, lead_id: int) -> Row:
    """Mark a lead as won."""
    return leads.change(call, call.account.must("leads", lead_id), "lead.converted", {"status": "Converted"})


ACTIONS: dict[str, Callable[..., Any]] = {
    "accept_booking": accept_booking,
    "dismiss_booking": dismiss_booking,
    "convert_booking": convert_booking,
    "set_custom_field": set_custom_field,
    "edit": edit,
    "change_balance": change_balance,
    "add_contact": add_contact,
    "merge_customers": merge_customers,
    "unmerge_customer": unmerge_customer,
    "merge_locations": merge_locations,
    "convert_lead": convert_lead,
}
