"""What another config would do differently: both run over recorded deliveries, against the mirror, and nothing is written."""

from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import NamedTuple, Protocol

import msgspec

from bridge import bootstrap
from bridge.connectors.base import PayloadMalformed
from bridge.db.database import Database, Tx
from bridge.domain.delivery import Delivery
from bridge.domain.ids import DeliveryId, TenantId
from bridge.domain.inquiry import Inquiry
from bridge.domain.match import Match
from bridge.domain.plan import Plan
from bridge.entrypoints.differing import between
from bridge.intake import queue
from bridge.pipeline.deciders import ConfiguredDeciders
from bridge.pipeline.known import Known
from bridge.planning.rules import RuleBroken
from bridge.reports.reading import reading, shared_moment
from bridge.settings import Settings

_BATCH = 200
_GIVEN = 16
"""Pages given to helpers at a time."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery that would come out differently, said without personal data."""

    delivery: int
    source: str
    differences: tuple[str, ...]


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """What of the recorded deliveries would change; the same in two runs over the same deliveries and mirror."""

    old: str
    new: str
    deliveries: int
    inquiries: int
    counts: dict[str, int]
    changes: tuple[Change, ...]


class _Decided(NamedTuple):
    inquiry: Inquiry
    match: Match
    known: Known
    plan: Plan


class _Side:
    """One of the two configs, deciding."""

    def __init__(self, settings: Settings) -> None:
        self.doors = bootstrap.doors_of(settings)
        self._deciders = ConfiguredDeciders(settings, doors=self.doors, lists_kept=timedelta.max)
        self.thresholds = {
            tenant.tenant_id: (tenant.thresholds, tenant.phone_region, tenant.dedup_window)
            for tenant in settings.tenants.values()
        }

    def read(self, delivery: Delivery) -> tuple[Inquiry, ...] | str:
        """Return what a delivery asks for, or why it asks for nothing."""
        door = self.doors.get(delivery.source_id)
        if door is None or door.tenant_id != delivery.tenant_id:
            return "source_unknown"
        try:
            normalized = door.connector.normalize(delivery, options=door.options)
        except PayloadMalformed as bad:
            return bad.reason.value
        return normalized.inquiries or normalized.reason.value

    def reads_like(self, other: "_Side", delivery: Delivery) -> bool:
        """Tell whether both take the same out of a delivery."""
        door, there = self.doors.get(delivery.source_id), other.doors.get(delivery.source_id)
        return (
            door is not None
            and there is not None
            and (door.tenant_id, door.connector.kind, door.options)
            == (there.tenant_id, there.connector.kind, there.options)
        )

    def matches_like(self, other: "_Side", tenant_id: TenantId) -> bool:
        """Tell whether both say the same of who somebody is."""
        return self.thresholds.get(tenant_id) == other.thresholds.get(tenant_id)

    async def look_up(
        self, tx: Tx, tenant_id: TenantId, asked: Sequence[tuple[Delivery, Inquiry]]
    ) -> list[tuple[Match, Known]]:
        """Say who each inquiry is about, and what is known around it as of when its delivery came."""
        if not asked:
            return []
        inquiries = [(delivery.source_id, inquiry) for delivery, inquiry in asked]
        matches = await self._deciders.match(tx, tenant_id, inquiries)
        pairs = [(inquiry, match) for (_, inquiry), match in zip(asked, matches, strict=True)]
        earliest = min(delivery.received_at for delivery, _ in asked)
        return list(zip(matches, await self._deciders.gather(tx, tenant_id, pairs, now=earliest), strict=True))

    async def plan(self, tx: Tx, delivery: Delivery, inquiry: Inquiry, match: Match, known: Known) -> _Decided:
        """Plan as of when the delivery came."""
        now = delivery.received_at
        try:
            made = await self._deciders.plan(tx, delivery, inquiry, match, known=known, nonce="", pending={}, now=now)
        except RuleBroken as broken:
            made = broken.plan()
        return _Decided(inquiry, match, known, made)


class Page(msgspec.Struct, frozen=True):
    """What came of one page of deliveries."""

    deliveries: int
    inquiries: int
    changes: tuple[Change, ...]


class Comparison:
    """Two configs over one tenant's deliveries."""

    def __init__(self, tenant_id: TenantId, old: Settings, new: Settings) -> None:
        self._tenant_id = tenant_id
        self._before, self._after = _Side(old), _Side(new)

    async def page(self, tx: Tx, ids: Sequence[DeliveryId]) -> Page:
        """Return what the new config would do differently with some deliveries."""
        tenant_id, before, after = self._tenant_id, self._before, self._after
        loaded = await queue.load(tx, tenant_id, ids)
        deliveries = [loaded[one] for one in ids if one in loaded]
        read = {delivery.id: before.read(delivery) for delivery in deliveries}
        was = await _decide(tx, tenant_id, before, deliveries, read, known=None)
        reread = {
            delivery.id: read[delivery.id] if after.reads_like(before, delivery) else after.read(delivery)
            for delivery in deliveries
        }
        reusable = was if after.matches_like(before, tenant_id) else None
        will = await _decide(tx, tenant_id, after, deliveries, reread, known=reusable)
        changes = []
        for delivery in deliveries:
            differences = tuple(dict.fromkeys(_differences(was[delivery.id], will[delivery.id])))
            if differences:
                changes.append(Change(delivery=delivery.id, source=str(delivery.source_id), differences=differences))
        inquiries = sum(len(decided) for decided in was.values() if not isinstance(decided, str))
        return Page(len(deliveries), inquiries, tuple(changes))


