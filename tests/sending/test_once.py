"""One effect, once, whatever the far side does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from bridge.domain.command import ChangeTags, CreateLead, PartyKind
from bridge.domain.outcome import Outcome, Rejected, Succeeded
from bridge.domain.reasons import Reason
from bridge.sending import control, store
from bridge.sending.effects.execute import Performer
from bridge.sending.findings import Finding
from bridge.sending.retry import FAR_SIDE_TIMEOUT, READ_LAG
from tests.sending.world import TENANT, World, booking, customer_and_note, effect


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
    customer, note = customer_and_note()
    await world.put(customer, note)
    worker = await world.worker().own(TENANT)
    await worker.drain()
    assert world.simulator.count("customer.created") == 1
    assert world.simulator.count("customer_note.created") + world.simulator.count("note.created") == 1
    assert await world.history(customer.key) == ["in_doubt", "found"]


@pytest.mark.parametrize("crashes", [False, True])
async def test_absence_counts_from_when_the_last_byte_may_have_left(world: World, crashes: bool) -> None:
    """The bytes leave 19 s after the intent, come to be 99 s later, and reads trail by 180 s: 280 s after the intent is too soon."""
    real = Performer().execute

    async def late(*arguments: Any, **parts: Any) -> Outcome:
        world.advance(19)
        return await real(*arguments, **parts)

    world.fault("late_apply", method="POST", path="/bookings", seconds=99.0)
    world.fault("stale_reads", path="/bookings", seconds=180.0, times=None)
    wanted = booking()
    await world.put(wanted)
    worker = await world.worker(execute=late).own(TENANT)
    await worker.dispatcher.claim()
    world.advance(1)
    await worker.dispatcher.commit_intents()
    await worker.send_all()
    if crashes:
        worker = await world.worker().own(TENANT)
    else:
        await worker.dispatcher.record_outcomes()
    await worker.drain()
    assert world.simulator.count("booking.created", external_id=wanted.key) == 1
    assert await world.history(wanted.key) == ["crashed" if crashes else "in_doubt", "found"]


@asynccontextmanager
async def unheard(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Let every transaction commit, and the connection be lost before anybody hears of it."""
    begin = world.database.begin

    @asynccontextmanager
    async def lost(**parts: Any) -> AsyncIterator[Any]:
        async with begin(**parts) as tx:
            yield tx
        raise psycopg.OperationalError("the connection was lost after the commit")

    with monkeypatch.context() as patched:
        patched.setattr(world.database, "begin", lost)
        with pytest.raises(psycopg.OperationalError):
            yield


async def test_what_is_retried_after_a_record_that_nobody_heard_of_is_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner took it for given up: that its outcome could be written twice is no proof that it still stands so."""
    outcomes: list[Outcome] = [Rejected(reason=Reason.VALIDATION_FAILED)]
    real = Performer().execute

    async def refused_once(*arguments: Any, **parts: Any) -> Outcome:
        return outcomes.pop() if outcomes else await real(*arguments, **parts)

    customer, note = customer_and_note()
    await world.put(customer, note)
    worker = await world.worker(execute=refused_once).own(TENANT)
    await worker.dispatcher.claim()
    world.advance(1)
    await worker.dispatcher.commit_intents()
    await worker.send_all()
    async with unheard(world, monkeypatch):
        await worker.dispatcher.record_outcomes()
    ((effect_id,),) = await world.rows("SELECT effect_id FROM effect_keys WHERE key = %s::uuid", customer.key)
    async with world.database.begin() as tx:
        assert await control.retry(tx, tenant_id=TENANT, effect_id=effect_id, by="test", now=world.now()) is None
    await worker.dispatcher.claim()
    await worker.drain()
    assert await world.history(customer.key) == ["rejected", "retried", "succeeded"]
    assert await world.history(note.key) == ["succeeded"]


async def test_what_a_look_settled_and_nobody_heard_of_goes_before_what_needs_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The customer is absent and ready again; taken for gone, it came to stand behind the note, which waited for it for ever."""
    customer, note = customer_and_note()
    await world.put(customer, note)
    first = await world.worker().own(TENANT)
    await first.dispatcher.claim()
    world.advance(1)
    await first.dispatcher.commit_intents()  # and here it crashes
    worker = await world.worker().own(TENANT)
    await worker.dispatcher.claim()
    world.advance(600)
    async with unheard(world, monkeypatch):
        await worker.dispatcher.reconcile_due()
    assert await world.history(customer.key) == ["crashed", "absent"]
    await worker.drain()
    assert await world.history(customer.key) == ["crashed", "absent", "succeeded"]
    assert await world.history(note.key) == ["succeeded"]


async def test_of_two_intents_the_last_tells_when_it_may_have_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody heard of the first one's commit; the database comes back ten minutes later, the message goes, and the worker dies."""
    real, wanted = store.intend, booking()

    async def lost(*arguments: Any, **parts: Any) -> store.Intended:
        await real(*arguments, **parts)
        raise psycopg.OperationalError("the connection was lost after the commit")

    await world.put(wanted)
    first = await world.worker().own(TENANT)
    await first.dispatcher.claim()
    world.advance(1)
    with monkeypatch.context() as patched:
        patched.setattr(store, "intend", lost)
        with pytest.raises(psycopg.OperationalError):
            await first.dispatcher.commit_intents()
    world.advance(600)
    assert await first.dispatcher.commit_intents() == 1
    assert await world.rows("SELECT count(*) FROM intents") == [(2,)]
    gone_at = world.now()
    worker = await world.worker().own(TENANT)
    world.advance(5)
    await worker.dispatcher.claim()
    assert await world.rows("SELECT state, sent_at >= %s FROM outbox", gone_at) == [(1, True)]
    await worker.dispatcher.reconcile_due()
    assert await world.history(wanted.key) == ["crashed"]  # that nothing is there yet says nothing
    await worker.drain()
    assert await world.history(wanted.key) == ["crashed", "absent", "succeeded"]


