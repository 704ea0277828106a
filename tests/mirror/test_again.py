"""A feed read again from its beginning costs what changed: the rest is known from memory, and is right all the same."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from bridge.db.database import Tx
from bridge.domain.outcome import Deferred, Outcome
from bridge.domain.reasons import Reason
from bridge.mirror import cursors, feeds, held, rows, writing
from bridge.mirror.feeds import Syncing
from bridge.mirror.held import Held
from bridge.mirror.shapes import CUSTOMER_CONTACTS, CUSTOMERS, FEEDS, UNDATED, Row, Shape
from tests.mirror.kills import edit
from tests.mirror.mirrored_town import NOW, TENANT, Opened, Town, assert_equal, catch_up, load, mirrored

OLD = NOW - timedelta(days=3)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a hundred records be many."""
    monkeypatch.setattr(feeds, "AGAIN", 30)
    monkeypatch.setattr(held, "AT_ONCE", 7)


def unlimited(*, customers: int, seed: int = 1) -> Town:
    """Return a tenant that takes more than 60 requests while its clock stands."""
    town = Town(customers=customers, seed=seed)
    town.simulator.switches = msgspec.structs.replace(town.simulator.switches, rate_limit_per_second=0)
    return town


async def read_again(sync: Syncing) -> dict[str, int]:
    """Read every feed from its beginning and return of how many of its records the database was asked."""
    asked: dict[str, int] = {}
    question = rows._news

    async def counted(tx: Tx, tenant_id: Any, shape: Shape, versions: rows.Versions, **given: Any) -> Any:
        asked[shape.kind] = asked.get(shape.kind, 0) + len(versions.newest)
        return await question(tx, tenant_id, shape, versions, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "_news", counted)
        for feed in FEEDS:
            await cursors.restart(sync.session, TENANT, feed)
            await feeds.read_feed(sync, feed)
    return asked


@pytest.mark.parametrize("seed", range(3))
async def test_after_a_day_of_edits_the_mirror_is_equal_again(opened: Opened, seed: int) -> None:
    town = unlimited(customers=200, seed=seed)
    await load(await opened(town))
    town.simulator.advance(86_400)
    edit(town, random.Random(seed))
    sync = await opened(town, now=NOW + timedelta(days=1))
    asked = await read_again(sync)
    assert asked["customer"] < len(town.account.tables["customers"])
    await catch_up(sync)
    await assert_equal(sync.session, town)


async def test_a_feed_as_it_was_asks_of_no_more_than_the_pages_that_told_so(opened: Opened) -> None:
    town = unlimited(customers=400)
    sync = await opened(town, now=NOW + timedelta(days=1))
    await load(sync)
    asked = await read_again(sync)
    # The first page of 40 tells, the second is under way already.
    assert asked["customer"] == asked["location"] == asked["customer_contact"] == asked["location_contact"] == 80
    cursor = (await cursors.read(sync.session, TENANT))["customers"]
    assert (cursor.row_count, cursor.page_count) == (400, 10)
    await assert_equal(sync.session, town)


async def test_pages_that_are_one_transaction_stop_before_the_one_that_fails(opened: Opened) -> None:
    town = unlimited(customers=400)
    sync = await opened(town, now=NOW + timedelta(days=1))
    await load(sync)
    source, asked_for = sync.source, list[str]()

    async def failing(feed: str, place: str, recent: bool) -> Outcome:
        asked_for.append(place)
        if len(set(asked_for)) >= 6:
            return Deferred(reason=Reason.SERVER_ERROR)
        return await source(feed, place, recent)

    await cursors.restart(sync.session, TENANT, "customers")
    outcome = await feeds.read_feed(replace(sync, source=failing), "customers")
    assert isinstance(outcome, Deferred)
    cursor = (await cursors.read(sync.session, TENANT))["customers"]
    assert (cursor.row_count, cursor.page_count, cursor.failures, cursor.reason) == (200, 5, 1, "server_error")
    assert cursor.place == asked_for[-1] == asked_for[-2], "asked again once what came before it is kept"
    await feeds.read_feed(sync, "customers")
    cursor = (await cursors.read(sync.session, TENANT))["customers"]
    assert (cursor.row_count, cursor.page_count, cursor.failures) == (400, 10, 0)
    await assert_equal(sync.session, town)


