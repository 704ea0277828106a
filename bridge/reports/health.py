"""Is everything at work: the database, workers, the mirror's age, the queue."""

from datetime import datetime, timedelta

import msgspec

from bridge.db.database import Database
from bridge.domain.ids import TenantId
from bridge.reports.reading import reading, rows_of, value_of


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at."""

    name: str
    is_fine: bool
    text: str
    remedy: str = ""


async def checks(database: Database, tenant_id: TenantId, *, now: datetime) -> list[Check]:
    """Return what was looked at, each with what to do where it is not fine."""
    async with reading(database) as tx:
        version = await value_of(tx, "SELECT version_num FROM schema_version")
        workers = await rows_of(
            tx,
            "SELECT name, seen_at FROM workers WHERE left_at IS NULL AND seen_at > %s ORDER BY id",
            [now - timedelta(minutes=1)],
        )
        owned = await value_of(
            tx, "SELECT count(*) FROM shard_leases WHERE worker_id IS NOT NULL AND expires_at > %s", [now]
        )
        queue = await rows_of(
            tx,
            "SELECT count(*) AS n, min(d.received_at) AS oldest FROM delivery_queue q JOIN deliveries d ON d.tenant_id = q.tenant_id AND d.id = q.id"
            " WHERE q.tenant_id = %s",
            [tenant_id],
        )
        feeds = await rows_of(
            tx,
            "SELECT feed, row_count, coalesce(recent_at, synced_at) AS at, reason, stopped, skipped FROM cursors WHERE tenant_id = %s ORDER BY feed",
            [tenant_id],
        )
        breakers = await rows_of(
            tx, "SELECT family, error_class FROM breakers WHERE tenant_id = %s AND state <> 'closed'", [tenant_id]
        )
    oldest = queue[0]["oldest"]
    late = oldest is not None and now - oldest > timedelta(minutes=5)
    found = [
        Check(name="Database", is_fine=True, text=f"answers; schema {version}"),
        Check(
            name="Workers",
            is_fine=bool(workers),
            text=", ".join(row["name"] for row in workers) or "none was seen in the last minute",
            remedy="Start one: bridge work.",
        ),
        Check(
            name="Shards",
            is_fine=owned == 64 or not workers,
            text=f"{owned} of 64 are owned",
            remedy="They are taken within a lease; look at the workers' log.",
        ),
        Check(
            name="Queue",
            is_fine=not late,
            text=f"{queue[0]['n']} deliveries wait" + (f", the oldest since {oldest:%H:%M:%S} UTC" if oldest else ""),
            remedy="Look at the workers' log.",
        ),
    ]
    for row in feeds:
        age = (now - row["at"]) if row["at"] else None
        found.append(
            Check(
                name=f"Mirror of {row['feed']}",
                is_fine=not row["stopped"] and age is not None and age < timedelta(hours=1),
                text=f"{row['row_count']:,} records"
                + (
                    f", looked at {int(age.total_seconds() // 60)} min ago"
                    if age is not None
                    else ", never read to its end"
                )
                + (f", {row['skipped']:,} left out as unreadable" if row["skipped"] else ""),
                remedy=row["reason"] or "Run: bridge sync.",
            )
        )
    found += [
        Check(
            name=f"Breaker {row['family']}",
            is_fine=False,
            text=f"open: {row['error_class']}",
            remedy="It probes by itself; see Outbox.",
        )
        for row in breakers
    ]
    return found
