"""Telling people before they ask: held tenants, dead effects, feeds that stand still, quiet sources, reviews and work that grow old."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from bridge.db.database import Database, Tx
from bridge.domain.command import SendAlert, kind_of
from bridge.domain.ids import DecisionId, DeliveryId, SourceId, TenantId, alerts_of
from bridge.domain.plan import Effect, effect_key
from bridge.sending import control, outbox
from bridge.sending.bell import Address

OVER = "This is over."
_LOCK = 72_707_14  # one replica looks at a time


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """When waiting becomes worth a message."""

    review: timedelta = timedelta(hours=24)
    work: timedelta = timedelta(minutes=15)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong now."""

    tenant_id: TenantId
    kind: str
    subject: str
    text: str


class Turn(msgspec.Struct, frozen=True):
    """Something that is wrong, or over, since when it was open, and whether a person wants to hear nothing of it."""

    found: Found
    opened_at: datetime
    is_muted: bool = False
    is_over: bool = False


# What is tried again and again has a due time that moves on: how old it is tells then. What a person paused is not late.
# One statement for all tenants: to ask each for itself took 4 ms a tenant.
_LOOK = """
SELECT w.tenant, found.* FROM unnest(%(tenants)s::bigint[]) AS w (tenant) CROSS JOIN LATERAL (
SELECT 'tenant_held', reason, 'ServiceTitan: ' || replace(reason, '_', ' ') || '; ' || count(*)
  || CASE count(*) WHEN 1 THEN ' message waits' ELSE ' messages wait' END || ', none lost.'
FROM outbox
WHERE tenant_id = w.tenant AND reason IN ('credentials_refused', 'unauthorized', 'forbidden') GROUP BY reason
UNION ALL SELECT 'effect_dead', reason || ':' || kind, count(*) || ' × ' || replace(kind, '_', ' ') || ' given up: ' || replace(reason, '_', ' ') || '.'
FROM dead_messages WHERE tenant_id = w.tenant AND died_at > %(now)s - interval '1 day' GROUP BY reason, kind
UNION ALL SELECT 'feed_stopped', feed, 'The mirror''s feed of ' || replace(feed, '_', ' ') || ' stands still: ' || replace(reason, '_', ' ')
  || ', last tried ' || to_char(failed_at, 'YYYY-MM-DD HH24:MI') || ' UTC. `bridge sync status` tells more; it goes on where it stood.'
FROM cursors WHERE tenant_id = w.tenant AND stopped
UNION ALL SELECT 'review_late', 'review', count(*) || CASE count(*) WHEN 1 THEN ' decision waits' ELSE ' decisions wait' END || ' for a person, the oldest since '
  || to_char(min(opened_at), 'YYYY-MM-DD HH24:MI') || ' UTC.'
FROM holds WHERE tenant_id = w.tenant AND state = 'open' AND opened_at < %(now)s - %(review)s HAVING count(*) > 0
UNION ALL SELECT 'work_late', 'queue', count(*) || CASE count(*) WHEN 1 THEN ' delivery is' ELSE ' deliveries are' END || ' not processed yet, the oldest since '
  || to_char(min(CASE WHEN q.attempts = 0 THEN q.due_at ELSE d.received_at END), 'YYYY-MM-DD HH24:MI') || ' UTC.'
FROM delivery_queue q JOIN deliveries d ON d.tenant_id = q.tenant_id AND d.id = q.id
WHERE q.tenant_id = w.tenant AND (q.due_at < %(now)s - %(work)s OR q.attempts > 0 AND d.received_at < %(now)s - %(work)s) HAVING count(*) > 0
UNION ALL SELECT 'work_late', 'outbox', count(*) || CASE count(*) WHEN 1 THEN ' message is' ELSE ' messages are' END || ' not sent yet, the oldest since '
  || to_char(min(CASE WHEN state = 0 AND sends = 0 THEN due_at ELSE created_at END), 'YYYY-MM-DD HH24:MI') || ' UTC.'
FROM outbox o WHERE tenant_id = w.tenant AND reason NOT IN ('credentials_refused', 'unauthorized', 'forbidden')
  AND (state = 0 AND due_at < %(now)s - %(work)s OR (state = 1 OR state = 0 AND sends > 0) AND created_at < %(now)s - %(work)s)
  AND NOT EXISTS (SELECT 1 FROM pauses p WHERE p.tenant_id = o.tenant_id
    AND (p.scope = 'tenant' OR p.scope = 'source' AND p.name = o.source_id OR p.scope = 'lane' AND p.name = o.lane)) HAVING count(*) > 0
OFFSET 0) AS found
"""


_CLOSE = """
UPDATE alerts SET closed_at = %s WHERE tenant_id = ANY(%s::bigint[]) AND closed_at IS NULL
  AND NOT (tenant_id || ':' || kind || ':' || subject = ANY(%s))
RETURNING tenant_id, kind, subject, opened_at
"""

# When each address heard last that a thing is wrong. Alerts are few, so are these rows.
_HEARD = """
SELECT lane, max(created_at) FROM effects
WHERE tenant_id = %s AND created_at >= %s AND command ->> 'is_over' IS NULL GROUP BY lane
"""


