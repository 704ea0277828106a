"""The outbox as it stands, what is paused, what failed and how often, and actions at work in the background."""

from datetime import datetime
from typing import Any

import msgspec

from bridge.db.database import Database
from bridge.domain.ids import TenantId, alerts_of
from bridge.domain.reasons import advice_for
from bridge.reports.reading import reading, rows_as, rows_of, value_of

STATES = ("ready", "waiting", "held", "in_doubt", "dead")


class MessageSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the outbox, or a dead one. An alert belongs to no delivery (0) and says what it tells in `text`."""

    effect_id: int
    delivery_id: int
    kind: str
    lane: str
    source_id: str
    state: str
    reason: str
    sends: int
    created_at: datetime
    due_at: datetime | None
    text: str = ""


class PauseSeen(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person paused."""

    scope: str
    name: str
    paused_at: datetime
    by: str
    reason: str


class RunSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A background action on many."""

    id: int
    kind: str
    action: str
    query: str
    by: str
    reason: str
    started_at: datetime
    finished_at: datetime | None
    total: int
    done: int
    skipped: int
    failed: int


class AlertSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An alert to an address of the config, sent or still to be; `state` is sent, waiting, in_doubt, dead or cancelled."""

    effect_id: int
    address: str
    kind: str
    text: str
    created_at: datetime
    attempts: int
    detail: str
    state: str


class OutboxSeen(msgspec.Struct, frozen=True, kw_only=True):
    """Counts by state, age of the oldest, the budget, pauses and open breakers."""

    counts: dict[str, int]
    oldest_at: datetime | None
    rate: float | None
    pauses: tuple[PauseSeen, ...]
    breakers: tuple[dict[str, Any], ...]
    sent_last_minute: int


class ProblemSeen(msgspec.Struct, frozen=True, kw_only=True):
    """Failures that have one cause: the same reason, operation and source."""

    reason: str
    kind: str
    source_id: str
    count: int
    first_at: datetime
    last_at: datetime
    text: str = ""
    remedy: str = ""
    sample_delivery_id: int | None = None
    muted_until: datetime | None = None


async def outbox(database: Database, tenant_id: TenantId, *, now: datetime) -> OutboxSeen:
    """Return how the tenant's outbox stands."""
    async with reading(database) as tx:
        here = {"tenant": tenant_id, "tenants": [tenant_id, alerts_of(tenant_id)], "now": now}
        counted = await rows_of(
            tx,
            "SELECT CASE WHEN state = 1 THEN 'in_doubt' WHEN state = 2 THEN 'held' WHEN due_at > %(now)s OR sends > 0 THEN 'waiting'"
            " ELSE 'ready' END AS state, count(*) AS n, min(created_at) AS oldest FROM outbox WHERE tenant_id = ANY(%(tenants)s) GROUP BY 1",
            here,
        )
        dead = await value_of(tx, "SELECT count(*) FROM dead_messages WHERE tenant_id = ANY(%(tenants)s)", here)
        pauses = await rows_as(
            tx, PauseSeen, "SELECT scope, name, paused_at, by, reason FROM pauses WHERE tenant_id = %(tenant)s", here
        )
        breakers = await rows_of(
            tx,
            "SELECT family, error_class, state, opened_at, probe_at, override FROM breakers WHERE tenant_id = %(tenant)s AND (state <> 'closed' OR override <> '')",
            here,
        )
        rate = await value_of(tx, "SELECT rate FROM sending_tenants WHERE tenant_id = %(tenant)s", here)
        sent = await value_of(
            tx,
            "SELECT count(*) FROM attempts WHERE tenant_id = %(tenant)s AND at > %(now)s::timestamptz - interval '1 minute' AND settles = 1",
            here,
        )
    counts = dict.fromkeys(STATES, 0) | {row["state"]: row["n"] for row in counted} | {"dead": dead}
    oldest = min((row["oldest"] for row in counted), default=None)
    return OutboxSeen(
        counts=counts,
        oldest_at=oldest,
        rate=rate,
        pauses=tuple(pauses),
        breakers=tuple(breakers),
        sent_last_minute=sent,
    )


