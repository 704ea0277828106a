"""What an earlier inquiry led to: the booking or lead that a later one of the same party or record speaks of."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

import msgspec

from bridge.db.arrays import integers, texts
from bridge.db.database import Tx
from bridge.domain.command import Command, CreateBooking, CreateLead, SubmitLeadForm
from bridge.domain.delivery import Delivery
from bridge.domain.ids import DeliveryId, EffectKey, SourceId, TenantId
from bridge.domain.inquiry import Inquiry
from bridge.domain.party import KnownBooking
from bridge.domain.plan import Plan
from bridge.domain.values import digits_of, phone_e164
from bridge.mirror import records
from bridge.planning.answers import REMEMBERED, Answer
from bridge.planning.context import OpenBooking

_decode_command = msgspec.json.Decoder(Command).decode

_COMMANDS = """
SELECT replace(k.key::text, '-', ''), e.command::text, (
    SELECT a.created::text FROM attempts a
    WHERE a.tenant_id = e.tenant_id AND a.effect_id = e.id AND a.settles = 1 AND a.created IS NOT NULL LIMIT 1
)
FROM effect_keys k JOIN effects e ON e.tenant_id = k.tenant_id AND e.id = k.effect_id
WHERE k.tenant_id = %s AND k.key = ANY(%s::uuid[])
"""

# The newest decisions about a sender's record; `record_ids` is indexed, and few deliveries share one record.
_DECISIONS = """
SELECT d.plan FROM delivery_states s
JOIN decisions d ON d.tenant_id = s.tenant_id AND d.delivery_id = s.delivery_id
WHERE s.record_ids @> ARRAY[%s] AND s.tenant_id = %s AND s.source_id = %s AND d.plan IS NOT NULL
ORDER BY d.id DESC LIMIT 50
"""

# What the first decision about an inquiry that came to an end joined it to, and when that was made.
_JOINED = """
SELECT d.delivery_id, d.inquiry_key, replace(k.key::text, '-', ''), e.created_at FROM (
  SELECT DISTINCT ON (delivery_id, inquiry_key) delivery_id, inquiry_key, plan ->> 'joins' AS joins FROM decisions
  WHERE tenant_id = %(tenant)s AND delivery_id = ANY(%(ids)s::bigint[]) AND state <> 'failed' AND plan IS NOT NULL
  ORDER BY delivery_id, inquiry_key, id
) AS d
LEFT JOIN effect_keys k ON k.tenant_id = %(tenant)s AND k.key = d.joins::uuid
LEFT JOIN effects e ON e.tenant_id = k.tenant_id AND e.id = k.effect_id
"""

# What a person said to holds of this inquiry, and the nos to the same question about the same record, or about somebody of
# this name with one of these contacts. Only inquiries that would be held look.
_ANSWERS = """
SELECT h.reason, h.detail, h.state = 'released', true FROM holds h
WHERE h.tenant_id = %(tenant)s AND h.delivery_id = %(delivery)s AND h.inquiry_key = %(key)s AND h.state <> 'open'
UNION
SELECT h.reason, h.detail, false, false FROM delivery_states s
JOIN holds h ON h.tenant_id = s.tenant_id AND h.delivery_id = s.delivery_id
WHERE s.tenant_id = %(tenant)s AND h.state = 'dismissed' AND h.reason = ANY(%(remembered)s) AND (
  (h.source_id = %(source)s AND s.record_ids && %(records)s::text[])
  OR (s.name = %(name)s AND (s.phones && %(phones)s::text[] OR s.emails && %(emails)s::text[]))
)
ORDER BY 4 DESC, 1, 2
"""


class Made(NamedTuple):
    """What is known of an effect that makes a booking: the command, the booking's id once there is one, and its mirror."""

    command: CreateBooking
    id: int | None = None
    mirrored: KnownBooking | None = None


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """What one record of a sender led to so far."""

    booking: OpenBooking | None = None
    lead: EffectKey | None = None


