"""One feed, page by page: ask, apply, move the cursor in the same transaction; the next page is asked for meanwhile."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import assert_never

import msgspec

from bridge.db import links, match_keys
from bridge.db.database import Tx
from bridge.domain.ids import TenantId
from bridge.domain.outcome import Deferred, InDoubt, Outcome, Rejected, Succeeded
from bridge.domain.reasons import Reason
from bridge.mirror import cursors, keys, rows, skipping
from bridge.mirror.cursors import Cursor
from bridge.mirror.held import Held
from bridge.mirror.shapes import FEEDS, Row
from bridge.mirror.skipping import Garbage, Skipped
from bridge.servicetitan.client import ServiceTitan
from bridge.servicetitan.exports import export_page, unread
from bridge.servicetitan.operation import BoundOperation
from bridge.servicetitan.wire import Export

log = logging.getLogger(__name__)

GARBAGE = frozenset({Reason.ANSWER_UNREADABLE, Reason.ANSWER_EMPTY, Reason.FEED_STUCK, Reason.REDIRECTED})
"""What no wait mends by itself: the feed is stopped at once, and looked at again ever more rarely."""

PATIENCE = 10
"""Failures in a row after which a feed counts as stopped, whatever the reason."""

ANALYZED_AFTER = frozenset({1, 8, 64})
"""Pages of a first load after which the table is looked over: without statistics a planner takes an index that walks the
whole tenant (42 s in place of 0.3 s for 18,000 contacts), and autovacuum comes only after a minute."""


NEWS_AT_ONCE = 250
"""Records of pages in memory that are one transaction: its 26 round trips cost as much as reading 2,000 that are as they were."""

PAGES_AT_ONCE = 8
"""Pages that are one transaction at most: what a crash lets read again."""

AGAIN = 10_000
"""Records that were as they are held, after which a feed that is read again is taken to bring more of them."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a feed came: its rows so far. `is_long` says that it is read from its beginning, not for what is new."""

    tenant_id: TenantId
    feed: str
    rows: int
    is_done: bool = False
    is_long: bool = True


Source = Callable[[str, str, bool], Awaitable[Outcome]]
"""Gives one page: of a feed, past a place (empty for the beginning), with recent changes or without."""


Paced = Callable[[BoundOperation], BoundOperation]
"""Gives the requests of an operation their turns."""


def at_once(call: BoundOperation) -> BoundOperation:
    """Return the operation as it is: its requests wait for nothing."""
    return call


def of_client(client: ServiceTitan, *, paced: Paced = at_once) -> Source:
    """Return the feeds as a tenant's client reads them."""

    async def read(feed: str, place: str, recent: bool) -> Outcome:  # noqa: FBT001  the shape of a Source
        call = paced(unread(getattr(client.exports, feed)))
        return await export_page(call, continue_from=place or None, include_recent_changes=recent)

    return read


@dataclass(frozen=True, kw_only=True)
class Syncing:
    """One session that syncs one tenant: its connection holds the tenant's lock and makes every write.

    `clock` gives the database's time, `region` reads phones, `stop` ends the work after the page under way, `paced` gives
    the lists' requests their turns (the feeds' have theirs in `source`).
    """

    session: Tx
    tenant_id: TenantId
    region: str
    source: Source
    clock: Callable[[], Awaitable[datetime]]
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    report: Callable[[Progress], None] = lambda _progress: None
    paced: Paced = at_once


