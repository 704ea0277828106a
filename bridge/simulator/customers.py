"""Customers and locations: create, change, find, merge, bulk tags, preferred technician."""

from typing import Any

from bridge.simulator.call import Call, Handler
from bridge.simulator.paging import bounds, candidates, equals, feed, list_of, page, sort
from bridge.simulator.parties import (
    CUSTOMER,
    LOCATION,
    contacts_of,
    digits,
    handlers,
    put_contact,
    read_custom_fields,
    search,
    set_tags,
    shown,
    write_external_data,
)
from bridge.simulator.problems import conflict, invalid
from bridge.simulator.tables import Row


def create_customer(call: Call) -> Any:
    """Create a customer with its locations and contacts; a new location's contacts are copied to the customer."""
    body = dict(call.body)
    locations, contacts = body.pop("locations"), body.pop("contacts", None) or []
    if not locations and call.switches.customer_needs_location:
        raise invalid("Locations", "At least one location is required.")
    if not body["name"].strip():
        raise invalid("Name", "The Name field is required.")
    given_external = body.pop("externalData", None)
    _check_tags(call, body.get("tagTypeIds"))
    row = {
        **body,
        "type": body.get("type") or "Residential",
        "address": {"unit": None, "latitude": None, "longitude": None, **body["address"]},
        "customFields": read_custom_fields(call, CUSTOMER, body.get("customFields") or []),
        "tagTypeIds": body.get("tagTypeIds") or [],
        "balance": 0,
        "external": write_external_data({}, given_external),
        "mergedToId": None,
        "externalData": [],
    }
    row |= {name: bool(body.get(name)) for name in ("taxExempt", "doNotMail", "doNotService", "nationalAccount")}
    customer = call.account.customers.put(call.new(row))
    call.effect("customer.created", customer["id"], customer_id=customer["id"])
    kept = [put_contact(call, CUSTOMER, customer, contact) for contact in contacts]
    made = [_put_location(call, {**location, "customerId": customer["id"]}) for location in locations]
    guid = given_external["applicationGuid"] if given_external else None
    kept = contacts_of(call, CUSTOMER, customer["id"]) if made else kept
    return {**shown(customer, guid), "locations": made, "contacts": kept}


def _check_tags(call: Call, tag_ids: list[int] | None) -> None:
    for tag_id in tag_ids or ():
        call.check_reference(call.account.tag_types, "tagTypeIds", tag_id)


def _put_location(call: Call, body: Row) -> Row:
    body = dict(body)
    contacts, given_external = body.pop("contacts", None) or [], body.pop("externalData", None)
    if not body["name"].strip():
        raise invalid("Name", "The Name field is required.")
    _check_tags(call, body.get("tagTypeIds"))
    row = {
        **body,
        "address": {"unit": None, "latitude": None, "longitude": None, **body["address"]},
        "customFields": read_custom_fields(call, LOCATION, body.get("customFields") or []),
        "tagTypeIds": body.get("tagTypeIds") or [],
        "taxExempt": False,
        "taxZoneId": None,
        "zoneId": None,
        "mergedToId": None,
        "externalData": [],
        "external": write_external_data({}, given_external),
    }
    location = call.account.locations.put(call.new(row))
    call.effect("location.created", location["id"], **LOCATION.refs(location))
    customer = CUSTOMER.get(call, location["customerId"])
    kept = []
    for contact in contacts:
        kept.append(put_contact(call, LOCATION, location, contact))
        put_contact(call, CUSTOMER, customer, contact, kind="copied")
    return {**shown(location, given_external["applicationGuid"] if given_external else None), "contacts": kept}


def create_location(call: Call) -> Any:
    """Create a location of a customer; an unknown customer is a 409."""
    if call.account.customers.get(call.body["customerId"]) is None:
        raise conflict(f"Customer {call.body['customerId']} was not found.")
    return _put_location(call, call.body)


def update_customer(call: Call) -> Any:
    """Change the members sent; lists replace."""
    customer, fields = CUSTOMER.get(call), dict(call.body)
    given_external = fields.pop("externalData", None)
    _check_tags(call, fields.get("tagTypeIds"))
    if "customFields" in fields:
        given = read_custom_fields(call, CUSTOMER, fields["customFields"] or [])
        if not call.switches.customer_custom_fields_replaced:
            sent = {field["typeId"] for field in given}
            given = [*(field for field in customer["customFields"] if field["typeId"] not in sent), *given]
        fields["customFields"] = given
    fields["external"] = write_external_data(customer, given_external)
    customer = call.account.customers.put(call.changed(customer, fields))
    call.effect("customer.updated", customer["id"], customer_id=customer["id"], detail={"fields": sorted(call.body)})
    return shown(customer, given_external["applicationGuid"] if given_external else None)


