"""What ends on the server's side is heard of, on the loop that serves and works."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
import uvloop

from bridge.db.direct import DirectConnection
from bridge.db.piped import Piped

Waits = tuple[Piped | DirectConnection, int, Callable[[], Awaitable[Any]], Callable[[], Awaitable[Any]]]


async def piped(dsn: str) -> Waits:
    connection = await Piped.open(dsn, set_up="SELECT 1")
    connection.begin()

    async def ask(query: str) -> Any:
        return await (await connection.execute(query)).fetchall()

    return connection, connection._pgconn.backend_pid, lambda: ask("SELECT pg_sleep(60)"), lambda: ask("SELECT 1")


async def direct(dsn: str) -> Waits:
    connection = await DirectConnection.open(
        dsn, set_up="SELECT 1", statements={"sleep": "SELECT pg_sleep(60)", "one": "SELECT 1"}
    )
    return connection, connection.pid, lambda: connection.run("sleep", []), lambda: connection.run("one", [])


@pytest.mark.parametrize("opened", [piped, direct])
def test_a_server_that_ends_with_statements_unread_is_heard_of(
    database_dsn: str, opened: Callable[[str], Awaitable[Waits]]
) -> None:
    async def waits_for(call: Callable[[], Awaitable[Any]]) -> Any:
        return await call()

    async def play() -> list[Any]:
        connection, pid, sleep, one = await opened(database_dsn)
        first = asyncio.create_task(waits_for(sleep))
        await asyncio.sleep(0.2)  # the server is busy, so that it reads no more
        second = asyncio.create_task(waits_for(one))
        await asyncio.sleep(0.1)
        # The loop is held, so that it meets the last words, the end and the error of what was left unread at once.
        with psycopg.connect(database_dsn, autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        async with asyncio.timeout(30):
            told = await asyncio.gather(first, second, return_exceptions=True)
        if isinstance(connection, Piped):
            await connection.abandon()
        else:
            connection.close()
        return told

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        told = runner.run(play())
    assert [isinstance(one, psycopg.OperationalError) for one in told] == [True, True], told