async def test_what_moved_between_claim_and_intent_goes_before_what_needs_it(world: World) -> None:
    customer, note = customer_and_note()
    await world.put(customer, note)
    worker = await world.worker().own(TENANT)
    await worker.dispatcher.claim()
    world.advance(1)
    async with world.database.begin() as tx:
        await tx.execute("UPDATE outbox SET sends = sends + 1 WHERE kind = 'create_customer'")
    assert await worker.dispatcher.commit_intents() == 0
    await worker.drain()
    assert await world.history(customer.key) == ["succeeded"]
    assert await world.history(note.key) == ["succeeded"]


async def test_what_memory_lost_is_read_anew_after_a_minute(world: World) -> None:
    """No way is known to lose it; the two that were (7012914, 5042494) left messages waiting for ever."""
    customer, note = customer_and_note()
    await world.put(customer, note)
    worker = await world.worker().own(TENANT)
    await worker.dispatcher.claim()
    for family in worker.dispatcher.owner.tenants[TENANT].backlog._ready.values():
        family.clear()
    for seconds in (1, 30, 28):
        world.advance(seconds)
        assert await worker.turn() == 0
    world.advance(2)
    assert await worker.turn() == 1
    await worker.drain()
    assert await world.history(note.key) == ["succeeded"]


async def test_a_look_finds_what_was_created_before_the_process_stood_still(world: World) -> None:
    """The answer is lost six minutes after the lead was created: to ask for leads of the last five would find none."""
    real = Performer().execute

    async def standing_still(*arguments: Any, **parts: Any) -> Outcome:
        outcome = await real(*arguments, **parts)
        world.advance(360)
        return outcome

    world.fault("drop_after", method="POST", path="/leads")
    wanted = effect(CreateLead(campaign_id=601, summary="Asks for a visit", call_reason_id=901), "lead")
    await world.put(wanted)
    worker = await world.worker(execute=standing_still).own(TENANT)
    await worker.drain()
    assert world.simulator.count("lead.created") == 1
    assert await world.history(wanted.key) == ["in_doubt", "found"]


async def test_absence_is_as_old_as_the_question(world: World) -> None:
    """What was asked before the time was over and answered after it proves nothing."""
    real = Performer().look_up

    async def slowly(*arguments: Any, **parts: Any) -> Finding:
        finding = await real(*arguments, **parts)
        world.advance(15)
        return finding

    world.fault("drop_before", method="POST", path="/bookings")
    wanted = booking()
    await world.put(wanted)
    worker = await world.worker(look_up=slowly).own(TENANT)
    await worker.dispatcher.claim()
    world.advance(1)
    await worker.turn()
    world.advance((FAR_SIDE_TIMEOUT + READ_LAG).total_seconds() - 5)
    assert await worker.dispatcher.reconcile_due() == 1
    assert await world.history(wanted.key) == ["in_doubt"]
    await worker.drain()
    assert await world.history(wanted.key) == ["in_doubt", "absent", "succeeded"]


@pytest.mark.parametrize(
    ("slow", "history"), [("POST", ["in_doubt", "absent", "succeeded"]), ("GET", ["deferred", "succeeded"])]
)
async def test_all_requests_of_an_effect_end_together(world: World, slow: str, history: list[str]) -> None:
    """Each answers within its own time, and all together take too long: what is under way then is in doubt, what is not is later."""
    address = {"street": "1 Main St", "city": "Austin", "state": "TX", "zip": "78701", "country": "USA"}
    made = await world.client(TENANT).customers.create(
        body={"name": "Ada Example", "address": address, "locations": [{"name": "Home", "address": address}]}
    )
    assert isinstance(made, Succeeded)
    tags = tuple(one["id"] for one in world.simulator.accounts[TENANT].tag_types.rows.values())[:5]
    assert len(tags) == 5
    wanted = effect(ChangeTags(party=PartyKind.CUSTOMER, target=made.body.id, added=tags), "tags")
    world.fault(
        "delay", method=slow, path=f"/customers/{made.body.id}", times=None, seconds=0.5 if slow == "POST" else 5.0
    )
    world.takes_real_time = True
    await world.put(wanted)
    worker = await world.worker(execute=Performer(http_timeout=1.2).execute).own(TENANT)
    await worker.dispatcher.claim()
    world.advance(1)
    await worker.turn()
    assert await world.history(wanted.key) == history[:1]
    world.simulator.clear_faults()
    world.takes_real_time = False
    await worker.drain()
    assert await world.history(wanted.key) == history
    row = world.simulator.accounts[TENANT].customers.get(made.body.id)
    assert row is not None
    assert sorted(row["tagTypeIds"]) == sorted(tags)
