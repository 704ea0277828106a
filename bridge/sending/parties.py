"""Commands on customers and locations: perform and look up. New ones carry the effect key in `externalData`."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from bridge.domain.command import (
    AddContact,
    AddNote,
    ChangeTags,
    CreateCustomer,
    CreateLocation,
    PartyKind,
    SetPreferences,
    UpdateContact,
)
from bridge.domain.ids import EffectKey
from bridge.domain.outcome import Outcome, Rejected, Succeeded
from bridge.domain.reasons import Reason
from bridge.sending.findings import Absent, Finding, Found, LookFailed, Unknowable
from bridge.sending.wire import Refs, address, contact, digits, is_marked, marked, resolve, same_contact
from bridge.servicetitan.client import ServiceTitan
from bridge.servicetitan.exports import collect
from bridge.servicetitan.operations import Customers, Locations

EXTERNAL_KEY = "bridge_effect"
CLOCKS_APART = timedelta(minutes=5)

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


async def add_contact(client: ServiceTitan, command: AddContact, refs: Refs) -> Outcome:
    """Add the contact unless the party has it."""
    there = await find_contact(client, command, refs)
    if isinstance(there, LookFailed):
        return there.outcome
    if isinstance(there, Found):
        return Succeeded(status=200, body=there.ids)
    outcome = await family(client, command.party).create_contact(
        resolve(command.target, refs), body=contact(command.contact)
    )
    return Succeeded(status=outcome.status, body={"": outcome.body.id}) if isinstance(outcome, Succeeded) else outcome


async def find_contact(client: ServiceTitan, command: AddContact, refs: Refs) -> Finding:
    """Tell whether the party has the contact."""
    outcome = await collect(family(client, command.party).contacts, resolve(command.target, refs))
    if not isinstance(outcome, Succeeded):
        return LookFailed(outcome=outcome)
    mine = [row for row in outcome.body if same_contact(row.type, row.value, command.contact)]
    return Found(ids={"": mine[0].id}) if mine else Absent()


async def update_contact(client: ServiceTitan, command: UpdateContact, refs: Refs) -> Outcome:
    """Give the contact another value, unless somebody else changed it since this was planned."""
    party, target = family(client, command.party), resolve(command.target, refs)
    outcome = await collect(party.contacts, target)
    if not isinstance(outcome, Succeeded):
        return outcome
    row = next((row for row in outcome.body if row.id == command.contact_id), None)
    if row is None:
        return Rejected(reason=Reason.NOT_FOUND, detail=f"contact {command.contact_id} is gone")
    if row.value == command.value and command.memo in {None, row.memo}:
        return Succeeded(status=200, body={"": row.id})
    if command.base and row.value not in {command.base, command.value}:
        return Rejected(
            reason=Reason.FIELD_CONFLICT, detail=f"contact {row.id} is no longer what it was when this was planned"
        )
    body = {"type": row.type, "value": command.value, **({} if command.memo is None else {"memo": command.memo})}
    written = await party.update_contact(target, command.contact_id, body=body)
    return Succeeded(status=written.status, body={"": row.id}) if isinstance(written, Succeeded) else written


async def find_contact_updated(client: ServiceTitan, command: UpdateContact, refs: Refs) -> Finding:
    """Tell whether the contact has the value."""
    outcome = await collect(family(client, command.party).contacts, resolve(command.target, refs))
    if not isinstance(outcome, Succeeded):
        return LookFailed(outcome=outcome)
    row = next((row for row in outcome.body if row.id == command.contact_id), None)
    is_done = row is not None and row.value == command.value and command.memo in {None, row.memo}
    return Found(ids={"": command.contact_id}) if is_done else Absent()


async def change_tags(client: ServiceTitan, command: ChangeTags, refs: Refs) -> Outcome:
    """Add and remove tags one by one, only those that are missing or there."""
    party, target = family(client, command.party), resolve(command.target, refs)
    read = await party.get(target)
    if not isinstance(read, Succeeded):
        return read
    stands = set(read.body.tag_type_ids)
    for tag in command.added:
        if tag not in stands:
            outcome = await party.add_tag(target, tag)
            if not isinstance(outcome, Succeeded) and outcome.reason != Reason.CONFLICT:  # somebody was quicker
                return outcome
    for tag in command.removed:
        if tag in stands:
            outcome = await party.remove_tag(target, tag)
            if not isinstance(outcome, Succeeded) and outcome.reason != Reason.NOT_FOUND:
                return outcome
    return Succeeded(status=200, body={})


async def find_tags(client: ServiceTitan, command: ChangeTags, refs: Refs) -> Finding:
    """Tell whether the tags are as wanted."""
    read = await family(client, command.party).get(resolve(command.target, refs))
    if not isinstance(read, Succeeded):
        return LookFailed(outcome=read)
    stands = set(read.body.tag_type_ids)
    return Found() if stands.issuperset(command.added) and stands.isdisjoint(command.removed) else Absent()


async def add_note(client: ServiceTitan, command: AddNote, key: EffectKey, refs: Refs) -> Outcome:
    """Add the note, with a mark by which it is found again."""
    body: dict[str, Any] = {"text": marked(command.text, key)}
    if command.pin_to_top:
        body["pinToTop"] = True
    outcome = await _note_family(client, command).create_note(resolve(command.target, refs), body=body)
    return Succeeded(status=outcome.status, body={"": outcome.body.id}) if isinstance(outcome, Succeeded) else outcome


async def find_note(
    client: ServiceTitan, command: AddNote, key: EffectKey, refs: Refs, *, sent_at: datetime
) -> Finding:
    """Tell whether the note of this effect exists."""
    query = {"createdOnOrAfter": sent_at - CLOCKS_APART}
    outcome = await collect(_note_family(client, command).notes, resolve(command.target, refs), query=query)
    if not isinstance(outcome, Succeeded):
        return LookFailed(outcome=outcome)
    mine = [row for row in outcome.body if is_marked(row.text, key)]
    return Found(ids={"": mine[0].id}) if mine else Absent()


async def set_preferences(client: ServiceTitan, command: SetPreferences, refs: Refs) -> Outcome:
    """Set do-not-mail on the customer and marketing preferences on the contacts that are meant."""
    customer = resolve(command.customer, refs)
    if command.do_not_mail is not None:
        outcome = await client.customers.update(customer, body={"doNotMail": command.do_not_mail})
        if not isinstance(outcome, Succeeded):
            return outcome
    if command.marketing is not None:
        listed = await collect(client.customers.contacts, customer)
        if not isinstance(listed, Succeeded):
            return listed
        for row in _meant(command, listed.body):
            body = {"type": row.type, "value": row.value, "preferences": _preferences(row, marketing=command.marketing)}
            outcome = await client.customers.update_contact(customer, row.id, body=body)
            if not isinstance(outcome, Succeeded):
                return outcome
    return Succeeded(status=200, body={})


async def find_preferences(client: ServiceTitan, command: SetPreferences, refs: Refs) -> Finding:
    """Tell whether the preferences stand as wanted."""
    customer = resolve(command.customer, refs)
    if command.do_not_mail is not None:
        read = await client.customers.get(customer)
        if not isinstance(read, Succeeded):
            return LookFailed(outcome=read)
        if read.body.do_not_mail != command.do_not_mail:
            return Absent()
    if command.marketing is not None:
        listed = await collect(client.customers.contacts, customer)
        if not isinstance(listed, Succeeded):
            return LookFailed(outcome=listed)
        if _meant(command, listed.body):
            return Absent()
    return Found()


def _meant(command: SetPreferences, rows: Sequence[Any]) -> list[Any]:
    """Return the contacts of the value (all where none is named) whose marketing preference is not yet as wanted."""
    wanted = command.contact_value
    return [
        row
        for row in rows
        if (not wanted or _same_value(row.value, wanted))
        and (row.preferences is None or row.preferences.marketing_updates_enabled != command.marketing)
    ]


def _same_value(value: str | None, wanted: str) -> bool:
    if "@" in wanted:
        return (value or "").strip().casefold() == wanted.strip().casefold()
    return bool(digits(wanted)) and digits(value or "") == digits(wanted)


def _preferences(row: Any, *, marketing: bool) -> dict[str, bool]:
    """Return all five preferences, as the contract requires; one never set counts as on, as ServiceTitan's default is."""
    held = row.preferences
    names = {
        "jobRemindersEnabled": "job_reminders_enabled",
        "invoiceStatementNotification": "invoice_statement_notification",
        "invoiceNotification": "invoice_notification",
        "statementNotification": "statement_notification",
    }
    kept = {name: getattr(held, attribute, None) is not False for name, attribute in names.items()}
    return {**kept, "marketingUpdatesEnabled": marketing}


def _note_family(client: ServiceTitan, command: AddNote) -> Any:
    return {"customer": client.customers, "location": client.locations, "lead": client.leads}[command.on]


def _external(key: EffectKey, guid: str) -> dict[str, Any]:
    if not guid:
        return {}
    return {"externalData": {"applicationGuid": guid, "externalData": [{"key": EXTERNAL_KEY, "value": key}]}}


def _by_external(key: EffectKey, guid: str) -> dict[str, Any]:
    if not guid:
        return {}
    return {"externalDataApplicationGuid": guid, "externalDataKey": EXTERNAL_KEY, "externalDataValues": [key]}
