"""New customers and locations: create them, and look that up by the effect key they carry in `externalData`."""

from datetime import datetime
from typing import Any

from bridge.domain.command import CreateCustomer, CreateLocation, PartyKind
from bridge.domain.ids import EffectKey
from bridge.domain.outcome import Outcome, Succeeded
from bridge.sending.effects.wire import CLOCKS_APART, Refs, address, contact, resolve
from bridge.sending.findings import Absent, Finding, Found, LookFailed, Unknowable
from bridge.servicetitan.client import ServiceTitan
from bridge.servicetitan.operations import Customers, Locations

EXTERNAL_KEY = "bridge_effect"

Family = Customers | Locations


def family(client: ServiceTitan, party: PartyKind) -> Family:
    """Return the operations of the party's kind: customers and locations have the same names for the same things."""
    return client.customers if party is PartyKind.CUSTOMER else client.locations


async def create_customer(client: ServiceTitan, command: CreateCustomer, key: EffectKey, guid: str) -> Outcome:
    """Create the customer with its first location."""
    external = _external(key, guid)
    body: dict[str, Any] = {
        "name": command.name,
        "type": command.customer_type,
        "address": address(command.address),
        "locations": [
            {
                "name": command.location_name or command.name,
                "address": address(command.location_address or command.address),
                **external,
            }
        ],
        **external,
    }
    if command.contacts:
        body["contacts"] = [contact(one) for one in command.contacts]
    if command.custom_fields:
        body["customFields"] = [{"typeId": f.type_id, "value": f.value} for f in command.custom_fields if f.value]
    if command.tag_type_ids:
        body["tagTypeIds"] = list(command.tag_type_ids)
    outcome = await client.customers.create(body=body)
    if not isinstance(outcome, Succeeded):
        return outcome
    created = outcome.body
    ids = {"": created.id, "customer": created.id}
    if created.locations:
        ids["location"] = created.locations[0].id
    return Succeeded(status=outcome.status, body=ids)


async def find_customer(
    client: ServiceTitan, command: CreateCustomer, key: EffectKey, guid: str, *, sent_at: datetime
) -> Finding:
    """Tell whether the customer of this effect exists: by external data, else by name and time where it is the only one."""
    query: dict[str, Any] = {"active": "Any", "pageSize": 50}
    query |= _by_external(key, guid) or {"name": command.name, "createdOnOrAfter": sent_at - CLOCKS_APART}
    outcome = await client.customers.list(query=query)
    if not isinstance(outcome, Succeeded):
        return LookFailed(outcome=outcome)
    rows = [row for row in outcome.body.data if guid or row.name == command.name]
    if not rows:
        return Absent()
    if len(rows) > 1 and not guid:
        return Unknowable(detail="several new customers have this name, and the app has no external data GUID")
    customer_id = rows[0].merged_to_id or rows[0].id
    ids = {"": customer_id, "customer": customer_id}
    locations = await client.locations.list(query={"customerId": customer_id, "active": "Any", "sort": "+Id"})
    if not isinstance(locations, Succeeded):
        return LookFailed(outcome=locations)
    if locations.body.data:
        ids["location"] = locations.body.data[0].id
    return Found(ids=ids)


async def create_location(
    client: ServiceTitan, command: CreateLocation, key: EffectKey, refs: Refs, guid: str
) -> Outcome:
    """Create one more location of the customer."""
    body: dict[str, Any] = {
        "customerId": resolve(command.customer, refs),
        "name": command.name,
        "address": address(command.address),
        **_external(key, guid),
    }
    if command.contacts:
        body["contacts"] = [contact(one) for one in command.contacts]
    outcome = await client.locations.create(body=body)
    if not isinstance(outcome, Succeeded):
        return outcome
    return Succeeded(status=outcome.status, body={"": outcome.body.id, "location": outcome.body.id})


async def find_location(
    client: ServiceTitan, command: CreateLocation, key: EffectKey, refs: Refs, guid: str, *, sent_at: datetime
) -> Finding:
    """Tell whether the location of this effect exists."""
    query: dict[str, Any] = {"active": "Any", "pageSize": 50}
    query |= _by_external(key, guid) or {
        "customerId": resolve(command.customer, refs),
        "name": command.name,
        "createdOnOrAfter": sent_at - CLOCKS_APART,
    }
    outcome = await client.locations.list(query=query)
    if not isinstance(outcome, Succeeded):
        return LookFailed(outcome=outcome)
    rows = [row for row in outcome.body.data if guid or row.name == command.name]
    if not rows:
        return Absent()
    if len(rows) > 1 and not guid:
        return Unknowable(detail="several new locations have this name, and the app has no external data GUID")
    location_id = rows[0].merged_to_id or rows[0].id
    return Found(ids={"": location_id, "location": location_id})


def _external(key: EffectKey, guid: str) -> dict[str, Any]:
    if not guid:
        return {}
    return {"externalData": {"applicationGuid": guid, "externalData": [{"key": EXTERNAL_KEY, "value": key}]}}


def _by_external(key: EffectKey, guid: str) -> dict[str, Any]:
    if not guid:
        return {}
    return {"externalDataApplicationGuid": guid, "externalDataKey": EXTERNAL_KEY, "externalDataValues": [key]}
