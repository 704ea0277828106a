"""One action on many messages: the list is frozen when it is asked for and worked off in the background, a part at a time."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from bridge.db.database import Database, Tx
from bridge.domain.ids import EffectId, TenantId, alerts_of
from bridge.sending import control
from bridge.sending.control import Action
from bridge.sending.outbox import HELD, IN_DOUBT, READY

STEP = 500  # messages of a bulk action per transaction


class Filter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which messages a bulk action takes: everything given must fit. `state` is dead, waiting, in_doubt or held."""

    state: str
    kind: str = ""
    source_id: str = ""
    lane: str = ""
    reason: str = ""
    before: datetime | None = None


async def start_bulk(
    tx: Tx, *, tenant_id: TenantId, action: Action, matching: Filter, by: str, reason: str, now: datetime
) -> tuple[int, int]:
    """Freeze the list of what a filter matches now, and return the bulk action's id and how many there are."""
    rows = await _matching(tx, tenant_id, matching)
    made = await (
        await tx.execute(
            "INSERT INTO bulk_actions (tenant_id, action, filter, by, reason, started_at, total)"
            " VALUES (%s, %s, %s::text::json, %s, %s, %s, %s) RETURNING id",
            [tenant_id, action.value, msgspec.json.encode(matching).decode(), by, reason, now, len(rows)],
        )
    ).fetchone()
    bulk_id = int(made[0]) if made else 0
    await tx.execute("INSERT INTO bulk_items SELECT %s, %s, unnest(%s::bigint[])", [tenant_id, bulk_id, list(rows)])
    return bulk_id, len(rows)


async def work_bulk(database: Database, *, now: datetime) -> int:
    """Do the next part of the oldest unfinished bulk action and return how many messages it took; 0 when none is left.

    Each part is one transaction: a crash loses nothing and does nothing twice.
    """
    async with database.begin() as tx:
        row = await (
            await tx.execute(
                "SELECT tenant_id, id, action, by FROM bulk_actions WHERE finished_at IS NULL"
                " ORDER BY tenant_id, id LIMIT 1 FOR UPDATE SKIP LOCKED"
            )
        ).fetchone()
        if row is None:
            return 0
        tenant_id, bulk_id, action, by = row
        items = await tx.execute(
            "DELETE FROM bulk_items WHERE (tenant_id, bulk_id, effect_id) IN (SELECT tenant_id, bulk_id, effect_id"
            " FROM bulk_items WHERE tenant_id = %s AND bulk_id = %s ORDER BY effect_id LIMIT %s) RETURNING effect_id",
            [tenant_id, bulk_id, STEP],
        )
        effects = await _owners(tx, TenantId(tenant_id), sorted(item[0] for item in await items.fetchall()))
        refused = 0
        for effect_id, owner in effects.items():
            refusal = await control.act(tx, tenant_id=owner, effect_id=effect_id, action=Action(action), by=by, now=now)
            refused += refusal is not None
        await tx.execute(
            "UPDATE bulk_actions SET done = done + %s, skipped = skipped + %s,"
            " finished_at = CASE WHEN %s < %s THEN %s::timestamptz END WHERE tenant_id = %s AND id = %s",
            [len(effects) - refused, refused, len(effects), STEP, now, tenant_id, bulk_id],
        )
        await control.tell(tx)
        return max(len(effects), 1)


async def _owners(tx: Tx, tenant_id: TenantId, effects: Sequence[int]) -> dict[EffectId, TenantId]:
    """Return under which number of the outbox each effect stands: the tenant's, or that of the alerts about it."""
    rows = await tx.execute(
        "SELECT id, tenant_id FROM effects WHERE tenant_id = ANY(%s) AND id = ANY(%s) ORDER BY id",
        [[tenant_id, alerts_of(tenant_id)], list(effects)],
    )
    return {EffectId(effect_id): TenantId(owner) for effect_id, owner in await rows.fetchall()}


async def _matching(tx: Tx, tenant_id: TenantId, matching: Filter) -> Sequence[int]:
    table, key = ("dead_messages", "effect_id") if matching.state == "dead" else ("outbox", "id")
    states = {"waiting": READY, "in_doubt": IN_DOUBT, "held": HELD}
    conditions: list[str] = ["tenant_id = ANY(%s)"]
    values: list[object] = [[tenant_id, alerts_of(tenant_id)]]
    if table == "outbox":
        conditions.append("state = %s")
        values.append(states[matching.state])
    wanted = {
        "kind = %s": matching.kind,
        "source_id = %s": matching.source_id,
        "lane = %s": matching.lane,
        "reason = %s": matching.reason,
        "created_at < %s": matching.before,
    }
    for condition, value in wanted.items():
        if value:
            conditions.append(condition)
            values.append(value)
    rows = await tx.execute(f"SELECT {key} FROM {table} WHERE {' AND '.join(conditions)} ORDER BY {key}", values)
    return [row[0] for row in await rows.fetchall()]
