"""One connection hears every channel, and hears again after the server has hung up."""

import asyncio

import psycopg
import pytest

from bridge.db.ear import hear

EARS = "SELECT pid FROM pg_stat_activity WHERE query LIKE %s AND pid <> pg_backend_pid()"


@pytest.mark.parametrize("ends", [False, True])
async def test_what_is_said_reaches_the_handler_of_its_channel(database_dsn: str, *, ends: bool) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    ear = asyncio.create_task(
        hear(database_dsn, {"one": lambda: heard.put_nowait("one"), "two": lambda: heard.put_nowait("two")})
    )
    async with (
        asyncio.timeout(30),
        await psycopg.AsyncConnection.connect(database_dsn, autocommit=True) as other,
    ):
        assert {await heard.get(), await heard.get()} == {"one", "two"}  # what was said while nobody listened
        if ends:
            rows = await (await other.execute(EARS, ["LISTEN one%"])).fetchall()
            assert len(rows) == 1
            await other.execute("SELECT pg_terminate_backend(%s)", rows[0])
            assert {await heard.get(), await heard.get()} == {"one", "two"}  # it listens again
        await other.execute("NOTIFY two")
        assert await heard.get() == "two"
        await other.execute("SELECT pg_notify('one', n::text) FROM generate_series(1, 3) AS n")
        assert await heard.get() == "one"  # once, where several say the same at a time
        ear.cancel()
        await asyncio.gather(ear, return_exceptions=True)
    assert heard.empty()
