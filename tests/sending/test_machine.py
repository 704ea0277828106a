"""The outbox as a state machine: any order of steps by two owners, a far side of any mood and operators keeps its promises."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar, cast

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from bridge.db.database import Database
from bridge.db.ownership import shard_of
from bridge.domain.command import AddNote
from bridge.domain.ids import DecisionId, DeliveryId, EffectId, SourceId, TenantId
from bridge.domain.outcome import Deferred, InDoubt, Outcome, Rejected, Succeeded
from bridge.domain.reasons import Reason
from bridge.sending import control, outbox
from bridge.sending.control import Scope
from bridge.sending.findings import Absent, Finding, Found, LookFailed
from bridge.sending.outbox import HELD
from bridge.sending.settings import SendingSettings
from bridge.sending.store import Loaded
from tests.sending.world import Worker, World, booking, effect
from tests.simulation.bugs import Bugs

MOODS = ("fine", "no", "conflict", "refused", "throttled", "lost_before", "lost_after", "late")
WHO = st.sampled_from((0, 1))
LANES = st.sampled_from(("party:ada", "party:grace"))
SETTLED = {1: "done", 2: "dead", 3: "cancelled"}
T = TypeVar("T")
_tenants = count(5_000_000)

STANDS = """
SELECT (SELECT array_agg(o ORDER BY id) FROM outbox o WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s))::text,
  (SELECT array_agg(d ORDER BY effect_id) FROM dead_messages d WHERE tenant_id = %(tenant)s AND effect_id = ANY(%(ids)s))::text,
  (SELECT count(*) FROM attempts WHERE tenant_id = %(tenant)s AND effect_id = ANY(%(ids)s) AND NOT is_late)
"""

PLACES = """
SELECT k.effect_id, o.state, EXISTS (SELECT 1 FROM dead_messages WHERE tenant_id = k.tenant_id AND effect_id = k.effect_id),
  (SELECT json_agg(json_build_array(outcome, settles) ORDER BY number, at) FROM attempts
   WHERE tenant_id = k.tenant_id AND effect_id = k.effect_id AND NOT is_late)
FROM effect_keys AS k LEFT JOIN outbox AS o ON o.tenant_id = k.tenant_id AND o.id = k.effect_id
WHERE k.tenant_id = %(tenant)s
"""


class FarSide:
    """What was made, when what was given up on still comes to be, and how the next request goes."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
        self.mood = "fine"
        self.sees = True
        self.made: Counter[str] = Counter()
        self.coming: list[tuple[datetime, str]] = []

    def advance(self, seconds: float) -> None:
        """Let time pass and what is due come to be."""
        self.time += timedelta(seconds=seconds)
        for due, key in [one for one in self.coming if one[0] <= self.time]:
            self.coming.remove((due, key))
            self.made[key] += 1

    async def execute(self, client: object, loaded: Loaded, refs: object, *, now: datetime) -> Outcome:
        """Answer as the mood is."""
        del client, refs, now
        match self.mood:
            case "no":
                return Rejected(reason=Reason.VALIDATION_FAILED, status=400)
            case "conflict":
                return Rejected(reason=Reason.FIELD_CONFLICT)
            case "refused":
                return Deferred(reason=Reason.CONNECT_FAILED)
            case "throttled":
                return Deferred(reason=Reason.RATE_LIMITED, status=429, backpressure=True, retry_after=7.0)
            case "lost_before":
                return InDoubt(reason=Reason.CONNECTION_LOST)
            case "late":
                self.coming.append((self.time + timedelta(seconds=95), loaded.key))
                return InDoubt(reason=Reason.ANSWER_TIMEOUT)
            case _:
                self.made[loaded.key] += 1
                is_lost = self.mood == "lost_after"
                return InDoubt(reason=Reason.CONNECTION_LOST) if is_lost else Succeeded(status=200, body={"": 7})

    async def look_up(self, client: object, loaded: Loaded, refs: object, *, sent_at: datetime) -> Finding:
        """Tell whether it was made."""
        del client, refs, sent_at
        if not self.sees:
            return LookFailed(outcome=Deferred(reason=Reason.SERVER_ERROR))
        return Found(ids={"": 7}) if self.made[loaded.key] else Absent()


