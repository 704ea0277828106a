"""Custom fields are written as a whole list: what an answer from the past leaves out would be erased."""

from typing import Any

from bridge.domain.command import FieldChange, PartyKind, SetCustomFields
from bridge.domain.outcome import Succeeded
from bridge.domain.plan import Effect
from tests.sending.world import TENANT, World, effect

LEVEL, SOURCE, NUMBER = 1001, 1002, 1003


async def test_an_answer_from_before_our_own_write_is_not_merged_with(world: World) -> None:
    customer = await _customer(world)
    first, second = _sets(customer, SOURCE, "a web form"), _sets(customer, LEVEL, "Gold")
    worker = await world.worker().own(TENANT)
    world.advance(300)
    # The first effect reads and reads back; what the second reads is from before both.
    world.fault("stale_reads", method="GET", path=f"/customers/{customer}", nth=3, seconds=170.0)
    await world.put(first)
    world.advance(1)
    await worker.drain()
    world.advance(60)
    await world.put(second)
    await worker.drain()
    assert await world.history(second.key) == ["deferred", "succeeded"]
    assert _stands(world, customer) == {SOURCE: "a web form", LEVEL: "Gold"}


async def test_what_is_not_shown_as_written_is_looked_up_before_a_person_is_asked(world: World) -> None:
    """Here a person sets another field between our write and the read-back, and the read is of a time with neither."""
    customer = await _customer(world)
    wanted = _sets(customer, SOURCE, "a web form")
    worker = await world.worker().own(TENANT)
    world.fault("null_required", path=f"/customers/{customer}", nth=3, fields=("customFields",))
    row = world.simulator.accounts[TENANT].customers.get(customer)
    assert row is not None
    row["customFields"].append({"typeId": NUMBER, "name": "Member Number", "value": "7"})
    await world.put(wanted)
    world.advance(1)
    await worker.drain()
    assert await world.history(wanted.key) == ["in_doubt", "found"]
    assert _stands(world, customer) == {NUMBER: "7", SOURCE: "a web form"}


async def test_what_is_never_shown_as_written_is_for_a_person_and_not_sent_again(world: World) -> None:
    customer = await _customer(world)
    row = world.simulator.accounts[TENANT].customers.get(customer)
    assert row is not None
    row["customFields"].append({"typeId": NUMBER, "name": "Member Number", "value": "7"})
    wanted = _sets(customer, SOURCE, "a web form")
    worker = await world.worker().own(TENANT)
    world.fault("null_required", path=f"/customers/{customer}", nth=3, fields=("customFields",))
    await world.put(wanted)
    world.advance(1)
    began = world.now()
    while not await worker.turn():
        world.advance(1)
    world.fault("null_required", method="GET", path=f"/customers/{customer}", fields=("customFields",), times=None)
    await worker.drain()
    assert (world.now() - began).total_seconds() > 180  # reads may trail as long
    assert await world.history(wanted.key) == ["in_doubt", "absent"]
    assert await world.rows("SELECT state, reason FROM outbox") == [(2, "field_not_kept")]
    assert sum(one.method == "PATCH" for one in world.simulator.log) == 1


async def _customer(world: World) -> int:
    place = {"street": "1 Main St", "city": "Austin", "state": "TX", "zip": "78701", "country": "USA"}
    body: dict[str, Any] = {"name": "Ada Example", "address": place, "locations": [{"name": "Home", "address": place}]}
    made = await world.client(TENANT).customers.create(body=body)
    assert isinstance(made, Succeeded)
    return int(made.body.id)


def _sets(customer: int, field: int, value: str) -> Effect:
    change = FieldChange(type_id=field, value=value)
    command = SetCustomFields(party=PartyKind.CUSTOMER, target=customer, changes=(change,))
    return effect(command, f"{field}", lane=f"party:{customer}")


def _stands(world: World, customer: int) -> dict[int, str]:
    row = world.simulator.accounts[TENANT].customers.get(customer)
    assert row is not None
    return {one["typeId"]: one["value"] for one in row["customFields"]}