_STATES = """CASE WHEN o.state = 1 THEN 'in_doubt' WHEN o.state = 2 THEN 'held' WHEN o.due_at > %(now)s OR o.sends > 0 THEN 'waiting'
    ELSE 'ready' END"""
_TEXT = "CASE e.kind WHEN 'send_alert' THEN concat(e.command ->> 'text', ' To ', e.command ->> 'address', '.') ELSE '' END AS text"
_LIVE = f"""
SELECT m.* FROM unnest(%(tenants)s::bigint[]) AS w (tenant) CROSS JOIN LATERAL (
  SELECT o.id AS effect_id, e.delivery_id, o.kind, o.lane, o.source_id, {_STATES} AS state, o.reason, o.sends::int AS sends,
    o.created_at, o.due_at, {_TEXT}
  FROM outbox o JOIN effects e ON e.tenant_id = o.tenant_id AND e.id = o.id AND e.created_at = o.created_at
  WHERE o.tenant_id = w.tenant AND (%(after)s::bigint IS NULL OR o.id > %(after)s)
    AND (%(source)s = '' OR o.source_id = %(source)s) AND (%(reason)s = '' OR o.reason = %(reason)s)
    AND (%(kind)s = '' OR o.kind = %(kind)s) AND ({{state}})
  ORDER BY o.id LIMIT %(limit)s) AS m ORDER BY effect_id LIMIT %(limit)s
"""
_STATE = {
    "ready": "o.state = 0 AND o.due_at <= %(now)s AND o.sends = 0",
    "waiting": "o.state = 0 AND (o.due_at > %(now)s OR o.sends > 0)",
    "held": "o.state = 2",
    "in_doubt": "o.state = 1",
    "": "true",
}
_DEAD = f"""
SELECT m.* FROM unnest(%(tenants)s::bigint[]) AS w (tenant) CROSS JOIN LATERAL (
  SELECT m.effect_id, e.delivery_id, m.kind, m.lane, m.source_id, 'dead' AS state, m.reason, m.sends::int AS sends, m.created_at,
    NULL::timestamptz AS due_at, {_TEXT}
  FROM dead_messages m JOIN effects e ON e.tenant_id = m.tenant_id AND e.id = m.effect_id AND e.created_at = m.created_at
  WHERE m.tenant_id = w.tenant AND (%(after)s::bigint IS NULL OR m.effect_id > %(after)s)
    AND (%(source)s = '' OR m.source_id = %(source)s) AND (%(reason)s = '' OR m.reason = %(reason)s) AND (%(kind)s = '' OR m.kind = %(kind)s)
  ORDER BY m.effect_id LIMIT %(limit)s) AS m ORDER BY effect_id LIMIT %(limit)s
"""


async def messages(
    database: Database, tenant_id: TenantId, *, state: str = "", source_id: str = "", reason: str = "", kind: str = "",
    after_id: int | None = None, limit: int = 50, now: datetime,
) -> list[MessageSeen]:  # fmt: skip
    """Return messages of a state (all that wait where empty), oldest first; alerts about the tenant among them."""
    values = {
        "tenants": [tenant_id, alerts_of(tenant_id)],
        "now": now,
        "after": after_id,
        "source": source_id,
        "reason": reason,
        "kind": kind,
        "limit": limit,
    }
    query = _DEAD if state == "dead" else _LIVE.format(state=_STATE.get(state, "false"))
    async with reading(database) as tx:
        return await rows_as(tx, MessageSeen, query, values)


async def runs(database: Database, tenant_id: TenantId, *, limit: int = 20) -> list[RunSeen]:
    """Return background actions, newest first."""
    async with reading(database) as tx:
        return await rows_as(
            tx,
            RunSeen,
            "SELECT * FROM (SELECT id, 'deliveries' AS kind, action, query, by, reason, started_at, finished_at, total, done, skipped, failed"
            " FROM bulk_runs WHERE tenant_id = %(tenant)s UNION ALL SELECT id, 'outbox', action, filter::text, by, reason, started_at,"
            " finished_at, total, done, skipped, 0 FROM bulk_actions WHERE tenant_id = %(tenant)s) AS r ORDER BY started_at DESC LIMIT %(limit)s",
            {"tenant": tenant_id, "limit": limit},
        )


