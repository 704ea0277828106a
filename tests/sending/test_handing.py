"""What may go at once goes with the commit of its decision; whatever speaks against it, the usual way is taken."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

import psycopg
import pytest

from bridge.db.ownership import fence_all
from bridge.domain.plan import Effect
from bridge.sending import control, outbox
from bridge.sending.control import Scope
from tests.sending.world import TENANT, Worker, World, booking, customer_and_note, put


class OrderlyRefusal(Exception):
    """Something that ends a transaction."""


@asynccontextmanager
async def deciding(world: World, worker: Worker, *effects: Effect, is_lost: bool = False) -> AsyncIterator[None]:
    """Put effects and hand them over; what is done inside happens before the commit.

    Where it `is_lost`, nobody hears of the commit, and the table is read before that is known.
    """
    epochs = worker.ownership.owned
    async with worker.dispatcher.sender.handing_over(epochs) as handing:
        async with world.database.begin() as tx:
            await fence_all(tx, epochs)
            result = await put(tx, *effects, now=world.now())
            await handing.intend(tx, result.fresh, born=world.now())
            yield
        if is_lost:
            await worker.dispatcher.claimer.claim_for([TENANT])
            raise psycopg.OperationalError("the connection was lost after the commit")


async def at_work(world: World) -> Worker:
    """Return a worker that has read its tenant, whose budget is not empty."""
    async with world.database.begin() as tx:
        await outbox.enter(tx, [TENANT])
    worker = await world.worker().own(TENANT)
    await worker.turn()
    world.advance(1)
    return worker


def outbound(worker: Worker) -> list[str]:
    return [flight.loaded.key for flight in worker.dispatcher.sender.outbound]


async def test_what_may_go_at_once_has_its_intent_in_the_commit_of_its_decision(world: World) -> None:
    worker, wanted = await at_work(world), booking()
    async with deciding(world, worker, wanted):
        assert outbound(worker) == []
        assert await world.rows("SELECT 1 FROM intents") == []
    assert outbound(worker) == [wanted.key]
    assert await world.rows("SELECT cardinality(effect_ids), sends FROM intents") == [(1, [0])]
    assert await worker.dispatcher.commit_intents() == 0  # it is not chosen again
    await worker.send_all()
    await worker.dispatcher.record_outcomes()
    assert world.simulator.count("booking.created", external_id=wanted.key) == 1
    assert await world.history(wanted.key) == ["succeeded"]
    assert await world.rows("SELECT 1 FROM outbox UNION ALL SELECT 1 FROM intents") == []


async def test_a_crash_after_the_commit_leaves_it_in_doubt(world: World) -> None:
    worker, wanted = await at_work(world), booking()
    async with deciding(world, worker, wanted):
        pass
    next_owner = await world.worker().own(TENANT)
    await next_owner.drain()
    assert await world.history(wanted.key) == ["crashed", "absent", "succeeded"]
    assert world.simulator.count("booking.created", external_id=wanted.key) == 1


async def test_the_second_of_a_lane_waits_in_memory_for_the_first(world: World) -> None:
    worker = await at_work(world)
    first, second = booking("Ada Example", lane="party:1"), booking("Ben Example", lane="party:1")
    async with deciding(world, worker, first, second):
        pass
    assert outbound(worker) == [first.key]
    await worker.send_all()
    await worker.dispatcher.record_outcomes()
    await worker.dispatcher.commit_intents()  # nothing is read between
    assert outbound(worker) == [second.key]


async def test_nothing_overtakes_what_another_process_put_and_nobody_has_read(world: World) -> None:
    worker = await at_work(world)
    earlier, wanted = booking("Ada Example", lane="party:1"), booking("Ben Example", lane="party:1")
    await world.put(earlier)
    async with deciding(world, worker, wanted):
        pass
    assert outbound(worker) == []
    await worker.dispatcher.step()
    assert outbound(worker) == [earlier.key]
    await worker.drain()
    assert [await world.history(one.key) for one in (earlier, wanted)] == [["succeeded"], ["succeeded"]]


async def test_a_pause_that_memory_has_not_seen_holds(world: World) -> None:
    worker, wanted = await at_work(world), booking()
    async with world.database.begin() as tx:
        await control.pause(
            tx, tenant_id=TENANT, scope=Scope.TENANT, name="", by="test", reason="a look", now=world.now()
        )
    async with deciding(world, worker, wanted):
        pass
    assert outbound(worker) == []
    assert await worker.turn() == 0
    assert await world.rows("SELECT 1 FROM intents") == []


async def test_who_changes_a_tenant_right_now_is_not_waited_for(world: World) -> None:
    worker, wanted = await at_work(world), booking()
    async with world.database.begin() as theirs:
        await theirs.execute("UPDATE sending_tenants SET version = version + 1 WHERE tenant_id = %s", [TENANT])
        async with deciding(world, worker, wanted):
            pass
        assert outbound(worker) == []
    await worker.drain()
    assert await world.history(wanted.key) == ["succeeded"]


async def test_a_transaction_that_fails_leaves_nothing_behind(world: World) -> None:
    worker, wanted = await at_work(world), booking(lane="party:1")
    with pytest.raises(OrderlyRefusal):
        async with deciding(world, worker, wanted):
            raise OrderlyRefusal
    assert outbound(worker) == []
    later = booking("Ben Example", lane="party:1")
    await world.put(later)
    await worker.drain()
    assert world.simulator.count("booking.created") == 1
    assert await world.history(later.key) == ["succeeded"]
    assert await world.rows("SELECT 1 FROM intents") == []


async def test_a_commit_that_nobody_answered_sends_once(world: World) -> None:
    worker, wanted = await at_work(world), booking()
    with pytest.raises(psycopg.OperationalError):
        async with deciding(world, worker, wanted, is_lost=True):
            pass
    assert outbound(worker) == []
    await worker.drain()
    assert await world.history(wanted.key) == ["succeeded"]
    assert await world.rows("SELECT 1 FROM intents") == []


@pytest.mark.parametrize("is_lost", [False, True])
async def test_what_did_not_go_comes_after_what_nobody_has_read(world: World, is_lost: bool) -> None:
    """Nor is it forgotten where a read that is under way shows it before the word comes that it does not go."""
    worker = await at_work(world)
    earlier, wanted = booking("Ada Example", lane="party:1"), booking("Ben Example", lane="party:1")
    await world.put(earlier)
    backlog = worker.dispatcher.owner.tenants[TENANT].backlog
    with pytest.raises(psycopg.OperationalError) if is_lost else nullcontext():
        async with deciding(world, worker, wanted, is_lost=is_lost):
            backlog.begin_read()
    backlog.end_read()
    await worker.dispatcher.step()
    assert outbound(worker) == [earlier.key]
    await worker.send_all()
    await worker.dispatcher.record_outcomes()
    await worker.dispatcher.commit_intents()
    assert outbound(worker) == [wanted.key]


async def test_what_depends_on_what_did_not_go_waits_behind_it(world: World) -> None:
    worker, (customer, note) = await at_work(world), customer_and_note()
    with pytest.raises(psycopg.OperationalError):
        async with deciding(world, worker, customer, note, is_lost=True):
            pass
    await worker.drain()
    assert [await world.history(one.key) for one in (customer, note)] == [["succeeded"], ["succeeded"]]


async def test_who_ends_takes_nothing_more(world: World) -> None:
    worker, wanted = await at_work(world), booking()
    await worker.dispatcher.sender.take_no_more()
    async with deciding(world, worker, wanted):
        pass
    assert outbound(worker) == []
    assert await world.rows("SELECT 1 FROM intents") == []


async def test_a_shard_that_is_leaving_gets_nothing_more(world: World) -> None:
    worker, wanted = await at_work(world), booking()
    worker.ownership.leaving = frozenset(worker.ownership.owned)
    async with deciding(world, worker, wanted):
        pass
    assert outbound(worker) == []
