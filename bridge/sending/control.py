"""What an operator may do to the outbox, each inside the caller's transaction, which also writes the audit line.

Every action raises the tenant's version. The owner locks that version when it commits an intent, so an action and a send of
the same message never cross: either the action sees the intent and refuses, or the owner sees the action and reads anew.
"""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from bridge.db.database import Tx
from bridge.db.ownership import shard_of
from bridge.domain.budget import RATE, RESERVE
from bridge.domain.ids import EffectId, TenantId
from bridge.domain.reasons import Reason
from bridge.sending import holds
from bridge.sending.outbox import IN_DOUBT, READY
from bridge.sending.retry import POLICIES
from bridge.sending.wakeups import CHANNEL


class Refusal(StrEnum):
    """Why an action did not happen."""

    UNKNOWN = "unknown"
    DONE = "done"
    IN_FLIGHT = "in_flight"
    WAITING_ALREADY = "waiting_already"
    NOT_HELD = "not_held"
    IN_DOUBT = "in_doubt"


class Scope(StrEnum):
    """What can be paused."""

    TENANT = "tenant"
    SOURCE = "source"
    LANE = "lane"


class Action(StrEnum):
    """What can be done to a message, or to many at once."""

    RETRY = "retry"
    CANCEL = "cancel"
    RELEASE = "release"


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """How much waits and how long sending it takes at the budget, if nothing else comes."""

    waiting: int
    requests: int
    takes: timedelta


async def retry(tx: Tx, *, tenant_id: TenantId, effect_id: EffectId, by: str, now: datetime) -> Refusal | None:
    """Send a dead or cancelled message again, or a held or sleeping one at once; its attempts start from nothing."""
    await _touch(tx, tenant_id)
    waits = await _standing(tx, tenant_id, effect_id)
    if waits is not None:
        state, sends = waits
        if state == IN_DOUBT:
            return Refusal.IN_DOUBT  # a second one might be made: it is looked up first, or released by a person
        if await _is_in_flight(tx, tenant_id, effect_id, sends):
            return Refusal.IN_FLIGHT
        await tx.execute(
            "UPDATE outbox SET state = 0, spent = 0, due_at = %s, sends = sends + 1, reason = ''"
            " WHERE tenant_id = %s AND id = %s",
            [now, tenant_id, effect_id],
        )
        await _write(tx, tenant_id, effect_id, outcome="retried", settles=0, by=by, reason=Reason.RETRIED, now=now)
        await holds.closed(tx, tenant_id=tenant_id, effect_id=effect_id, state="released", by=by, now=now)
        return None
    settled = await _settled(tx, tenant_id, effect_id)
    if settled is None:
        return Refusal.UNKNOWN
    if settled == 1:
        return Refusal.DONE
    await _bring_back(tx, tenant_id, effect_id, now=now)
    await _write(tx, tenant_id, effect_id, outcome="retried", settles=0, by=by, reason=Reason.RETRIED, now=now)
    return None


async def cancel(tx: Tx, *, tenant_id: TenantId, effect_id: EffectId, by: str, now: datetime) -> Refusal | None:
    """Take a message out for good (a retry brings it back); one that is under way or in doubt is refused."""
    await _touch(tx, tenant_id)
    waits = await _standing(tx, tenant_id, effect_id)
    if waits is None:
        dead = await tx.execute(
            "DELETE FROM dead_messages WHERE tenant_id = %s AND effect_id = %s", [tenant_id, effect_id]
        )
        if dead.rowcount == 0:
            return Refusal.DONE if await _settled(tx, tenant_id, effect_id) else Refusal.UNKNOWN
    else:
        state, sends = waits
        if state == IN_DOUBT:
            return Refusal.IN_DOUBT
        if await _is_in_flight(tx, tenant_id, effect_id, sends):
            return Refusal.IN_FLIGHT
        await tx.execute("DELETE FROM outbox WHERE tenant_id = %s AND id = %s", [tenant_id, effect_id])
    await _write(tx, tenant_id, effect_id, outcome="cancelled", settles=3, by=by, reason=Reason.CANCELLED, now=now)
    await holds.closed(tx, tenant_id=tenant_id, effect_id=effect_id, state="dismissed", by=by, now=now)
    return None


