"""Sources as they behave: last seen, how much came, their rhythm, refused requests, secrets in use."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from bridge.db.database import Database, Tx
from bridge.domain.ids import TenantId
from bridge.reports.reading import reading, rows_as, rows_of

WEEKS = 6
"""How far back a rhythm is learned from."""

QUIET_AT = 7.0
"""Alert when this many were expected and none came: 0.08 false alarms a week and source (Poisson, measured); 4.6 gives 0.44."""


class SourceSeen(msgspec.Struct, frozen=True, kw_only=True):
    """How one source behaves."""

    source_id: str
    last_at: datetime | None = None
    today: int = 0
    week: int = 0
    days: tuple[int, ...] = ()
    rejected: int = 0
    expected: float = 0.0
    quiet_hours: float = 0.0
    expected_since: float = 0.0
    """How many are usual since the last one came; the alert comes at QUIET_AT."""
    is_quiet: bool = False
    sample_id: int | None = None


class SecretSeen(msgspec.Struct, frozen=True, kw_only=True):
    """When a secret last opened the door."""

    source_id: str
    secret_name: str
    last_used_at: datetime


class RejectedSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was not taken in."""

    id: int
    source_id: str
    reason: str
    status: int
    received_at: datetime
    method: str
    content_type: str
    body_bytes: int
    body_sha256: str
    detail: str
    trace_id: str


def _hours(
    rhythm: Mapping[int, float], since: datetime, until: datetime, *, time_zone: str
) -> Iterator[tuple[datetime, datetime, float]]:
    """Yield each hour between two moments, the first and last in part: its beginning, its end, and the mean per hour."""
    zone, at = ZoneInfo(time_zone), since
    while at < until:
        ends = min(at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1), until)
        local = at.astimezone(zone)
        yield at, ends, rhythm.get(local.weekday() * 24 + local.hour, 0.0)
        at = ends


def expected_since(rhythm: Mapping[int, float], since: datetime, until: datetime, *, time_zone: str) -> float:
    """Return how many deliveries the rhythm (hour of the week → mean per hour) expects between two moments."""
    hours = _hours(rhythm, since, until, time_zone=time_zone)
    return sum(mean * ((ends - at) / timedelta(hours=1)) for at, ends, mean in hours)


def quiet_from(rhythm: Mapping[int, float], last: datetime, until: datetime, *, time_zone: str) -> datetime | None:
    """Return from when on it is no accident that nothing came since `last`; None where that is not before `until`."""
    left = QUIET_AT
    for at, ends, mean in _hours(rhythm, last, until, time_zone=time_zone):
        here = mean * ((ends - at) / timedelta(hours=1))
        if here >= left:
            return at + timedelta(hours=left / mean)
        left -= here
    return None


def is_quiet(expected: float) -> bool:
    """Tell whether so many were expected that none is no accident: chance below e^-7, one in a thousand looks."""
    return expected >= QUIET_AT


def chance(expected: float) -> float:
    """Return the chance that none came although all is well."""
    return math.exp(-expected)


async def rhythms(tx: Tx, tenant_id: TenantId, *, time_zone: str, now: datetime) -> dict[str, dict[int, float]]:
    """Return for each source the mean number per hour of the week, over the last six weeks or since its first delivery."""
    rows = await rows_of(
        tx,
        "WITH h AS (SELECT source_id, hour AT TIME ZONE %(zone)s AS hour, received, min(hour) OVER (PARTITION BY source_id) AS first"
        " FROM delivery_hours WHERE tenant_id = %(tenant)s AND hour >= %(from)s AND hour < date_trunc('hour', %(now)s::timestamptz))"
        " SELECT source_id, ((extract(isodow FROM hour)::int - 1) * 24 + extract(hour FROM hour)::int) AS slot,"
        " sum(received)::float / greatest(1, ceil(extract(epoch FROM %(now)s::timestamptz - min(first)) / 604800)) AS mean"
        " FROM h GROUP BY 1, 2",
        {"tenant": tenant_id, "zone": time_zone, "from": now - timedelta(weeks=WEEKS), "now": now},
    )
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        found.setdefault(row["source_id"], {})[row["slot"]] = float(row["mean"])
    return found