class Helpers(Protocol):
    """Other processes that compare pages."""

    def page(self, dsn: str, moment: str, ids: Sequence[DeliveryId]) -> Awaitable[Page]:
        """Compare some deliveries as of the moment that a transaction shares."""


async def compare(
    database: Database,
    tenant_id: TenantId,
    old: Settings,
    new: Settings,
    *,
    since: datetime | None,
    helpers: Helpers | None = None,
) -> WhatIf:
    """Return what a new config would do differently with everything that came since; who works on it changes no byte of it."""
    counts: Counter[str] = Counter()
    changes: list[Change] = []
    seen = inquiries = 0
    async with reading(database) as tx:
        async for page in _pages(tx, database.dsn, tenant_id, old, new, since=since, helpers=helpers):
            seen += page.deliveries
            inquiries += page.inquiries
            changes += page.changes
    for change in changes:
        counts.update(change.differences)
    ordered = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    return WhatIf(
        old=old.version.hash, new=new.version.hash, deliveries=seen, inquiries=inquiries, counts=ordered, changes=tuple(changes)
    )  # fmt: skip


async def _pages(
    tx: Tx,
    dsn: str,
    tenant_id: TenantId,
    old: Settings,
    new: Settings,
    *,
    since: datetime | None,
    helpers: Helpers | None,
) -> AsyncIterator[Page]:
    """Yield what came of each page, in the order of the deliveries."""
    ids = await _page(tx, tenant_id, after=DeliveryId(0), since=since)
    if helpers is None or len(ids) < _BATCH:  # one page is done before another process has connected
        comparison = Comparison(tenant_id, old, new)
        while ids:
            yield await comparison.page(tx, ids)
            ids = await _page(tx, tenant_id, after=ids[-1], since=since)
        return
    moment = await shared_moment(tx)
    given: deque[Awaitable[Page]] = deque()
    while ids or given:
        if not ids or len(given) == _GIVEN:
            yield await given.popleft()
        if ids:
            given.append(helpers.page(dsn, moment, ids))
            ids = await _page(tx, tenant_id, after=ids[-1], since=since)


_Outcome = list[_Decided] | str


async def _decide(
    tx: Tx,
    tenant_id: TenantId,
    side: _Side,
    deliveries: Sequence[Delivery],
    read: dict[DeliveryId, tuple[Inquiry, ...] | str],
    *,
    known: dict[DeliveryId, _Outcome] | None,
) -> dict[DeliveryId, _Outcome]:
    """Decide about what deliveries ask for; what the other side looked up for inquiries it read alike is taken from it."""
    asked = [
        (delivery, inquiry)
        for delivery in deliveries
        if not isinstance(found := read[delivery.id], str)
        for inquiry in found
    ]
    reused = {
        (delivery_id, one.inquiry.key): one
        for delivery_id, decided in (known or {}).items()
        if not isinstance(decided, str)
        for one in decided
    }
    found_of: dict[int, tuple[Match, Known]] = {}
    for place, (delivery, inquiry) in enumerate(asked):
        same = reused.get((delivery.id, inquiry.key))
        if same is not None and same.inquiry == inquiry:
            found_of[place] = (same.match, same.known)
    open_places = [place for place in range(len(asked)) if place not in found_of]
    found_anew = await side.look_up(tx, tenant_id, [asked[place] for place in open_places])
    found_of.update(zip(open_places, found_anew, strict=True))
    outcome: dict[DeliveryId, _Outcome] = {
        name: found if isinstance(found, str) else [] for name, found in read.items()
    }
    for place, (delivery, inquiry) in enumerate(asked):
        so_far = outcome[delivery.id]
        assert not isinstance(so_far, str)  # noqa: S101 - it asked for something
        so_far.append(await side.plan(tx, delivery, inquiry, *found_of[place]))
    return outcome


async def _page(tx: Tx, tenant_id: TenantId, *, after: DeliveryId, since: datetime | None) -> list[DeliveryId]:
    rows = await (
        await tx.execute(
            "SELECT id FROM deliveries WHERE tenant_id = %s AND id > %s AND (%s::timestamptz IS NULL OR received_at >= %s)"
            " ORDER BY id LIMIT %s",
            [tenant_id, after, since, since, _BATCH],
        )
    ).fetchall()
    return [DeliveryId(row[0]) for row in rows]


def _differences(one: _Outcome, other: _Outcome) -> Iterator[str]:
    if isinstance(one, str) or isinstance(other, str):
        if one != other:
            yield f"would ask for nothing: {other}" if isinstance(other, str) else f"would be read; it was {one}"
        return
    if len(one) != len(other):
        yield f"would be read as {len(other)} inquiries, not {len(one)}"
    for was, will in zip_longest(one, other):
        if was is not None and will is not None:
            yield from between((was.inquiry, was.match, was.plan), (will.inquiry, will.match, will.plan))
