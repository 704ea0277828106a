"""Contacts of customers and locations: add and update them, and look that up."""

from bridge.domain.command import AddContact, UpdateContact
from bridge.domain.outcome import Outcome, Rejected, Succeeded
from bridge.domain.reasons import Reason
from bridge.sending.effects.parties import family
from bridge.sending.effects.wire import Refs, contact, resolve, same_contact
from bridge.sending.findings import Absent, Finding, Found, LookFailed
from bridge.servicetitan.client import ServiceTitan
from bridge.servicetitan.exports import collect


async def add(client: ServiceTitan, command: AddContact, refs: Refs) -> Outcome:
    """Add the contact unless the party has it."""
    there = await find(client, command, refs)
    if isinstance(there, LookFailed):
        return there.outcome
    if isinstance(there, Found):
        return Succeeded(status=200, body=there.ids)
    outcome = await family(client, command.party).create_contact(
        resolve(command.target, refs), body=contact(command.contact)
    )
    return Succeeded(status=outcome.status, body={"": outcome.body.id}) if isinstance(outcome, Succeeded) else outcome


async def find(client: ServiceTitan, command: AddContact, refs: Refs) -> Finding:
    """Tell whether the party has the contact."""
    outcome = await collect(family(client, command.party).contacts, resolve(command.target, refs))
    if not isinstance(outcome, Succeeded):
        return LookFailed(outcome=outcome)
    mine = [row for row in outcome.body if same_contact(row.type, row.value, command.contact)]
    return Found(ids={"": mine[0].id}) if mine else Absent()


async def update(client: ServiceTitan, command: UpdateContact, refs: Refs) -> Outcome:
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


async def find_updated(client: ServiceTitan, command: UpdateContact, refs: Refs) -> Finding:
    """Tell whether the contact has the value."""
    outcome = await collect(family(client, command.party).contacts, resolve(command.target, refs))
    if not isinstance(outcome, Succeeded):
        return LookFailed(outcome=outcome)
    row = next((row for row in outcome.body if row.id == command.contact_id), None)
    is_done = row is not None and row.value == command.value and command.memo in {None, row.memo}
    return Found(ids={"": command.contact_id}) if is_done else Absent()
