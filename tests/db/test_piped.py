"""Statements that go out together are one transaction, whatever breaks and whenever it is noticed."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator

import psycopg
import pytest

from bridge.db.database import Database
from bridge.db.piped import Piped


@pytest.fixture
async def table(database: Database) -> AsyncIterator[str]:
    async with database.connection() as connection:
        await connection.execute("CREATE TABLE numbers (n int PRIMARY KEY, told text)")
    yield "numbers"
    async with database.connection() as connection:
        await connection.execute("DROP TABLE numbers")


async def numbers(database: Database) -> list[int]:
    async with database.connection() as connection:
        rows = await connection.execute("SELECT n FROM numbers ORDER BY n")
        return [row[0] for row in await rows.fetchall()]


async def test_what_is_executed_is_committed_and_rows_come_back_in_both_formats(database: Database, table: str) -> None:
    for start in (1, 11):  # the second time on the same connection, with what is prepared
        async with database.begin(piped=True) as tx:
            made = await tx.execute(
                "INSERT INTO numbers SELECT n, %s FROM generate_series(%s::int, %s::int) AS n RETURNING n",
                ["é'\\", start, start + 2],
            )
            text = await tx.execute("SELECT told, n FROM numbers WHERE n = %(n)s", {"n": start})
            binary = await tx.execute(b"SELECT told, n FROM numbers WHERE n = $1", [start], binary=True)
            assert await binary.fetchone() == ("é'\\", start)
            assert await text.fetchone() == ("é'\\", start)
            assert await text.fetchone() is None
            assert [row[0] for row in await made.fetchall()] == [start, start + 1, start + 2]
            assert await numbers(database) == ([] if start == 1 else [1, 2, 3])
    assert await numbers(database) == [1, 2, 3, 11, 12, 13]


async def test_several_who_read_share_one_connection(database: Database, table: str) -> None:
    async with database.begin(piped=True) as tx:

        async def add(number: int) -> int:
            row = await (await tx.execute("INSERT INTO numbers VALUES (%s) RETURNING n", [number])).fetchone()
            again = await (await tx.execute("SELECT max(n) FROM numbers")).fetchone()
            assert row is not None
            assert again is not None
            return int(row[0])

        assert await asyncio.gather(*map(add, range(20))) == list(range(20))
    assert await numbers(database) == list(range(20))


@pytest.mark.parametrize("where", ["unread", "read", "raised", "late", "waited_for"])
async def test_nothing_of_a_transaction_that_breaks_is_kept(database: Database, table: str, where: str) -> None:
    async with database.connection() as connection:
        await connection.execute("INSERT INTO numbers VALUES (1)")
    expected = {"raised": ValueError, "waited_for": TimeoutError}.get(where, psycopg.errors.UniqueViolation)
    with pytest.raises(expected):  # noqa: PT012  where it is raised depends
        async with asyncio.timeout(0.2 if where == "waited_for" else None), database.begin(piped=True) as tx:
            await tx.execute("INSERT INTO numbers VALUES (2)")
            match where:
                case "unread":
                    await tx.execute("INSERT INTO numbers VALUES (1)")
                    await tx.execute("INSERT INTO numbers VALUES (3)")
                case "read":
                    await (await tx.execute("INSERT INTO numbers VALUES (1) RETURNING n")).fetchall()
                case "late":  # whoever reads what came after hears what broke before
                    await tx.execute("INSERT INTO numbers VALUES (1)")
                    await (await tx.execute("SELECT 7")).fetchall()
                case "waited_for":
                    await (await tx.execute("SELECT pg_sleep(60)")).fetchall()
                case _:
                    raise ValueError
    assert await numbers(database) == [1]
    async with database.begin(piped=True) as tx:  # the next one finds a connection
        await tx.execute("INSERT INTO numbers VALUES (2)")
    assert await numbers(database) == [1, 2]


async def test_a_connection_that_was_cut_between_two_transactions_is_told_and_replaced(
    database: Database, table: str
) -> None:
    async with database.begin(piped=True) as tx:
        row = await (await tx.execute("SELECT pg_backend_pid()")).fetchone()
    assert row is not None
    async with database.connection() as connection:
        await connection.execute("SELECT pg_terminate_backend(%s)", [row[0]])
    with pytest.raises(psycopg.OperationalError):
        async with database.begin(piped=True) as tx:
            await (await tx.execute("INSERT INTO numbers VALUES (2) RETURNING n")).fetchall()
    assert await numbers(database) == []
    async with database.begin(piped=True) as tx:
        await tx.execute("INSERT INTO numbers VALUES (3)")
    assert await numbers(database) == [3]


async def test_a_megabyte_in_a_statement_does_not_stall_it(database: Database, table: str) -> None:
    async with database.begin(piped=True) as tx:
        kept = await tx.execute("INSERT INTO numbers VALUES (1, %s) RETURNING told", ["x" * 3_000_000])
        again = await tx.execute("INSERT INTO numbers VALUES (2, %s) RETURNING told", ["y" * 3_000_000])
        first, second = await kept.fetchone(), await again.fetchone()
        assert first is not None
        assert second is not None
        assert (len(first[0]), second[0][0]) == (3_000_000, "y")
    assert await numbers(database) == [1, 2]


@pytest.mark.parametrize("how", ["said", "unsaid"])
async def test_a_connection_that_is_cut_while_somebody_waits_tells_him(
    database: Database, table: str, how: str
) -> None:
    async def cut(pid: int, number: int) -> None:
        await asyncio.sleep(0.2)
        if how == "unsaid":  # as when the server's machine is gone: no word, only the end
            with socket.socket(fileno=os.dup(number)) as line:
                line.shutdown(socket.SHUT_RDWR)
            return
        async with database.connection() as connection:
            await connection.execute("SELECT pg_terminate_backend(%s)", [pid])

    async def wait() -> None:
        async with database.begin(piped=True) as tx:
            row = await (await tx.execute("SELECT pg_backend_pid()")).fetchone()
            assert row is not None
            lent: object = tx
            assert isinstance(lent, Piped)
            cutting = asyncio.create_task(cut(row[0], lent._pgconn.socket))
            try:
                await (await tx.execute("SELECT pg_sleep(60)")).fetchall()
            finally:
                await cutting

    with pytest.raises(psycopg.OperationalError):
        async with asyncio.timeout(30):
            await wait()
    async with database.begin(piped=True) as tx:
        await tx.execute("INSERT INTO numbers VALUES (3)")
    assert await numbers(database) == [3]


async def test_statements_lent_alone_are_each_a_transaction(database: Database, table: str) -> None:
    async with database.statements() as connection:
        assert await (await connection.execute("INSERT INTO numbers VALUES (1) RETURNING n")).fetchone() == (1,)
        assert await numbers(database) == [1]  # while the connection is still lent
        unread = await connection.execute("INSERT INTO numbers VALUES (2)")
        answers = await asyncio.gather(*[_one(connection, number) for number in range(3, 9)])
        assert answers == list(range(3, 9))
    assert unread is not None
    assert await numbers(database) == list(range(1, 9))

    async def put(*given: int) -> None:
        async with database.statements() as connection:
            for number in given:
                await connection.execute("INSERT INTO numbers VALUES (%s)", [number])

    with pytest.raises(psycopg.errors.UniqueViolation):  # told at the end, for nobody reads it
        await put(9, 1, 10)
    assert await numbers(database) == list(range(1, 11))  # what was right stays
    async with database.statements() as connection:
        assert await _one(connection, 11) == 11


async def _one(connection: psycopg.AsyncConnection, number: int) -> int:
    row = await (await connection.execute("INSERT INTO numbers VALUES (%s) RETURNING n", [number])).fetchone()
    assert row is not None
    return int(row[0])


async def test_the_connection_used_last_is_lent_first_for_either_kind(database: Database) -> None:
    seen = set()
    for number in range(4):
        async with database.begin(piped=True) if number % 2 else database.statements() as connection:
            rows = await (await connection.execute("SELECT pg_backend_pid()")).fetchall()
            seen.add(rows[0])
    assert len(seen) == 1


async def test_a_statement_whose_server_ends_is_told_and_the_next_is_answered(database: Database) -> None:
    async def ask(query: str) -> tuple[int, ...] | None:
        async with database.in_order() as connection:
            return await (await connection.execute(query)).fetchone()

    with pytest.raises(psycopg.OperationalError):
        await ask("SELECT pg_terminate_backend(pg_backend_pid())")
    assert await ask("SELECT 1") == (1,)
