"""Custom fields of customers and locations: read, merge, write the whole list, read back; and look them up."""

from collections.abc import Mapping, Sequence
from typing import Any

from bridge.domain.command import FieldChange, SetCustomFields
from bridge.domain.ids import TenantId
from bridge.domain.merge import Merged, merge_fields
from bridge.domain.outcome import Deferred, InDoubt, Outcome, Rejected, Succeeded
from bridge.domain.reasons import Reason
from bridge.sending.effects.parties import family
from bridge.sending.effects.sightings import Sightings
from bridge.sending.effects.wire import Refs, resolve
from bridge.sending.findings import Absent, Finding, Found, LookFailed
from bridge.servicetitan.client import ServiceTitan


async def set_custom_fields(
    client: ServiceTitan, command: SetCustomFields, refs: Refs, sightings: Sightings
) -> Outcome:
    """Read, merge, write the whole list, read it back: ServiceTitan erases what a PATCH leaves out.

    ServiceTitan offers no version to write against. What it shows from before our own last write, or from before what the
    mirror holds, is not merged with; what a person changed and no read shows yet cannot be kept by any client.
    """
    read = await _read(client, command, resolve(command.target, refs), sightings)
    if not isinstance(read, Succeeded):
        return read
    target, stood = read.body.id, _fields(read.body.custom_fields)
    merged = _merged(command.changes, read.body)
    if merged.conflicts:
        first = merged.conflicts[0]
        return Rejected(
            reason=Reason.FIELD_CONFLICT,
            detail=f"field {first.name or first.type_id} has another value in ServiceTitan than when this was planned",
        )
    if not merged.written:
        return Succeeded(status=200, body={})
    values = [{"typeId": type_id, "value": value} for type_id, value in sorted(merged.values.items())]
    written = await family(client, command.party).update(target, body={"customFields": values})
    if not isinstance(written, Succeeded):
        return written
    sightings.note(TenantId(client.credentials.tenant_id), command.party, target, written.body.modified_on)
    back = await _read(client, command, target, sightings)
    # It was accepted; the read-back is a check, not the effect. One that shows the list as it was may trail our write.
    if isinstance(back, Succeeded) and (stands := _fields(back.body.custom_fields)) != stood:
        lost = [type_id for type_id, value in merged.written.items() if (stands.get(type_id) or "") != value]
        if lost:
            return InDoubt(reason=Reason.FIELD_NOT_KEPT, detail=f"field {lost[0]} does not stand as it was written")
    return Succeeded(status=written.status, body={})


async def find_custom_fields(
    client: ServiceTitan, command: SetCustomFields, refs: Refs, sightings: Sightings
) -> Finding:
    """Tell whether the fields stand as wanted, or their policies want nothing more."""
    read = await _read(client, command, resolve(command.target, refs), sightings)
    if not isinstance(read, Succeeded):
        return LookFailed(outcome=read)
    merged = _merged(command.changes, read.body)
    return Absent() if merged.written or merged.conflicts else Found()


async def _read(client: ServiceTitan, command: SetCustomFields, target: int, sightings: Sightings) -> Outcome:
    """Return the record, of a merged one the survivor; deferred where what came is not whole or from the past."""
    party, tenant_id = family(client, command.party), TenantId(client.credentials.tenant_id)
    read = await party.get(target)
    if isinstance(read, Succeeded) and read.body.merged_to_id is not None:  # merged in ServiceTitan's screens
        read = await party.get(read.body.merged_to_id)
    if not isinstance(read, Succeeded):
        return read
    if read.body.name is None:
        # ServiceTitan is known to answer null where a value belongs. On the word of such a record the list of others'
        # fields would be replaced with nothing.
        return Deferred(reason=Reason.ANSWER_UNREADABLE, detail="the record came without its name, so it is not whole")
    if await sightings.is_past(tenant_id, command.party, read.body.id, read.body.modified_on):
        return Deferred(reason=Reason.READ_TRAILS)
    sightings.note(tenant_id, command.party, read.body.id, read.body.modified_on)
    return read


def _merged(changes: Sequence[FieldChange], record: Any) -> Merged:
    return merge_fields(changes, _fields(record.custom_fields), theirs_changed_at=record.modified_on)


def _fields(rows: Sequence[Any]) -> Mapping[int, str | None]:
    return {row.type_id: row.value for row in rows if row.type_id is not None}
