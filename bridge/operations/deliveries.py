"""What may be done with a stored delivery: retry what failed, replay it with today's config, edit and send, hold, dismiss."""

import hashlib
import json
import secrets
from collections.abc import Sequence

from bridge.db.database import Database, Tx
from bridge.domain.ids import DeliveryId, EffectId, TenantId
from bridge.intake import queue
from bridge.operations import audit
from bridge.operations.audit import Act, Done
from bridge.sending import control
from bridge.sending.control import Refusal, Scope

LARGEST_EDIT = 1_048_576


async def replay(
    database: Database, act: Act, *, tenant_id: TenantId, delivery_id: DeliveryId, force: bool = False
) -> Done:
    """Run a stored delivery through the flow again with today's config.

    Effects already made are not made again. `force` makes them anew, under a nonce, and wants a reason.
    """
    if force and not act.reason.strip():
        return Done(text="A forced replay makes effects a second time: say why.", refusal="reason_missing")
    async with database.begin() as tx:
        if not await _exists(tx, tenant_id, delivery_id):
            return Done(text="There is no such delivery.", refusal="unknown")
        nonce = secrets.token_hex(8) if force else ""
        done = await enqueue(tx, act, tenant_id=tenant_id, delivery_id=delivery_id, nonce=nonce)
        if done:
            await audit.write(
                tx, act, "delivery.replayed", f"delivery:{delivery_id}", tenant_id=tenant_id, delivery_id=delivery_id,
                detail={"forced": True} if force else None,
            )  # fmt: skip
    if not done:
        return Done(text="It is in the queue already.", refusal="waiting_already")
    return Done(text="It is processed again with today's config.", count=1, id=delivery_id)


async def enqueue(
    tx: Tx, act: Act, *, tenant_id: TenantId, delivery_id: DeliveryId, nonce: str = "", delay: float = 0.0
) -> bool:
    """Put a stored delivery into the queue in `delay` seconds, False where it is in it."""
    put = await tx.execute(
        "INSERT INTO delivery_queue (tenant_id, id, due_at, nonce, by) VALUES (%s, %s, %s + make_interval(secs => %s), %s, %s) ON CONFLICT DO NOTHING",
        [tenant_id, delivery_id, act.now, delay, nonce, act.by],
    )
    await queue.tell(tx)
    return put.rowcount == 1


async def retry(database: Database, act: Act, *, tenant_id: TenantId, delivery_id: DeliveryId) -> Done:
    """Send the delivery's dead, cancelled and sleeping messages again; a delivery whose processing failed is replayed."""
    async with database.begin() as tx:
        state = await _state(tx, tenant_id, delivery_id)
        effects = await _effects(tx, tenant_id, delivery_id)
        refusals: list[Refusal] = []
        count = 0
        for effect_id in effects:
            refused = await control.retry(
                tx, tenant_id=tenant_id, effect_id=EffectId(effect_id), by=act.by, now=act.now
            )
            refusals += [refused] if refused else []
            count += refused is None
        if count:
            await control.tell(tx)
            await audit.write(
                tx,
                act,
                "delivery.retried",
                f"delivery:{delivery_id}",
                tenant_id=tenant_id,
                delivery_id=delivery_id,
                detail={"messages": count},
            )
    if count:
        return Done(text=f"{count} message{'s are' if count > 1 else ' is'} sent again.", count=count, id=delivery_id)
    if state == "failed":
        return await replay(database, act, tenant_id=tenant_id, delivery_id=delivery_id)
    if state is None:
        return Done(text="There is no such delivery, or it is not decided yet.", refusal="unknown")
    told = {
        Refusal.DONE: "Everything it wanted is done.",
        Refusal.IN_FLIGHT: "It is being sent right now.",
        Refusal.IN_DOUBT: "It is being looked up; nothing is sent before that.",
    }
    first = refusals[0] if refusals else Refusal.DONE
    return Done(text=told.get(first, "There is nothing to send again."), refusal=first.value)


async def hold(database: Database, act: Act, *, tenant_id: TenantId, delivery_id: DeliveryId) -> Done:
    """Pause the lanes of what the delivery still wants sent; everything is kept."""
    async with database.begin() as tx:
        lanes = await _waiting_lanes(tx, tenant_id, delivery_id)
        for lane in lanes:
            await control.pause(
                tx,
                tenant_id=tenant_id,
                scope=Scope.LANE,
                name=lane,
                by=act.by,
                reason=act.reason or "held by hand",
                now=act.now,
            )
        if lanes:
            await control.tell(tx)
            await audit.write(
                tx, act, "delivery.held", f"delivery:{delivery_id}", tenant_id=tenant_id, delivery_id=delivery_id
            )
    if not lanes:
        return Done(text="Nothing of it waits to be sent.", refusal="done")
    return Done(text="It waits until you resume it.", count=len(lanes), id=delivery_id)


async def resume(database: Database, act: Act, *, tenant_id: TenantId, delivery_id: DeliveryId) -> Done:
    """Let the delivery's lanes go on."""
    async with database.begin() as tx:
        lanes = await _waiting_lanes(tx, tenant_id, delivery_id)
        for lane in lanes:
            await control.resume(tx, tenant_id=tenant_id, scope=Scope.LANE, name=lane)
        if lanes:
            await control.tell(tx)
            await audit.write(
                tx, act, "delivery.resumed", f"delivery:{delivery_id}", tenant_id=tenant_id, delivery_id=delivery_id
            )
    return (
        Done(text="It goes on.", count=len(lanes), id=delivery_id)
        if lanes
        else Done(text="Nothing of it waits.", refusal="done")
    )


