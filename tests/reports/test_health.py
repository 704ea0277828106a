"""Health is green where everything is at work, and says what to do where something is not."""

from datetime import UTC, datetime, timedelta

from bridge.domain.ids import TenantId
from bridge.mirror.cursors import KEYS
from bridge.reports import health
from tests.console.seeding import deliver

TENANT = TenantId(1000001)
NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)


async def at_work(database) -> None:
    async with database.begin() as tx:
        (worker,) = await (
            await tx.execute("INSERT INTO workers (name, started_at, seen_at) VALUES ('one', %s, %s) RETURNING id", [NOW, NOW])
        ).fetchone()  # fmt: skip
        await tx.execute(
            "UPDATE shard_leases SET worker_id = %s, expires_at = %s", [worker, NOW + timedelta(seconds=30)]
        )
        for feed, synced in (("customers", NOW), (KEYS, None)):
            await tx.execute(
                "INSERT INTO cursors (tenant_id, feed, row_count, loaded_at, synced_at) VALUES (%s, %s, 200, %s, %s)",
                [TENANT, feed, NOW, synced],
            )


async def bad(database) -> dict[str, str]:
    return {one.name: one.text for one in await health.checks(database, TENANT, now=NOW) if not one.is_fine}


async def test_what_is_at_work_is_green_and_the_keys_are_no_feed_that_is_late(database) -> None:
    await at_work(database)
    assert await bad(database) == {}


async def test_refused_credentials_and_a_first_load_are_told(database) -> None:
    await at_work(database)
    await deliver(database, 4, "held", at=NOW - timedelta(minutes=5))
    async with database.begin() as tx:
        await tx.execute("UPDATE cursors SET loaded_at = NULL WHERE feed = %s", [KEYS])
    found = await bad(database)
    assert found.keys() == {"ServiceTitan", "Keys to recognise people by"}
    assert "refuses our credentials since 2026-11-24" in found["ServiceTitan"]
