"""Whose delivery an id is: found through the key that begins with the tenant, from one tenant to the next."""

from bridge.db.database import Database
from bridge.domain.ids import DeliveryId, TenantId
from bridge.reports import story

_INSERT = """
INSERT INTO deliveries (tenant_id, source_id, dedup_key, event_type, received_at, method, url, headers, body, verified_by, trace_id)
SELECT tenant, 'website', n::text, '', now(), 'POST', '/', '[]', '', '', ''
FROM unnest(ARRAY[7, 9000, 1000001]) AS tenant, generate_series(1, 200) AS n RETURNING id, tenant_id
"""


async def test_every_delivery_is_found_by_its_id_alone(database: Database) -> None:
    async with database.connection() as connection:
        stored = await (await connection.execute(_INSERT)).fetchall()
    for delivery_id, tenant_id in stored[::50]:
        assert await story.tenant_of(database, DeliveryId(delivery_id)) == TenantId(tenant_id)
    assert await story.tenant_of(database, DeliveryId(max(stored)[0] + 1)) is None


async def test_nothing_is_found_where_nothing_is(database: Database) -> None:
    assert await story.tenant_of(database, DeliveryId(1)) is None


async def test_it_reads_the_index_with_empty_statistics(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute(_INSERT)
        cursor = await connection.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {story._TENANT_OF}", {"id": 1})
        plan = "\n".join(line for (line,) in await cursor.fetchall())
    assert "Seq Scan" not in plan, plan
    assert plan.count("pk_deliveries") == 1, plan
    assert "Sort" not in plan, plan
