import logging
from dataclasses import replace

import pytest

from bridge.mirror import cursors, feeds
from bridge.mirror.sync import log_progress
from tests.mirror.mirrored_town import TENANT, Opened, Town, assert_equal, catch_up, load, mirrored, syncing


async def test_a_first_load_makes_the_mirror_equal_to_servicetitan(database_dsn: str) -> None:
    town = Town()
    sync = await syncing(database_dsn, feeds.of_client(town.client))
    await load(sync)
    await assert_equal(sync.session, town)
    assert len(await mirrored(sync.session, "customers")) == 60
    await sync.session.close()


async def test_a_long_read_says_how_far_it_is_and_the_changes_after_it_do_not(
    opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    town = Town(customers=20)
    sync = replace(await opened(town), report=log_progress)

    def loaded() -> list[str]:
        told = [vars(one)["feed"] for one in caplog.records if one.message == "feed.loaded"]
        caplog.clear()
        return told

    with caplog.at_level(logging.INFO, logger="bridge.mirror"):
        await load(sync, recent=False)
        assert loaded() == [*feeds.FEEDS, cursors.KEYS]
        town.edit("customers", next(iter(town.account.tables["customers"]))["id"], name="Quincy Underhill")
        await catch_up(sync)
        await feeds.read_feed(sync, "customers")
        assert loaded() == []
        await cursors.restart(sync.session, TENANT, "customers")
        await feeds.read_feed(sync, "customers")
        assert loaded() == ["customers"]
