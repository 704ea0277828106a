"""Keys are made in two steps after a first load; whatever happens between or amid them, each is stored once and none too many."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from bridge.db import match_keys
from bridge.mirror import cursors, feeds, keying
from bridge.mirror.feeds import Progress, Syncing
from bridge.mirror.shapes import FEEDS
from bridge.mirror.writing import Answered, write_through
from tests.mirror.mirrored_town import NOW, Opened, Town, assert_equal, mirrored, stored_keys, true_keys


async def load_records(sync: Syncing) -> None:
    """Load everything but the keys."""
    for feed in FEEDS:
        await feeds.read_feed(sync, feed)


def stop_at(sync: Syncing, *, steps: int) -> Callable[[Progress], None]:
    """Return a report that stops the work after so many steps."""

    def report(_progress: Progress) -> None:
        nonlocal steps
        steps -= 1
        if not steps:
            sync.stop.set()

    return report


async def steps_of_keys(opened: Opened, town: Town, steps: int) -> Syncing:
    """Make so many steps of the keys, as a process does that ends then, and return the session of the next."""
    sync = await opened(town)
    await keying.make_keys(replace(sync, report=stop_at(sync, steps=steps)))
    return await opened(town)


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sixty customers take four steps to be made, and eight to be spread."""
    monkeypatch.setattr(keying, "CUSTOMERS_AT_ONCE", 16)
    monkeypatch.setattr(keying, "KEYS_AT_ONCE", 50)


async def test_keys_go_on_where_they_were_left_in_either_step(opened: Opened) -> None:
    town = Town()
    sync = await opened(town)
    await load_records(sync)
    for _ in range(4 + keying.MOST_PARTS - 1):
        sync = await steps_of_keys(opened, town, 1)
        known = await cursors.read(sync.session, sync.tenant_id)
        assert not cursors.has_keys(known[cursors.KEYS])
    sync = await steps_of_keys(opened, town, 1)
    assert cursors.has_keys((await cursors.read(sync.session, sync.tenant_id))[cursors.KEYS])
    await assert_equal(sync.session, town)


@pytest.mark.parametrize("steps", [1, 4, 6])
async def test_a_customer_changed_by_us_meanwhile_is_found_by_its_new_name_alone(opened: Opened, steps: int) -> None:
    town = Town()
    sync = await opened(town)
    await load_records(sync)
    sync = await steps_of_keys(opened, town, steps)
    for row in list(town.account.tables["customers"])[::3]:
        town.edit("customers", row["id"], name=f"Quincy Underhill{row['id']}")
        async with sync.session.transaction():
            changed = Answered("customer", town.account.tables["customers"].get(row["id"]))
            await write_through(sync.session, sync.tenant_id, [changed], now=NOW)
    await keying.make_keys(sync)
    assert await stored_keys(sync.session) == true_keys(town)


@pytest.mark.parametrize("steps", [1, 4, 6])
async def test_a_customer_changed_by_a_page_meanwhile_is_found_by_its_new_name_alone(
    opened: Opened, steps: int
) -> None:
    town = Town()
    sync = await opened(town)
    await load_records(sync)
    sync = await steps_of_keys(opened, town, steps)
    for row in list(town.account.tables["customers"])[::3]:
        town.edit("customers", row["id"], name=f"Quincy Underhill{row['id']}")
    await feeds.read_feed(sync, "customers", recent=True)
    await keying.make_keys(sync)
    await assert_equal(sync.session, town)


async def test_what_customers_hold_is_what_is_looked_up(opened: Opened) -> None:
    town = Town()
    sync = await opened(town)
    await load_records(sync)
    await keying.make_keys(sync)
    ids = list(await mirrored(sync.session, "customers"))
    async with sync.session.transaction():
        assert await match_keys.renew(sync.session, sync.tenant_id, ids, region="US") == 0
    held = await sync.session.execute(
        "SELECT key, customer_id, place FROM customer_keys, unnest(keys, location_ids) AS k (key, place) WHERE tenant_id = %s",
        [sync.tenant_id],
    )
    assert set(await held.fetchall()) == await stored_keys(sync.session) != set()
