"""What a batch holds is spread over the tenants that have something waiting."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from bridge.db.database import Database
from bridge.domain.ids import DeliveryId, TenantId
from bridge.intake import queue

NOW = datetime(2026, 11, 24, 15, tzinfo=UTC)
BUSY, CALM, QUIET = TenantId(1), TenantId(2), TenantId(3)


async def arrive(database: Database, tenant_id: TenantId, count: int) -> list[DeliveryId]:
    async with database.begin() as tx:
        cursor = await tx.execute(
            "INSERT INTO deliveries (tenant_id, source_id, dedup_key, event_type, received_at, method, url, headers, body,"
            " verified_by, trace_id) SELECT %s, 'website', n::text, '', %s, 'POST', '/hooks/website', '[]', '', 'test', ''"
            " FROM generate_series(1, %s) AS n RETURNING id",
            [tenant_id, NOW, count],
        )
        ids = sorted(DeliveryId(row[0]) for row in await cursor.fetchall())
        await tx.execute(
            "INSERT INTO delivery_queue (tenant_id, id, due_at) SELECT %s, unnest(%s::bigint[]), %s",
            [tenant_id, ids, NOW],
        )
    return ids


async def claim(
    database: Database, tenants: list[TenantId], *, most: int, least: int
) -> list[tuple[TenantId, DeliveryId]]:
    async with database.in_order() as connection:
        found = await queue.claim(
            connection, tenants, now=NOW + timedelta(seconds=1), share=most, least=least, most=most
        )
    return [(one.delivery.tenant_id, one.delivery.id) for one in found]


async def test_each_tenant_gives_its_part_of_a_batch_the_oldest_first(database: Database) -> None:
    busy = await arrive(database, BUSY, 20)
    calm = await arrive(database, CALM, 20)
    quiet = await arrive(database, QUIET, 1)
    found = await claim(database, [CALM, QUIET, BUSY], most=12, least=2)
    assert found == [(CALM, id_) for id_ in calm[:4]] + [(QUIET, quiet[0])] + [(BUSY, id_) for id_ in busy[:4]]


async def test_a_tenant_gives_no_less_than_the_least_where_too_many_wait(database: Database) -> None:
    for tenant_id in (BUSY, CALM, QUIET):
        await arrive(database, tenant_id, 20)
    found = await claim(database, [BUSY, CALM, QUIET], most=12, least=5)
    assert Counter(tenant_id for tenant_id, _ in found) == {BUSY: 5, CALM: 5, QUIET: 2}


async def test_a_tenant_that_waits_alone_fills_the_batch(database: Database) -> None:
    busy = await arrive(database, BUSY, 20)
    assert await claim(database, [CALM, BUSY, QUIET], most=12, least=2) == [(BUSY, id_) for id_ in busy[:12]]