async def sources(
    database: Database, tenant_id: TenantId, names: Sequence[str], *, time_zone: str, since: datetime, now: datetime
) -> list[SourceSeen]:
    """Return how each configured source behaves, `since` being local midnight."""
    async with reading(database) as tx:
        learned = await rhythms(tx, tenant_id, time_zone=time_zone, now=now)
        rows = await rows_of(
            tx,
            "SELECT n.source_id, l.received_at AS last_at, l.id AS sample_id,"
            " (SELECT count(*) FROM deliveries WHERE tenant_id = %(tenant)s AND source_id = n.source_id AND received_at >= %(since)s) AS today,"
            " (SELECT count(*) FROM rejected_requests WHERE source_id = n.source_id AND received_at >= %(since)s) AS rejected"
            " FROM unnest(%(names)s::text[]) AS n (source_id) LEFT JOIN LATERAL (SELECT id, received_at FROM deliveries"
            " WHERE tenant_id = %(tenant)s AND source_id = n.source_id ORDER BY received_at DESC LIMIT 1) l ON true",
            {"tenant": tenant_id, "names": list(names), "since": since},
        )
        daily = await rows_of(
            tx,
            "SELECT source_id, (%(now)s::date - (received_at AT TIME ZONE %(zone)s)::date) AS ago, count(*) AS n FROM deliveries"
            " WHERE tenant_id = %(tenant)s AND received_at >= %(from)s GROUP BY 1, 2",
            {
                "tenant": tenant_id,
                "zone": time_zone,
                "from": since - timedelta(days=13),
                "now": since.astimezone(ZoneInfo(time_zone)).date(),
            },
        )
    days: dict[str, dict[int, int]] = {}
    for row in daily:
        days.setdefault(row["source_id"], {})[row["ago"]] = row["n"]
    found = []
    for row in rows:
        rhythm = learned.get(row["source_id"], {})
        last = row["last_at"]
        from_last = (
            expected_since(rhythm, max(last, now - timedelta(weeks=2)), now, time_zone=time_zone) if last else 0.0
        )
        mine = days.get(row["source_id"], {})
        found.append(
            SourceSeen(
                **row,
                week=sum(count for ago, count in mine.items() if ago < 7),
                days=tuple(mine.get(ago, 0) for ago in range(13, -1, -1)),
                expected=expected_since(rhythm, since, now, time_zone=time_zone),
                quiet_hours=(now - last) / timedelta(hours=1) if last else 0.0,
                expected_since=from_last,
                is_quiet=is_quiet(from_last),
            )
        )
    return found


async def quiet_at(
    database: Database, tenant_id: TenantId, names: Mapping[str, float | None], *, time_zone: str, now: datetime
) -> datetime:
    """Return when one of the sources may be too quiet at the earliest; at most the next full hour, when rhythms change.

    `names` has the hours after which a source is, None where its rhythm tells. Nothing is counted: for that see `sources`.
    """
    until = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    async with reading(database) as tx:
        learned = await rhythms(tx, tenant_id, time_zone=time_zone, now=now)
        rows = await rows_of(
            tx,
            # Only the last counted hour is walked, however long ago it was.
            "SELECT n.source_id, (SELECT max(received_at) FROM deliveries WHERE tenant_id = %(tenant)s AND source_id = n.source_id"
            " AND received_at >= h.hour AND received_at < h.hour + interval '1 hour') AS last_at"
            " FROM unnest(%(names)s::text[]) AS n (source_id) CROSS JOIN LATERAL"
            " (SELECT max(hour) AS hour FROM delivery_hours WHERE tenant_id = %(tenant)s AND source_id = n.source_id) AS h",
            {"tenant": tenant_id, "names": list(names)},
        )
    found = [until]
    for row in rows:
        last, limit = row["last_at"], names[row["source_id"]]
        if last is None:
            continue
        if limit is not None:
            found.append(last + timedelta(hours=limit))
            continue
        rhythm, since = learned.get(row["source_id"], {}), max(last, now - timedelta(weeks=2))
        found.append(quiet_from(rhythm, since, until, time_zone=time_zone) or until)
    return min(found)


async def rejected(
    database: Database,
    tenant_id: TenantId,
    *,
    source_id: str = "",
    reason: str = "",
    before_id: int | None = None,
    limit: int = 50,
) -> list[RejectedSeen]:
    """Return refused requests of the tenant, and those for sources nobody configured, newest first."""
    async with reading(database) as tx:
        return await rows_as(
            tx,
            RejectedSeen,
            "SELECT id, source_id, reason, status, received_at, method, content_type, body_bytes, body_sha256, detail, trace_id"
            " FROM rejected_requests WHERE (tenant_id = %(tenant)s OR tenant_id IS NULL) AND (%(source)s = '' OR source_id = %(source)s)"
            " AND (%(reason)s = '' OR reason = %(reason)s) AND (%(before)s::bigint IS NULL OR id < %(before)s) ORDER BY id DESC LIMIT %(limit)s",
            {"tenant": tenant_id, "source": source_id, "reason": reason, "before": before_id, "limit": limit},
        )


async def secrets(database: Database, tenant_id: TenantId) -> list[SecretSeen]:
    """Return when each secret was last used."""
    async with reading(database) as tx:
        return await rows_as(
            tx,
            SecretSeen,
            "SELECT source_id, secret_name, last_used_at FROM secret_uses WHERE tenant_id = %s ORDER BY 1, 2",
            [tenant_id],
        )
