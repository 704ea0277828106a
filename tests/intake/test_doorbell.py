"""Workers hear of every commit: a ring is never swallowed by the one before it."""

import asyncio

import psycopg

from bridge.intake.doorbell import Doorbell


async def test_a_ring_after_one_that_was_heard_is_heard_too(database_dsn: str) -> None:
    bell = Doorbell(database_dsn)
    async with await psycopg.AsyncConnection.connect(database_dsn, autocommit=True) as worker:
        await worker.execute("LISTEN bridge_deliveries")
        heard = worker.notifies()
        for _ in range(50):  # heard at once, so mostly while the bell still waits for the word that it has rung
            bell.ring()
            async with asyncio.timeout(30):
                await anext(heard)
        await heard.aclose()
    await bell.close()


async def test_rings_that_come_together_are_few(database_dsn: str) -> None:
    bell = Doorbell(database_dsn)
    async with await psycopg.AsyncConnection.connect(database_dsn, autocommit=True) as worker:
        await worker.execute("LISTEN bridge_deliveries")
        for _ in range(1000):
            bell.ring()
        await bell.close()
        assert len([note async for note in worker.notifies(timeout=0.2)]) == 1
