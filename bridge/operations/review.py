"""Deciding what waits for a person; what is decided is remembered, so that the same person is not asked about twice."""

from datetime import datetime
from typing import Any

import msgspec

from bridge.db.database import Database, Tx
from bridge.domain.ids import CustomerId, DecisionId, DeliveryId, EffectId, LocationId, SourceId, TenantId
from bridge.domain.inquiry import Inquiry
from bridge.domain.match import Match, Matched
from bridge.domain.reasons import Reason
from bridge.matching import links
from bridge.operations import audit
from bridge.operations.audit import Act, Done
from bridge.operations.deliveries import enqueue
from bridge.sending import control

UNDO_SECONDS = 6.0
"""How long a choice waits before it is carried out: as long as `u` takes it back."""


class _Open(msgspec.Struct, frozen=True, kw_only=True):
    """A hold with the decision it came from, locked."""

    id: int
    delivery_id: DeliveryId
    decision_id: DecisionId
    inquiry_key: str
    source_id: SourceId
    state: str
    settled_by: str
    settled_at: datetime | None
    reason: str
    choice: dict[str, Any] | None
    inquiry: Inquiry | None
    match: Match | None

    @property
    def effect_id(self) -> EffectId | None:
        """The message that waits, where the question came up when it was sent."""
        found = (self.choice or {}).get("effect_id")
        return None if found is None else EffectId(found)


async def accept(
    database: Database,
    act: Act,
    *,
    tenant_id: TenantId,
    hold_id: int,
    customer_id: int | None = None,
    location_id: int | None = None,
    region: str,
) -> Done:
    """Say who it is, or that the held writes may happen; the choice is remembered for the sender's record and the person.

    `region` is the tenant's country, in which a phone without a country code is read. The delivery is decided again knowing it:
    what was held has the same names then, so nothing happens twice.
    """
    async with database.begin() as tx:
        held = await _lock(tx, tenant_id, hold_id)
        if isinstance(held, Done):
            return held
        if held.effect_id is not None:
            return await _answered(tx, act, tenant_id, held, is_yes=True)
        if customer_id is None and held.reason == Reason.MATCH_AMBIGUOUS:
            return Done(text="Several customers could be this person: choose one.", refusal="choice_missing")
        who, where = customer_id, location_id
        if who is None and isinstance(held.match, Matched):
            who, where = held.match.customer_id, held.match.location_id
        choice: dict[str, Any] = (
            {"customer_id": customer_id, "location_id": location_id} if customer_id else {"accepted": True}
        )
        if who:
            choice["previous_link"] = await _remember(
                tx, act, tenant_id, held, customer_id=who, location_id=where, region=region
            )
        await enqueue(tx, act, tenant_id=tenant_id, delivery_id=held.delivery_id, delay=UNDO_SECONDS)
        await _settle(tx, act, tenant_id, held, state="released", choice=choice)
        await audit.write(
            tx, act, "hold.released", f"hold:{hold_id}", tenant_id=tenant_id, delivery_id=held.delivery_id,
            detail={"customer_id": customer_id, "location_id": location_id},
        )  # fmt: skip
    return Done(
        text=f"It is customer {customer_id}; remembered." if customer_id else "Released; remembered.",
        count=1,
        id=hold_id,
    )


async def none_of_these(database: Database, act: Act, *, tenant_id: TenantId, hold_id: int, region: str) -> Done:
    """Say that the person is none of the candidates; remembered for the sender's record."""
    async with database.begin() as tx:
        held = await _lock(tx, tenant_id, hold_id)
        if isinstance(held, Done):
            return held
        if held.effect_id is not None:
            return Done(text="Who it is was no question here: release it, or dismiss it.", refusal="not_asked")
        previous = await _remember(tx, act, tenant_id, held, customer_id=None, location_id=None, region=region)
        await enqueue(tx, act, tenant_id=tenant_id, delivery_id=held.delivery_id, delay=UNDO_SECONDS)
        await _settle(tx, act, tenant_id, held, state="released", choice={"new": True, "previous_link": previous})
        await audit.write(
            tx, act, "hold.answered_new", f"hold:{hold_id}", tenant_id=tenant_id, delivery_id=held.delivery_id
        )
    return Done(text="Somebody new; remembered.", count=1, id=hold_id)


