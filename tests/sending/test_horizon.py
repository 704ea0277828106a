"""An id is never passed for good while the transaction that drew it is open."""

from collections.abc import Iterable

import psycopg
import pytest

from bridge.db.database import Database, Tx
from bridge.domain.ids import TenantId
from bridge.sending import outbox, store
from bridge.sending.horizon import Horizon, Snapshot
from bridge.sending.message import Message
from tests.sending.world import OTHER, TENANT, World, booking, put


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


@pytest.fixture
def lows(monkeypatch: pytest.MonkeyPatch) -> dict[TenantId, int]:
    """Above which id each tenant was read last, with nobody else's transaction open on the server."""
    seen: dict[TenantId, int] = {}
    claim, look = store.claim, store.look

    async def alone(tx: Tx, shards: Iterable[int]) -> tuple[Snapshot, list[store.TenantRow]]:
        snapshot, rows = await look(tx, shards)
        return snapshot._replace(open=frozenset()), rows

    async def watched(tx: Tx, wanted: list[tuple[TenantId, int, int]]) -> list[Message]:
        seen.update({tenant_id: low for tenant_id, low, _ in wanted})
        return await claim(tx, wanted)

    monkeypatch.setattr(store, "claim", watched)
    monkeypatch.setattr(store, "look", alone)
    return seen


async def test_an_owner_reads_past_what_is_gone_once(world: World, lows: dict[TenantId, int]) -> None:
    """Rows that nobody may clear away, behind a transaction that stays open, are walked over at each read from the start."""
    worker = world.worker()
    created = (await world.put(booking())).created
    await worker.own(TENANT)
    await worker.turn()
    assert lows == {TENANT: 0}
    await worker.turn()
    assert lows == {TENANT: max(created.values())}


async def test_who_gains_a_shard_reads_the_others_on(world: World, lows: dict[TenantId, int]) -> None:
    worker = world.worker()
    first = max((await world.put(booking())).created.values())
    await world.put(booking(tenant_id=OTHER), tenant_id=OTHER)
    await worker.own(TENANT)
    await worker.turn()
    await worker.own(OTHER)
    await worker.turn()
    assert lows == {TENANT: first, OTHER: 0}


@pytest.mark.parametrize("looks", [0, 1, 2, 4])
async def test_what_commits_late_is_read_with_what_is_new(world: World, looks: int) -> None:
    """New rows come with the look that tells of the late one's end; they do not hide what is below them."""
    worker = world.worker()
    async with world.database.begin() as tx:
        await outbox.enter(tx, [TENANT])
    await worker.own(TENANT)
    await worker.turn()
    world.advance(1)
    late = await put_late(world)
    for number in range(looks):
        await world.put(booking(f"Early Example {number}"))
        await worker.turn()
    await late.commit()
    await late.close()
    await world.put(booking("New Example"))
    await worker.drain()
    assert world.simulator.count("booking.created") == looks + 2


async def put_late(world: World) -> psycopg.AsyncConnection:
    """Put a message in a transaction that stays open."""
    late = await psycopg.AsyncConnection.connect(world.database.dsn)
    await put(late, booking("Late Example"), number=9, now=world.now())
    return late


async def test_what_commits_after_a_shard_was_gained_is_read(world: World) -> None:
    worker = world.worker()
    async with world.database.begin() as tx:
        await outbox.enter(tx, [TENANT, OTHER])
    await worker.own(TENANT)
    await worker.turn()
    world.advance(1)  # a budget begins empty
    late = await put_late(world)
    await world.put(booking("Early Example"))
    assert await worker.turn() == 1
    assert await worker.turn() == 0
    await worker.own(OTHER)
    await worker.turn()
    await late.commit()
    await late.close()
    assert await worker.turn() == 1
