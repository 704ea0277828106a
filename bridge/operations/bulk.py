"""An action on many deliveries: the list is frozen when it starts, worked off in the background, and can be stopped."""

from collections.abc import Sequence
from datetime import datetime

from bridge.db.database import Database
from bridge.domain.ids import DeliveryId, TenantId
from bridge.operations import audit, deliveries
from bridge.operations.audit import Act, Done

ACTIONS = {
    "replay": deliveries.replay,
    "retry": deliveries.retry,
    "hold": deliveries.hold,
    "resume": deliveries.resume,
    "dismiss": deliveries.dismiss,
}
STEP = 50
"""Deliveries per step: a stop takes effect after at most so many."""


async def start(
    database: Database, act: Act, *, tenant_id: TenantId, action: str, query: str, delivery_ids: Sequence[int]
) -> Done:
    """Freeze the list and begin; wants a reason."""
    if not act.reason.strip():
        return Done(text="Say why: others will read it.", refusal="reason_missing")
    if action not in ACTIONS:
        return Done(text=f"There is no action “{action}”.", refusal="unknown")
    if not delivery_ids:
        return Done(text="Nothing matches.", refusal="nothing_matches")
    async with database.begin() as tx:
        row = await (
            await tx.execute(
                "INSERT INTO bulk_runs (tenant_id, action, query, by, reason, started_at, total) VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
                [tenant_id, action, query, act.by, act.reason, act.now, len(delivery_ids)],
            )
        ).fetchone()
        run_id = int(row[0]) if row else 0
        await tx.execute(
            "INSERT INTO bulk_run_items SELECT %s, %s, unnest(%s::bigint[])", [tenant_id, run_id, list(delivery_ids)]
        )
        await audit.write(
            tx,
            act,
            "bulk.started",
            f"run:{run_id}",
            tenant_id=tenant_id,
            detail={"action": action, "total": len(delivery_ids)},
        )
    return Done(text=f"{len(delivery_ids)} deliveries, in the background.", count=len(delivery_ids), id=run_id)


async def stop(database: Database, act: Act, *, tenant_id: TenantId, run_id: int) -> Done:
    """Stop a run; what was done stays done."""
    async with database.begin() as tx:
        stopped = await tx.execute(
            "UPDATE bulk_runs SET finished_at = %s, stopped_by = %s WHERE tenant_id = %s AND id = %s AND finished_at IS NULL",
            [act.now, act.by, tenant_id, run_id],
        )
        if stopped.rowcount:
            await tx.execute("DELETE FROM bulk_run_items WHERE tenant_id = %s AND run_id = %s", [tenant_id, run_id])
            await audit.write(tx, act, "bulk.stopped", f"run:{run_id}", tenant_id=tenant_id)
    return Done(text="Stopped.", count=1) if stopped.rowcount else Done(text="It is over already.", refusal="done")


async def work(database: Database, *, now: datetime) -> int:
    """Do the next part of the oldest unfinished run and return how many deliveries it took; 0 when none is left.

    An item is taken before it is acted on: a crash between leaves one undone at most, and does nothing twice.
    """
    async with database.begin() as tx:
        row = await (
            await tx.execute(
                "SELECT tenant_id, id, action, by, reason FROM bulk_runs WHERE finished_at IS NULL ORDER BY tenant_id, id LIMIT 1 FOR UPDATE SKIP LOCKED"
            )
        ).fetchone()
        if row is None:
            return 0
        tenant_id, run_id, action, by, reason = row
        items = await tx.execute(
            "DELETE FROM bulk_run_items WHERE tenant_id = %s AND run_id = %s AND delivery_id IN (SELECT delivery_id FROM bulk_run_items"
            " WHERE tenant_id = %s AND run_id = %s ORDER BY delivery_id LIMIT %s) RETURNING delivery_id",
            [tenant_id, run_id, tenant_id, run_id, STEP],
        )
        ids = sorted(item[0] for item in await items.fetchall())
    done = skipped = failed = 0
    for delivery_id in ids:
        outcome = await ACTIONS[action](
            database, Act(by, now, reason), tenant_id=TenantId(tenant_id), delivery_id=DeliveryId(delivery_id)
        )
        done += outcome.is_done
        skipped += outcome.refusal in {"done", "waiting_already", "in_flight", "in_doubt"}
        failed += bool(outcome.refusal) and outcome.refusal not in {"done", "waiting_already", "in_flight", "in_doubt"}
    async with database.begin() as tx:
        await tx.execute(
            "UPDATE bulk_runs SET done = done + %s, skipped = skipped + %s, failed = failed + %s,"
            " finished_at = CASE WHEN finished_at IS NOT NULL THEN finished_at WHEN %s < %s THEN %s::timestamptz END WHERE tenant_id = %s AND id = %s",
            [done, skipped, failed, len(ids), STEP, now, tenant_id, run_id],
        )
    return max(len(ids), 1)
