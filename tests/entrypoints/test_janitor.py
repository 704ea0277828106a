"""What is past its retention goes; what makes a delivery the same delivery stays."""

import asyncio
from datetime import timedelta

from bridge.db.database import Database
from bridge.entrypoints import janitor
from tests.conftest import Clock
from tests.intake.senders import SETTINGS


async def test_old_bodies_are_emptied_and_their_dedup_keys_stay(database: Database, clock: Clock) -> None:
    old, young = clock.now - timedelta(days=91), clock.now - timedelta(days=89)
    async with database.begin() as tx:
        for key, at in (("old", old), ("young", young)):
            await tx.execute(
                "INSERT INTO deliveries (tenant_id, source_id, dedup_key, event_type, received_at, method, url, headers, body,"
                " verified_by, trace_id) VALUES (1, 's', %s, 'e', %s, 'POST', '/', '[[\"a\", \"b\"]]', 'x', 'v', 't')",
                [key, at],
            )
    await janitor.tidy(database, SETTINGS, now=clock.now)
    async with database.connection() as connection:
        rows = await (
            await connection.execute("SELECT dedup_key, octet_length(body), headers FROM deliveries ORDER BY dedup_key")
        ).fetchall()
    assert rows == [("old", 0, []), ("young", 1, [["a", "b"]])]


async def test_refusals_go_after_their_days(database: Database, clock: Clock) -> None:
    async with database.begin() as tx:
        for days in (31, 29):
            await tx.execute(
                "INSERT INTO rejected_requests (source_id, reason, status, received_at, method, content_type, body_bytes,"
                " body_sha256, detail, trace_id) VALUES ('s', 'r', 401, %s, 'POST', '', 0, '', '', '')",
                [clock.now - timedelta(days=days)],
            )
    await janitor.tidy(database, SETTINGS, now=clock.now)
    async with database.connection() as connection:
        assert await (await connection.execute("SELECT count(*) FROM rejected_requests")).fetchone() == (1,)


async def test_partitions_of_the_next_months_are_made_once(database: Database, clock: Clock) -> None:
    for _ in range(2):
        await janitor.tidy(database, SETTINGS, now=clock.now)
    async with database.begin() as tx:
        names = await janitor._partitions(tx, "attempts")
    assert {"attempts_p2026_12", "attempts_p2027_01"} <= set(names)
    assert len(names) == len(set(names))


async def test_workers_that_start_together_make_the_next_months_once(database: Database, clock: Clock) -> None:
    """`IF NOT EXISTS` alone does not help two that look at the same moment: one of them would end with an error."""
    month = janitor._month(clock.now, 9)
    for table in ("effects", "attempts"):
        await asyncio.gather(*(janitor._add_partition(database, table, month) for _ in range(8)))
        async with database.connection() as connection:
            names = await janitor._partitions(connection, table)
        assert names.count(f"{table}_p{month:%Y_%m}") == 1