class OutboxMachine(RuleBasedStateMachine):
    """Two owners that take the shard from each other, one far side, one operator."""

    runner: asyncio.Runner
    database: Database

    def __init__(self) -> None:
        super().__init__()
        self.tenant = TenantId(next(_tenants))
        self.far = FarSide()
        self.known: dict[EffectId, str] = {}
        self.lanes: dict[EffectId, str] = {}
        self.paused: set[tuple[Scope, str]] = set()
        self.number = 0
        self.workers = [self._worker(), self._worker()]
        self.take(0)

    def _worker(self) -> Worker:
        return Worker(cast("World", self), SendingSettings(), execute=self.far.execute, look_up=self.far.look_up)

    def now(self) -> datetime:
        return self.far.time

    def client(self, tenant_id: TenantId) -> Any:
        return tenant_id

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    @rule(lane=LANES, is_note=st.booleans(), again=st.booleans())
    def put(self, lane: str, is_note: bool, again: bool) -> None:
        name = f"wish {self.number if again and self.number else self.number + 1}"
        self.number += name != f"wish {self.number}"
        if is_note:
            one = effect(AddNote(on="lead", target=1, text="hello"), name, tenant_id=self.tenant, lane=lane)
        else:
            one = booking(name, tenant_id=self.tenant, lane=lane)

        async def put() -> outbox.PutResult:
            async with self.database.begin() as tx:
                return await outbox.put(
                    tx,
                    tenant_id=self.tenant,
                    source_id=SourceId("website"),
                    delivery_id=DeliveryId(1),
                    decision_id=DecisionId(1),
                    effects=[one],
                    now=self.now(),
                )

        result = self.do(put())
        for key, effect_id in result.created.items():
            assert key not in self.known.values()
            self.known[effect_id] = key
            self.lanes[effect_id] = lane

    @rule(who=WHO)
    def take(self, who: int) -> None:
        self.do(self.workers[who].own(self.tenant))

    @rule(who=WHO)
    def claim(self, who: int) -> None:
        self.do(self.workers[who].dispatcher.claim())

    @rule(who=WHO, reads=st.booleans())
    def intend(self, who: int, reads: bool = True) -> None:
        """Commit intents, with what is in memory or read anew; whoever lost the shard, a pause and the order of the lanes are minded."""
        dispatcher = self.workers[who].dispatcher

        async def intend() -> None:
            if reads:
                await dispatcher.claim()
            self.far.advance(0.1)
            epoch = await self.epoch()
            before = {flight.message.id for flight in dispatcher.sender.outbound}
            waits = await self.rows("SELECT id, state, kind, lane FROM outbox WHERE tenant_id = %(tenant)s")
            await dispatcher.commit_intents()
            fresh = [flight for flight in dispatcher.sender.outbound if flight.message.id not in before]
            going = {flight.message.id for flight in fresh}
            assert {flight.intent.epoch for flight in fresh} <= {epoch}, (
                "an owner of an earlier epoch sends nothing new"
            )
            assert not ((Scope.TENANT, "") in self.paused and going)
            for one in going:
                assert (Scope.LANE, self.lanes[one]) not in self.paused
                held = [
                    other
                    for other, state, kind, lane in waits
                    if lane == self.lanes[one] and other < one and (state == 0 or (state == 1 and kind != "add_note"))
                ]
                assert not held, f"{one} overtakes {held}"

        self.do(intend())

    @rule(who=WHO, mood=st.sampled_from(MOODS))
    def send(self, who: int, mood: str) -> None:
        dispatcher = self.workers[who].dispatcher
        self.far.mood = mood
        if dispatcher.sender.outbound:
            self.do(dispatcher.send(dispatcher.sender.outbound.popleft()))
        self.far.mood = "fine"

    @rule(who=WHO)
    def record(self, who: int) -> None:
        """Write outcomes down; those of an earlier epoch change nothing but are kept."""

        async def record() -> None:
            landed, epoch = self.workers[who].dispatcher.recorder.landed, await self.epoch()
            fresh = [one.flight.message.id for one in landed if one.flight.intent.epoch == epoch]
            late = [one.flight.message.id for one in landed if one.flight.intent.epoch != epoch]
            before = await self.rows(STANDS, [*set(late) - set(fresh)]), await self.count_late()
            await self.workers[who].dispatcher.record_outcomes()
            after = await self.rows(STANDS, [*set(late) - set(fresh)]), await self.count_late()
            assert after == (before[0], before[1] + len(late))

        self.do(record())

    @rule(who=WHO, sees=st.booleans())
    def reconcile(self, who: int, sees: bool) -> None:
        self.far.sees = sees
        self.do(self.workers[who].dispatcher.reconcile_due())
        self.far.sees = True

    @rule(who=WHO)
    def crash(self, who: int) -> None:
        self.workers[who] = self._worker()

    @rule(who=WHO, mood=st.sampled_from(MOODS), is_late=st.booleans())
    def hand_over(self, who: int, mood: str, is_late: bool) -> None:
        """The shard changes hands while something is under way, whose outcome comes before or after the new owner has read."""
        self.take(who)
        self.put("party:ada", is_note=False, again=False)
        self.intend(who)
        self.send(who, mood)
        self.take(1 - who)
        if is_late:
            self.intend(1 - who)
        self.record(who)
        self.intend(who)
        self.send(who, "fine")

    @rule(who=WHO, mood=st.sampled_from(MOODS), is_recorded=st.booleans(), seconds=st.sampled_from((0.1, 5.0)))
    def crash_amid(self, who: int, mood: str, is_recorded: bool, seconds: float) -> None:
        """An owner dies after it sent, before or after it wrote down what came of it; the next one goes on at once."""
        self.take(who)
        self.put("party:grace", is_note=False, again=False)
        self.intend(who)
        self.send(who, mood)
        if is_recorded:
            self.record(who)
        self.crash(who)
        self.far.advance(seconds)
        self.take(1 - who)
        self.intend(1 - who)
        self.send(1 - who, "fine")
        self.record(1 - who)

    @rule(seconds=st.sampled_from((0.1, 5.0, 30.0, 400.0)))
    def advance(self, seconds: float) -> None:
        self.far.advance(seconds)

    @rule(scope=st.sampled_from((Scope.TENANT, Scope.LANE)), lane=LANES, who=WHO, is_unseen=st.booleans())
    def pause(self, scope: Scope, lane: str, who: int, is_unseen: bool) -> None:
        """Pause, and let an owner go on that read everything right before."""
        name = lane if scope is Scope.LANE else ""
        if is_unseen:
            self.take(who)
            self.put(lane, is_note=False, again=False)
            self.claim(who)
        self.act(control.pause, scope=scope, name=name, by="kim", reason="a look", now=self.now())
        self.paused.add((scope, name))
        if is_unseen:
            self.intend(who, reads=False)

    @rule()
    def resume(self) -> None:
        for scope, name in self.paused:
            self.act(control.resume, scope=scope, name=name)
        self.paused.clear()

    @precondition(lambda self: self.known)
    @rule(data=st.data(), action=st.sampled_from((control.cancel, control.retry)))
    def cancel_or_retry(self, data: st.DataObject, action: Any) -> None:
        one = data.draw(st.sampled_from(sorted(self.known)))
        self.act(action, effect_id=one, by="kim", now=self.now())

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        """A person looks, long enough after the last try, and says what is so."""
        one = data.draw(st.sampled_from(sorted(self.known)))
        self.far.advance(400)
        for worker in self.workers:
            worker.dispatcher.sender.outbound.clear()
        is_done = self.far.made[self.known[one]] > 0
        self.act(control.release, effect_id=one, is_done=is_done, by="kim", now=self.now())

    @invariant()
    def each_is_in_one_place_and_was_made_once_at_most(self) -> None:
        assert not self.far.made or max(self.far.made.values()) == 1, "made twice"
        self.do(self.compare())

    def teardown(self) -> None:
        """Let all be well and one owner work on: what is not refused or cancelled was made."""
        self.resume()

        async def finish() -> None:
            worker = await self._worker().own(self.tenant)
            for _ in range(120):
                worked = await worker.turn() + await worker.dispatcher.reconcile_due()
                if not await self.rows("SELECT 1 FROM outbox WHERE tenant_id = %(tenant)s AND state < 2"):
                    break
                if not worked:
                    self.far.advance(120.0)
            assert max(self.far.made.values(), default=0) <= 1, "made twice"
            places = await self.compare()
            for effect_id, key in self.known.items():
                assert (places[effect_id] == "done") == bool(self.far.made[key]), (effect_id, places[effect_id])
                assert places[effect_id] != "waiting", f"{effect_id} is forgotten"
            for table in ("sending_tenants", "outbox", "intents", "breakers"):
                await self.rows(f"DELETE FROM {table} WHERE tenant_id = %(tenant)s RETURNING 1")

        self.do(finish())

    async def compare(self) -> dict[EffectId, str]:
        """Return where each effect is, which its history must tell alike."""
        found = {row[0]: row[1:] for row in await self.rows(PLACES)}
        assert found.keys() == self.known.keys()
        places = {}
        for one, (state, is_dead, history) in found.items():
            told = "waiting"
            for outcome, settles in history or ():
                if settles:
                    # Only an operator settles what is settled: a dead one is cancelled.
                    assert told == "waiting" or (told, outcome) == ("dead", "cancelled"), (one, history)
                    told = SETTLED[settles]
                elif told != "waiting":
                    assert (outcome, told) in {("retried", "dead"), ("retried", "cancelled")}, (one, history)
                    told = "waiting"
            assert (state is not None) == (told == "waiting"), (one, state, history)
            assert is_dead == (told == "dead"), (one, history)
            places[one] = "held" if state == HELD else told
        return places

    async def epoch(self) -> int:
        async with self.database.connection() as connection:
            found = await connection.execute("SELECT epoch FROM shard_leases WHERE shard = %s", [shard_of(self.tenant)])
            row = await found.fetchone()
        return int(row[0]) if row else 0

    async def count_late(self) -> int:
        return int((await self.rows("SELECT count(*) FROM attempts WHERE tenant_id = %(tenant)s AND is_late"))[0][0])

    def act(self, action: Any, **parts: Any) -> None:
        """Do what an operator does, in a transaction of its own."""

        async def act() -> None:
            async with self.database.begin() as tx:
                await action(tx, tenant_id=self.tenant, **parts)

        self.do(act())

    async def rows(self, query: str, ids: list[int] | None = None) -> list[tuple[Any, ...]]:
        async with self.database.connection() as connection:
            found = await connection.execute(query, {"tenant": self.tenant, "ids": ids or []})
            return await found.fetchall()


def play(dsn: str, *, examples: int) -> None:
    """Let Hypothesis look for an order of steps that breaks a promise; raises what it found."""
    with asyncio.Runner() as runner:
        database = Database(dsn, max_size=4)
        runner.run(database.open())

        class Machine(OutboxMachine):
            pass

        Machine.runner, Machine.database = runner, database
        try:
            run_state_machine_as_test(
                Machine,
                settings=settings(
                    max_examples=examples,
                    stateful_step_count=40,
                    deadline=None,
                    derandomize=True,
                    database=None,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(database.close())


@pytest.mark.timeout(300)
def test_any_order_of_steps_keeps_the_promises(database_dsn: str) -> None:
    play(database_dsn, examples=20)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("bug", ["no_fence", "retry_instead_of_doubt", "crash_is_ready", "no_order", "pause_unseen"])
def test_a_known_bug_is_found(database_dsn: str, bug: str) -> None:
    """The machine can fail: with the fence open, a doubt or a crash sent again at once, a lane's order or a pause unminded."""
    with Bugs(bug).on(), pytest.raises((AssertionError, BaseExceptionGroup)) as found:
        play(database_dsn, examples=20)
    assert found.value is not None
