"""Links follow the merges that a page of a feed brings."""

from bridge.mirror import feeds
from tests.mirror.mirrored_town import TENANT, Town, catch_up, load, mirrored, syncing


async def test_links_follow_a_chain_of_merges_that_a_page_brings_and_others_stay(database_dsn: str) -> None:
    town = Town()
    sync = await syncing(database_dsn, feeds.of_client(town.client))
    await load(sync)
    one, two, three, other = sorted(await mirrored(sync.session, "customers"))[:4]
    for record, customer in (("merged", one), ("stays", other)):
        await sync.session.execute(
            "INSERT INTO links (tenant_id, source_id, record_id, customer_id, decided_by, decided_at)"
            " VALUES (%s, 'web', %s, %s, 'tess', now())",
            [TENANT, record, customer],
        )
    town.edit("customers", one, active=False, mergedToId=two)
    town.edit("customers", two, active=False, mergedToId=three)
    await catch_up(sync)
    found = await sync.session.execute("SELECT record_id, customer_id FROM links ORDER BY record_id")
    assert await found.fetchall() == [("merged", three), ("stays", other)]
    await sync.session.close()
