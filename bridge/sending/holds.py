"""Messages that only a person can settle, listed with the other questions: opened when one comes to wait, closed when it goes on."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from bridge.db.arrays import integers
from bridge.db.database import Tx
from bridge.domain.command import Command, FieldPolicy, SetCustomFields, UpdateContact
from bridge.domain.ids import EffectId, TenantId
from bridge.domain.reasons import Reason
from bridge.sending.message import Message
from bridge.sending.outbox import HELD
from bridge.sending.records import Record
from bridge.sending.store import Loaded

HOLDS = frozenset({Reason.FIELD_CONFLICT})
"""Refusals of our own making that a person settles: the message waits instead of dying."""

_ASKED = HOLDS | {Reason.FIELD_NOT_KEPT}
"""What stands among the questions, and not only among the messages that wait."""

MERGED = frozenset({"set_custom_fields", "update_contact"})
"""Kinds whose command depends on what people have answered."""

_OPEN = """
WITH opened AS (
  INSERT INTO holds (tenant_id, delivery_id, decision_id, inquiry_key, source_id, opened_at, reason, detail, commands, choice)
  SELECT e.tenant_id, e.delivery_id, e.decision_id, coalesce(d.inquiry_key, ''), e.source_id, %(now)s, o.reason, w.detail,
    jsonb_build_array(e.command::jsonb), jsonb_build_object('effect_id', e.id)
  FROM unnest(%(tenants)s::bigint[], %(ids)s::bigint[], %(details)s::text[]) AS w (tenant, id, detail)
  CROSS JOIN LATERAL (SELECT * FROM outbox WHERE tenant_id = w.tenant AND id = w.id AND state = %(held)s OFFSET 0) AS o
  JOIN effects e ON e.tenant_id = o.tenant_id AND e.id = o.id AND e.created_at = o.created_at
  LEFT JOIN decisions d ON d.tenant_id = e.tenant_id AND d.id = e.decision_id
  WHERE NOT EXISTS (SELECT 1 FROM holds h WHERE h.tenant_id = e.tenant_id AND h.delivery_id = e.delivery_id
    AND h.state = 'open' AND h.choice ->> 'effect_id' = e.id::text)
  RETURNING tenant_id, delivery_id, reason
)
UPDATE delivery_states AS s SET state = 'held', reason = opened.reason, updated_at = %(now)s FROM opened
WHERE s.tenant_id = opened.tenant_id AND s.delivery_id = opened.delivery_id AND s.state = 'processed'
"""

_CLOSE = """
WITH closed AS (
  UPDATE holds SET state = %(state)s, settled_at = %(now)s, settled_by = %(by)s
  WHERE tenant_id = %(tenant)s AND state = 'open' AND choice ->> 'effect_id' = %(effect)s::text
    AND delivery_id = (SELECT delivery_id FROM effects WHERE tenant_id = %(tenant)s AND id = %(effect)s LIMIT 1)
  RETURNING id, delivery_id
)
UPDATE delivery_states AS s SET state = 'processed', reason = 'processed', updated_at = %(now)s FROM closed
WHERE s.tenant_id = %(tenant)s AND s.delivery_id = closed.delivery_id AND s.state = 'held'
  AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.tenant_id = %(tenant)s AND h.delivery_id = closed.delivery_id
    AND h.state = 'open' AND h.id NOT IN (SELECT id FROM closed))
"""

_RELEASED = """
SELECT DISTINCT effect_id FROM attempts
WHERE tenant_id = ANY(%s::bigint[]) AND effect_id = ANY(%s::bigint[]) AND outcome = 'released'
"""

_REFUSED = """
SELECT tenant_id, (commands -> 0)::text FROM holds
WHERE tenant_id = ANY(%s::bigint[]) AND commands -> 0 ->> 'target' = ANY(%s::text[])
  AND state = 'dismissed' AND choice ? 'effect_id'
"""


def is_asked(record: Record) -> bool:
    """Tell whether a message came to wait for a person's answer by this record."""
    return record.state == HELD and record.reason in _ASKED


def asked(record: Record) -> tuple[TenantId, EffectId, str]:
    """Return the message of a record and what the person is told."""
    return TenantId(record.tenant_id), EffectId(record.effect_id), record.detail


async def opened(tx: Tx, held: Sequence[tuple[TenantId, EffectId, str]], *, now: datetime) -> None:
    """Ask a person about messages that came to wait for one, each with a detail; one that is asked about already is not again."""
    if held:
        tenants, ids, details = zip(*held, strict=True)
        await tx.execute(
            _OPEN,
            {"tenants": integers(tenants), "ids": integers(ids), "details": list(details), "held": HELD, "now": now},
        )


async def closed(tx: Tx, *, tenant_id: TenantId, effect_id: EffectId, state: str, by: str, now: datetime) -> None:
    """Close the question about a message that a person lets go on, or takes out."""
    await tx.execute(_CLOSE, {"tenant": tenant_id, "effect": effect_id, "state": state, "by": by, "now": now})


async def overruled(tx: Tx, messages: Iterable[Message], loaded: Mapping[EffectId, Loaded]) -> dict[EffectId, Loaded]:
    """Return what was loaded as people have answered.

    After a yes ours is written over theirs; after a no the same value is left out, whichever message brings it again.
    """
    merged = [message for message in messages if message.kind in MERGED and message.id in loaded]
    found = dict(loaded)
    if not merged:
        return found
    tenants, again = integers({message.tenant_id for message in merged}), [one.id for one in merged if one.sends]
    if again:
        for (effect_id,) in await (await tx.execute(_RELEASED, [tenants, integers(again)])).fetchall():
            one = found[effect_id]
            found[effect_id] = Loaded(one.key, ours(one.command))
    targets = {str(getattr(found[message.id].command, "target", "")) for message in merged}
    refused: dict[TenantId, list[Command]] = {}
    for tenant_id, command in await (await tx.execute(_REFUSED, [tenants, sorted(targets)])).fetchall():
        refused.setdefault(tenant_id, []).append(msgspec.json.decode(command, type=Command))
    for message in merged if refused else ():
        one = found[message.id]
        found[message.id] = Loaded(one.key, without(one.command, refused.get(message.tenant_id, ())))
    return found


def without(command: Command | None, refused: Sequence[Command]) -> Command | None:
    """Return a command without the values that a person refused for the same field or contact of the same record."""
    match command:
        case SetCustomFields(party=party, target=target, changes=changes):
            gone = {
                (change.type_id, change.value)
                for one in refused
                if isinstance(one, SetCustomFields) and (one.party, one.target) == (party, target)
                for change in one.changes
            }
            kept = tuple(
                change
                for change in changes
                if change.policy is FieldPolicy.OURS or (change.type_id, change.value) not in gone
            )
            return msgspec.structs.replace(command, changes=kept)
        case UpdateContact(party=party, target=target, contact_id=contact_id, value=value, base=base) if base:
            same = any(
                isinstance(one, UpdateContact)
                and (one.party, one.target, one.contact_id, one.value) == (party, target, contact_id, value)
                for one in refused
            )
            return msgspec.structs.replace(command, value=base, memo=None) if same else command
        case _:
            return command


def ours(command: Command | None) -> Command | None:
    """Return a command that writes its values over whatever stands there; the fields it does not name stay as they are."""
    match command:
        case SetCustomFields(changes=changes):
            forced = tuple(msgspec.structs.replace(change, policy=FieldPolicy.OURS) for change in changes)
            return msgspec.structs.replace(command, changes=forced)
        case UpdateContact():
            return msgspec.structs.replace(command, base="")
        case _:
            return command
