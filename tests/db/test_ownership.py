"""Shards as real workers hold them: renewed beside whatever the process does, given up at once, shared with who joins."""

import asyncio
import time
from datetime import timedelta

import pytest

from bridge.db import ownership
from bridge.db.database import Database
from bridge.db.ownership import SHARDS, Ownership

LEASE = timedelta(seconds=3)


@pytest.fixture
async def thief(database: Database) -> int:
    """A worker that takes by hand."""
    async with database.begin() as tx:
        return await ownership.join(tx, name="thief", now=await database.now())


async def take(database: Database, thief: int) -> int:
    """Return how many shards are free or expired, which the thief has from then on."""
    async with database.begin() as tx:
        return len(await ownership.take(tx, worker_id=thief, limit=SHARDS, now=await database.now(), lease=LEASE))


async def until(owner: Ownership, count: int) -> None:
    async with asyncio.timeout(30):
        while len(owner.owned) != count:
            await asyncio.sleep(0.02)


def owner(database: Database, name: str) -> Ownership:
    return Ownership(database.dsn, name=name, lease=LEASE.total_seconds(), renew_every=0.2)


async def test_a_busy_event_loop_loses_no_lease(database: Database, thief: int) -> None:
    busy = owner(database, "busy")
    busy.start()
    try:
        await until(busy, SHARDS)
        before = dict(busy.owned)
        time.sleep(1.5 * LEASE.total_seconds())  # the loop stands still, and every handler with it
        assert await take(database, thief) == 0
        assert busy.owned == before
        assert all(busy.holds(shard, epoch) for shard, epoch in before.items())
    finally:
        busy.stop()


async def test_who_stops_gives_everything_up_at_once(database: Database, thief: int) -> None:
    going = owner(database, "going")
    going.start()
    await until(going, SHARDS)
    assert await take(database, thief) == 0
    await asyncio.to_thread(going.stop)
    assert going.owned == {}
    assert await take(database, thief) == SHARDS


async def test_who_joins_gets_its_share_once_nothing_of_it_is_under_way(database: Database) -> None:
    first, second = owner(database, "first"), owner(database, "second")
    first.start()
    try:
        await until(first, SHARDS)
        second.start()
        async with asyncio.timeout(30):
            while not first.leaving:
                await asyncio.sleep(0.02)
        assert len(first.owned) == SHARDS  # until it says that nothing of them is in flight
        leaving = first.leaving
        for shard in leaving:
            first.let_go(shard)
        await until(second, SHARDS // 2)
        assert set(second.owned) == leaving
        assert set(first.owned) | set(second.owned) == set(range(SHARDS))
    finally:
        first.stop()
        second.stop()


async def test_who_may_be_taken_for_dead_sends_nothing_though_its_lease_lasts(database: Database) -> None:
    """Cut off from the database, a worker cannot know that its session is gone and its shards are another's."""
    cut = Ownership(database.dsn, name="cut", lease=120.0, renew_every=0.2, silence=3.0)
    cut.start()
    await until(cut, SHARDS)
    epochs = dict(cut.owned)
    assert all(cut.holds(shard, epoch) for shard, epoch in epochs.items())
    await asyncio.to_thread(cut.stop)
    cut.owned = epochs  # as if it had not ended, and no renewal had come through for as long as others wait
    cut._renewed -= 3.0
    assert not any(cut.holds(shard, epoch) for shard, epoch in epochs.items())


async def test_who_was_killed_keeps_no_share_from_who_lives(database: Database, thief: int) -> None:
    """Seen to fail where the dead is told by its leases alone: with these gone it counted as alive, and half was given back."""
    async with database.begin() as tx:
        now = await database.now()
        await ownership.take(tx, worker_id=thief, limit=SHARDS, now=now, lease=timedelta(hours=1))
        await tx.execute("UPDATE workers SET seen_at = %s WHERE id = %s", [now, thief])
    living = Ownership(database.dsn, name="living", lease=3600.0, renew_every=0.2, silence=1.0)
    living.start()
    try:
        await until(living, SHARDS)
        for _ in range(20):
            assert not living.leaving
            await asyncio.sleep(0.1)
    finally:
        await asyncio.to_thread(living.stop)
