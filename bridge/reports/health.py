"""Is everything at work: the database, workers, the queue, ServiceTitan's word on our credentials, the mirror's age."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from bridge.db.database import Database
from bridge.db.ownership import SHARDS
from bridge.domain.ids import TenantId
from bridge.mirror.cursors import KEYS, LISTS
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
            "SELECT feed, row_count, greatest(recent_at, synced_at) AS at, loaded_at, reason, stopped, skipped FROM cursors WHERE tenant_id = %s ORDER BY feed",
            [tenant_id],
        )
        (refused,) = await rows_of(
            tx,
            "SELECT count(*) AS n, min(created_at) AS since FROM outbox WHERE tenant_id = %s"
            " AND reason IN ('credentials_refused', 'unauthorized', 'forbidden')",
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
            is_fine=owned == SHARDS,
            text=f"{owned} of {SHARDS} are owned",
            remedy="They are taken within a lease; look at the workers' log.",
        ),
        Check(
            name="Queue",
            is_fine=not late,
            text=f"{queue[0]['n']} deliveries wait" + (f", the oldest since {oldest:%H:%M:%S} UTC" if oldest else ""),
            remedy="Look at the workers' log.",
        ),
    ]
    found.append(_servicetitan(feeds, refused, now=now))
    for row in feeds:
        if row["feed"] == KEYS:  # no feed of ServiceTitan's: made here, once
            made = row["loaded_at"] is not None
            text = f"{row['row_count']:,}" + ("" if made else " so far; nobody is recognised before all are made")
            found.append(Check(name="Keys to recognise people by", is_fine=made, text=text, remedy="Run: bridge sync."))
            continue
        age = (now - row["at"]) if row["at"] else None
        found.append(
            Check(
                name=f"Mirror of {row['feed'].replace('_', ' ')}",
                is_fine=not row["stopped"] and age is not None and age < timedelta(hours=1),
                text=("of what the config may name" if row["feed"] == LISTS else f"{row['row_count']:,} records")
                + (f", looked at {_minutes(age)}" if age is not None else ", never read to its end")
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


def _servicetitan(feeds: list[dict[str, Any]], refused: dict[str, Any], *, now: datetime) -> Check:
    """Tell whether ServiceTitan takes our credentials, by the messages it refused and by when it last answered a read."""
    name, answered = "ServiceTitan", max((row["at"] for row in feeds if row["at"]), default=None)
    if refused["n"]:
        text = f"refuses our credentials since {refused['since']:%Y-%m-%d %H:%M} UTC; {refused['n']:,} messages wait, none lost"
        return Check(
            name=name, is_fine=False, text=text, remedy="Correct the credentials in the config; run: bridge doctor."
        )
    if answered is None:
        return Check(name=name, is_fine=False, text="has not answered yet", remedy="Run: bridge sync, bridge doctor.")
    return Check(name=name, is_fine=True, text=f"takes our credentials; answered {_minutes(now - answered)}")


def _minutes(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    return f"{minutes} min ago" if minutes > 0 else "just now"
