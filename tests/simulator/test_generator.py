"""Made-up tenants: the same for a seed, consistent among each other, and nothing held in memory."""

import tracemalloc
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import phonenumbers
from hypothesis import given, strategies

from bridge.simulator.generator import ATTACHED, START_SECOND, Town, attach, iterate, moment
from bridge.simulator.state import Simulator
from bridge.simulator.switches import Switches
from bridge.simulator.values import stamp

TOWN = Town(seed=4, customers=400)


def test_a_seed_gives_the_same_town_and_another_seed_another() -> None:
    for table in ATTACHED:
        rows = list(iterate(TOWN, table))
        assert rows == list(iterate(Town(seed=4, customers=400), table))
        assert rows != list(iterate(Town(seed=5, customers=400), table))
        positions = [(row["modifiedOn"], row["id"]) for row in rows]
        assert positions == sorted(positions)


def test_contacts_and_locations_belong_to_somebody_who_is_there() -> None:
    customers = {row["id"]: row for row in iterate(TOWN, "customers")}
    locations = {row["id"] for row in iterate(TOWN, "locations")}
    assert all(row["customerId"] in customers for row in iterate(TOWN, "locations"))
    assert all(row["customerId"] in customers for row in iterate(TOWN, "customer_contacts"))
    assert {row["locationId"] for row in iterate(TOWN, "location_contacts")} == locations
    merged = [row for row in customers.values() if row["mergedToId"]]
    assert merged
    assert all(not row["active"] and customers[row["mergedToId"]]["active"] for row in merged)


def test_there_are_households_landlords_chains_and_duplicates() -> None:
    customers = list(iterate(TOWN, "customers"))
    names = [row["name"] for row in customers]
    assert len(set(names)) < len(names)
    assert any("Property Management" in name for name in names)
    assert any("#" in name for name in names)
    streets = [(row["address"]["street"], row["address"]["zip"]) for row in customers]
    assert streets[10] == streets[11]
    assert names[10] != names[11]
    assert names[5] == names[12]


def test_phones_are_possible_numbers_of_the_north_american_plan() -> None:
    phones = [row["value"] for row in islice(iterate(TOWN, "customer_contacts"), 500) if row["type"] != "Email"]
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(phone, "US")) for phone in phones)


@given(index=strategies.integers(0, 7_999_999), seed=strategies.integers(0, 2**31))
def test_the_owner_of_a_phone_is_found_without_a_search(index: int, seed: int) -> None:
    town = Town(seed=seed, customers=8_000_000)
    assert town.owner_of_phone(town.phone_number(index)) == index


@given(second=strategies.integers(START_SECOND, START_SECOND + 7 * 24_000_000))
def test_times_are_written_as_the_calendar_does(second: int) -> None:
    assert moment(second) == stamp(datetime.fromtimestamp(second, UTC))


def test_a_million_customers_cost_no_memory() -> None:
    simulator = Simulator(switches=Switches(rate_limit_per_second=0))
    account = simulator.accounts[1000001]
    tracemalloc.start()
    attach(account, Town(seed=1, customers=1_000_000))
    rows = sum(1 for _ in islice(iterate(Town(seed=1, customers=1_000_000), "customers"), 20_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == 20_000
    assert len(account.customers) == 1_000_000
    assert peak < 2_000_000


async def test_made_up_rows_are_served_found_changed_and_exported(far: Any, simulator: Simulator, time: Any) -> None:
    simulator.switches = Switches(rate_limit_per_second=0, export_batch=100)
    attach(simulator.accounts[1000001], TOWN)
    phone = TOWN.person(5).phone
    found = (await far.get("/customers", phone=phone))["data"]
    assert [row["name"] for row in found] == [TOWN.person(5).name] * 2
    row = found[0]
    assert (await far.get("/locations", customerId=row["id"]))["data"][0]["customerId"] == row["id"]
    changed = await far.patch(f"/customers/{row['id']}", {"name": "Changed"})
    assert changed["address"] == row["address"]
    made = await far.customer()
    time.pass_seconds(400)
    seen, token = {}, ""
    while True:
        page = await far.get("/export/customers", **({"from": token} if token else {}))
        for one in page["data"]:
            assert one["id"] not in seen
            seen[one["id"]] = one["name"]
        token = page["continueFrom"]
        if not page["hasMore"]:
            break
    assert len(seen) == 401
    assert list(seen)[-2:] == [row["id"], made["id"]]
    assert seen[row["id"]] == "Changed"


async def test_a_merged_made_up_customer_left_its_locations_to_the_survivor(far: Any, simulator: Simulator) -> None:
    attach(simulator.accounts[1000001], TOWN)
    gone = (await far.get("/customers", active="False", pageSize=5))["data"][0]
    assert gone["mergedToId"]
    assert (await far.get("/locations", customerId=gone["id"]))["data"] == []
    assert len((await far.get("/locations", customerId=gone["mergedToId"]))["data"]) == 2