def update_location(call: Call) -> Any:
    """Change the members sent; lists replace; an unknown customer is a 409."""
    location, fields = LOCATION.get(call), dict(call.body)
    given_external = fields.pop("externalData", None)
    _check_tags(call, fields.get("tagTypeIds"))
    if fields.get("customerId") is not None and call.account.customers.get(fields["customerId"]) is None:
        raise conflict(f"Customer {fields['customerId']} was not found.")
    if "customFields" in fields:
        fields["customFields"] = read_custom_fields(call, LOCATION, fields["customFields"] or [])
    fields["external"] = write_external_data(location, given_external)
    location = call.account.locations.put(call.changed(location, fields))
    call.effect("location.updated", location["id"], detail={"fields": sorted(call.body)}, **LOCATION.refs(location))
    return shown(location, given_external["applicationGuid"] if given_external else None)


def list_customers(call: Call) -> Any:
    """Find customers by name, address, phone of a contact, external data, times."""
    keeps = search(call)
    phone = call.query.get("phone")
    guid = call.query.get("externalDataApplicationGuid")
    if phone:
        found = page(call, sort(call, _by_phone(call, phone)), [*bounds(call), *keeps])
    else:
        found = list_of(call, call.account.customers, keeps)
    return {**found, "data": [shown(row, guid) for row in found["data"]]}


def _by_phone(call: Call, phone: str) -> list[Row]:
    contacts = call.account.customer_contacts
    match call.switches.phone_filter:
        case "exact":
            found = [row for row in contacts.where("digits", digits(phone)) if row["value"] == phone]
        case "contains":
            part = "".join(filter(str.isdigit, phone))
            found = [row for row in contacts if row["digits"] and part in row["digits"]]
        case _:
            found = contacts.where("digits", digits(phone))
    return call.account.customers.many(row["customerId"] for row in found if row["active"])


def list_locations(call: Call) -> Any:
    """Find locations by name, customer, address, external data, times."""
    keeps = [*search(call), *equals(call, customerId="customerId")]
    customer_id, guid = call.query.get("customerId"), call.query.get("externalDataApplicationGuid")
    rows: Any = candidates(call, call.account.locations)
    if customer_id is not None and "ids" not in call.query:
        rows = sort(call, call.account.locations.where("customerId", customer_id))
    found = page(call, rows, [*bounds(call), *keeps])
    return {**found, "data": [shown(row, guid) for row in found["data"]]}


def bulk_tags(call: Call, *, add: bool) -> None:
    """Add or remove tags at many customers; an unknown customer or tag is a 409."""
    body, account = call.body, call.account
    if not body["customerIds"] or not body["tagTypeIds"]:
        raise invalid("CustomerIds", "At least one customer and one tag are required.")
    for tag_id in body["tagTypeIds"]:
        if account.tag_types.get(tag_id) is None:
            raise conflict(f"Tag type {tag_id} was not found.")
    customers = [account.customers.get(customer_id) for customer_id in dict.fromkeys(body["customerIds"])]
    for customer in customers:
        if customer is None:
            raise conflict("One or more customers were not found.")
    for customer in filter(None, customers):
        old, change = set(customer["tagTypeIds"]), set(body["tagTypeIds"])
        set_tags(call, CUSTOMER, customer, sorted(old | change if add else old - change))


def get_preferred_technician(call: Call) -> Any:
    """Return the bare id of the location's preferred technician, or null."""
    return LOCATION.get(call).get("preferredTechnicianId")


def set_preferred_technician(call: Call) -> None:
    """Set the location's preferred technician."""
    location, technician = LOCATION.get(call), call.path["preferredTechnicianId"]
    call.row(call.account.technicians, technician, "Technician")
    call.account.locations.put(call.changed(location, {"preferredTechnicianId": technician}))
    call.effect("location.technician_set", location["id"], **LOCATION.refs(location))


HANDLERS: dict[str, Handler] = {
    **handlers(CUSTOMER, ("GetModifiedContactsList", "customerIds", ("modifiedOnOrAfter", "modifiedBefore"))),
    **handlers(
        LOCATION,
        (
            "GetLocationsContactsList",
            "locationIds",
            ("modifiedOnOrAfter", "modifiedBefore", "createdOnOrAfter", "createdBefore"),
        ),
    ),
    "crm.Customers_Get": lambda call: shown(CUSTOMER.get(call)),
    "crm.Customers_Update": update_customer,
    "crm.Customers_GetList": list_customers,
    "crm.Customers_Create": create_customer,
    "crm.Locations_Get": lambda call: shown(LOCATION.get(call)),
    "crm.Locations_Update": update_location,
    "crm.Locations_Create": create_location,
    "crm.Locations_GetList": list_locations,
    "crm.Locations_GetPreferredTechnician": get_preferred_technician,
    "crm.Locations_UpdatePreferredTechnician": set_preferred_technician,
    "crm.BulkTags_AddTags": lambda call: bulk_tags(call, add=True),
    "crm.BulkTags_RemoveTags": lambda call: bulk_tags(call, add=False),
    "crm.ExportCustomers_GetCustomers": feed("customers"),
    "crm.ExportLocations_Locations": feed("locations"),
    "crm.ExportContacts_CustomersContacts": feed("customer_contacts"),
    "crm.ExportContacts_LocationsContacts": feed("location_contacts"),
}