async def release(
    tx: Tx, *, tenant_id: TenantId, effect_id: EffectId, is_done: bool, by: str, now: datetime
) -> Refusal | None:
    """Settle a message that is held or in doubt as a person says: `is_done` in ServiceTitan, or to be sent.

    One that was held over a conflict writes ours from then on: the person has seen both values.
    """
    await _touch(tx, tenant_id)
    waits = await _standing(tx, tenant_id, effect_id)
    if waits is None:
        return Refusal.DONE if await _settled(tx, tenant_id, effect_id) else Refusal.UNKNOWN
    if waits[0] == READY:
        return Refusal.NOT_HELD
    await holds.closed(tx, tenant_id=tenant_id, effect_id=effect_id, state="released", by=by, now=now)
    if is_done:
        await tx.execute("DELETE FROM outbox WHERE tenant_id = %s AND id = %s", [tenant_id, effect_id])
        await _write(tx, tenant_id, effect_id, outcome="released", settles=1, by=by, reason=Reason.RELEASED, now=now)
        return None
    await tx.execute(
        "UPDATE outbox SET state = 0, due_at = %s, sends = sends + 1, reason = '' WHERE tenant_id = %s AND id = %s",
        [now, tenant_id, effect_id],
    )
    await _write(tx, tenant_id, effect_id, outcome="released", settles=0, by=by, reason=Reason.RELEASED, now=now)
    return None


async def act(
    tx: Tx, *, tenant_id: TenantId, effect_id: EffectId, action: Action, is_done: bool = False, by: str, now: datetime
) -> Refusal | None:
    """Retry, cancel or release a message; `is_done` says of a released one that ServiceTitan has it."""
    match action:
        case Action.RETRY:
            return await retry(tx, tenant_id=tenant_id, effect_id=effect_id, by=by, now=now)
        case Action.CANCEL:
            return await cancel(tx, tenant_id=tenant_id, effect_id=effect_id, by=by, now=now)
        case Action.RELEASE:
            return await release(tx, tenant_id=tenant_id, effect_id=effect_id, is_done=is_done, by=by, now=now)


async def pause(
    tx: Tx, *, tenant_id: TenantId, scope: Scope, name: str = "", by: str, reason: str, now: datetime
) -> None:
    """Let nothing new of a tenant, source or lane be sent; everything is kept."""
    await _touch(tx, tenant_id)
    await tx.execute(
        "INSERT INTO pauses (tenant_id, scope, name, paused_at, by, reason) VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        [tenant_id, scope.value, name, now, by, reason],
    )


async def resume(tx: Tx, *, tenant_id: TenantId, scope: Scope, name: str = "") -> Forecast:
    """Let it be sent again, and say how long the backlog will take."""
    await _touch(tx, tenant_id)
    await tx.execute(
        "DELETE FROM pauses WHERE tenant_id = %s AND scope = %s AND name = %s", [tenant_id, scope.value, name]
    )
    return await forecast(tx, tenant_id=tenant_id, scope=scope, name=name)


async def forecast(
    tx: Tx, *, tenant_id: TenantId, scope: Scope = Scope.TENANT, name: str = "", rate: float | None = None
) -> Forecast:
    """Return how much of a tenant, source or lane waits and how long it takes at the tenant's requests per second."""
    rows = await tx.execute(
        "SELECT kind, count(*) FROM outbox WHERE tenant_id = %s AND state < 2"
        " AND (%s = 'tenant' OR (%s = 'source' AND source_id = %s) OR (%s = 'lane' AND lane = %s)) GROUP BY kind",
        [tenant_id, scope.value, scope.value, name, scope.value, name],
    )
    counts: dict[str, int] = dict(await rows.fetchall())
    requests = sum(count * (POLICIES[kind].requests if kind in POLICIES else 1) for kind, count in counts.items())
    row = await (await tx.execute("SELECT rate FROM sending_tenants WHERE tenant_id = %s", [tenant_id])).fetchone()
    per_second = (rate or (row[0] if row and row[0] else RATE)) * (1 - RESERVE)  # the rest is for what is in doubt
    return Forecast(waiting=sum(counts.values()), requests=requests, takes=timedelta(seconds=requests / per_second))


async def set_rate(tx: Tx, *, tenant_id: TenantId, rate: float | None) -> None:
    """Set the tenant's requests per second; None for the configured one."""
    await _touch(tx, tenant_id)
    await tx.execute("UPDATE sending_tenants SET rate = %s WHERE tenant_id = %s", [rate, tenant_id])


