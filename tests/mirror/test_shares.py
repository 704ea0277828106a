"""Mirror and sending share the 60 requests a second of one (app, tenant), without knowing of each other."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import count, cycle

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bridge.domain import budget
from bridge.domain.budget import Budget
from bridge.domain.outcome import Deferred, Succeeded
from bridge.mirror import feeds, lists
from bridge.mirror.pacing import Pace
from bridge.sending.retry import POLICIES
from bridge.sending.settings import SendingSettings
from bridge.simulator.faults import Action, Fault
from tests.mirror.mirrored_town import BOOKING, NOW, Town


class Time:
    """Time that passes only when everybody sleeps, so that no load of this machine bunches requests up."""

    def __init__(self) -> None:
        self.now = NOW
        self._sleepers: list[tuple[datetime, int, asyncio.Event]] = []
        self._order = count()

    def tell(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        waker = asyncio.Event()
        heapq.heappush(self._sleepers, (self.now + timedelta(seconds=max(seconds, 1e-3)), next(self._order), waker))
        await waker.wait()

    async def run(self, work: list[Callable[[], Awaitable[None]]], *, seconds: float) -> None:
        until = self.now + timedelta(seconds=seconds)
        tasks = [asyncio.ensure_future(one()) for one in work]
        while self.now < until:
            while len(self._sleepers) < len(tasks):
                await asyncio.sleep(0)
                for task in tasks:
                    assert not task.done(), task.result()
            self.now, _, waker = heapq.heappop(self._sleepers)
            waker.set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def busiest(times: list[datetime]) -> int:
    """Return the most requests of any second, wherever it begins."""
    second = timedelta(seconds=1)
    return max(sum(begin <= at < begin + second for at in times) for begin in times)


async def test_mirror_and_sending_together_never_pass_sixty_requests_in_any_second() -> None:
    time = Time()
    town = Town(customers=60, batch=1, now=time.tell)
    made = {"mirror": 0, "sending": 0}
    await town.client.bookings.create(body=BOOKING)
    town.simulator.log.clear()
    time.now += timedelta(seconds=5)

    async def mirror() -> None:
        pace = Pace(now=time.tell, sleep=time.sleep)
        source = feeds.of_client(town.client, paced=pace.of)
        while True:
            for feed in feeds.FEEDS:
                assert isinstance(await source(feed, "", False), Succeeded)
                made["mirror"] += 1
            for call, filters in lists.sources(town.client).values():
                assert isinstance(await lists.read(pace.of(call), filters), Succeeded)
                made["mirror"] += 1

    async def sending() -> None:
        settings = SendingSettings()
        spent = Budget(now=time.now, rate=settings.rate, burst=settings.burst)
        for requests in cycle([1, 1, 1, max(policy.requests for policy in POLICIES.values()), 1, 2]):
            looks = spent.take(1.0, now=time.now, reserved=True)
            while not spent.take(requests, now=time.now):
                await time.sleep(max((spent.next_at(time.now) - time.now).total_seconds(), 0.01))
            for _ in range(requests + looks):
                assert isinstance(await town.client.bookings.create(body=BOOKING), Succeeded)
                made["sending"] += 1

    await time.run([mirror, sending], seconds=4)
    times = [one.at for one in town.simulator.log if "/connect/token" not in one.path]
    assert busiest(times) <= budget.LIMIT
    assert {one.status for one in town.simulator.log} == {200}
    assert made["mirror"] >= budget.MIRROR_RATE * 3
    assert made["sending"] >= budget.RATE * 3


@given(some.lists(some.floats(0.0, 0.4), min_size=1, max_size=200))
def test_no_second_holds_more_of_the_mirrors_requests_than_its_share(waits: list[float]) -> None:
    now = NOW
    spent = Budget(now=now, rate=budget.MIRROR_RATE, burst=budget.MIRROR_BURST, reserve=0.0)
    taken: list[datetime] = []
    for wait in waits:
        now += timedelta(seconds=wait)
        while spent.take(1.0, now=now):
            taken.append(now)
    assert not taken or busiest(taken) <= budget.MIRROR_RATE + budget.MIRROR_BURST


@pytest.mark.parametrize(("seconds", "asked"), [(2.0, 2), (60.0, 1)])
async def test_a_429_is_waited_out_before_the_next_page_and_a_long_one_puts_it_off(seconds: float, asked: int) -> None:
    time = Time()
    town = Town(customers=60, now=time.tell)
    town.simulator.add_fault(Fault(action=Action.RATE_LIMIT, path="/export/customers", nth=1, seconds=seconds))
    source = feeds.of_client(town.client, paced=Pace(now=time.tell, sleep=time.sleep).of)
    outcomes = []

    async def mirror() -> None:
        outcomes.append(await source("customers", "", False))
        outcomes.append(await source("customers", "", False))
        await time.sleep(1e6)

    await time.run([mirror], seconds=4)
    assert isinstance(outcomes[0], Deferred)
    times = [one.at for one in town.simulator.log if "/export/" in one.path]
    assert len(times) == asked
    if asked == 1:
        assert isinstance(outcomes[1], Deferred)
        assert outcomes[1].retry_after is not None
        assert outcomes[1].retry_after > 50
    else:
        assert times[1] - times[0] >= timedelta(seconds=seconds)