async def dismiss(database: Database, act: Act, *, tenant_id: TenantId, hold_id: int) -> Done:
    """Say no to the held writes, for this record and person for good; what was booked stays booked."""
    async with database.begin() as tx:
        held = await _lock(tx, tenant_id, hold_id)
        if isinstance(held, Done):
            return held
        if held.effect_id is not None:
            return await _answered(tx, act, tenant_id, held, is_yes=False)
        await _settle(tx, act, tenant_id, held, state="dismissed", choice={"dismissed": True})
        await audit.write(
            tx, act, "hold.dismissed", f"hold:{hold_id}", tenant_id=tenant_id, delivery_id=held.delivery_id
        )
    return Done(text="Dismissed; no customer record is changed.", count=1, id=hold_id)


async def undo(database: Database, act: Act, *, tenant_id: TenantId, hold_id: int) -> Done:
    """Take a choice back while it is not carried out; a dismissal can be taken back at any time."""
    async with database.begin() as tx:
        held = await _lock(tx, tenant_id, hold_id, is_open=False)
        if isinstance(held, Done):
            return held
        if held.effect_id is not None:
            return Done(text="It was carried out already; see its message in the outbox.", refusal="done")
        choice = held.choice or {}
        if held.state == "released":
            taken = await tx.execute(
                "DELETE FROM delivery_queue WHERE tenant_id = %s AND id = %s AND by = %s",
                [tenant_id, held.delivery_id, held.settled_by],
            )
            if taken.rowcount == 0:
                return Done(text="It was carried out already; choose another customer from its page.", refusal="done")
            await _forget(tx, tenant_id, held, choice.get("previous_link"))
        await tx.execute(
            "UPDATE holds SET state = 'open', settled_at = NULL, settled_by = '', choice = NULL WHERE tenant_id = %s AND id = %s",
            [tenant_id, hold_id],
        )
        await tx.execute(
            "UPDATE delivery_states SET state = 'held', updated_at = %s WHERE tenant_id = %s AND delivery_id = %s",
            [act.now, tenant_id, held.delivery_id],
        )
        await audit.write(
            tx, act, "hold.reopened", f"hold:{hold_id}", tenant_id=tenant_id, delivery_id=held.delivery_id
        )
    return Done(text="Taken back.", count=1, id=hold_id)


async def not_this_customer(
    database: Database, act: Act, *, tenant_id: TenantId, delivery_id: DeliveryId, customer_id: int, region: str
) -> Done:
    """Say that the delivery's person is not the matched customer: forget the link, remember that, decide again."""
    async with database.begin() as tx:
        row = await (
            await tx.execute(
                "SELECT c.inquiry::text, d.source_id FROM decisions c JOIN deliveries d ON d.tenant_id = c.tenant_id AND d.id = c.delivery_id"
                " WHERE c.tenant_id = %s AND c.delivery_id = %s AND c.inquiry IS NOT NULL ORDER BY c.id DESC LIMIT 1",
                [tenant_id, delivery_id],
            )
        ).fetchone()
        if row is None:
            return Done(text="Nobody was matched.", refusal="unknown")
        inquiry = msgspec.json.decode(row[0], type=Inquiry)
        await links.never(
            tx,
            tenant_id,
            SourceId(row[1]),
            inquiry,
            customer_id=CustomerId(customer_id),
            decided_by=act.by,
            now=act.now,
            region=region,
        )
        await enqueue(tx, act, tenant_id=tenant_id, delivery_id=delivery_id)
        await audit.write(
            tx,
            act,
            "match.refused",
            f"customer:{customer_id}",
            tenant_id=tenant_id,
            delivery_id=delivery_id,
            detail={"customer_id": customer_id},
        )
    return Done(text="Remembered: not this customer. It is decided again.", count=1, id=delivery_id)


async def _lock(tx: Tx, tenant_id: TenantId, hold_id: int, *, is_open: bool = True) -> _Open | Done:
    row = await (
        await tx.execute(
            "SELECT h.id, h.delivery_id, h.decision_id, h.inquiry_key, h.source_id, h.state, h.settled_by, h.reason, h.choice,"
            " c.inquiry::text, c.match::text, h.settled_at FROM holds h LEFT JOIN decisions c ON c.tenant_id = h.tenant_id AND c.id = h.decision_id"
            " WHERE h.tenant_id = %s AND h.id = %s FOR UPDATE OF h",
            [tenant_id, hold_id],
        )
    ).fetchone()
    if row is None:
        return Done(text="There is no such hold.", refusal="unknown")
    if (row[5] == "open") is not is_open:
        return Done(text=f"It was settled by {row[6]} already." if is_open else "It is open.", refusal="done")
    return _Open(
        id=row[0], delivery_id=row[1], decision_id=row[2], inquiry_key=row[3], source_id=row[4], state=row[5], settled_by=row[6],
        settled_at=row[11],
        reason=row[7], choice=row[8],
        inquiry=msgspec.json.decode(row[9], type=Inquiry) if row[9] else None,
        match=msgspec.json.decode(row[10], type=Match) if row[10] else None,
    )  # fmt: skip


