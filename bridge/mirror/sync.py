"""The loop that keeps the mirror fresh: its own process, a session per tenant, one replica per tenant at a time."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import assert_never

import psycopg

from bridge.db.database import DATABASE_AWAY, Database
from bridge.domain.ids import TenantId
from bridge.domain.outcome import Deferred, InDoubt, Outcome, Rejected, Succeeded
from bridge.domain.reasons import Reason
from bridge.mirror import cursors, feeds, lists
from bridge.mirror.cursors import Cursor, CursorMoved
from bridge.mirror.feeds import Progress, Syncing
from bridge.mirror.keying import make_keys
from bridge.mirror.pacing import Pace
from bridge.mirror.shapes import FEEDS
from bridge.mirror.skipping import BAD
from bridge.servicetitan.client import ServiceTitan
from bridge.settings import Settings

log = logging.getLogger(__name__)

AWAY_SECONDS = 5.0
"""How long a replica waits before it looks again whether a tenant is free, or the database there."""

BROKEN_SECONDS = 60.0
"""How long a tenant rests whose syncing broke in a way nobody foresaw."""

LONGEST_WAIT = timedelta(minutes=15)
"""The most that a failing feed waits between two tries."""

PATIENT = 3
"""Tries of a feed's first load that the making of keys waits for, two minutes; what comes later is keyed page by page."""

LOGGED_ROWS = 50_000
"""A first load without a terminal says how far it is each so many rows."""

LOGGED_WITHIN = 5_000
"""Rows of a page, near enough."""


def log_progress(progress: Progress) -> None:
    """Write how far a first load came into the log, now and then; the changes of each half minute are no news."""
    if progress.is_long and (progress.is_done or progress.rows % LOGGED_ROWS < LOGGED_WITHIN):
        log.info(
            "feed.loaded" if progress.is_done else "feed.loading",
            extra={"tenant": progress.tenant_id, "feed": progress.feed, "rows": progress.rows},
        )


async def run(
    database: Database,
    clients: Callable[[TenantId], ServiceTitan],
    settings: Settings,
    stop: asyncio.Event,
    *,
    report: Callable[[Progress], None] = log_progress,
) -> None:
    """Keep the mirror of every tenant fresh until `stop` is set; a tenant that another replica syncs is left to it."""
    async with asyncio.TaskGroup() as group:
        for tenant_id in settings.tenants:
            group.create_task(_keep_tenant(database, clients(tenant_id), settings, tenant_id, stop, report))


async def _keep_tenant(
    database: Database,
    client: ServiceTitan,
    settings: Settings,
    tenant_id: TenantId,
    stop: asyncio.Event,
    report: Callable[[Progress], None],
) -> None:
    pace = Pace()
    while not stop.is_set():
        try:
            session = await open_session(database.dsn)
            try:
                if await cursors.take(session, tenant_id):
                    sync = syncing_of(
                        session, database, client, settings, tenant_id, stop=stop, report=report, paced=pace.of
                    )
                    await _keep(sync, client, settings)
            finally:
                await session.close()
        except (*DATABASE_AWAY, CursorMoved) as error:
            log.warning("sync.interrupted", extra={"tenant": tenant_id, "error": error})
        except Exception:
            # What breaks in one tenant stops it alone, for a while.
            log.exception("sync.broken", extra={"tenant": tenant_id})
            await pause(stop, BROKEN_SECONDS)
        await pause(stop, AWAY_SECONDS)


def syncing_of(
    session: psycopg.AsyncConnection,
    database: Database,
    client: ServiceTitan,
    settings: Settings,
    tenant_id: TenantId,
    *,
    stop: asyncio.Event,
    report: Callable[[Progress], None],
    paced: feeds.Paced,
) -> Syncing:
    """Return what syncs a tenant on the session that holds its lock."""
    return Syncing(
        session=session,
        tenant_id=tenant_id,
        region=settings.tenants[tenant_id].phone_region,
        source=feeds.of_client(client, paced=paced),
        clock=database.now,
        stop=stop,
        report=report,
        paced=paced,
    )


