"""What the mirror makes of records that move on: by feeds in any order, by our own writes, by ServiceTitan's webhooks."""

import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import permutations
from typing import Any

import msgspec
import psycopg
import pytest

from bridge.db.database import Tx
from bridge.domain.ids import CustomerId, TenantId
from bridge.domain.inquiry import ServiceTitanChange
from bridge.domain.outcome import Outcome
from bridge.mirror import changes, cursors, feeds, records, rows, writing
from bridge.mirror.cursors import CursorMoved
from bridge.mirror.feeds import Syncing
from bridge.mirror.shapes import CUSTOMERS, FEEDS
from bridge.simulator import hooks
from tests.mirror.mirrored_town import (
    BOOKING,
    NOW,
    TENANT,
    Opened,
    Town,
    assert_equal,
    catch_up,
    load,
    mirrored,
    session,
)


async def column(sync: Syncing, feed: str, record_id: int, name: str) -> Any:
    """Return one value of a mirrored record."""
    return (await mirrored(sync.session, feed))[record_id][list(FEEDS[feed].columns).index(name)]


def ids_of(town: Town, feed: str) -> list[int]:
    return [row["id"] for row in town.account.tables[feed] if row["active"] and not row.get("mergedToId")]


async def test_inactive_records_stay_and_nobody_is_found_by_an_inactive_contact(opened: Opened) -> None:
    town = Town(customers=40)
    sync = await opened(town)
    await load(sync)
    gone, contact = ids_of(town, "customers")[3], ids_of(town, "customer_contacts")[5]
    town.edit("customers", gone, active=False)
    town.edit("customer_contacts", contact, active=False)
    await catch_up(sync)
    party = await records.party(sync.session, TENANT, CustomerId(gone))
    assert party is not None
    assert not party.active
    assert await column(sync, "customer_contacts", contact, "active") is False
    await assert_equal(sync.session, town)


async def test_chains_of_merges_are_followed_and_circles_end(opened: Opened) -> None:
    town = Town(customers=40)
    sync = await opened(town)
    await load(sync)
    first, second, third, other = ids_of(town, "customers")[:4]
    town.edit("customers", first, active=False, mergedToId=second)
    town.edit("customers", second, active=False, mergedToId=third)
    await catch_up(sync)
    ids = (first, second, third)
    assert await records.survivors(sync.session, TENANT, "customer", ids) == dict.fromkeys(ids, third)
    party = await records.party(sync.session, TENANT, CustomerId(first))
    assert party is not None
    assert party.customer_id == third
    await assert_equal(sync.session, town)
    town.edit("customers", third, mergedToId=first)
    await catch_up(sync)
    assert (await records.survivors(sync.session, TENANT, "customer", [first]))[first] in {first, second, third}
    assert (await records.survivors(sync.session, TENANT, "customer", [other]))[other] == other


async def test_of_two_replicas_one_syncs_a_tenant_until_it_ends_however_it_ends(database_dsn: str) -> None:
    one, other, admin = [await session(database_dsn) for _ in range(3)]
    try:
        assert await cursors.take(one, TENANT)
        assert not await cursors.take(other, TENANT)
        assert await cursors.take(other, TenantId(TENANT + 1))
        await admin.execute("SELECT pg_terminate_backend(%s)", [one.info.backend_pid])
        with pytest.raises(psycopg.OperationalError):
            await one.execute("SELECT 1")
        assert await cursors.take(other, TENANT)
    finally:
        for each in (one, other, admin):
            await each.close()


async def test_a_page_whose_cursor_somebody_else_moved_counts_for_nothing(opened: Opened) -> None:
    town = Town(customers=60)
    one, other = await opened(town), await opened(town)
    source = one.source
    raced = False

    async def while_the_other_reads(feed: str, place: str, recent: bool) -> Outcome:
        nonlocal raced
        outcome = await source(feed, place, recent)
        if not raced:
            raced = True
            await feeds.read_feed(other, feed)
        return outcome

    late = with_source(one, while_the_other_reads)
    with pytest.raises(CursorMoved):
        await feeds.read_feed(late, "customers")
    cursor = (await cursors.read(one.session, TENANT))["customers"]
    assert (cursor.row_count, cursor.page_count) == (60, 2)


def with_source(sync: Syncing, source: Callable[[str, str, bool], Awaitable[Outcome]]) -> Syncing:
    """Return the same session with another source."""
    return Syncing(session=sync.session, tenant_id=sync.tenant_id, region=sync.region, source=source, clock=sync.clock)