async def read_feed(sync: Syncing, feed: str, *, recent: bool = False) -> Outcome:
    """Bring one feed up to its end and return how that went; the cursor stands after the last page that was kept.

    `recent` reads what the full feed still holds back; what it brings comes again and changes nothing then.
    """
    async with sync.session.transaction():
        cursor = await cursors.get(sync.session, sync.tenant_id, feed)
        known = await cursors.read(sync.session, sync.tenant_id)
    with_keys = FEEDS[feed].keyed and cursors.keeps_keys(known.get(cursors.KEYS))
    place = (cursor.recent_place or cursor.place) if recent else cursor.place
    is_first = cursor.loaded_at is None
    ahead = _Ahead(sync, feed, recent=recent, is_first=is_first)
    ahead.begin(place)
    repeats = 0
    try:
        while True:
            asked = await ahead.under_way
            if not asked.page_count:
                return await _failed(sync, feed, asked.outcome)
            after = _moved(cursor, asked, recent=recent)
            go_on = partial(ahead.begin, asked.place) if asked.has_more else rows.nothing
            if ahead.held is not None:
                go_on()  # no task of the database is long then
            try:
                cursor, changed = await _keep(
                    sync, cursor, after, asked, with_keys=with_keys, recent=recent, meanwhile=go_on
                )
            except Garbage as error:
                return await _failed(sync, feed, Deferred(reason=Reason.ANSWER_UNREADABLE, detail=str(error)))
            if cursor.page_count in ANALYZED_AFTER:
                await sync.session.execute(f"ANALYZE {FEEDS[feed].table} ({', '.join(FEEDS[feed].looked_up_by)})")
            sync.report(
                Progress(
                    tenant_id=sync.tenant_id,
                    feed=feed,
                    rows=cursor.row_count,
                    is_done=not asked.has_more,
                    is_long=is_first or not place,
                )
            )
            if not asked.has_more or sync.stop.is_set():
                return asked.outcome
            go_on()
            repeats += asked.row_count - changed
            if ahead.held is None and repeats >= AGAIN and not is_first:
                ahead.held = await Held.of(sync.session, sync.tenant_id, FEEDS[feed])
    finally:
        await ahead.end()


@dataclass(kw_only=True)
class _Asked:
    """One page as it came, or some that follow each other: what can be read, what cannot, and when it was asked for."""

    at: datetime
    outcome: Outcome
    found: list[Row] = field(default_factory=list)
    versions: rows.Versions | None = None
    skipped: list[Skipped] = field(default_factory=list)
    page_count: int = 0
    row_count: int = 0
    place: str = ""
    has_more: bool = False

    def add(self, outcome: Outcome, page: Export[msgspec.Raw], found: list[Row], skipped: list[Skipped]) -> None:
        """Take the page that follows."""
        self.outcome, self.place, self.has_more = outcome, page.continue_from, page.has_more
        self.page_count += 1
        self.row_count += len(page.data)
        self.found += found
        self.skipped += skipped


class _Ahead:
    """The next page, asked for and read while the database is busy with the one before.

    Not sooner: what is read in the short waits before that is not there to be done in the long one, and a re-sync takes
    the sum of both sides (7.3 µs a row) in place of little more than the longer.
    """

    def __init__(self, sync: Syncing, feed: str, *, recent: bool, is_first: bool) -> None:
        self._sync, self._feed, self._recent, self._is_first = sync, feed, recent, is_first
        self._place: str | None = None
        self.held: Held | None = None
        self.under_way: asyncio.Future[_Asked] = asyncio.Future()

    def begin(self, place: str) -> None:
        """Ask for the page past a place, once."""
        if place != self._place:
            self._place = place
            asking = _ask(self._sync, self._feed, place, recent=self._recent, is_first=self._is_first, held=self.held)
            self.under_way = asyncio.ensure_future(asking)

    async def end(self) -> None:
        """Give up what was begun and nobody waits for."""
        self.under_way.cancel()
        with suppress(asyncio.CancelledError):
            await self.under_way


async def _ask(sync: Syncing, feed: str, place: str, *, recent: bool, is_first: bool, held: Held | None) -> _Asked:
    """Ask for a page and read its records, whole for a first load, in stretches while the page before is written.

    Where most is as it is held, more pages follow until something is worth a transaction; what stops them is met, and told
    of, when it is asked for again.
    """
    at = await sync.clock()
    shape = FEEDS[feed]
    read = shape.read if is_first else shape.head
    asked: _Asked | None = None
    while asked is None or (asked.page_count < PAGES_AT_ONCE and len(asked.found) < NEWS_AT_ONCE):
        outcome = await sync.source(feed, place, recent)
        try:
            if not (isinstance(outcome, Succeeded) and isinstance(outcome.body, Export)):
                return asked or _Asked(at=at, outcome=outcome)
            page = outcome.body
            found, skipped = await skipping.read_each(
                page.data, read if held is None else held.reader(shape, asked_at=at)
            )
        except Garbage as error:
            return asked or _Asked(at=at, outcome=Deferred(reason=Reason.ANSWER_UNREADABLE, detail=str(error)))
        asked = asked or _Asked(at=at, outcome=outcome)
        asked.add(outcome, page, found, skipped)
        place = page.continue_from
        if held is None or not page.has_more or sync.stop.is_set():
            break
    if not is_first:
        asked.versions = rows.versions_of(asked.found)
    return asked