async def open_session(dsn: str) -> psycopg.AsyncConnection:
    """Return the one connection that syncs a tenant: its lock ends when the connection does, however that ends."""
    session = await psycopg.AsyncConnection.connect(
        dsn, autocommit=True, keepalives_idle=5, keepalives_interval=2, keepalives_count=3
    )
    # As in the pool: an empty table's plan must not be kept for a full one. A commit need not wait for the disk: page and
    # cursor are lost together, and the page is read again.
    await session.execute(
        "SELECT set_config('enable_seqscan', 'off', false), set_config('enable_hashjoin', 'off', false),"
        " set_config('enable_mergejoin', 'off', false), set_config('TimeZone', 'UTC', false), set_config('jit', 'off', false),"
        " set_config('synchronous_commit', 'off', false)"
    )
    return session


async def _keep(sync: Syncing, client: ServiceTitan, settings: Settings) -> None:
    cadence = settings.mirror
    while not sync.stop.is_set():
        await sync_once(sync, client, settings)
        await pause(sync.stop, cadence.recent_seconds * random.uniform(0.9, 1.0))  # noqa: S311  tenants spread out


async def sync_once(sync: Syncing, client: ServiceTitan, settings: Settings) -> None:
    """Do what is due for a tenant now: lists, first loads, keys, the full feeds, the recent changes."""
    cadence = settings.mirror
    known = await cursors.read(sync.session, sync.tenant_id)
    now = await sync.clock()
    if _is_due(known.get(cursors.LISTS), now, timedelta(seconds=cadence.lists_seconds)):
        await sync_lists(sync, client)
    full = timedelta(seconds=cadence.full_seconds)
    for feed in FEEDS:
        if not sync.stop.is_set() and _is_due(known.get(feed), now, full):
            await _guarded(sync, feed, recent=False)
    known = await cursors.read(sync.session, sync.tenant_id)
    if not sync.stop.is_set() and not cursors.has_keys(known.get(cursors.KEYS)) and _may_be_keyed(known):
        await make_keys(sync)
    for feed in FEEDS:
        cursor = known.get(feed)
        if not sync.stop.is_set() and cursor is not None and cursor.loaded_at is not None and cursor.failures == 0:
            await _guarded(sync, feed, recent=True)


def _is_due(cursor: Cursor | None, now: datetime, every: timedelta) -> bool:
    """Tell whether a feed should be read to its end: a failing one ever more rarely, one amid its first load at once."""
    if cursor is None:
        return True
    if cursor.failures and cursor.failed_at is not None:
        wait = min(timedelta(seconds=15 << min(cursor.failures, 10)), LONGEST_WAIT)
        return now - cursor.failed_at >= wait
    return cursor.synced_at is None or now - cursor.synced_at >= every


def _may_be_keyed(known: Mapping[str, Cursor]) -> bool:
    """Tell whether keys should be made: each feed they are made of was loaded, or is not to be waited for."""
    found = [known.get(feed) for feed, shape in FEEDS.items() if shape.keyed]
    return all(
        one is not None and (one.loaded_at is not None or one.stopped or one.failures >= PATIENT) for one in found
    )


async def _guarded(sync: Syncing, feed: str, *, recent: bool) -> None:
    """Read one feed; what breaks in it stops it alone."""
    try:
        await feeds.read_feed(sync, feed, recent=recent)
    except (*DATABASE_AWAY, CursorMoved):
        raise
    except Exception as error:
        log.exception("feed.broken", extra={"tenant": sync.tenant_id, "feed": feed})
        await feeds.stop_feed(sync, feed, reason="process_failed", detail=repr(error))


async def sync_lists(sync: Syncing, client: ServiceTitan) -> dict[str, str]:
    """Read every reference list anew and return why some could not be read, by list."""
    refused: dict[str, str] = {}
    tx, tenant_id = sync.session, sync.tenant_id
    for kind, (call, filters) in lists.sources(client).items():
        outcome: Outcome = await lists.read(sync.paced(call), filters)
        match outcome:
            case Succeeded():
                try:
                    async with tx.transaction():
                        await lists.replace(tx, tenant_id, kind, outcome)
                except BAD as error:
                    refused[kind] = Reason.ANSWER_UNREADABLE
                    log.warning("list.refused", extra={"tenant": tenant_id, "feed": kind, "error": error})
            case Rejected(reason=reason) | Deferred(reason=reason) | InDoubt(reason=reason):
                refused[kind] = reason
                log.warning("list.delayed", extra={"tenant": tenant_id, "feed": kind, "reason": reason})
            case _:
                assert_never(outcome)
    async with tx.transaction():
        await cursors.finish_lists(tx, tenant_id, refused=refused, now=await sync.clock())
    return refused


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait, or less if `stop` is set meanwhile."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