async def _answered(tx: Tx, act: Act, tenant_id: TenantId, held: _Open, *, is_yes: bool) -> Done:
    """Let a message that met a conflict write ours, or take it out: what stands in ServiceTitan stays."""
    assert held.effect_id is not None  # noqa: S101 - the caller asked
    effect_id = held.effect_id
    if is_yes:
        refused = await control.release(
            tx, tenant_id=tenant_id, effect_id=effect_id, is_done=False, by=act.by, now=act.now
        )
    else:
        refused = await control.cancel(tx, tenant_id=tenant_id, effect_id=effect_id, by=act.by, now=act.now)
    if refused is not None:
        return Done(text="It waits no more; see its message in the outbox.", refusal="done")
    await control.tell(tx)
    what = "hold.released" if is_yes else "hold.dismissed"
    await audit.write(tx, act, what, f"hold:{held.id}", tenant_id=tenant_id, delivery_id=held.delivery_id)
    text = "Ours is written over what stands there." if is_yes else "Dismissed; what stands in ServiceTitan stays."
    return Done(text=text, count=1, id=held.id)


async def _settle(tx: Tx, act: Act, tenant_id: TenantId, held: _Open, *, state: str, choice: dict[str, Any]) -> None:
    await tx.execute(
        "UPDATE holds SET state = %s, settled_at = %s, settled_by = %s, choice = %s::text::jsonb WHERE tenant_id = %s AND id = %s",
        [state, act.now, act.by, msgspec.json.encode(choice).decode(), tenant_id, held.id],
    )
    await tx.execute(
        "UPDATE delivery_states SET state = 'processed', updated_at = %(now)s WHERE tenant_id = %(t)s AND delivery_id = %(d)s AND state = 'held'"
        " AND NOT EXISTS (SELECT 1 FROM holds WHERE tenant_id = %(t)s AND delivery_id = %(d)s AND state = 'open')",
        {"now": act.now, "t": tenant_id, "d": held.delivery_id},
    )


async def _remember(
    tx: Tx, act: Act, tenant_id: TenantId, held: _Open, *, customer_id: int | None, location_id: int | None, region: str
) -> dict[str, Any] | None:
    """Keep the choice for the sender's record and for the person; return the link that stood there, for an undo."""
    if held.inquiry is None:
        return None
    before = await (
        await tx.execute(
            "SELECT customer_id, location_id, decided_by FROM links WHERE tenant_id = %s AND source_id = %s AND record_id = %s",
            [tenant_id, held.source_id, held.inquiry.record_id],
        )
    ).fetchone()
    await links.remember(
        tx, tenant_id, held.source_id, held.inquiry,
        customer_id=CustomerId(customer_id) if customer_id else None,
        location_id=LocationId(location_id) if location_id else None,
        decided_by=act.by, now=act.now, region=region,
    )  # fmt: skip
    if customer_id is None and held.match is not None:
        for candidate in held.match.evidence.candidates:
            if candidate.customer_id is not None:
                await links.never(
                    tx,
                    tenant_id,
                    held.source_id,
                    held.inquiry,
                    customer_id=candidate.customer_id,
                    decided_by=act.by,
                    now=act.now,
                    region=region,
                )
    return {"customer_id": before[0], "location_id": before[1], "decided_by": before[2]} if before else None


async def _forget(tx: Tx, tenant_id: TenantId, held: _Open, previous: dict[str, Any] | None) -> None:
    """Take back what one choice remembered: it is told by who decided it and when."""
    decided = [tenant_id, held.settled_by, held.settled_at]
    await tx.execute("DELETE FROM pair_decisions WHERE tenant_id = %s AND decided_by = %s AND decided_at = %s", decided)
    await tx.execute("DELETE FROM links WHERE tenant_id = %s AND decided_by = %s AND decided_at = %s", decided)
    if previous is not None and held.inquiry is not None:
        await tx.execute(
            "INSERT INTO links (tenant_id, source_id, record_id, customer_id, location_id, decided_by, decided_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [tenant_id, held.source_id, held.inquiry.record_id, *previous.values(), held.settled_at],
        )