async def _keep(
    sync: Syncing,
    before: Cursor,
    after: Cursor,
    asked: _Asked,
    *,
    with_keys: bool,
    recent: bool,
    meanwhile: Callable[[], None],
) -> tuple[Cursor, int]:
    """Write one page with the cursor that covers it in one transaction; return the cursor and how much was news.

    Raises Garbage.

    `meanwhile` is called when the database gets its longest task.

    What is skipped is counted where the full feed brings it: recent changes come again and again.
    """
    tx, tenant_id, shape = sync.session, sync.tenant_id, FEEDS[before.feed]
    is_first = before.loaded_at is None
    async with tx.transaction():
        await cursors.move(tx, tenant_id, before, after)
        applied, unfit = await skipping.apply(
            tx,
            tenant_id,
            shape,
            asked.found,
            asked_at=asked.at,
            whole=rows.itself if is_first else shape.rest,
            expect_new=is_first,
            meanwhile=meanwhile,
            versions=asked.versions,
        )
        skipped = [*asked.skipped, *unfit]
        if skipped and not recent:
            after = await cursors.count_skipped(tx, tenant_id, after, len(skipped), last=skipped[-1].detail)
        if shape.kind in ("customer", "location") and applied.changed:
            await links.follow_merges(tx, tenant_id, shape.table, applied.changed)
        if with_keys and applied.found_by:
            touched = await keys.touched(tx, tenant_id, shape.kind, applied.found_by, left=applied.left)
            await match_keys.renew(tx, tenant_id, touched, region=sync.region)
    for one in skipped:
        log.error(
            "record.skipped",
            extra={
                "tenant": tenant_id,
                "feed": before.feed,
                "record": one.record_id,
                "reason": Reason.ANSWER_UNREADABLE,
                "detail": one.detail[:500],
            },
        )
    return after, len(applied.changed)


def _moved(before: Cursor, asked: _Asked, *, recent: bool) -> Cursor:
    """Return the cursor after what was asked for: the full feed's end lets recent changes start from there again."""
    counted = msgspec.structs.replace(
        before,
        row_count=before.row_count + asked.row_count,
        page_count=before.page_count + asked.page_count,
        failures=0,
        failed_at=None,
        reason="",
        detail="",
        stopped=False,
    )
    ended_at = None if asked.has_more else asked.at
    if recent:
        return msgspec.structs.replace(counted, recent_place=asked.place, recent_at=ended_at or before.recent_at)
    return msgspec.structs.replace(
        counted,
        place=asked.place,
        recent_place=before.recent_place if asked.has_more else "",
        synced_at=ended_at or before.synced_at,
        loaded_at=before.loaded_at or ended_at,
    )


async def _failed(sync: Syncing, feed: str, outcome: Outcome) -> Outcome:
    """Note why the feed does not come forward, and say so where a person must look."""
    match outcome:
        case Succeeded():
            reason, detail, stop = str(Reason.ANSWER_UNREADABLE), "the answer is no page of a feed", True
        case Rejected(reason=reason, detail=detail):
            stop = True
        case Deferred(reason=reason, detail=detail, pauses_tenant=pauses):
            stop = reason in GARBAGE or pauses
        case InDoubt(reason=reason, detail=detail):
            stop = reason in GARBAGE
        case _:
            assert_never(outcome)
    await stop_feed(sync, feed, reason=reason, detail=detail, at_once=stop)
    return outcome


async def stop_feed(sync: Syncing, feed: str, *, reason: str, detail: str, at_once: bool = True) -> None:
    """Keep a feed's place and note why it stands; `at_once` or after many failures it counts as stopped, which pages."""
    tx = sync.session
    async with tx.transaction():
        before = await cursors.get(tx, sync.tenant_id, feed)
        stop = at_once or before.failures + 1 >= PATIENCE
        now = await sync.clock()
        cursor = await cursors.fail(tx, sync.tenant_id, feed, reason=reason, detail=detail, stop=stop, now=now)
    say = {"tenant": sync.tenant_id, "feed": feed, "reason": reason, "detail": detail, "place": cursor.place}
    if cursor.stopped and not before.stopped:
        log.error("feed.stopped", extra=say)
    else:
        log.warning("feed.delayed", extra=say)