async def of_record(tx: Tx, tenant_id: TenantId, source_id: SourceId, record_id: str) -> Earlier:
    """Return the booking and the lead that earlier inquiries about this record made or joined."""
    if not record_id:
        return Earlier()
    rows = await (await tx.execute(_DECISIONS, [record_id, tenant_id, source_id])).fetchall()
    booking: OpenBooking | None = None
    lead: EffectKey | None = None
    for (stored,) in rows:
        plan = msgspec.convert(stored, Plan)
        for effect in plan.effects:
            if isinstance(effect.command, CreateLead | SubmitLeadForm):
                lead = lead or effect.key
        made = next((effect.key for effect in plan.effects if isinstance(effect.command, CreateBooking)), plan.joins)
        if booking is None and made is not None:
            known = await made_by(tx, tenant_id, [made])
            if made in known:
                booking = open_booking(made, known[made])
    return Earlier(booking=booking, lead=lead)


async def joined(
    tx: Tx, tenant_id: TenantId, deliveries: Collection[DeliveryId]
) -> dict[tuple[DeliveryId, str], tuple[OpenBooking | None, datetime | None]]:
    """Return for each inquiry that was decided, by delivery and key, the booking it joined and when that was asked for.

    It is as it was then: what was open when the inquiry came may be a job or dismissed by now.
    """
    values = {"tenant": tenant_id, "ids": integers(sorted(deliveries))}
    rows = await (await tx.execute(_JOINED, values, prepare=True)).fetchall()
    made = await made_by(tx, tenant_id, {EffectKey(key) for _, _, key, _ in rows if key})
    return {
        (DeliveryId(delivery), inquiry): (_as_it_was(EffectKey(key), made[EffectKey(key)]), opened_at)
        if key in made
        else (None, None)
        for delivery, inquiry, key, opened_at in rows
    }


def _as_it_was(key: EffectKey, made: Made) -> OpenBooking:
    return open_booking(key, made._replace(mirrored=None))


async def answers_of(tx: Tx, delivery: Delivery, inquiry: Inquiry, *, region: str) -> tuple[Answer, ...]:
    """Return what people said to holds of this inquiry and to the same questions before."""
    person = inquiry.person
    values = {
        "tenant": delivery.tenant_id,
        "delivery": delivery.id,
        "key": inquiry.key,
        "source": delivery.source_id,
        "remembered": sorted(REMEMBERED),
        "records": [inquiry.record_id] if inquiry.record_id else [],
        "name": person.display_name.lower(),
        "phones": [phone_e164(phone, region) or digits_of(phone) for phone in person.phones if digits_of(phone)],
        "emails": [email.strip().lower() for email in person.emails if email.strip()],
    }
    rows = await (await tx.execute(_ANSWERS, values)).fetchall()
    return tuple(Answer(reason=row[0], detail=row[1], is_yes=row[2], is_same=row[3]) for row in rows)


async def made_by(tx: Tx, tenant_id: TenantId, keys: Collection[EffectKey]) -> dict[EffectKey, Made]:
    """Return what is known of the bookings that effects make, by effect key; effects that make none are left out."""
    if not keys:
        return {}
    rows = await tx.execute(_COMMANDS, [tenant_id, texts(sorted(keys))], prepare=True)
    commands: dict[EffectKey, tuple[CreateBooking, int | None]] = {}
    for key, stored, created in await rows.fetchall():
        command = _decode_command(stored)
        if isinstance(command, CreateBooking):
            commands[EffectKey(key)] = (
                command,
                msgspec.json.decode(created, type=dict[str, int]).get("") if created else None,
            )
    mirrored = await records.bookings(tx, tenant_id, {id_ for _, id_ in commands.values() if id_ is not None})
    return {key: Made(command, id_, mirrored.get(id_ or 0)) for key, (command, id_) in commands.items()}


def open_booking(key: EffectKey, made: Made) -> OpenBooking:
    """Return the booking of an earlier inquiry as planning wants it."""
    return OpenBooking(
        effect_key=key,
        booking=made.mirrored or KnownBooking(id=made.id, external_id=key),
        known_contacts=tuple(contact.value for contact in made.command.contacts),
        summary=made.command.summary,
        start=made.command.start,
    )
