"""Today at a glance: four numbers, what is held, who went quiet."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

import msgspec

from bridge.db.database import Database
from bridge.domain.ids import TenantId
from bridge.reports.reading import reading, rows_of, value_of


class Banner(msgspec.Struct, frozen=True, kw_only=True):
    """Something that needs a look, with the place to look at."""

    tone: str
    text: str
    href: str = ""


class Today(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers since local midnight; what waits for a person is counted whatever its age."""

    since: datetime
    received: int
    done: int
    review: int
    failed: int
    waiting: int
    rejected: int
    hours: tuple[int, ...] = ()
    banners: tuple[Banner, ...] = ()


def midnight(now: datetime, time_zone: str) -> datetime:
    """Return when the day began where the tenant is."""
    zone = ZoneInfo(time_zone)
    return datetime.combine(now.astimezone(zone).date(), time(), zone)


async def today(database: Database, tenant_id: TenantId, *, time_zone: str, now: datetime) -> Today:
    """Return today's numbers and the banners of what stands still."""
    since = midnight(now, time_zone)
    async with reading(database) as tx:
        values = {"tenant": tenant_id, "since": since, "zone": time_zone}
        hours = await rows_of(
            tx,
            "SELECT extract(hour FROM received_at AT TIME ZONE %(zone)s)::int AS hour, count(*) AS n FROM deliveries"
            " WHERE tenant_id = %(tenant)s AND received_at >= %(since)s GROUP BY 1",
            values,
        )
        by_hour = {row["hour"]: row["n"] for row in hours}
        done = await value_of(
            tx,
            "SELECT count(*) FROM delivery_states s WHERE tenant_id = %(tenant)s AND state = 'processed' AND received_at >= %(since)s"
            " AND EXISTS (SELECT 1 FROM effects e WHERE e.tenant_id = s.tenant_id AND e.delivery_id = s.delivery_id)"
            " AND NOT EXISTS (SELECT 1 FROM effects e JOIN outbox o ON o.tenant_id = e.tenant_id AND o.id = e.id"
            " WHERE e.tenant_id = s.tenant_id AND e.delivery_id = s.delivery_id)"
            " AND NOT EXISTS (SELECT 1 FROM effects e JOIN dead_messages m ON m.tenant_id = e.tenant_id AND m.effect_id = e.id"
            " WHERE e.tenant_id = s.tenant_id AND e.delivery_id = s.delivery_id)",
            values,
        )
        review = await value_of(
            tx, "SELECT count(*) FROM holds WHERE tenant_id = %(tenant)s AND state = 'open'", values
        )
        failed = await value_of(
            tx,
            "SELECT (SELECT count(*) FROM delivery_states WHERE tenant_id = %(tenant)s AND state = 'failed' AND received_at >= %(since)s)"
            " + (SELECT count(*) FROM dead_messages WHERE tenant_id = %(tenant)s)",
            values,
        )
        waiting = await value_of(tx, "SELECT count(*) FROM outbox WHERE tenant_id = %(tenant)s", values)
        rejected = await value_of(
            tx,
            "SELECT count(*) FROM rejected_requests WHERE (tenant_id = %(tenant)s OR tenant_id IS NULL) AND received_at >= %(since)s",
            values,
        )
        held = await rows_of(
            tx,
            "SELECT scope, name, by, reason, paused_at AS since FROM pauses WHERE tenant_id = %(tenant)s",
            values,
        )
        refused = await rows_of(
            tx,
            "SELECT o.reason, count(DISTINCT e.delivery_id) AS n, min(a.at) AS since FROM outbox o JOIN effects e ON e.tenant_id = o.tenant_id"
            " AND e.id = o.id AND e.created_at = o.created_at LEFT JOIN LATERAL (SELECT min(at) AS at FROM attempts"
            " WHERE tenant_id = o.tenant_id AND effect_id = o.id AND reason = o.reason) a ON true WHERE o.tenant_id = %(tenant)s"
            " AND o.reason IN ('credentials_refused', 'unauthorized', 'forbidden', 'maintenance', 'token_unavailable') GROUP BY 1",
            values,
        )
    return Today(
        since=since,
        received=sum(by_hour.values()),
        done=done,
        review=review,
        failed=failed,
        waiting=waiting,
        rejected=rejected,
        hours=tuple(by_hour.get(hour, 0) for hour in range(24)),
        banners=(*_paused(held, waiting, time_zone), *_refused(refused, time_zone)),
    )


_REFUSALS = {
    "credentials_refused": "ServiceTitan refuses our credentials",
    "unauthorized": "ServiceTitan refuses our token",
    "forbidden": "ServiceTitan says the app may not do this",
    "maintenance": "ServiceTitan is in maintenance",
    "token_unavailable": "ServiceTitan's token service does not answer",
}


def _at(moment: datetime | None, time_zone: str) -> str:
    return f" since {moment.astimezone(ZoneInfo(time_zone)):%H:%M}" if moment else ""


def _refused(rows: list[dict[str, object]], time_zone: str) -> list[Banner]:
    found = []
    for row in rows:
        since, count = row["since"], row["n"]
        waits = f"{count} lead{'s' if count != 1 else ''} wait{'s' if count == 1 else ''}, none lost."
        text = (
            f"{_REFUSALS[str(row['reason'])]}{_at(since if isinstance(since, datetime) else None, time_zone)}, {waits}"
        )
        found.append(Banner(tone="bad", text=text, href="/outbox?state=waiting"))
    return found


def _paused(rows: list[dict[str, object]], waiting: int, time_zone: str) -> list[Banner]:
    found = []
    for row in rows:
        since = row["since"]
        what = "Sending is paused" if row["scope"] == "tenant" else f"The {row['scope']} “{row['name']}” is paused"
        at = _at(since if isinstance(since, datetime) else None, time_zone)
        found.append(
            Banner(
                tone="wait",
                text=f"{what}{at} by {row['by']}: {row['reason']} ({waiting} wait, none lost).",
                href="/outbox",
            )
        )
    return found
