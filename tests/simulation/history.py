"""One history: steps drawn from a seed, played on the scene, then everything settled and checked against the ledger."""

import contextlib
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from bridge.db.database import Tx
from bridge.db.ownership import LeaseLost, shard_of
from bridge.domain.ids import DecisionId, DeliveryId, EffectId, SourceId, TenantId
from bridge.intake import queue
from bridge.sending import control, outbox
from bridge.sending.bulk import Filter, start_bulk, work_bulk
from bridge.sending.control import Action, Scope
from bridge.sending.message import Message
from bridge.simulator import operator
from bridge.simulator.faults import Action as FaultAction
from bridge.simulator.faults import Fault
from tests.simulation import whole
from tests.simulation.asks import KINDS, THEIRS, effects_of
from tests.simulation.bugs import Bugs
from tests.simulation.scene import LEASE, SOURCES, Scene, Worker
from tests.simulation.stage import Stepped

FAULTS = (
    "rate_limit",
    "rate_limit_bare",
    "error_before",
    "error_after",
    "drop_before",
    "drop_after",
    "timeout_before",
    "timeout_after",
    "late_apply",
    "delay",
    "slow_body",
    "duplicate_apply",
    "paging_shift",
    "expire_token",
    "stale_reads",
    "html_502",
    "maintenance",
    "null_required",
    "int_enums",
    "empty_body",
    "broken_body",
    "refuse",
)
"""Every fault of the simulator."""

WEIGHTS = {
    "deliver": 12,
    "redeliver": 3,
    "process": 14,
    "late_put": 4,
    "late_commit": 4,
    "claim": 4,
    "intend": 6,
    "work": 20,
    "launch": 10,
    "move": 24,
    "fly": 12,
    "record": 12,
    "reconcile": 5,
    "look": 4,
    "tick": 8,
    "crash": 4,
    "cut": 5,
    "leave": 1,
    "stall": 3,
    "pass": 10,
    "fault": 12,
    "retry": 2,
    "cancel": 2,
    "release": 1,
    "pause": 2,
    "resume": 3,
    "bulk": 2,
    "edit": 3,
    "replay": 3,
    "config": 1,
    "skew": 1,
    "zombie": 3,
}

STORMY = WEIGHTS | {
    "cut": 22,
    "retry": 7,
    "cancel": 5,
    "crash": 8,
    "reconcile": 10,
    "record": 16,
    "zombie": 6,
    "stall": 6,
}
"""Four times as many connections lost at a commit, more operators, crashes, stalls and late workers; and every other history is whole."""


@dataclass(frozen=True)
class Step:
    """One step; its numbers are read modulo what there is to choose from, so any selection of steps is a history."""

    kind: str
    a: int = 0
    b: int = 0

    def __str__(self) -> str:
        return f"{self.kind} {self.a} {self.b}"


def draw(seed: int, *, is_stormy: bool = False) -> list[Step]:
    """Return the steps of a seed: 15 to 60 of them, all workers ticking first."""
    dice = random.Random(seed)
    kinds, weights = zip(*(STORMY if is_stormy else WEIGHTS).items(), strict=True)
    steps = [Step("tick", 0), Step("tick", 1), Step("deliver", dice.randrange(999), 1)]
    steps += [
        Step(kind, dice.randrange(1 << 16), dice.randrange(1 << 16))
        for kind in dice.choices(kinds, weights, k=dice.randint(15, 60))
    ]
    return steps


@dataclass
class Story:
    """What a history did and whether its promises were kept."""

    seed: int
    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


