"""Completes thin deliveries beside the flow: the delivery goes back to the queue, its records are fetched, then it is due again.

So a far side that hangs delays no other delivery, not even those of the same batch. The delivery's `due_at` is the lease on
the fetch: where a worker dies, it falls due by itself and the next owner fetches.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import assert_never

import msgspec

from bridge.connectors.base import Fetch
from bridge.db.database import UNREACHABLE, Database
from bridge.db.ownership import LeaseLost, fence, shard_of
from bridge.domain.delivery import Delivery
from bridge.domain.ids import DeliveryId, SourceId, TenantId
from bridge.domain.reasons import Reason
from bridge.hydration.bounds import GivenUp, Kept, Verdict, Waits, verdict_of
from bridge.hydration.fetcher import Fetcher, Got
from bridge.intake import queue
from bridge.intake.gate import Door
from bridge.intake.queue import Queued

LEASE = timedelta(seconds=30)
IN_FLIGHT = 64
"""Deliveries of one source fetched at a time: a hanging far side fills neither memory nor the pool."""
NEXT_TURN = timedelta(seconds=5)
"""When a delivery beyond that number looks again."""
_DRAIN_SECONDS = 1.0


class Unfetched(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery of which something stays missing; `reason` says why, `detail` holds nothing of a person."""

    delivery: Delivery
    reason: str
    detail: str = ""


Completed = Delivery | Unfetched | None
"""A delivery that has all it needs, one that will never have it, or None for one that went back to wait for its fetch."""

_Name = tuple[TenantId, DeliveryId]


class Completer:
    """Fetches for the deliveries of this process, and remembers which are under way and which were given up."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._under_way: dict[SourceId, dict[_Name, asyncio.Task[None]]] = {}
        self._given_up: dict[_Name, GivenUp] = {}

    async def complete(
        self,
        database: Database,
        doors: Mapping[SourceId, Door],
        loaded: Sequence[tuple[Queued, Delivery]],
        *,
        epoch: int,
        now: datetime,
    ) -> list[Completed]:
        """Return the deliveries of one tenant that can be decided; put the others back and start their fetches.

        Raises LeaseLost where another worker owns the tenant now.
        """
        completed: list[Completed] = []
        starting: list[tuple[Queued, Delivery, tuple[Fetch, ...]]] = []
        later: list[DeliveryId] = []
        room = {source: IN_FLIGHT - len(tasks) for source, tasks in self._under_way.items()}
        for queued, delivery in loaded:
            missing = self._missing(doors.get(delivery.source_id), delivery)
            given_up = self._given_up.pop((delivery.tenant_id, delivery.id), None) if missing else None
            if not missing:
                completed.append(delivery)
                continue
            if given_up is not None:
                completed.append(Unfetched(delivery=delivery, reason=given_up.reason, detail=given_up.detail))
                continue
            completed.append(None)
            if (left := room.get(delivery.source_id, IN_FLIGHT)) > 0:
                room[delivery.source_id] = left - 1
                starting.append((queued, delivery, missing))
            else:
                later.append(delivery.id)
        if starting or later:
            tenant_id = loaded[0][1].tenant_id
            async with database.begin() as tx:
                await fence(tx, shard=shard_of(tenant_id), epoch=epoch)
                await queue.postpone_many(tx, tenant_id, [one.id for _, one, _ in starting], until=now + LEASE)
                await queue.postpone_many(tx, tenant_id, later, until=now + NEXT_TURN)
        for queued, delivery, missing in starting:
            self._start(database, queued, delivery, missing, epoch=epoch, now=now)
        return completed

    async def settled(self) -> None:
        """Wait until nothing is under way."""
        while tasks := self._tasks():
            await asyncio.wait(tasks)

    async def close(self) -> None:
        """Give what is under way a moment, then end it; the deliveries fall due again by themselves."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                await self.settled()
        for task in self._tasks():
            task.cancel()
        await asyncio.gather(*self._tasks(), return_exceptions=True)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [task for tasks in self._under_way.values() for task in tasks.values()]

    def _missing(self, door: Door | None, delivery: Delivery) -> tuple[Fetch, ...]:
        """Return the fetches whose answers are not stored beside the delivery yet."""
        if door is None or not self._fetcher.knows(delivery.source_id):
            return ()
        try:
            described = door.connector.fetches(delivery, options=door.options)
        except Exception:  # noqa: BLE001  an unreadable payload: the flow reads it again and fails this delivery with its reason
            return ()
        known = {answer.name for answer in delivery.fetched}
        return tuple(fetch for fetch in described if fetch.name not in known)

    def _start(
        self,
        database: Database,
        queued: Queued,
        delivery: Delivery,
        missing: Sequence[Fetch],
        *,
        epoch: int,
        now: datetime,
    ) -> None:
        name = (delivery.tenant_id, delivery.id)
        under_way = self._under_way.setdefault(delivery.source_id, {})
        if name in under_way:  # it takes longer than its lease
            return
        fetching = self._fetch(database, queued, delivery, missing, epoch=epoch, now=now)
        under_way[name] = asyncio.create_task(fetching, name=f"fetch {delivery.id}")
        under_way[name].add_done_callback(lambda _: under_way.pop(name, None))

    async def _fetch(
        self,
        database: Database,
        queued: Queued,
        delivery: Delivery,
        missing: Sequence[Fetch],
        *,
        epoch: int,
        now: datetime,
    ) -> None:
        began = monotonic()
        got = await self._fetcher.fetch_all(delivery.source_id, missing, looks=queued.attempts, now=now)
        verdict = verdict_of(
            [one.outcome for one in got],
            spent=queued.attempts,
            seed=delivery.id,
            received_at=delivery.received_at,
            now=now + timedelta(seconds=monotonic() - began),
        )
        name = (delivery.tenant_id, delivery.id)
        if isinstance(verdict, GivenUp):
            # Only the flow writes decisions: it hears of this when the delivery is due, which is at once.
            self._given_up[name] = verdict
        try:
            await _keep(database, delivery, got, verdict, epoch=epoch, now=now)
        except (*UNREACHABLE, LeaseLost):  # nothing was kept: it falls due again, and its owner fetches again
            self._given_up.pop(name, None)
        except Exception as broken:  # noqa: BLE001  one answer that cannot be kept fails its own delivery, visibly
            self._given_up[name] = GivenUp(reason=Reason.PROCESS_FAILED, detail=type(broken).__name__)


async def _keep(
    database: Database, delivery: Delivery, got: Sequence[Got], verdict: Verdict, *, epoch: int, now: datetime
) -> None:
    """Store what came beside the delivery, and say when it is due: at once, or when what is missing is tried again."""
    match verdict:
        case Kept() | GivenUp():
            until, spends = now, False
        case Waits(due_at=due_at, spends=spends):
            until = due_at
        case _:
            assert_never(verdict)
    async with database.begin() as tx:
        await fence(tx, shard=shard_of(delivery.tenant_id), epoch=epoch)
        answers = [one.answer for one in got if one.answer is not None]
        await queue.keep_fetched(tx, delivery.tenant_id, delivery.id, answers)
        await queue.postpone(tx, delivery.tenant_id, delivery.id, until=until, spend=spends)
        if until <= now:
            await queue.tell(tx)