async def dismiss(database: Database, act: Act, *, tenant_id: TenantId, delivery_id: DeliveryId) -> Done:
    """Say no to everything that still waits: open holds are dismissed, unsent messages cancelled. What is done stays done."""
    async with database.begin() as tx:
        if not await _exists(tx, tenant_id, delivery_id):
            return Done(text="There is no such delivery.", refusal="unknown")
        holds = await tx.execute(
            "UPDATE holds SET state = 'dismissed', settled_at = %s, settled_by = %s WHERE tenant_id = %s AND delivery_id = %s AND state = 'open'",
            [act.now, act.by, tenant_id, delivery_id],
        )
        cancelled = 0
        for effect_id in await _effects(tx, tenant_id, delivery_id):
            cancelled += (
                await control.cancel(tx, tenant_id=tenant_id, effect_id=EffectId(effect_id), by=act.by, now=act.now)
                is None
            )
        await tx.execute(
            "DELETE FROM delivery_queue WHERE tenant_id = %s AND id = %s AND by <> ''", [tenant_id, delivery_id]
        )
        await tx.execute(
            "UPDATE delivery_states SET state = CASE WHEN EXISTS (SELECT 1 FROM effects e JOIN attempts a ON a.tenant_id = e.tenant_id"
            " AND a.effect_id = e.id AND a.settles = 1 WHERE e.tenant_id = %(t)s AND e.delivery_id = %(d)s) THEN 'processed' ELSE 'ignored' END,"
            " reason = 'dismissed', updated_at = %(now)s WHERE tenant_id = %(t)s AND delivery_id = %(d)s",
            {"t": tenant_id, "d": delivery_id, "now": act.now},
        )
        await control.tell(tx)
        await audit.write(
            tx, act, "delivery.dismissed", f"delivery:{delivery_id}", tenant_id=tenant_id, delivery_id=delivery_id,
            detail={"holds": holds.rowcount, "messages": cancelled},
        )  # fmt: skip
    return Done(
        text=f"Dismissed: {holds.rowcount} holds, {cancelled} messages.",
        count=holds.rowcount + cancelled,
        id=delivery_id,
    )


async def edit(
    database: Database, act: Act, *, tenant_id: TenantId, delivery_id: DeliveryId, body: str, force: bool = False
) -> Done:
    """Store a corrected copy of a delivery as one of its own and process it; the first stays as it came."""
    data = body.encode()
    if len(data) > LARGEST_EDIT:
        return Done(text="The payload is larger than a delivery may be.", refusal="body_too_large")
    if force and not act.reason.strip():
        return Done(text="A forced replay makes effects a second time: say why.", refusal="reason_missing")
    if body.lstrip()[:1] in {"{", "["}:
        try:
            json.loads(body)
        except ValueError as bad:
            return Done(text=f"This is no JSON: {bad}.", refusal="payload_malformed")
    async with database.begin() as tx:
        row = await (
            await tx.execute(
                "INSERT INTO deliveries (tenant_id, source_id, dedup_key, event_type, received_at, method, url, headers, body, verified_by, trace_id)"
                " SELECT tenant_id, source_id, %s, event_type, %s, method, url, headers, %s, %s, trace_id FROM deliveries"
                " WHERE tenant_id = %s AND id = %s ON CONFLICT DO NOTHING RETURNING id",
                [
                    f"edited:{delivery_id}:{hashlib.sha256(data).hexdigest()[:32]}",
                    act.now,
                    data,
                    f"person:{act.by}",
                    tenant_id,
                    delivery_id,
                ],
            )
        ).fetchone()
        if row is None:
            known = await _exists(tx, tenant_id, delivery_id)
            return (
                Done(text="This very edit was sent before.", refusal="done")
                if known
                else Done(text="There is no such delivery.", refusal="unknown")
            )
        new_id = DeliveryId(int(row[0]))
        await enqueue(tx, act, tenant_id=tenant_id, delivery_id=new_id, nonce=secrets.token_hex(8) if force else "")
        for subject, detail in ((delivery_id, {"new": new_id}), (new_id, {"edited_from": delivery_id})):
            await audit.write(
                tx,
                act,
                "delivery.edited",
                f"delivery:{subject}",
                tenant_id=tenant_id,
                delivery_id=subject,
                detail=detail,
            )
    return Done(text="The corrected copy is processed.", count=1, id=new_id)


async def _exists(tx: Tx, tenant_id: TenantId, delivery_id: DeliveryId) -> bool:
    return (
        await (
            await tx.execute("SELECT 1 FROM deliveries WHERE tenant_id = %s AND id = %s", [tenant_id, delivery_id])
        ).fetchone()
        is not None
    )


async def _state(tx: Tx, tenant_id: TenantId, delivery_id: DeliveryId) -> str | None:
    row = await (
        await tx.execute(
            "SELECT state FROM delivery_states WHERE tenant_id = %s AND delivery_id = %s", [tenant_id, delivery_id]
        )
    ).fetchone()
    return str(row[0]) if row else None


async def _effects(tx: Tx, tenant_id: TenantId, delivery_id: DeliveryId) -> Sequence[int]:
    rows = await tx.execute(
        "SELECT id FROM effects WHERE tenant_id = %s AND delivery_id = %s ORDER BY id", [tenant_id, delivery_id]
    )
    return [row[0] for row in await rows.fetchall()]


async def _waiting_lanes(tx: Tx, tenant_id: TenantId, delivery_id: DeliveryId) -> Sequence[str]:
    rows = await tx.execute(
        "SELECT DISTINCT o.lane FROM effects e JOIN outbox o ON o.tenant_id = e.tenant_id AND o.id = e.id WHERE e.tenant_id = %s AND e.delivery_id = %s",
        [tenant_id, delivery_id],
    )
    return [row[0] for row in await rows.fetchall()]
