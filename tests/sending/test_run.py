"""The loops around the steps: who is told to end lets everything under way land and writes it down."""

import asyncio

import psycopg

from bridge.domain.outcome import Outcome, Succeeded
from bridge.sending.run import run
from tests.sending.world import TENANT, World, booking


async def nothing_is_left(world: World) -> bool:
    return await world.rows("SELECT id FROM outbox UNION ALL SELECT id FROM intents") == []


async def test_an_end_waits_for_outcomes_that_are_being_written(world: World) -> None:
    """Else they are forgotten: each is in doubt for the next owner, and held for a person where nothing can be looked up."""
    await world.put(booking())
    worker = await world.worker().own(TENANT)
    await worker.dispatcher.claim()
    world.advance(1)
    stop = asyncio.Event()
    async with await psycopg.AsyncConnection.connect(world.database.dsn) as slow:
        await slow.execute("LOCK TABLE attempts IN EXCLUSIVE MODE")
        running = asyncio.create_task(run(worker.dispatcher, stop))
        async with asyncio.timeout(20):
            while await world.rows("SELECT 1 FROM pg_locks WHERE NOT granted") == []:
                await asyncio.sleep(0.01)
        stop.set()
        await asyncio.sleep(0.1)
        await slow.rollback()
    await running
    assert await nothing_is_left(world)


async def test_an_end_waits_for_all_whose_intent_is_committed(world: World) -> None:
    stop = asyncio.Event()

    async def slowly(*_: object, **__: object) -> Outcome:
        stop.set()  # amid the start of a batch
        await asyncio.sleep(0.05)
        return Succeeded(status=200, body={"": 1})

    await world.put(*(booking(f"Person {number}") for number in range(30)))
    worker = await world.worker(execute=slowly, rate=1e6, burst=1e6).own(TENANT)
    await worker.dispatcher.claim()
    world.advance(1)
    await run(worker.dispatcher, stop)
    assert await nothing_is_left(world)