async def override_breaker(
    tx: Tx, *, tenant_id: TenantId, family: str, error_class: str, override: str, by: str
) -> None:
    """Hold a breaker `closed` or `open` whatever happens; empty gives it back to itself."""
    if override not in {"", "closed", "open"}:
        raise ValueError(f"an override is 'closed', 'open' or empty, not {override!r}")
    await _touch(tx, tenant_id)
    await tx.execute(
        "INSERT INTO breakers (tenant_id, family, error_class, state, failures, override, by)"
        " VALUES (%s, %s, %s, 'closed', 0, %s, %s) ON CONFLICT (tenant_id, family, error_class)"
        " DO UPDATE SET override = EXCLUDED.override, by = EXCLUDED.by",
        [tenant_id, family, error_class, override, by],
    )


async def tell(tx: Tx) -> None:
    """Wake the owners when this transaction commits; what is lost on the way costs one poll."""
    await tx.execute("SELECT pg_notify(%s, '')", [CHANNEL])


async def _touch(tx: Tx, tenant_id: TenantId) -> None:
    """Raise the tenant's version under its lock; the owner reads everything anew."""
    await tx.execute(
        "INSERT INTO sending_tenants (tenant_id, shard, version) VALUES (%s, %s, 1)"
        " ON CONFLICT (tenant_id) DO UPDATE SET version = sending_tenants.version + 1",
        [tenant_id, shard_of(tenant_id)],
    )


async def _standing(tx: Tx, tenant_id: TenantId, effect_id: EffectId) -> tuple[int, int] | None:
    row = await (
        await tx.execute(
            "SELECT state, sends FROM outbox WHERE tenant_id = %s AND id = %s FOR UPDATE", [tenant_id, effect_id]
        )
    ).fetchone()
    return (row[0], row[1]) if row else None


async def _is_in_flight(tx: Tx, tenant_id: TenantId, effect_id: EffectId, sends: int) -> bool:
    row = await (
        await tx.execute(
            "SELECT 1 FROM intents AS i CROSS JOIN LATERAL unnest(i.effect_ids, i.sends) AS u (id, sends)"
            " WHERE i.tenant_id = %s AND u.id = %s AND u.sends = %s",
            [tenant_id, effect_id, sends],
        )
    ).fetchone()
    return row is not None


async def _settled(tx: Tx, tenant_id: TenantId, effect_id: EffectId) -> int | None:
    """Return how the effect was last settled, None where there is no such effect or it was never settled."""
    row = await (
        await tx.execute(
            "SELECT settles FROM attempts WHERE tenant_id = %s AND effect_id = %s AND settles > 0"
            " ORDER BY (settles = 1) DESC, number DESC LIMIT 1",
            [tenant_id, effect_id],
        )
    ).fetchone()
    return int(row[0]) if row else None


async def _bring_back(tx: Tx, tenant_id: TenantId, effect_id: EffectId, *, now: datetime) -> None:
    await tx.execute("DELETE FROM dead_messages WHERE tenant_id = %s AND effect_id = %s", [tenant_id, effect_id])
    await tx.execute(
        "INSERT INTO outbox (tenant_id, id, created_at, due_at, state, priority, sends, kind, lane, source_id, waits_for)"
        " SELECT tenant_id, id, created_at, %s, 0, priority, (SELECT max(number) + 1 FROM attempts a"
        " WHERE a.tenant_id = e.tenant_id AND a.effect_id = e.id), kind, lane, source_id, waits_for"
        " FROM effects e WHERE tenant_id = %s AND id = %s",
        [now, tenant_id, effect_id],
    )
    # What waited for it was held when it died.
    await tx.execute(
        "UPDATE outbox SET state = 0, sends = sends + 1, due_at = %s, reason = '' WHERE tenant_id = %s AND state = 2"
        " AND reason = %s AND waits_for @> ARRAY[%s]::bigint[]",
        [now, tenant_id, Reason.DEPENDENCY_DEAD.value, effect_id],
    )


async def _write(
    tx: Tx,
    tenant_id: TenantId,
    effect_id: EffectId,
    *,
    outcome: str,
    settles: int,
    by: str,
    reason: Reason,
    now: datetime,
) -> None:
    await tx.execute(
        "INSERT INTO attempts (tenant_id, effect_id, at, number, outcome, settles, epoch, reason, by)"
        " SELECT %s, %s, %s, coalesce((SELECT max(number) FROM attempts WHERE tenant_id = %s AND effect_id = %s), 0) + 1,"
        " %s, %s, 0, %s, %s",
        [tenant_id, effect_id, now, tenant_id, effect_id, outcome, settles, reason.value, by],
    )
