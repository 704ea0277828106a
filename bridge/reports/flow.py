"""The flow as a picture's numbers, and how fast each source gets into ServiceTitan."""

from datetime import datetime

import msgspec

from bridge.db.database import Database
from bridge.domain.ids import TenantId
from bridge.reports.reading import reading, rows_of


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """So many deliveries went from one stage to the next; `query` finds them."""

    start: str
    end: str
    count: int
    query: str


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from received to done in ServiceTitan: the half and the slowest twentieth."""

    source_id: str
    count: int
    p50: float
    p95: float


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """Bands of the picture and speeds per source."""

    bands: tuple[Band, ...]
    speeds: tuple[Speed, ...]


# The few that wait or were given up are known from their own small tables; the rest is told by the state alone.
_PATHS = """
WITH dead AS (SELECT DISTINCT e.delivery_id FROM dead_messages m JOIN effects e ON e.tenant_id = m.tenant_id AND e.id = m.effect_id
    AND e.created_at = m.created_at WHERE m.tenant_id = %(tenant)s),
  waiting AS (SELECT DISTINCT e.delivery_id FROM outbox o JOIN effects e ON e.tenant_id = o.tenant_id AND e.id = o.id
    AND e.created_at = o.created_at WHERE o.tenant_id = %(tenant)s)
SELECT d.source_id, CASE WHEN d.verified_by = 'unsigned' THEN 'unsigned' ELSE 'verified' END AS proof,
  coalesce(m.kind, 'not matched') AS match, coalesce(CASE s.state WHEN 'processed' THEN CASE
    WHEN EXISTS (SELECT 1 FROM dead WHERE dead.delivery_id = d.id) THEN 'failed'
    WHEN EXISTS (SELECT 1 FROM waiting WHERE waiting.delivery_id = d.id) THEN 'waiting'
    WHEN s.reason = 'duplicate_ask' THEN 'duplicate' WHEN e.books THEN 'booked'
    WHEN e.books IS NULL THEN 'filtered' ELSE 'updated' END WHEN 'held' THEN 'review' WHEN 'ignored' THEN 'filtered' ELSE s.state END,
    'received') AS outcome, count(*) AS n
FROM deliveries d LEFT JOIN delivery_states s ON s.tenant_id = d.tenant_id AND s.delivery_id = d.id
LEFT JOIN LATERAL (SELECT CASE match->>'type' WHEN 'matched' THEN 'known customer' WHEN 'ambiguous' THEN 'several could be'
    WHEN 'unmatched' THEN 'new person' END AS kind FROM decisions WHERE tenant_id = d.tenant_id AND delivery_id = d.id
    ORDER BY id DESC LIMIT 1) m ON true
LEFT JOIN LATERAL (SELECT bool_or(kind = 'create_booking') AS books FROM effects WHERE tenant_id = d.tenant_id AND delivery_id = d.id) e ON true
WHERE d.tenant_id = %(tenant)s AND d.received_at >= %(since)s GROUP BY 1, 2, 3, 4
"""
_SPEED = """
SELECT d.source_id, count(*) AS count, percentile_cont(0.5) WITHIN GROUP (ORDER BY a.seconds) AS p50,
  percentile_cont(0.95) WITHIN GROUP (ORDER BY a.seconds) AS p95
FROM deliveries d JOIN LATERAL (SELECT extract(epoch FROM max(t.at) - d.received_at)::float AS seconds FROM effects e JOIN attempts t
    ON t.tenant_id = e.tenant_id AND t.effect_id = e.id AND t.settles = 1 AND t.by = '' WHERE e.tenant_id = d.tenant_id
    AND e.delivery_id = d.id) a ON a.seconds IS NOT NULL
WHERE d.tenant_id = %(tenant)s AND d.received_at >= %(since)s GROUP BY 1 ORDER BY 1
"""


async def flow(database: Database, tenant_id: TenantId, *, since: datetime) -> Flow:
    """Return how deliveries since a moment went from source to outcome."""
    values = {"tenant": tenant_id, "since": since}
    async with reading(database) as tx:
        paths = await rows_of(tx, _PATHS, values)
        speeds = await rows_of(tx, _SPEED, values)
        refused = await rows_of(
            tx,
            "SELECT source_id, count(*) AS n FROM rejected_requests WHERE tenant_id = %(tenant)s AND received_at >= %(since)s GROUP BY 1",
            values,
        )
    return Flow(bands=_bands(paths, refused, since), speeds=tuple(Speed(**row) for row in speeds))


_WORDS = {"known customer": "known", "several could be": "several", "new person": "new", "not matched": "none"}


def _bands(paths: list[dict[str, object]], refused: list[dict[str, object]], since: datetime) -> tuple[Band, ...]:
    after = f"after:{since:%Y-%m-%dT%H:%M}Z"
    counts: dict[tuple[str, str], int] = {}
    queries: dict[tuple[str, str], str] = {}

    def add(start: str, end: str, count: object, query: str) -> None:
        counts[start, end] = counts.get((start, end), 0) + int(str(count))
        queries[start, end] = f"{query} {after}"

    for row in paths:
        source, proof, match, outcome = (str(row[key]) for key in ("source_id", "proof", "match", "outcome"))
        add(source, proof, row["n"], f"source:{source}")
        who = f"match:{_WORDS[match]}"
        add(proof, match, row["n"], f"proof:{proof} {who}")
        add(match, outcome, row["n"], f"{who} outcome:{'working,retrying,held' if outcome == 'waiting' else outcome}")
    for row in refused:
        add(str(row["source_id"]), "rejected", row["n"], f"outcome:rejected source:{row['source_id']}")
    return tuple(
        Band(start=start, end=end, count=count, query=queries[start, end].strip())
        for (start, end), count in counts.items()
    )
