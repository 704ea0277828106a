from bridge.mirror import feeds
from tests.mirror.mirrored_town import Town, assert_equal, load, mirrored, syncing


async def test_a_first_load_makes_the_mirror_equal_to_servicetitan(database_dsn: str) -> None:
    town = Town()
    sync = await syncing(database_dsn, feeds.of_client(town.client))
    await load(sync)
    await assert_equal(sync.session, town)
    assert len(await mirrored(sync.session, "customers")) == 60
    await sync.session.close()
