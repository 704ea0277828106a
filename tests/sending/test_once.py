"""One effect, once, whatever the far side does."""

import pytest
from world import TENANT, World, booking, effect

from bridge.domain.command import AddNote, CreatedBy


async def test_a_booking_is_made_once_and_leaves_the_outbox(world: World) -> None:
    wanted = booking()
    await world.put(wanted)
    worker = await world.worker().own(TENANT)
    await worker.drain()
    assert world.simulator.count("booking.created", external_id=wanted.key) == 1
    assert await world.history(wanted.key) == ["succeeded"]
    assert await world.rows("SELECT * FROM outbox") == await world.rows("SELECT * FROM intents") == []


@pytest.mark.parametrize(
    ("fault", "history"),
    [
        ("error_before", ["in_doubt", "absent", "succeeded"]),
        ("error_after", ["in_doubt", "found"]),
        ("drop_before", ["in_doubt", "absent", "succeeded"]),
        ("drop_after", ["in_doubt", "found"]),
        ("timeout_before", ["in_doubt", "absent", "succeeded"]),
        ("timeout_after", ["in_doubt", "found"]),
        ("late_apply", ["in_doubt", "found"]),
        ("html_502", ["in_doubt", "absent", "succeeded"]),
        ("empty_body", ["in_doubt", "found"]),
        ("rate_limit", ["deferred", "succeeded"]),
        ("rate_limit_bare", ["deferred", "succeeded"]),
        ("maintenance", ["deferred", "succeeded"]),
        ("refuse", ["deferred", "succeeded"]),
    ],
)
async def test_every_fault_ends_in_one_booking(world: World, fault: str, history: list[str]) -> None:
    world.fault(fault, method="POST", path="/bookings", seconds=30.0)
    wanted = booking()
    await world.put(wanted)
    worker = await world.worker().own(TENANT)
    await worker.drain()
    assert world.simulator.count("booking.created", external_id=wanted.key) == 1
    assert await world.history(wanted.key) == history


async def test_ids_flow_into_what_depends_on_them(world: World) -> None:
    world.fault("drop_after", method="POST", path="/customers", times=1)
    from bridge.domain.command import CreateCustomer
    from bridge.domain.inquiry import PostalAddress

    address = PostalAddress(street="1 Main St", city="Austin", state="TX", zip="78701")
    customer = effect(CreateCustomer(name="Ada Example", address=address), "customer", lane="party:ada")
    note = effect(
        AddNote(on="customer", target=CreatedBy(customer.key, "customer"), text="Came by the website"),
        "note",
        lane="party:ada",
        waits_for=(customer.key,),
    )
    await world.put(customer, note)
    worker = await world.worker().own(TENANT)
    await worker.drain()
    assert world.simulator.count("customer.created") == 1
    assert world.simulator.count("customer_note.created") + world.simulator.count("note.created") == 1
    assert await world.history(customer.key) == ["in_doubt", "found"]
