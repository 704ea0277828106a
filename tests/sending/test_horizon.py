"""An id is never passed for good while the transaction that drew it is open."""

import psycopg
import pytest

from bridge.db.database import Database
from bridge.sending import store
from bridge.sending.horizon import Horizon, Snapshot


async def draw(connection: psycopg.AsyncConnection) -> int:
    """Draw an id as the writers do: the transaction has its xid before."""
    cursor = await connection.execute("SELECT pg_current_xact_id(), nextval('effect_ids')")
    row = await cursor.fetchone()
    assert row is not None
    return int(row[1])


@pytest.mark.parametrize("looks", [0, 1, 2, 5])
async def test_the_youngest_open_transaction_is_not_skipped_however_often_was_looked(
    database: Database, looks: int
) -> None:
    """No snapshot of PostgreSQL lists a transaction that is younger than every one that ended."""
    horizon = Horizon()

    async def look() -> int:
        async with database.connection() as connection:
            snapshot, _ = await store.look(connection, [])
            return horizon.advance(snapshot)

    late = await psycopg.AsyncConnection.connect(database.dsn)
    other = await psycopg.AsyncConnection.connect(database.dsn)
    await draw(other)
    await other.commit()
    for _ in range(3):
        await look()
    first = await draw(late)
    for _ in range(looks):
        await look()
    second = await draw(other)
    await other.commit()
    assert await look() < second
    await late.commit()
    assert await look() < first
    await late.close()
    await other.close()


@pytest.mark.parametrize("looks", [1, 2, 5])
async def test_nor_is_it_where_it_ends_before_it_was_ever_listed(database: Database, looks: int) -> None:
    horizon = Horizon()

    async def look() -> int:
        async with database.connection() as connection:
            snapshot, _ = await store.look(connection, [])
            return horizon.advance(snapshot)

    late = await psycopg.AsyncConnection.connect(database.dsn)
    for _ in range(3):
        await look()
    drawn = await draw(late)
    for _ in range(looks):
        await look()
    await late.commit()
    assert await look() < drawn
    await late.close()


@pytest.mark.parametrize(
    ("text", "next_xid", "opened"),
    [
        ("700:700:", 700, set()),
        ("700:700:", 702, {700, 701}),
        ("695:700:695,697", 701, {695, 697, 700}),
        (f"{(1 << 32) - 1}:{(1 << 32) + 1}:", 2, {(1 << 32) + 1}),  # the 32 bits came round
        (f"{5 << 32}:{5 << 32}:", (1 << 32) - 1, set()),
    ],
)
def test_what_is_open_reaches_to_the_next_transaction(text: str, next_xid: int, opened: set[int]) -> None:
    assert Snapshot.parse(text, 9, next_xid) == Snapshot(frozenset(opened), 9)
