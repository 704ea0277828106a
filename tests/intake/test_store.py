"""Group commit: stored once, answered after the commit, neighbours of a bad row kept."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from bridge.db.database import Database
from bridge.domain.ids import SourceId, TenantId
from bridge.intake.rows import Arrival
from bridge.intake.store import DatabaseUnreachable, DeliveryStore, IntakeFull, RowRefused
from tests.conftest import Clock
from tests.intake.senders import request


@pytest.fixture
async def store(database_dsn: str) -> AsyncIterator[DeliveryStore]:
    opened = DeliveryStore(database_dsn)
    running = asyncio.create_task(opened.run())
    yield opened
    opened.close()
    await running


def arrival(key: str, clock: Clock, *, event_type: str = "lead.created") -> Arrival:
    return Arrival(
        tenant_id=TenantId(1000001),
        source_id=SourceId("website"),
        dedup_key=key,
        event_type=event_type,
        received_at=clock.now,
        request=request(key, now=clock.now),
        verified_by="standard-webhooks:current",
        trace_id="0" * 32,
    )


async def count(database: Database, table: str) -> int:
    async with database.connection() as connection:
        row = await (await connection.execute(f"SELECT count(*) FROM {table}")).fetchone()
    return int(row[0]) if row else 0


async def test_thirty_two_identical_requests_at_once_are_one_delivery(
    store: DeliveryStore, database: Database, clock: Clock
) -> None:
    stored = await asyncio.gather(*(store.store(arrival("same", clock)) for _ in range(32)))
    assert len({one.delivery_id for one in stored}) == 1
    assert sum(not one.is_redelivery for one in stored) == 1
    assert await count(database, "deliveries") == await count(database, "delivery_queue") == 1


async def test_two_servers_agree_on_who_was_first(
    store: DeliveryStore, database_dsn: str, database: Database, clock: Clock
) -> None:
    other = DeliveryStore(database_dsn)
    running = asyncio.create_task(other.run())
    keys = [f"key-{number % 20}" for number in range(80)]
    stored = await asyncio.gather(
        *((store, other)[number % 2].store(arrival(key, clock)) for number, key in enumerate(keys))
    )
    other.close()
    await running
    assert sum(not one.is_redelivery for one in stored) == 20
    assert await count(database, "deliveries") == 20


async def test_a_row_that_cannot_be_kept_does_not_fail_its_neighbours(store: DeliveryStore, clock: Clock) -> None:
    keys = ["good-1", "bad\0key", "good-2"]
    results = await asyncio.gather(*(store.store(arrival(key, clock)) for key in keys), return_exceptions=True)
    assert [type(one).__name__ for one in results] == ["Stored", "RowRefused", "Stored"]
    assert isinstance(results[1], RowRefused)


async def test_beyond_the_bound_the_sender_is_told_to_come_back(database_dsn: str, clock: Clock) -> None:
    store = DeliveryStore(database_dsn, max_waiting=2)  # nothing writes: run() was not started
    for number in range(2):
        store.store(arrival(f"k{number}", clock))
    with pytest.raises(IntakeFull):
        store.store(arrival("k3", clock))


async def test_without_a_database_nothing_is_acknowledged_and_later_it_works_again(
    database_dsn: str, postgres_dsn: str, clock: Clock
) -> None:
    name = database_dsn.split("/")[3].split("?", maxsplit=1)[0]
    store = DeliveryStore(database_dsn)
    running = asyncio.create_task(store.run())
    await store.store(arrival("before", clock))
    async with await psycopg.AsyncConnection.connect(postgres_dsn, autocommit=True) as admin:
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        with pytest.raises(DatabaseUnreachable):
            await store.store(arrival("during", clock))
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    assert not (await store.store(arrival("during", clock))).is_redelivery
    store.close()
    await running


async def test_a_sender_that_hangs_up_has_its_delivery_stored_all_the_same(
    store: DeliveryStore, database: Database, clock: Clock
) -> None:
    store.store(arrival("gone", clock)).cancel()
    assert (await store.store(arrival("gone", clock))).is_redelivery
    assert await count(database, "deliveries") == 1


async def test_commits_are_durable(store: DeliveryStore, clock: Clock) -> None:
    await store.store(arrival("durable", clock))
    writer = store._connection
    assert writer is not None
    await writer.prepare("setting", "SHOW synchronous_commit")
    setting = (await writer.run("setting", [])).get_value(0, 0)
    assert setting == b"on"  # the server of the tests says off
