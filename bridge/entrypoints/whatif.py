"""What another config would do differently: both run over recorded deliveries, against the mirror, and nothing is written."""

from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from datetime import datetime
from itertools import zip_longest
from typing import Protocol

import msgspec

from bridge.db.database import Database, Tx
from bridge.domain.delivery import Delivery
from bridge.domain.ids import DeliveryId, TenantId
from bridge.domain.inquiry import Inquiry
from bridge.entrypoints.differing import between
from bridge.entrypoints.whatif_side import Decided, Met, Side
from bridge.intake import queue
from bridge.reports.reading import reading, shared_moment
from bridge.settings import Settings

_BATCH = 250
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


class Page(msgspec.Struct, frozen=True):
    """What came of one page of deliveries."""

    deliveries: int
    inquiries: int
    changes: tuple[Change, ...]


class Comparison:
    """Two configs over one tenant's deliveries."""

    def __init__(self, tenant_id: TenantId, old: Settings, new: Settings) -> None:
        self._tenant_id = tenant_id
        self._before, self._after = Side(old), Side(new)

    async def page(self, tx: Tx, ids: Sequence[DeliveryId]) -> Page:
        """Return what the new config would do differently with some deliveries."""
        tenant_id, before, after = self._tenant_id, self._before, self._after
        loaded = await queue.load(tx, [(tenant_id, one) for one in ids])
        deliveries = [loaded[one] for one in ids if one in loaded]
        read = {delivery.id: before.read(delivery) for delivery in deliveries}
        was = await _decide(tx, tenant_id, before, deliveries, read)
        reread = {
            delivery.id: read[delivery.id] if after.reads_like(before, delivery) else after.read(delivery)
            for delivery in deliveries
        }
        will = await _decide(tx, tenant_id, after, deliveries, reread, before=(before, was))
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


_Outcome = list[Decided] | str


async def _decide(
    tx: Tx,
    tenant_id: TenantId,
    side: Side,
    deliveries: Sequence[Delivery],
    read: dict[DeliveryId, tuple[Inquiry, ...] | str],
    *,
    before: tuple[Side, dict[DeliveryId, _Outcome]] | None = None,
) -> dict[DeliveryId, _Outcome]:
    """Decide about what deliveries ask for; what the side before has found for inquiries that it read alike is taken from it."""
    asked = [
        (delivery, inquiry)
        for delivery in deliveries
        if not isinstance(found := read[delivery.id], str)
        for inquiry in found
    ]
    found_before = (before[0], _met_before(asked, before[1])) if before is not None else None
    met = await side.meet(tx, tenant_id, asked, before=found_before)
    outcome: dict[DeliveryId, _Outcome] = {
        name: found if isinstance(found, str) else [] for name, found in read.items()
    }
    for (delivery, inquiry), one in zip(asked, met, strict=True):
        so_far = outcome[delivery.id]
        assert not isinstance(so_far, str)  # noqa: S101 - it asked for something
        so_far.append(await side.plan(tx, delivery, inquiry, one))
    return outcome


def _met_before(asked: Sequence[tuple[Delivery, Inquiry]], was: dict[DeliveryId, _Outcome]) -> dict[int, Met]:
    """Return by the place of each inquiry what was found about it before, where it was read alike."""
    decided = {
        (delivery_id, one.inquiry.key): one
        for delivery_id, outcome in was.items()
        if not isinstance(outcome, str)
        for one in outcome
    }
    return {
        place: one.met
        for place, (delivery, inquiry) in enumerate(asked)
        if (one := decided.get((delivery.id, inquiry.key))) is not None and one.inquiry == inquiry
    }


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
            yield from between((was.inquiry, was.met.match, was.plan), (will.inquiry, will.met.match, will.plan))
