"""What follows in a lane, and what needs an effect, while that effect is in doubt, dead or held: by rule, whoever looks at it."""

from datetime import UTC, datetime

import pytest

from bridge.domain.command import AddNote, CreatedBy
from bridge.domain.ids import EffectId, SourceId, TenantId
from bridge.domain.outcome import Succeeded
from bridge.sending import control
from bridge.sending.backlog import Backlog
from bridge.sending.control import Scope
from bridge.sending.findings import Unknowable
from bridge.sending.message import Message
from bridge.sending.outbox import IN_DOUBT, READY
from bridge.sending.retry import POLICIES
from tests.sending.world import TENANT, World, booking, effect

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
GOES_ON = {"add_booking_contact", "attribute_booking", "change_tags", "add_note", "follow_up_lead"}
"""What nothing depends on and what may come in any order."""


def message(id_: int, *, kind: str = "create_booking", state: int = READY, lane: str = "party:ada") -> Message:
    return Message(
        tenant_id=TenantId(1),
        id=EffectId(id_),
        created_at=NOW,
        due_at=NOW,
        sent_at=NOW if state == IN_DOUBT else None,
        state=state,
        priority=5,
        sends=0,
        spent=0,
        kind=kind,
        lane=lane,
        source_id=SourceId("website"),
        waits_for=None,
        reason="",
    )


def goes(backlog: Backlog) -> list[int]:
    return [one.id for one in backlog.take(now=NOW, limit=10)]


@pytest.mark.parametrize("kind", POLICIES)
@pytest.mark.parametrize("seen", ["sent", "read", "read behind another"])
def test_what_is_in_doubt_holds_its_lane_or_not_by_its_kind(kind: str, seen: str) -> None:
    """Whoever sent it, took the shard over, or reads anew after an operator brought an earlier message of the lane back."""
    backlog = Backlog(TenantId(1))
    doubtful, after = message(2, kind=kind), message(3)
    if seen == "sent":
        backlog.add(doubtful, now=NOW)
        backlog.add(after, now=NOW)
        assert goes(backlog) == [2]
        backlog.doubt(doubtful, due_at=NOW, looks=0, now=NOW)
    else:
        if seen == "read behind another":
            backlog.add(message(1), now=NOW)
        backlog.add(message(2, kind=kind, state=IN_DOUBT), now=NOW)
        backlog.add(after, now=NOW)
        if seen == "read behind another":
            assert goes(backlog) == [1]
            backlog.end(1, now=NOW)
    assert goes(backlog) == ([3] if kind in GOES_ON else [])
    backlog.end(2, now=NOW)
    assert goes(backlog) == ([] if kind in GOES_ON else [3])


def test_a_doubt_behind_another_that_proves_absent_goes_in_its_turn() -> None:
    backlog = Backlog(TenantId(1))
    backlog.add(message(1), now=NOW)
    backlog.add(message(2, state=IN_DOUBT), now=NOW)
    backlog.add(message(3), now=NOW)
    backlog.sleep(message(2), now=NOW)  # looked up, and not there
    for number in (1, 2, 3):
        assert goes(backlog) == [number]
        backlog.end(number, now=NOW)
    assert len(backlog) == 0


def test_a_doubt_behind_another_that_is_settled_before_its_turn_leaves_no_gap() -> None:
    backlog = Backlog(TenantId(1))
    backlog.add(message(1), now=NOW)
    backlog.add(message(2, state=IN_DOUBT), now=NOW)
    backlog.add(message(3), now=NOW)
    backlog.end(2, now=NOW)  # looked up, and there
    for number in (1, 3):
        assert goes(backlog) == [number]
        backlog.end(number, now=NOW)
    assert len(backlog) == 0


async def pause_and_resume(world: World) -> None:
    """Do what makes an owner read everything anew."""
    async with world.database.begin() as tx:
        await control.pause(tx, tenant_id=TENANT, scope=Scope.SOURCE, name="x", by="kim", reason="x", now=world.now())
        await control.resume(tx, tenant_id=TENANT, scope=Scope.SOURCE, name="x")


async def lead(world: World) -> int:
    made = await world.client(TENANT).leads.submit_form(body={"name": "Ada Example", "phoneNumber": "5125550142"})
    assert isinstance(made, Succeeded)
    return int(made.body.lead_id)


