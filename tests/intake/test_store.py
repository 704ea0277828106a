"""Group commit: stored once, answered after the commit, neighbours of a bad row kept."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from bridge.db.database import Database
from bridge.domain.ids import SourceId, TenantId
from bridge.intake.rows import Arrival
from bridge.intake.store import FULL, UNFIT, UNREACHED, DeliveryStore, Outcome, Stored
from tests.conftest import Clock
from tests.intake.senders import request
from tests.intake.senders import stored as outcome_of


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


async def stored(store: DeliveryStore, arrival: Arrival) -> Stored:
    outcome = await outcome_of(store, arrival)
    assert isinstance(outcome, Stored)
    return outcome


async def count(database: Database, table: str) -> int:
    async with database.connection() as connection:
        row = await (await connection.execute(f"SELECT count(*) FROM {table}")).fetchone()
    return int(row[0]) if row else 0


async def test_thirty_two_identical_requests_at_once_are_one_delivery(
    store: DeliveryStore, database: Database, clock: Clock
) -> None:
    told = await asyncio.gather(*(stored(store, arrival("same", clock)) for _ in range(32)))
    assert len({one.delivery_id for one in told}) == 1
    assert sum(not one.is_redelivery for one in told) == 1
    assert await count(database, "deliveries") == await count(database, "delivery_queue") == 1


async def test_two_servers_agree_on_who_was_first(
    store: DeliveryStore, database_dsn: str, database: Database, clock: Clock
) -> None:
    other = DeliveryStore(database_dsn)
    running = asyncio.create_task(other.run())
    keys = [f"key-{number % 20}" for number in range(80)]
    told = await asyncio.gather(
        *(stored((store, other)[number % 2], arrival(key, clock)) for number, key in enumerate(keys))
    )
    other.close()
    await running
    assert sum(not one.is_redelivery for one in told) == 20
    assert await count(database, "deliveries") == 20


async def test_requests_of_one_turn_leave_in_two_batches_and_the_rest_after_them(
    store: DeliveryStore, database: Database, clock: Clock
) -> None:
    await stored(store, arrival("opens the connection", clock))
    told = await asyncio.gather(*(stored(store, arrival(f"key-{number}", clock)) for number in range(32)))
    assert [one.delivery_id for one in told] == sorted(one.delivery_id for one in told)
    async with database.connection() as connection:
        sizes = await connection.execute(
            "SELECT count(*) FROM deliveries WHERE dedup_key LIKE 'key%' GROUP BY xmin::text ORDER BY min(id)"
        )
        assert [size for (size,) in await sizes.fetchall()] == [12, 12, 8]


async def test_a_row_that_cannot_be_kept_does_not_fail_its_neighbours(store: DeliveryStore, clock: Clock) -> None:
    keys = ["good-1", "bad\0key", "good-2"]
    told = await asyncio.gather(*(outcome_of(store, arrival(key, clock)) for key in keys))
    assert [isinstance(one, Stored) for one in told] == [True, False, True]
    assert told[1] is UNFIT


async def test_beyond_the_bound_the_sender_is_told_to_come_back(database_dsn: str, clock: Clock) -> None:
    store = DeliveryStore(database_dsn, max_waiting=2)  # nothing writes: run() was not started
    told: list[Outcome] = []
    for number in range(3):
        store.put(arrival(f"k{number}", clock), told.append)
    assert told == [FULL]


async def test_without_a_database_nothing_is_acknowledged_and_later_it_works_again(
    database_dsn: str, postgres_dsn: str, clock: Clock
) -> None:
    name = database_dsn.split("/")[3].split("?", maxsplit=1)[0]
    store = DeliveryStore(database_dsn)
    running = asyncio.create_task(store.run())
    await stored(store, arrival("before", clock))
    async with await psycopg.AsyncConnection.connect(postgres_dsn, autocommit=True) as admin:
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        assert await outcome_of(store, arrival("during", clock)) is UNREACHED
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    assert not (await stored(store, arrival("during", clock))).is_redelivery
    store.close()
    await running


async def test_a_sender_that_hangs_up_has_its_delivery_stored_all_the_same(
    store: DeliveryStore, database: Database, clock: Clock
) -> None:
    store.put(arrival("gone", clock), lambda _: None)
    assert (await stored(store, arrival("gone", clock))).is_redelivery
    assert await count(database, "deliveries") == 1


async def test_commits_are_durable(store: DeliveryStore, clock: Clock) -> None:
    await stored(store, arrival("durable", clock))
    writer = store._connection
    assert writer is not None
    await writer.prepare("setting", "SHOW synchronous_commit")
    setting = (await writer.run("setting", [])).get_value(0, 0)
    assert setting == b"on"  # the server of the tests says off


async def test_each_sender_is_told_its_own_id_and_arrival_gives_the_order(
    database_dsn: str, database: Database, clock: Clock
) -> None:
    store = DeliveryStore(database_dsn, max_batch=7)
    running = asyncio.create_task(store.run())
    keys = [f"key-{number}" for number in range(100)]
    told = await asyncio.gather(*(stored(store, arrival(key, clock)) for key in keys))
    store.close()
    await running
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT id, dedup_key FROM deliveries ORDER BY id")
        assert await cursor.fetchall() == [(one.delivery_id, key) for one, key in zip(told, keys, strict=True)]


async def test_bad_rows_and_known_ones_among_batches_in_flight_are_told_apart(database_dsn: str, clock: Clock) -> None:
    store = DeliveryStore(database_dsn, max_batch=8)
    running = asyncio.create_task(store.run())
    keys = [f"bad\0{number}" if number % 9 == 4 else f"key-{number % 20}" for number in range(60)]
    told = await asyncio.gather(*(outcome_of(store, arrival(key, clock)) for key in keys))
    store.close()
    await running
    assert [one is UNFIT for one in told] == ["\0" in key for key in keys]
    good = [(key, one) for key, one in zip(keys, told, strict=True) if isinstance(one, Stored)]
    assert len({one.delivery_id for _, one in good}) == len({key for key, _ in good})
    assert sum(not one.is_redelivery for _, one in good) == len({key for key, _ in good})


async def test_a_connection_that_ends_amid_batches_fails_those_and_the_rest_is_stored(
    database_dsn: str, postgres_dsn: str, database: Database, clock: Clock
) -> None:
    store = DeliveryStore(database_dsn, max_batch=4)
    running = asyncio.create_task(store.run())
    await stored(store, arrival("first", clock))
    writer = store._connection
    assert writer is not None
    async with await psycopg.AsyncConnection.connect(database_dsn) as blocking:
        await blocking.execute("LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE")
        senders = [asyncio.create_task(outcome_of(store, arrival(f"key-{number}", clock))) for number in range(16)]
        async with await psycopg.AsyncConnection.connect(postgres_dsn, autocommit=True) as admin:
            ended = 0
            while not ended:
                cursor = await admin.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'",
                    [writer.pid],
                )
                ended = (await cursor.fetchone() or (0,))[0]
        assert await asyncio.gather(*senders[:8]) == [UNREACHED] * 8
    told = await asyncio.gather(*senders[8:])
    store.close()
    await running
    assert all(isinstance(one, Stored) for one in told)
    assert await count(database, "deliveries") == await count(database, "delivery_queue") == 9
