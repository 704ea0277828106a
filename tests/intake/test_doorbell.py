"""Workers hear of every commit: a ring is never swallowed by the one before it, and never comes before what it tells of."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from bridge.db.direct import DirectConnection
from bridge.intake.doorbell import RING, Doorbell

SLOW = "WITH slept AS MATERIALIZED (SELECT pg_sleep(0.3)) INSERT INTO told SELECT count(*) FROM slept"


@pytest.fixture
async def stores(database_dsn: str) -> AsyncIterator[DirectConnection]:
    with psycopg.connect(database_dsn, autocommit=True) as admin:
        admin.execute("CREATE TABLE told (n int8)")
    connection = await DirectConnection.open(database_dsn, set_up="SELECT 1", statements={"ring": RING, "slow": SLOW})
    yield connection
    connection.close()


@asynccontextmanager
async def ear(dsn: str) -> AsyncIterator[psycopg.AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as worker:
        await worker.execute("LISTEN bridge_deliveries")
        yield worker


async def test_a_ring_after_one_that_was_heard_is_heard_too(database_dsn: str, stores: DirectConnection) -> None:
    bell = Doorbell(lambda: stores)
    async with ear(database_dsn) as worker:
        heard = worker.notifies()
        for _ in range(50):  # heard at once, so mostly while the next one waits for its time
            bell.ring_behind(1)
            async with asyncio.timeout(30):
                await anext(heard)
        await heard.aclose()
    await bell.close()


async def test_rings_that_come_together_are_few_and_the_last_is_not_lost(
    database_dsn: str, stores: DirectConnection
) -> None:
    bell = Doorbell(lambda: stores)
    async with ear(database_dsn) as worker:
        for _ in range(1000):
            bell.ring_behind(1)
        await bell.close()
        assert len([note async for note in worker.notifies(timeout=0.2)]) == 2


async def test_it_rings_behind_the_commit(database_dsn: str, stores: DirectConnection) -> None:
    bell = Doorbell(lambda: stores)
    async with ear(database_dsn) as worker:
        stored = stores.run("slow", [])
        bell.ring_behind(1)
        async with asyncio.timeout(30):
            await anext(worker.notifies())
        found = await (await worker.execute("SELECT count(*) FROM told")).fetchone()
    await stored
    assert found == (1,)


async def test_without_a_connection_it_rings_not_and_fails_not() -> None:
    bell = Doorbell(lambda: None)
    bell.ring_behind(1)
    bell.ring_behind(1)
    await bell.close()
