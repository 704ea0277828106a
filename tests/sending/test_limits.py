"""What ServiceTitan's refusals leave stands for everything a tenant sends, whoever owns it, and costs no CPU meanwhile."""

from datetime import timedelta

import pytest

from bridge.domain.budget import Budget
from bridge.domain.command import AddNote
from bridge.domain.outcome import Deferred, InDoubt, Outcome
from bridge.domain.reasons import Reason
from bridge.sending.breaker import FAILURES
from bridge.sending.findings import Absent, LookFailed
from bridge.servicetitan.client import ServiceTitan
from tests.sending.world import TENANT, World, booking, effect


async def test_a_new_owner_waits_out_the_rest_of_a_429(world: World) -> None:
    """Seen to fail where the wait stays in the first owner's memory: the second message left a second after the 429."""
    world.fault("rate_limit", method="POST", path="/bookings", seconds=60.0)
    await world.put(booking("Refused"), booking("Next"))
    first = await world.worker(in_flight=1).own(TENANT)
    await first.dispatcher.claim()
    world.advance(1)
    await first.turn()
    refused = world.now()
    lowered = first.dispatcher.owner.tenants[TENANT].budget.rate
    world.advance(1)
    second = await world.worker().own(TENANT)
    while not world.simulator.count("booking.created"):
        await second.turn()
        world.advance(1)
        assert world.now() - refused < timedelta(seconds=120)
    assert world.now() - refused >= timedelta(seconds=60)
    assert second.dispatcher.owner.tenants[TENANT].budget.rate == lowered


async def test_looks_wait_for_the_one_probe_while_credentials_are_refused(world: World) -> None:
    """Seen to fail where looks pass the breaker: four doubts asked 36 times in five minutes."""
    looks = 0
    is_refused = True

    async def cut(client: ServiceTitan, *arguments: object, **parts: object) -> Outcome:
        return InDoubt(reason=Reason.ANSWER_UNREADABLE)

    async def look_up(client: ServiceTitan, *arguments: object, **parts: object) -> LookFailed | Absent:
        nonlocal looks
        looks += 1
        if is_refused:
            return LookFailed(outcome=Deferred(reason=Reason.UNAUTHORIZED, status=401, pauses_tenant=True))
        return Absent()

    await world.put(*(effect(AddNote(on="lead", target=7, text="Hello"), f"note {number}") for number in range(4)))
    worker = await world.worker(execute=cut, look_up=look_up).own(TENANT)
    await worker.dispatcher.claim()
    world.advance(1)
    await worker.turn()
    for _ in range(300):
        world.advance(1)
        await worker.dispatcher.reconcile_due()
    assert 0 < looks <= 8  # four that left together, and probes after 10, 30, 70 and 150 s
    assert await world.rows("SELECT family, state FROM breakers") == [("*", "open")]
    is_refused = False
    world.advance(300)
    for _ in range(10):
        world.advance(1)
        await worker.dispatcher.reconcile_due()
    assert await world.rows("SELECT state FROM breakers") == [("closed",)]  # a look that is answered closes it


async def test_a_worker_sleeps_while_what_it_has_may_not_go(world: World) -> None:
    """Seen to fail, at a wake-up each millisecond, where what waits behind an open breaker or for a look counts as due."""
    world.fault("error_before", method="POST", path="/bookings", times=None)
    await world.put(*(booking(f"Person {number}") for number in range(FAILURES + 5)))
    worker = await world.worker(in_flight=FAILURES, poll=60.0).own(TENANT)
    await worker.dispatcher.claim()
    while not (opened := await world.rows("SELECT probe_at FROM breakers WHERE state = 'open'")):
        world.advance(0.2)
        await worker.turn()
    ((probe_at,),) = opened
    assert len(worker.dispatcher.owner.tenants[TENANT].backlog.doubts) >= FAILURES
    assert worker.dispatcher.owner.tenants[TENANT].backlog.is_runnable()
    for seconds in (1, 3, 5):  # before and after looks fall due
        world.advance(seconds)
        assert worker.dispatcher.owner.next_at(now=world.now()) > world.now()
    world.advance(10)
    assert world.now() > probe_at
    assert worker.dispatcher.owner.next_at(now=world.now()) - world.now() < timedelta(seconds=1)  # the probe may go
    assert await worker.dispatcher.commit_intents() == 1
    assert worker.dispatcher.owner.next_at(now=world.now()) - world.now() > timedelta(seconds=1)  # and is waited for


@pytest.mark.parametrize("is_lowered", [False, True])
def test_an_operators_rate_counts_at_once_unless_a_429_lowered_it(world: World, is_lowered: bool) -> None:
    """Seen to fail where a raised rate is reached by a tenth each ten seconds though nothing was refused."""
    now = world.now()
    budget = Budget(now=now, rate=40.0)
    budget.set_rate(5.0)
    if is_lowered:
        budget.refused(now=now, retry_after=0.0)
    budget.set_rate(20.0)
    assert budget.rate == (3.5 if is_lowered else 20.0)