@pytest.mark.parametrize("seen", ["by its owner", "by a new owner", "after an operator's action"])
async def test_a_create_in_doubt_holds_what_depends_on_it_and_a_note_does_not(world: World, seen: str) -> None:
    create, free = booking("First", lane="party:ada"), booking("Free", lane="party:grace")
    note = effect(AddNote(on="lead", target=await lead(world), text="Hello"), "note", lane="party:grace")
    # One behind it in its lane, and one of another lane that needs the id it makes.
    behind = booking("Behind", lane="party:ada")
    needs = booking("Needs", lane="party:other", waits_for=(create.key,))
    for method_path in ("/bookings", "/notes"):
        world.fault("error_before", method="POST", path=method_path)
    await world.put(create, behind, needs, note, free)
    worker = await world.worker().own(TENANT)

    def made() -> set[str]:
        return {str(entry.external_id) for entry in world.simulator.ledger.select(kind="booking.created")}

    await worker.dispatcher.claim()
    world.advance(1)
    await worker.turn()
    if seen == "by a new owner":
        worker = await world.worker().own(TENANT)
    elif seen == "after an operator's action":
        await pause_and_resume(world)
    for _ in range(20):  # 200 s: absence does not count yet
        world.advance(10)
        await worker.turn()
        await worker.dispatcher.reconcile_due()
    assert made() == {free.key}
    await worker.drain(step=10)
    order = [str(entry.external_id) for entry in world.simulator.ledger.select(kind="booking.created")]
    assert sorted(order) == sorted([create.key, behind.key, needs.key, free.key])
    assert order.index(create.key) < min(order.index(behind.key), order.index(needs.key))
    assert world.simulator.count("lead_note.created") == 1


async def test_a_dead_head_lets_its_lane_go_on_and_holds_what_depends_on_it(world: World) -> None:
    create, behind = booking(" ", lane="party:ada"), booking("Behind", lane="party:ada")  # refused for good
    needs = effect(AddNote(on="lead", target=CreatedBy(create.key), text="Hello"), "needs", lane="party:ada")
    last = booking("Last", lane="party:ada")
    await world.put(create, behind, needs, last)
    worker = await world.worker().own(TENANT)
    await worker.drain()
    made = [entry.external_id for entry in world.simulator.ledger.select(kind="booking.created")]
    assert made == [behind.key, last.key]
    assert await world.rows("SELECT state, reason FROM outbox") == [(2, "dependency_dead")]
    ((dead,),) = await world.rows("SELECT effect_id FROM dead_messages")
    async with world.database.begin() as tx:
        assert await control.retry(tx, tenant_id=TENANT, effect_id=EffectId(dead), by="kim", now=world.now()) is None
    assert await world.rows("SELECT count(*) FROM outbox WHERE state = 0") == [
        (2,)
    ]  # what waited for it is back with it


async def test_a_head_held_for_a_person_lets_its_lane_go_on_and_what_depends_on_it_waits(world: World) -> None:
    """It came into doubt and nothing can be looked up: a person is asked."""

    async def look_up(*_: object, **__: object) -> Unknowable:
        return Unknowable()

    held, behind = booking("Held", lane="party:ada"), booking("Behind", lane="party:ada")
    needs = booking("Needs", lane="party:grace", waits_for=(held.key,))
    world.fault("drop_after", method="POST", path="/bookings", body="Held")
    await world.put(held, behind, needs)
    worker = await world.worker(look_up=look_up).own(TENANT)

    async def work(seconds: int) -> None:
        for _ in range(seconds // 10):
            world.advance(10)
            await worker.turn()
            await worker.dispatcher.reconcile_due()

    def made() -> list[str]:
        return [str(entry.external_id) for entry in world.simulator.ledger.select(kind="booking.created")]

    await work(200)
    assert made() == [held.key]  # in doubt still, and so its lane waits
    await work(400)
    assert made() == [held.key, behind.key]
    ((effect_id, reason),) = await world.rows("SELECT id, reason FROM outbox WHERE state = 2")
    assert reason == "unprovable"
    async with world.database.begin() as tx:
        assert (
            await control.release(
                tx, tenant_id=TENANT, effect_id=EffectId(effect_id), is_done=True, by="kim", now=world.now()
            )
            is None
        )
    await work(100)
    assert made() == [held.key, behind.key, needs.key]
