"""Keeps house beside the worker: gauges every few seconds, and once an hour what is past its retention goes."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from psycopg import errors

from bridge.db.database import UNREACHABLE, Database, Tx
from bridge.entrypoints import metrics
from bridge.matching import asks
from bridge.operations import bulk
from bridge.sending.bulk import work_bulk
from bridge.settings import Settings

_log = structlog.get_logger()
_GAUGES_SECONDS = 10.0
_HOUSE_SECONDS = 3600.0
_BULK_SECONDS = 1.0
_LOCK = 72_707_13  # one janitor at a time, whoever is first
_ALONE = "SELECT set_config('lock_timeout', '2s', true), pg_advisory_xact_lock(7270714)"
"""Begins what changes partitions: of two workers that start together, one would find the other's table amid making its own."""
_BATCH = 5_000  # bodies emptied per transaction, so that no lock or bloat grows large
_PARTITIONED = ("effects", "attempts")

# Capped: what a gauge must tell is "many", and a scrape must never count a big table.
_GAUGES = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM outbox WHERE state = 0 LIMIT 100000) AS ready),
       (SELECT count(*) FROM (SELECT 1 FROM outbox WHERE state = 1 LIMIT 100000) AS in_doubt),
       (SELECT count(*) FROM (SELECT 1 FROM outbox WHERE state = 2 LIMIT 100000) AS held),
       (SELECT count(*) FROM (SELECT 1 FROM holds WHERE state = 'open' LIMIT 100000) AS open_holds),
       (SELECT extract(epoch FROM now() - min(due_at)) FROM (SELECT due_at FROM outbox WHERE state = 0 AND due_at <= now()
        ORDER BY tenant_id, id LIMIT 1000) AS first_ready),
       (SELECT extract(epoch FROM now() - min(due_at)) FROM (SELECT due_at FROM delivery_queue ORDER BY tenant_id, id LIMIT 1000)
        AS first_queued)
"""

_ASKED = """
SELECT EXISTS (SELECT FROM bulk_runs WHERE finished_at IS NULL) OR EXISTS (SELECT FROM bulk_actions WHERE finished_at IS NULL)
"""


async def run(database: Database, settings: Callable[[], Settings], stop: asyncio.Event) -> None:
    """Keep house by the settings in force until `stop` is set; an outage of the database only delays it."""
    next_round = datetime.now(UTC)
    while not stop.is_set():
        try:
            await _set_gauges(database)
            now = await database.now()
            if now >= next_round:
                await tidy(database, settings(), now=now)
                next_round = now + timedelta(seconds=_HOUSE_SECONDS)
        except UNREACHABLE:
            _log.warning("database.away", role="janitor")
        try:
            async with asyncio.timeout(_GAUGES_SECONDS):
                await stop.wait()
        except TimeoutError:
            continue


async def run_bulk(database: Database, stop: asyncio.Event) -> None:
    """Work through what people asked for in bulk, a step at a time, until `stop` is set."""
    while not stop.is_set():
        try:
            worked = await _work_once(database) if await _is_asked(database) else 0
        except UNREACHABLE:
            worked = 0
        if not worked:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_BULK_SECONDS):
                    await stop.wait()


async def _is_asked(database: Database) -> bool:
    """Look without a transaction: mostly nothing is asked, and two transactions a second were 2 % of a busy worker."""
    async with database.connection() as connection:
        return await (await connection.execute(_ASKED)).fetchone() == (True,)


async def _work_once(database: Database) -> int:
    now = await database.now()
    return await bulk.work(database, now=now) + await work_bulk(database, now=now)


async def _set_gauges(database: Database) -> None:
    async with database.connection() as connection:
        row = await (await connection.execute(_GAUGES)).fetchone()
    if row is None:
        return
    for state, count in zip(("ready", "in_doubt", "held"), row[:3], strict=True):
        metrics.outbox_messages.labels(state).set(count)
    metrics.holds_open.set(row[3])
    metrics.outbox_oldest_ready_seconds.set(float(row[4] or 0))
    metrics.queue_oldest_seconds.set(float(row[5] or 0))


async def tidy(database: Database, settings: Settings, *, now: datetime) -> None:
    """Let go of what is past its retention. Dedup keys, decisions and effects stay: sameness has no expiry."""
    async with database.begin() as tx:
        row = await (await tx.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])).fetchone()
        if row is None or not row[0]:
            return
        kept = settings.retention
        refused = await tx.execute(
            "DELETE FROM rejected_requests WHERE received_at < %s", [now - timedelta(days=kept.rejected_days)]
        )
        closed = await asks.prune_asks(tx, now=now - timedelta(days=7))
    emptied = await _empty_bodies(database, before=now - timedelta(days=kept.bodies_days))
    dropped = await _drop_partitions(database, before=now - timedelta(days=kept.attempts_days))
    for table in _PARTITIONED:
        for months in (1, 2):
            await _add_partition(database, table, _month(now, months))
    _log.info("house.tidied", rejected=refused.rowcount, asks=closed, bodies=emptied, partitions_dropped=dropped)


async def _empty_bodies(database: Database, *, before: datetime) -> int:
    """Empty bodies, headers and fetched answers of old deliveries; their ids and dedup keys remain."""
    total = 0
    while True:
        async with database.begin() as tx:
            await tx.execute("DELETE FROM fetched WHERE fetched_at < %s", [before])
            done = await tx.execute(
                "UPDATE deliveries SET body = '', headers = '[]' WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM deliveries"
                " WHERE received_at < %s AND octet_length(body) > 0 LIMIT %s)",
                [before, _BATCH],
            )
        total += done.rowcount
        if done.rowcount < _BATCH:
            return total


def _month(now: datetime, ahead: int) -> datetime:
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    for _ in range(ahead):
        first = (first + timedelta(days=32)).replace(day=1)
    return first


async def _add_partition(database: Database, table: str, month: datetime) -> None:
    """Make next months' partitions ahead of time; what no partition takes lies in the default one, and nothing is lost."""
    after = _month(month, 1)
    name = f"{table}_p{month:%Y_%m}"
    try:
        async with database.begin() as tx:
            await tx.execute(_ALONE)
            await tx.execute(
                f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} FOR VALUES FROM ('{month:%Y-%m-%d}') TO ('{after:%Y-%m-%d}')"
            )
    except (errors.CheckViolation, errors.LockNotAvailable):
        _log.warning(
            "partition.not_made", table=name
        )  # the default partition holds rows of that month: it goes on holding them


async def _drop_partitions(database: Database, *, before: datetime) -> int:
    """Drop whole months of attempts: a mass DELETE would keep autovacuum busy for days."""
    async with database.begin() as tx:
        await tx.execute(_ALONE)
        names = await _partitions(tx, "attempts")
        old = [name for name in names if name < f"attempts_p{before:%Y_%m}" and not name.endswith("_rest")]
        for name in old:
            await tx.execute(f"DROP TABLE {name}")
    return len(old)


async def _partitions(tx: Tx, table: str) -> list[str]:
    rows = await tx.execute(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass ORDER BY 1",
        [table],
    )
    return [row[0] for row in await rows.fetchall()]