async def test_what_we_write_while_a_feed_is_read_again_is_not_undone(opened: Opened) -> None:
    town = unlimited(customers=200)
    sync = await opened(town, now=NOW + timedelta(days=1))
    await load(sync)
    last = max(row["id"] for row in town.account.tables["customers"])
    source, pages = sync.source, 0

    async def while_we_write(feed: str, place: str, recent: bool) -> Outcome:
        nonlocal pages
        outcome = await source(feed, place, recent)
        pages += 1
        if pages == 5:  # the page with the record as it was, before it is compared
            answer = await town.client.customers.update(last, body={"name": "Renamed By Us"})
            await writing.observe(
                other.session, TENANT, "customers.update", {"id": last}, answer.body, now=NOW + timedelta(days=1)
            )
        return outcome

    other = await opened(town)
    town.simulator.advance(86_400)
    await cursors.restart(sync.session, TENANT, "customers")
    await feeds.read_feed(replace(sync, source=while_we_write), "customers")
    assert pages == 5
    name = list(CUSTOMERS.columns).index("name")
    assert (await mirrored(sync.session, "customers"))[last][name] == "Renamed By Us"
    await catch_up(sync)
    await assert_equal(sync.session, town)


def customer(number: int, **fields: Any) -> Row:
    """Return the row of a customer that was last changed some days ago."""
    return CUSTOMERS.to_row(
        CUSTOMERS.of({"id": number, "name": f"Pat {number}", "active": True, "modifiedOn": OLD, **fields})
    )


async def known(tx: Tx, some: list[Row]) -> Callable[[Row], bool]:
    """Keep rows and return what tells whether another needs a look."""
    await rows.apply(tx, TENANT, CUSTOMERS, some, asked_at=NOW)
    news = (await Held.of(tx, TENANT, CUSTOMERS)).reader(CUSTOMERS, asked_at=NOW)

    def is_news(row: Row) -> bool:
        number, active, at = row[:3]
        told = None if at == UNDATED else at
        record = msgspec.json.encode({"id": number, "name": "Pat", "active": active, "modifiedOn": told})
        return news(msgspec.Raw(record)) is not None

    return is_news


async def test_only_what_is_surely_no_news_is_left_out(tx: Tx) -> None:
    young = NOW - timedelta(minutes=5)
    some = [customer(number) for number in range(1, 30)]
    some += [customer(40, modifiedOn=young), customer(41, active=False), customer(42, modifiedOn=None)]
    is_news = await known(tx, some)
    assert not any(is_news(row) for row in some[:29])
    assert not is_news(customer(41, active=False))
    assert is_news(customer(41))
    assert is_news(customer(7, active=False))
    assert is_news(customer(7, modifiedOn=OLD + timedelta(microseconds=1)))
    assert is_news(customer(7, modifiedOn=OLD - timedelta(microseconds=1)))
    assert is_news(customer(99))
    assert is_news(customer(0))
    assert is_news(customer(40, modifiedOn=young)), "two versions may have one time while it is young"
    assert is_news(customer(42, modifiedOn=None)), "of a record without a time the whole is compared"


async def test_a_record_with_a_write_of_ours_and_one_beyond_the_most_are_asked_about(
    tx: Tx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "MOST", 20)
    some = [customer(number) for number in range(1, 40)]
    await rows.apply(tx, TENANT, CUSTOMERS, some, asked_at=NOW)
    await writing.change_tags(tx, TENANT, "customer", 3, added=[5], removed=[], now=NOW)
    is_news = await known(tx, [])
    assert [row[0] for row in some if is_news(row)] == [3, *range(23, 40)]


def contact(**fields: Any) -> Row:
    """Return the row of a customer's phone."""
    record = {"id": 8, "customerId": 5, "type": "Phone", "value": "5125550142", "active": True, "modifiedOn": OLD}
    return CUSTOMER_CONTACTS.to_row(CUSTOMER_CONTACTS.of(record | fields))


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({"preferences": {"jobRemindersEnabled": True}}, False),
        ({"memo": "after 5 only"}, False),
        ({"memo": ""}, False),
        ({"memo": "Mary Smith"}, True),
        ({"value": "5125550143"}, True),
        ({"type": "MobilePhone"}, True),
        ({"customerId": 6}, True),
        ({"active": False}, True),
    ],
)
@pytest.mark.parametrize("beside", [0, rows.FEW + 3])
async def test_keys_are_made_anew_only_for_what_somebody_may_be_found_by(
    tx: Tx, fields: dict[str, Any], counts: bool, beside: int
) -> None:
    await rows.apply(tx, TENANT, CUSTOMER_CONTACTS, [contact(id=8 + more) for more in range(beside + 1)], asked_at=NOW)
    later = [contact(id=8 + more, modifiedOn=NOW, **fields) for more in range(beside + 1)]
    done = await rows.apply(tx, TENANT, CUSTOMER_CONTACTS, later, asked_at=NOW)
    assert done.changed == {row[0] for row in later}
    assert done.found_by == (done.changed if counts else frozenset())