async def test_our_own_write_shows_at_once_and_an_older_page_does_not_undo_it(opened: Opened) -> None:
    town = Town(customers=40)
    sync = await opened(town)
    await load(sync)
    customer = ids_of(town, "customers")[0]
    older = await sync.source("customers", "", True)
    town.simulator.advance(30)
    ids = {"id": customer}
    done = await town.client.customers.update(customer, body={"name": "Renamed By Us"})
    await writing.observe(sync.session, TENANT, "customers.update", ids, done.body, now=NOW + timedelta(seconds=30))
    assert await column(sync, "customers", customer, "name") == "Renamed By Us"
    await cursors.restart(sync.session, TENANT, "customers")

    async def again(feed: str, place: str, recent: bool) -> Outcome:
        return older if not place else await sync.source(feed, place, recent)

    await feeds.read_feed(with_source(sync, again), "customers")
    assert await column(sync, "customers", customer, "name") == "Renamed By Us"
    await catch_up(sync)
    await assert_equal(sync.session, town)


async def test_a_tag_we_gave_stays_until_a_page_that_may_know_better(opened: Opened) -> None:
    town = Town(customers=40)
    sync = await opened(town)
    await load(sync)
    customer = ids_of(town, "customers")[0]
    before = await column(sync, "customers", customer, "tag_type_ids")
    await writing.change_tags(sync.session, TENANT, "customer", customer, added=[987], removed=[], now=NOW)
    await cursors.restart(sync.session, TENANT, "customers")
    await feeds.read_feed(sync, "customers")
    assert await column(sync, "customers", customer, "tag_type_ids") == sorted([*before, 987])
    town.simulator.advance(60)
    town.edit("customers", customer, tagTypeIds=[7])
    await catch_up(sync)
    assert await column(sync, "customers", customer, "tag_type_ids") == [7]


async def test_versions_of_a_record_in_any_order_and_number_end_at_the_newest(tx: Tx) -> None:
    def version(number: int):
        record = {"id": 5, "name": f"v{number}", "active": number != 2, "modifiedOn": NOW + timedelta(hours=number)}
        return CUSTOMERS.to_row(CUSTOMERS.of(record))

    chance = random.Random(7)
    for round_, order in enumerate(permutations(range(4))):
        tenant = TenantId(5_000_000 + round_)
        await cursors.get(tx, tenant, "customers")
        for number in [*order, *chance.choices(range(4), k=3)]:
            await rows.apply(tx, tenant, CUSTOMERS, [version(number)], asked_at=NOW + timedelta(days=1))
        found = await tx.execute("SELECT name, active FROM mirrored_customers WHERE tenant_id = %s", [tenant])
        assert await found.fetchall() == [("v3", True)]


async def test_recent_changes_that_come_again_write_nothing(opened: Opened) -> None:
    town = Town(customers=40)
    sync = await opened(town)
    await load(sync)
    for customer in ids_of(town, "customers")[:5]:
        town.edit("customers", customer, name="Just Now")
    await catch_up(sync)

    async def versions() -> list[Any]:
        found = await sync.session.execute("SELECT id, xmin::text, ctid::text FROM mirrored_customers ORDER BY id")
        return await found.fetchall()

    once = await versions()
    seen = (await cursors.read(sync.session, TENANT))["customers"].row_count
    await catch_up(sync)
    await catch_up(sync)
    assert (await cursors.read(sync.session, TENANT))["customers"].row_count >= seen + 5
    assert await versions() == once
    await assert_equal(sync.session, town)


async def test_servicetitans_webhooks_update_the_mirror_in_whatever_order_they_come(opened: Opened) -> None:
    town = Town(customers=10)
    sync = await opened(town)
    made = (await town.client.bookings.create(body=BOOKING)).body.id
    await load(sync)

    def told() -> ServiceTitanChange:
        row = town.account.tables["bookings"].get(made)
        assert row is not None
        record = hooks.entity_of("tn.crm.booking-updated", row)["booking"]
        return ServiceTitanChange(
            key=f"at {town.simulator.now()}",
            entity="booking",
            event="tn.crm.booking-updated",
            entity_id=made,
            data=msgspec.Raw(msgspec.json.encode(record)),
        )

    changes_told = []
    for status in ("Scheduled", "Dismissed", "Converted"):
        town.simulator.advance(10)
        town.edit("bookings", made, status=status)
        changes_told.append(told())
    first, second, third = changes_told
    applied = [await changes.apply(sync.session, TENANT, one, now=NOW) for one in (second, first, third, third, second)]
    assert applied == [True, False, True, False, False]
    assert await column(sync, "bookings", made, "status") == "Converted"
    assert await column(sync, "bookings", made, "summary") == BOOKING["summary"]
    await catch_up(sync)
    await assert_equal(sync.session, town)


async def test_an_unknown_enum_value_is_kept_as_text(opened: Opened) -> None:
    town = Town(customers=10)
    sync = await opened(town)
    made = (await town.client.bookings.create(body=BOOKING)).body.id
    town.edit("bookings", made, status="Teleported", priority=7)
    await load(sync)
    assert await column(sync, "bookings", made, "status") == "Teleported"
    assert await column(sync, "bookings", made, "priority") == "7"
    assert (await cursors.read(sync.session, TENANT))["bookings"].skipped == 0