_ALERTS = """
SELECT e.id AS effect_id, e.command ->> 'address' AS address, e.command ->> 'kind' AS kind, e.command ->> 'text' AS text, e.created_at,
  coalesce(a.sends, 0)::int AS attempts, coalesce(l.detail, '') AS detail,
  CASE WHEN l.settles = 1 THEN 'sent' WHEN l.settles = 2 THEN 'dead' WHEN l.settles = 3 THEN 'cancelled' WHEN o.state = 1 THEN 'in_doubt'
    WHEN o.id IS NOT NULL THEN 'waiting' ELSE 'sent' END AS state
FROM (SELECT * FROM effects WHERE tenant_id = %(alerts)s ORDER BY id DESC LIMIT %(limit)s) AS e
LEFT JOIN outbox o ON o.tenant_id = e.tenant_id AND o.id = e.id
LEFT JOIN LATERAL (SELECT count(*) AS sends FROM attempts WHERE tenant_id = e.tenant_id AND effect_id = e.id
  AND outcome IN ('succeeded', 'rejected', 'deferred', 'in_doubt', 'crashed')) AS a ON true
LEFT JOIN LATERAL (SELECT settles, detail FROM attempts WHERE tenant_id = e.tenant_id AND effect_id = e.id
  ORDER BY number DESC LIMIT 1) AS l ON true
ORDER BY e.id DESC
"""


async def alerts(database: Database, tenant_id: TenantId, *, limit: int = 8) -> list[AlertSeen]:
    """Return the alerts that told people something about the tenant, or still are to, newest first."""
    async with reading(database) as tx:
        return await rows_as(tx, AlertSeen, _ALERTS, {"alerts": alerts_of(tenant_id), "limit": limit})


async def problems(database: Database, tenant_id: TenantId, *, since: datetime, now: datetime) -> list[ProblemSeen]:
    """Return failures grouped by reason, operation and source, the newest group first; resolved ones only if they came back."""
    async with reading(database) as tx:
        rows = await rows_as(
            tx,
            ProblemSeen,
            "WITH f AS (SELECT m.reason, m.kind, m.source_id, m.died_at AS at, nullif(e.delivery_id, 0) AS delivery_id FROM dead_messages m JOIN effects e"
            " ON e.tenant_id = m.tenant_id AND e.id = m.effect_id AND e.created_at = m.created_at WHERE m.tenant_id = ANY(%(tenants)s)"
            " UNION ALL SELECT reason, 'process', source_id, updated_at, delivery_id FROM delivery_states"
            " WHERE tenant_id = %(tenant)s AND state = 'failed' AND received_at >= %(since)s"
            " UNION ALL SELECT reason, 'receive', source_id, received_at, NULL FROM rejected_requests"
            " WHERE tenant_id = %(tenant)s AND received_at >= %(since)s)"
            " SELECT f.reason, f.kind, f.source_id, count(*) AS count, min(at) AS first_at, max(at) AS last_at,"
            " max(delivery_id) AS sample_delivery_id, max(p.muted_until) AS muted_until FROM f LEFT JOIN problem_marks p"
            " ON p.tenant_id = %(tenant)s AND p.reason = f.reason AND p.kind = f.kind AND p.source_id = f.source_id"
            " WHERE (p.resolved_at IS NULL OR f.at > p.resolved_at) GROUP BY 1, 2, 3 ORDER BY max(at) DESC LIMIT 200",
            {"tenant": tenant_id, "tenants": [tenant_id, alerts_of(tenant_id)], "since": since},
        )
    found = [
        msgspec.structs.replace(row, text=advice_for(row.reason).text, remedy=advice_for(row.reason).remedy)
        for row in rows
    ]
    return sorted(found, key=lambda row: row.muted_until is not None and row.muted_until > now)