async def look(
    database: Database,
    *,
    tenants: Sequence[TenantId],
    addresses: Sequence[Address],
    limits: Limits,
    quiet: Sequence[Found] = (),
    now: datetime,
) -> list[Found]:
    """Open, tell again after the cooldown, and close the alerts of tenants; what is to be told is committed with them.

    `quiet` are the sources gone quiet, which their rhythm tells.
    """
    async with database.begin() as tx:
        locked = await (await tx.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])).fetchone()
        if not locked or not locked[0]:
            return []
        asked = {"tenants": list(tenants), "now": now, "review": limits.review, "work": limits.work}
        rows = await (await tx.execute(_LOOK, asked)).fetchall()
        found = [Found(tenant_id=TenantId(row[0]), kind=row[1], subject=row[2], text=row[3]) for row in rows]
        found += quiet
        turns = [Turn(one, *await _keep(tx, one, now=now)) for one in found]
        names = [f"{one.tenant_id}:{one.kind}:{one.subject}" for one in found]
        closed = await (await tx.execute(_CLOSE, [now, list(tenants), names])).fetchall()
        for tenant_id, kind, subject, opened_at in closed:
            over = Found(tenant_id=TenantId(tenant_id), kind=kind, subject=subject, text=OVER)
            turns.append(Turn(over, opened_at, is_over=True))
        for tenant_id in sorted({turn.found.tenant_id for turn in turns}):
            own = [turn for turn in turns if turn.found.tenant_id == tenant_id]
            await _tell(tx, tenant_id, own, addresses, now=now)
    return found


async def _tell(tx: Tx, tenant_id: TenantId, turns: list[Turn], addresses: Sequence[Address], *, now: datetime) -> None:
    """Tell each address what it did not hear within its cooldown; that it is over, if it heard since it opened."""
    if not turns or not addresses:
        return
    since = min(now - max(one.cooldown for one in addresses), *(turn.opened_at for turn in turns))
    heard: dict[str, datetime] = dict(await (await tx.execute(_HEARD, [alerts_of(tenant_id), since])).fetchall())
    effects = []
    for turn in turns:
        for address in addresses:
            before = heard.get(_lane(address, turn.found))
            if turn.is_over:
                is_due = before is not None and before >= turn.opened_at
            else:
                is_due = not turn.is_muted and (before is None or now - before >= address.cooldown)
            if is_due:
                effects.append(_effect(tenant_id, address, turn, before=before, now=now))
    if effects:
        await outbox.put(
            tx, tenant_id=alerts_of(tenant_id), source_id=SourceId(""), delivery_id=DeliveryId(0), decision_id=DecisionId(0),
            effects=effects, now=now,
        )  # fmt: skip
        await control.tell(tx)


def _lane(address: Address, one: Found) -> str:
    """Return the lane of what one address hears of one thing: that it is over comes after that it is wrong."""
    return f"alert:{address.name}:{one.kind}:{one.subject}"


def _effect(tenant_id: TenantId, address: Address, turn: Turn, *, before: datetime | None, now: datetime) -> Effect:
    """Return one alert, named by what was told before it: whoever else finds the same names it the same."""
    one = turn.found
    command = SendAlert(
        address=address.name, tenant=tenant_id, kind=one.kind, subject=one.subject, text=one.text, at=now, is_over=turn.is_over
    )  # fmt: skip
    told = f"after {before.isoformat()}" if before and not turn.is_over else f"since {turn.opened_at.isoformat()}"
    key = effect_key(
        tenant_id=alerts_of(tenant_id), kind=kind_of(command), target=_lane(address, one),
        inquiry_key="over" if turn.is_over else "open", version=told,
    )  # fmt: skip
    return Effect(key=key, command=command, lane=_lane(address, one), rule="alerts")


async def _keep(tx: Tx, one: Found, *, now: datetime) -> tuple[datetime, bool]:
    """Keep an alert and return since when it is open and whether somebody muted it."""
    rows = await tx.execute(
        "INSERT INTO alerts (tenant_id, kind, subject, opened_at, seen_at, text) VALUES (%(t)s, %(k)s, %(s)s, %(now)s, %(now)s, %(text)s)"
        " ON CONFLICT (tenant_id, kind, subject) DO UPDATE SET seen_at = excluded.seen_at, text = excluded.text,"
        " opened_at = CASE WHEN alerts.closed_at IS NULL THEN alerts.opened_at ELSE excluded.opened_at END, closed_at = NULL"
        " RETURNING opened_at, coalesce(muted_until > %(now)s, false)",
        {"t": one.tenant_id, "k": one.kind, "s": one.subject, "now": now, "text": one.text},
    )
    ((opened_at, is_muted),) = await rows.fetchall()
    return opened_at, is_muted


async def count_hours(database: Database, since: Mapping[TenantId, datetime | None], *, now: datetime) -> None:
    """Bring the counts per source and hour of tenants up to date from the hour on in which they were, six weeks back at first.

    None stands for who does not know: then the last counted hour is counted again.
    """
    async with database.begin() as tx:
        await tx.execute(
            "INSERT INTO delivery_hours (tenant_id, source_id, hour, received)"
            " SELECT w.tenant, d.source_id, d.hour, d.received"
            " FROM unnest(%(tenants)s::bigint[], %(since)s::timestamptz[]) AS w (tenant, since) CROSS JOIN LATERAL"
            " (SELECT coalesce(w.since, (SELECT max(hour) FROM delivery_hours WHERE tenant_id = w.tenant), %(first)s) AS since OFFSET 0) AS s"
            " CROSS JOIN LATERAL (SELECT source_id, date_trunc('hour', received_at) AS hour, count(*) AS received FROM deliveries"
            " WHERE tenant_id = w.tenant AND received_at >= date_trunc('hour', s.since) GROUP BY 1, 2 OFFSET 0) AS d"
            " ON CONFLICT (tenant_id, source_id, hour) DO UPDATE SET received = excluded.received"
            " WHERE delivery_hours.received <> excluded.received",
            {"tenants": list(since), "since": list(since.values()), "first": now - timedelta(weeks=6)},
        )