class History:
    """Plays steps."""

    def __init__(self, scene: Scene, bugs: Bugs, *, seed: int, is_stormy: bool = False) -> None:
        self.scene = scene
        # One in eight has nothing scripted: real senders, matching and rules.
        self.is_whole = seed % (2 if is_stormy else 8) == 0
        self.bugs = bugs
        self.dice = random.Random(seed)
        self.story = Story(seed)
        self.workers: list[Worker] = []
        self.deliveries: list[tuple[TenantId, str, dict[str, Any]]] = []
        self.edits: dict[tuple[TenantId, int], str] = {}
        self.touched: set[str] = set()
        self.forced: list[tuple[dict[str, Any], TenantId, str, str]] = []
        self.paused: set[tuple[TenantId, Scope, str]] = set()
        self.late: tuple[Stepped, list[dict[str, Any]], TenantId] | None = None
        self.late_asks: list[tuple[TenantId, dict[str, Any]]] = []
        self.configs: dict[str, str] = {}

    async def play(self, steps: Sequence[Step]) -> Story:
        """Play the steps, settle, check."""
        await self.scene.begin(tenants=1 + self.dice.randrange(2), seed=self.story.seed, is_whole=self.is_whole)
        self.story.counts["histories.whole" if self.is_whole else "histories.scripted"] += 1
        self.workers = [Worker(self.scene, skew=0.0), Worker(self.scene, skew=0.0)]
        try:
            for step in steps:
                self.story.counts[f"step.{step.kind}"] += 1
                self.scene.advance(0.05)
                try:
                    await getattr(self, f"do_{step.kind}")(step)
                except LeaseLost:
                    self.story.counts["fenced"] += 1
            await self.settle()
        finally:
            for worker in self.workers:
                await worker.crash()
            if self.late is not None:
                self.scene.database.take_back(self.late[0])
        await self.check()
        return self.story

    def worker(self, number: int) -> Worker:
        return self.workers[number % len(self.workers)]

    def tenant(self, number: int) -> TenantId:
        return self.scene.tenants[number % len(self.scene.tenants)]

    # What happens outside.

    def ask(self, number: int, name: str) -> dict[str, Any]:
        kind = KINDS[number % len(KINDS)]
        tags = sorted(row["id"] for row in self.scene.simulator.accounts[self.scene.tenants[0]].tag_types.rows.values())
        return {"key": name, "person": number % 3, "kind": kind, "tag": tags[number % len(tags)]}

    async def do_deliver(self, step: Step) -> None:
        number = len(self.deliveries)
        if self.scene.is_whole:
            sources = ("website", "ads", "crm")
            # Every fourth time the same person comes through two sources at once.
            for source in sources[:2] if step.b % 4 == 0 else sources[step.b % 3 :][:1]:
                delivery = whole.draw(len(self.deliveries), source, a=step.a, b=step.b)
                self.deliveries.append((self.tenant(step.b), source, delivery))
                await self.scene.receive(*self.deliveries[-1])
                self.story.counts["deliveries"] += 1
            return
        asks = [self.ask(step.a + 7 * index, f"d{number}.{index}") for index in range(1 + (step.b % 7 == 0) * 2)]
        if step.b % 5 == 0 and asks[0]["kind"] == "field":
            # The same wish in a second version within the delivery: both are wanted, in order.
            asks.append({**asks[0], "version": "2"})
        delivery = {"id": f"d{number}", "asks": asks}
        tenant, source = self.tenant(step.b), SOURCES[step.a % 2]
        self.deliveries.append((tenant, source, delivery))
        await self.scene.receive(tenant, source, delivery)
        self.story.counts["deliveries"] += 1

    async def do_redeliver(self, step: Step) -> None:
        if self.deliveries:
            tenant, source, delivery = self.deliveries[step.a % len(self.deliveries)]
            await self.scene.receive(tenant, source, delivery)

    async def do_fault(self, step: Step) -> None:
        action = FAULTS[step.a % len(FAULTS)]
        anything = {"stale_reads", "paging_shift", "expire_token"}
        method = None if action in anything else ("POST", "PATCH", None)[step.b % 3]
        seconds = {
            "late_apply": 5.0 + step.b % 96,
            "stale_reads": 5.0 + step.b % 176,
            "rate_limit": 1.0 + step.b % 9,
            "delay": 1.0 + step.b % 40,
            "slow_body": 1.0 + step.b % 40,
        }
        self.scene.simulator.add_fault(
            Fault(
                action=FaultAction(action),
                method=method,
                path="/crm/",
                seconds=seconds.get(action),
                times=1 + step.b % 2,
            )
        )
        self.story.counts[f"fault.{action}"] += 1

    async def do_edit(self, step: Step) -> None:
        """Let somebody in ServiceTitan's screens change a field that is not ours, when no write of ours is amid its steps.

        ServiceTitan takes custom fields as a whole list and asks for no version: a write that it does late undoes what came
        between, and so does one that was merged with an answer from before the change, where no answer had shown the change
        yet (`Scene.hidden`). No client can prevent either.
        """
        if any(worker.flights for worker in self.workers) or not self.scene.simulator.is_settled:
            return
        tenant = self.tenant(step.a)
        customer = self.scene.customers[tenant][step.b % 2]
        value = f"edit {step.a}"
        operator.set_custom_field(
            self.scene.simulator.operator(tenant), party="customer", id=customer, type_id=THEIRS, value=value
        )
        self.edits[tenant, customer] = value
        self.scene.edited[tenant, customer] = self.scene.time
        self.scene.hidden.discard((tenant, customer))

    async def do_pass(self, step: Step) -> None:
        self.scene.advance((0.02, 0.3, 2.0, 7.0)[step.a % 4])

    async def do_stall(self, step: Step) -> None:
        """Let more time pass than any lease lasts."""
        self.scene.advance((35.0, 130.0)[step.a % 2])

    # What our processes do.

    async def do_process(self, step: Step) -> None:
        await self._process(self.worker(step.a), share=1 + step.b % 4, number=step.b // 4)

    async def _process(self, worker: Worker, *, share: int, number: int) -> None:
        """Let a worker decide, and three times of four hand over what may go at once."""
        if number % 4 and not worker.dispatcher.owner.tenants and self.bugs.may_claim(worker):
            await worker.dispatcher.claim()  # who is at work knows whose messages he sends
            self.scene.advance(0.1)  # and their budgets are not empty
        before = len(worker.dispatcher.sender.outbound)
        await self.scene.process(worker, share=share, hands_over=bool(number % 4))
        self._note_intents(worker, before, "handed_over")

    async def do_claim(self, step: Step) -> None:
        worker = self.worker(step.a)
        if self.bugs.may_claim(worker):
            await worker.dispatcher.claim()

    async def do_intend(self, step: Step) -> None:
        worker = self.worker(step.a)
        before = len(worker.dispatcher.sender.outbound)
        await worker.dispatcher.commit_intents()
        self._note_intents(worker, before, "intents")

    def _note_intents(self, worker: Worker, before: int, name: str) -> None:
        """Count what became outbound since; nothing that is paused may be among it."""
        fresh = list(worker.dispatcher.sender.outbound)[before:]
        for flight in fresh:
            if self._is_paused(flight.message):
                self.story.violations.append(f"an intent was committed for {flight.message.id} while it was paused")
        self.story.counts[name] += len(fresh)

    async def do_work(self, step: Step) -> None:
        """Claim, commit and begin to send, as a busy worker does without a pause."""
        worker = self.worker(step.a)
        if worker.clock() > worker.lease.renewed + LEASE / 3:
            await worker.lease.tick(greedy=True)
        if step.b % 8:
            await self._process(worker, share=4, number=step.b)
        await self.do_claim(step)
        self.scene.advance(0.1)
        await self.do_intend(step)
        while worker.dispatcher.sender.outbound and step.b % 5:
            await worker.launch()

    async def do_fly(self, step: Step) -> None:
        """Let a worker's oldest flight land."""
        worker = self.worker(step.a)
        if worker.flights:
            task = worker.flights[0][0]
            while not task.done():
                await worker.move(0)
        if step.b % 2:
            await worker.dispatcher.record_outcomes()

    async def do_launch(self, step: Step) -> None:
        await self.worker(step.a).launch()

    async def do_move(self, step: Step) -> None:
        await self.worker(step.a).move(step.b)

    async def do_record(self, step: Step) -> None:
        await self.worker(step.a).dispatcher.record_outcomes()

    async def do_reconcile(self, step: Step) -> None:
        self.story.counts["looks"] += await self.worker(step.a).dispatcher.reconcile_due()

    async def do_look(self, step: Step) -> None:
        self.story.counts["looks"] += await self.worker(step.a).look()

    async def do_tick(self, step: Step) -> None:
        await self.worker(step.a).lease.tick(greedy=step.b % 3 == 0)

    async def do_crash(self, step: Step) -> None:
        worker = self.worker(step.a)
        await worker.crash()
        self.workers[self.workers.index(worker)] = Worker(self.scene, skew=0.0)
        if step.b % 3 and worker.lease.worker_id:
            # Its session is seen to be gone; else its leases have to run out.
            await self.scene.expire(worker.lease.worker_id)

    async def do_cut(self, step: Step) -> None:
        """Lose the connection to the database amid a commit of a worker's: before it, or after it with nobody told."""
        worker, database = self.worker(step.a), self.scene.database
        kind = ("before", "after")[step.b % 2]
        database.cut, database.spared = kind, step.b // 2 % 4
        try:
            await self.do_work(Step("work", step.a, 1))
            await self.do_fly(Step("fly", step.a, 1))
            await worker.dispatcher.reconcile_due()
        except psycopg.OperationalError:
            self.story.counts[f"cut.{kind}"] += 1
        finally:
            database.cut = ""

    async def do_leave(self, step: Step) -> None:
        """End as SIGTERM asks: let the air clear, write it down, give everything up."""
        worker = self.worker(step.a)
        await worker.fly_home()
        await worker.dispatcher.record_outcomes()
        if worker.lease.worker_id:
            await worker.lease.leave()
        self.workers[self.workers.index(worker)] = Worker(self.scene, skew=0.0)

    async def do_zombie(self, step: Step) -> None:
        """Let a worker stand still until another has taken over, and then go on as if nothing had been."""
        still, other = self.worker(step.a), self.worker(step.a + 1)
        await self._process(still, share=4, number=step.b)
        await self.do_claim(Step("claim", step.a))
        self.scene.advance(32.0)
        await other.lease.tick(greedy=True)
        await self.do_claim(Step("claim", step.a + 1))
        self.scene.advance(0.1)
        for worker in (still, other) if step.b % 2 else (other, still):
            with contextlib.suppress(LeaseLost):
                await worker.dispatcher.commit_intents()
            while worker.dispatcher.sender.outbound:
                await worker.launch()
            if step.b % 3:
                await worker.fly_home()

    async def do_skew(self, step: Step) -> None:
        from datetime import timedelta

        self.worker(step.a).skew = timedelta(seconds=(step.b % 5) - 2)

    async def do_late_put(self, step: Step) -> None:
        """Draw ids in a transaction that stays open; every other time others commit and are read before it ends."""
        if self.late is None:
            tenant = self.tenant(step.a)
            ask = self.ask(step.b, f"late{len(self.late_asks)}")
            connection = await self.scene.database.lend()
            await connection.execute("BEGIN")
            await self._put(connection, tenant, ask)
            self.late = (connection, [ask], tenant)
            if step.b % 2:
                await self.do_deliver(Step("deliver", step.a, step.b))
                await self.do_work(Step("work", step.a, 1))
                await self.do_claim(Step("claim", step.a))

    async def do_late_commit(self, step: Step) -> None:
        if self.late is not None:
            connection, asks, tenant = self.late
            self.late = None
            await connection.commit()
            self.scene.database.take_back(connection)
            self.late_asks += [(tenant, ask) for ask in asks]

    async def _put(self, tx: Tx, tenant: TenantId, ask: dict[str, Any]) -> None:
        effects = effects_of(ask, tenant_id=tenant, customers=self.scene.customers[tenant], nonce="", config="1")
        await outbox.put(
            tx,
            tenant_id=tenant,
            source_id=SourceId("console"),
            delivery_id=DeliveryId(0),
            decision_id=DecisionId(0),
            effects=effects,
            now=self.scene.time,
        )

    # What operators do.

    async def _effects(self, tenant: TenantId) -> list[int]:
        return [
            row[0] for row in await self.scene.rows("SELECT id FROM effects WHERE tenant_id = %s ORDER BY id", tenant)
        ]

    async def _operate(self, step: Step, action: Action) -> None:
        tenant = self.tenant(step.a)
        effects = await self._effects(tenant)
        if not effects:
            return
        effect_id = EffectId(effects[step.b % len(effects)])
        async with self.scene.database.begin() as tx:
            match action:
                case Action.RETRY:
                    refusal = await control.retry(
                        tx, tenant_id=tenant, effect_id=effect_id, by="sim", now=self.scene.time
                    )
                case Action.CANCEL:
                    refusal = await control.cancel(
                        tx, tenant_id=tenant, effect_id=effect_id, by="sim", now=self.scene.time
                    )
                case Action.RELEASE:
                    # Only what waits for a person: releasing a doubt by guess is the one way to make two.
                    state = await tx.execute("SELECT state FROM outbox WHERE id = %s", [effect_id])
                    row = await state.fetchone()
                    if row is None or row[0] != 2:
                        return
                    refusal = await control.release(
                        tx, tenant_id=tenant, effect_id=effect_id, is_done=False, by="sim", now=self.scene.time
                    )
        if refusal is None:
            self.story.counts[f"operator.{action.value}"] += 1
            rows = await self.scene.rows("SELECT replace(key::text, '-', '') FROM effects WHERE id = %s", effect_id)
            self.touched.add(rows[0][0])

    async def do_retry(self, step: Step) -> None:
        await self._operate(step, Action.RETRY)

    async def do_cancel(self, step: Step) -> None:
        await self._operate(step, Action.CANCEL)

    async def do_release(self, step: Step) -> None:
        await self._operate(step, Action.RELEASE)

    async def do_bulk(self, step: Step) -> None:
        """Do one thing to everything a filter matches; a doubt is never released by guess."""
        tenant = self.tenant(step.a)
        action, state = ((Action.RETRY, "dead"), (Action.CANCEL, "waiting"), (Action.RELEASE, "held"))[step.b % 3]
        async with self.scene.database.begin() as tx:
            bulk_id, total = await start_bulk(
                tx,
                tenant_id=tenant,
                action=action,
                matching=Filter(state=state),
                by="sim",
                reason="a bad morning",
                now=self.scene.time,
            )
        frozen = await self.scene.rows(
            "SELECT replace(e.key::text, '-', '') FROM bulk_items b JOIN effects e ON e.tenant_id = b.tenant_id"
            " AND e.id = b.effect_id WHERE b.tenant_id = %s AND b.bulk_id = %s",
            tenant,
            bulk_id,
        )
        self.touched.update(row[0] for row in frozen)
        if step.b % 2:  # something happens between the start and the work
            await self.do_work(Step("work", step.a, 1))
        while await work_bulk(self.scene.database, now=self.scene.time):
            pass
        told = await self.scene.rows(
            "SELECT total, done + skipped, finished_at IS NOT NULL FROM bulk_actions WHERE tenant_id = %s AND id = %s",
            tenant,
            bulk_id,
        )
        if told != [(total, total, True)] or len(frozen) != total:
            self.story.violations.append(f"a bulk action over {total} messages ended as {told}")
        self.story.counts[f"operator.bulk_{action.value}"] += 1

    async def do_pause(self, step: Step) -> None:
        tenant = self.tenant(step.a)
        scope, name = await self._scope(tenant, step.b)
        if step.b % 2:  # owners know everything up to now
            for number in (0, 1):
                await self.do_process(Step("process", number, 3))
                await self.do_claim(Step("claim", number))
        async with self.scene.database.begin() as tx:
            await control.pause(
                tx, tenant_id=tenant, scope=scope, name=name, by="sim", reason="a look", now=self.scene.time
            )
        self.paused.add((tenant, scope, name))
        self.story.counts[f"operator.pause_{scope.value}"] += 1
        if step.b % 2:  # and nothing since
            await self.do_intend(Step("intend", 0))
            await self.do_intend(Step("intend", 1))

    async def _scope(self, tenant: TenantId, number: int) -> tuple[Scope, str]:
        match number % 4:
            case 0:
                return Scope.SOURCE, f"{SOURCES[number % 2]}-{tenant}"
            case 1:
                return Scope.LANE, f"party:{self.scene.customers[tenant][number % 2]}"
            case _:
                return Scope.TENANT, ""

    def _is_paused(self, message: Message) -> bool:
        names = {(Scope.TENANT, ""), (Scope.SOURCE, message.source_id), (Scope.LANE, message.lane)}
        return any((message.tenant_id, scope, name) in self.paused for scope, name in names)

    async def do_resume(self, step: Step) -> None:
        for tenant, scope, name in sorted(self.paused):
            if tenant == self.tenant(step.a):
                await self._resume(tenant, scope, name)
                break

    async def _resume(self, tenant: TenantId, scope: Scope, name: str) -> None:
        async with self.scene.database.begin() as tx:
            told = await control.resume(tx, tenant_id=tenant, scope=scope, name=name)
        self.paused.discard((tenant, scope, name))
        if bool(told.waiting) != bool(told.takes):
            self.story.violations.append(f"{told.waiting} messages wait and sending them takes {told.takes}")

    async def do_replay(self, step: Step) -> None:
        """Run a stored delivery again; every third time forced, which a person means."""
        if not self.deliveries:
            return
        tenant, source, delivery = self.deliveries[step.a % len(self.deliveries)]
        rows = await self.scene.rows(
            "SELECT id FROM deliveries WHERE tenant_id = %s AND strpos(dedup_key, %s) > 0", tenant, delivery["id"]
        )
        nonce = f"n{step.b}" if step.b % 3 == 0 and not self.scene.is_whole else ""
        waits = await self.scene.rows(
            "SELECT 1 FROM delivery_queue WHERE tenant_id = %s AND id = %s", tenant, rows[0][0]
        )
        if waits:
            return  # it was not even processed once
        async with self.scene.database.begin() as tx:
            await queue.replay(tx, tenant, DeliveryId(rows[0][0]), by="sim", nonce=nonce)
        if nonce:
            self.forced += [(ask, tenant, source, nonce) for ask in delivery["asks"]]

    async def do_config(self, step: Step) -> None:
        self.scene.configure(1 + step.a % 3)

    # The end.

    async def settle(self) -> None:
        """Heal everything, let one worker do what is left, and give it a virtual day."""
        from tests.simulation.settle import settle

        await settle(self)

    async def check(self) -> None:
        """Compare the ledger with what was wanted."""
        from tests.simulation.check import check

        await check(self)


def shard_count(tenants: Sequence[TenantId]) -> int:
    """Return how many shards the tenants are on."""
    return len({shard_of(tenant) for tenant in tenants})
