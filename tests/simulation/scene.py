"""What a history plays in: a real PostgreSQL, the real simulator in-process, virtual workers and one virtual clock."""

import asyncio
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx
import msgspec

from bridge import pipeline
from bridge.connectors.base import About, Connector, Identity, Normalized, SourceOptions, Strength, Verified
from bridge.db import ownership
from bridge.db.database import Database, Tx
from bridge.db.ownership import shard_of
from bridge.domain.command import PartyKind
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.ids import SourceId, TenantId
from bridge.domain.inquiry import BookingInquiry, Inquiry
from bridge.domain.match import Match, Unmatched
from bridge.domain.plan import Plan
from bridge.domain.reference import ReferenceLists
from bridge.intake import gate, queue
from bridge.intake.ledger import Decided
from bridge.intake.queue import Queued
from bridge.intake.store import DeliveryStore
from bridge.matching.asks import OpenAsks
from bridge.mirror.shapes import Head
from bridge.pipeline.completing import Completed
from bridge.pipeline.deciding import Deciders
from bridge.pipeline.known import Facts, Known
from bridge.sending.dispatcher import Dispatcher
from bridge.sending.effects.execute import Performer
from bridge.sending.landing import Flight
from bridge.sending.settings import SendingSettings
from bridge.servicetitan.client import ServiceTitan
from bridge.servicetitan.credentials import Credentials
from bridge.simulator.door import Door
from bridge.simulator.state import Simulator
from tests.intake.senders import received
from tests.simulation import whole
from tests.simulation.asks import effects_of
from tests.simulation.stage import DoorHttp, Stage

LEASE = timedelta(seconds=30)
HTTP_TIMEOUT = timedelta(seconds=20)
START = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
GUID = "11111111-1111-4111-8111-111111111111"
SOURCES = ("website", "ads")


class Gate:
    """Stops a request twice: before its bytes leave, and before its answer is read."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self.go = asyncio.Event()
        self.begun = START

    async def stop(self) -> None:
        self.arrived.set()
        await self.go.wait()
        self.go.clear()


GATE: ContextVar[Gate | None] = ContextVar("gate", default=None)


class Gates:
    """The driver's gates around each request of a flight; a request that stands at one for too long has timed out."""

    def __init__(self, scene: "Scene") -> None:
        self._scene = scene

    async def before(self) -> None:
        """Stop before the bytes leave."""
        gate = GATE.get()
        if gate is not None:
            gate.begun = self._scene.time
            await gate.stop()
            if self._scene.time - gate.begun > HTTP_TIMEOUT:
                raise httpx.ConnectTimeout("no connection came up in time")

    async def after(self) -> None:
        """Stop before the answer is read."""
        gate = GATE.get()
        if gate is not None:
            await gate.stop()
            if self._scene.time - gate.begun > HTTP_TIMEOUT:
                raise httpx.ReadTimeout("no answer came in time")


class ScriptConnector(Connector):
    """Reads the histories' own payload: a list of asks."""

    kind = "script"
    about = About(title="Script", family="generic", signature="none", dedup="id", retries="none")
    handled = frozenset({"asks"})
    needs_secret = False

    def verify(self, request: HookRequest, **_: Any) -> Verified:
        return Verified(scheme="unsigned", secret_name="", strength=Strength.UNSIGNED)

    def identify(self, request: HookRequest, *, options: SourceOptions) -> Identity:
        return Identity(dedup_key=msgspec.json.decode(request.body)["id"], event_type="asks")

    def normalize(self, delivery: Delivery, *, options: SourceOptions) -> Normalized:
        asks = msgspec.json.decode(delivery.request.body)["asks"]
        return Normalized(
            inquiries=tuple(
                BookingInquiry(key=ask["key"], record_id=str(ask["person"]), message=msgspec.json.encode(ask).decode())
                for ask in asks
            )
        )


class ScriptDeciders:
    """Plans what each ask says; nobody is matched. The rest of the pipeline is the real one."""

    def __init__(self, scene: "Scene") -> None:
        self.config_version = "1"
        self.doors: Mapping[SourceId, gate.Door] = {
            SourceId(f"{source}-{tenant}"): gate.Door(
                source_id=SourceId(f"{source}-{tenant}"),
                tenant_id=tenant,
                connector=ScriptConnector(),
                secrets=(),
                options=SourceOptions(unsigned=True),
                verify=ScriptConnector().verifier(secrets=(), options=SourceOptions(unsigned=True)),
            )
            for source in SOURCES
            for tenant in scene.tenants
        }
        self._scene = scene

    async def complete(
        self, database: Database, loaded: Sequence[tuple[Queued, Delivery]], **_: Any
    ) -> list[Completed]:
        return [delivery for _, delivery in loaded]

    async def match(
        self, tx: Tx, asked: Mapping[TenantId, Sequence[tuple[SourceId, Inquiry]]]
    ) -> dict[TenantId, list[Match]]:
        return {tenant_id: [Unmatched() for _ in own] for tenant_id, own in asked.items()}

    async def plan(
        self, tx: Tx, delivery: Delivery, inquiry: Inquiry, match: Match, *, nonce: str, now: datetime, **_: Any
    ) -> Plan:
        assert isinstance(inquiry, BookingInquiry)
        ask = msgspec.json.decode(inquiry.message)
        customers = self._scene.customers[delivery.tenant_id]
        return Plan(
            effects=effects_of(
                ask, tenant_id=delivery.tenant_id, customers=customers, nonce=nonce, config=self.config_version
            )
        )

    async def apply(self, *_: Any, **__: Any) -> None:
        return None

    async def as_recorded(
        self, tx: Tx, tenant_id: TenantId, asked: Sequence[Any], known: Sequence[Known]
    ) -> list[Known]:
        return list(known)

    async def gather(
        self, tx: Tx, asked: Mapping[TenantId, Sequence[Any]], *, now: datetime
    ) -> dict[TenantId, list[Known]]:
        facts = Facts(asks=OpenAsks(), bookings={}, reference=ReferenceLists())
        return {tenant_id: [Known(facts, asker=None, party=None) for _ in own] for tenant_id, own in asked.items()}

    def remember(self, known: Known, delivery: Delivery, decided: Decided, *, now: datetime) -> None:
        return None

    async def keep(self, tx: Tx, known: Mapping[TenantId, Sequence[Known]]) -> None:
        return None


class Lease:
    """A worker's ownership on the virtual clock."""

    def __init__(self, worker: "Worker") -> None:
        self.owned: Mapping[int, int] = {}
        self.leaving: frozenset[int] = frozenset()
        self.worker_id = 0
        self.renewed = START
        self._worker = worker

    def holds(self, shard: int, epoch: int) -> bool:
        return self.owned.get(shard) == epoch and self._worker.clock() < self.renewed + LEASE

    def let_go(self, shard: int) -> None:
        pass

    def last(self) -> None:
        """Go on with what is held, as the only worker left: nobody can take it."""
        self.renewed = self._worker.clock()

    async def tick(self, *, greedy: bool = False) -> None:
        """Renew, and take what is free: half of the tenants' shards, or all."""
        scene, now = self._worker.scene, self._worker.clock()
        async with scene.database.begin() as tx:
            if not self.worker_id:
                self.worker_id = await ownership.join(tx, name="virtual", now=now)
            owned = await ownership.renew(tx, worker_id=self.worker_id, now=now, lease=LEASE)
            room = len(scene.shards) - len(owned) if greedy else -(-len(scene.shards) // 2) - len(owned)
            owned |= await ownership.take(tx, worker_id=self.worker_id, limit=room, now=now, lease=LEASE)
        self.renewed = now
        self.owned = owned

    async def leave(self) -> None:
        async with self._worker.scene.database.begin() as tx:
            await ownership.leave(tx, worker_id=self.worker_id, now=self._worker.clock())
        self.owned = {}


class Worker:
    """One virtual worker process: a dispatcher, its lease, its clock, and the flights it has in the air."""

    def __init__(self, scene: "Scene", *, skew: float) -> None:
        self.scene = scene
        self.skew = timedelta(seconds=skew)
        self.lease = Lease(self)
        performer = Performer(lambda _: GUID, newest_of=scene.newest_of)
        self.dispatcher = Dispatcher(
            scene.database,
            clients=scene.client,
            ownership=self.lease,
            clock=self.clock,
            execute=performer.execute,
            look_up=performer.look_up,
            # What stands still is a bug here, and not helped.
            settings=SendingSettings(batch=4, read=6, window=12, in_flight=4, lane_depth=2, still=math.inf),
        )
        self.flights: list[tuple[asyncio.Task[None], Gate]] = []

    def clock(self) -> datetime:
        return self.scene.time + self.skew

    async def launch(self) -> None:
        """Let the next committed flight begin: it stops before its first byte."""
        if self.dispatcher.sender.outbound:
            gate = Gate()
            task = asyncio.create_task(self._fly(self.dispatcher.sender.outbound.popleft(), gate))
            self.flights.append((task, gate))
            await _settled(task, gate)
            self._forget()

    async def _fly(self, flight: Flight, gate: Gate) -> None:
        GATE.set(gate)
        await self.dispatcher.send(flight)

    async def look(self) -> int:
        """Let the worker begin to look up what is in doubt and due: it stops at the gates as a flight does."""
        gate = Gate()
        task = asyncio.create_task(self._look(gate))
        self.flights.append((task, gate))
        await _settled(task, gate)
        self._forget()
        return int(not task.done())

    async def _look(self, gate: Gate) -> None:
        GATE.set(gate)
        await self.dispatcher.reconcile_due()

    async def move(self, number: int) -> None:
        """Let one flight pass one gate."""
        if self.flights:
            task, gate = self.flights[number % len(self.flights)]
            gate.arrived.clear()
            gate.go.set()
            await _settled(task, gate)
            self._forget()

    async def fly_home(self) -> None:
        """Let everything in the air and outbound land."""
        while self.flights or self.dispatcher.sender.outbound:
            await self.launch()
            await self.move(0)

    async def crash(self) -> None:
        """End as a killed process does: nothing more is sent, recorded or released."""
        for task, _ in self.flights:
            task.cancel()
        await asyncio.gather(*(task for task, _ in self.flights), return_exceptions=True)
        self.flights.clear()

    def _forget(self) -> None:
        self.flights = [(task, gate) for task, gate in self.flights if not task.done()]


async def _settled(task: asyncio.Task[None], gate: Gate) -> None:
    """Wait until a flight stands at a gate or has landed."""
    arrived = asyncio.ensure_future(gate.arrived.wait())
    await asyncio.wait([task, arrived], return_when=asyncio.FIRST_COMPLETED)
    arrived.cancel()


class Scene:
    """One process's stage: the database and the application stay, tenants and simulated accounts are new per history."""

    def __init__(self, database: Stage, dsn: str) -> None:
        self.database = database
        self.time = START
        self.simulator = Simulator(seed=0, now=lambda: self.time, demo=False)
        self.http = DoorHttp(Door(self.simulator), Gates(self), on_stale=self._note_hidden)
        self.store = DeliveryStore(dsn)
        self.tenants: list[TenantId] = []
        self.shards: set[int] = set()
        self.customers: dict[TenantId, list[int]] = {}
        self.is_whole = False
        self.deciders: Deciders = ScriptDeciders(self)
        self.epoch_floor: dict[int, int] = {}
        self.shown: dict[tuple[TenantId, int], datetime] = {}  # customer → the newest state that any answer showed us
        self.edited: dict[tuple[TenantId, int], datetime] = {}  # customer → when a person last changed it
        self.hidden: set[tuple[TenantId, int]] = set()
        self._clients: dict[TenantId, ServiceTitan] = {}
        self._played: Counter[int] = Counter()

    async def begin(self, *, tenants: int, seed: int, is_whole: bool = False) -> None:
        """Set the stage: new tenants with two customers each, every shard free for the taking by name."""
        self.time = START
        self.is_whole = is_whole
        self.simulator.seed = seed
        self.simulator.clear()
        GATE.set(None)
        self._clients.clear()
        self.shown.clear()
        self.edited.clear()
        self.hidden.clear()
        self.tenants, shards = [], set[int]()
        # A seed has the same tenants wherever it is played; played again (to shrink it) it has others.
        numbers = count(2_000_000 + seed * 10_000 + self._played[seed] * 20)
        self._played[seed] += 1
        while len(self.tenants) < tenants:
            tenant = TenantId(next(numbers))
            if shard_of(tenant) not in shards:
                shards.add(shard_of(tenant))
                self.tenants.append(tenant)
        self.shards = shards
        async with self.database.begin() as tx:
            # Shards of other histories are locked away: their leases never run out.
            await tx.execute(
                "UPDATE shard_leases SET worker_id = CASE WHEN shard = ANY(%s) THEN NULL ELSE 0 END,"
                " expires_at = CASE WHEN shard = ANY(%s) THEN NULL ELSE 'infinity'::timestamptz END, renewed_at = %s"
                " WHERE shard = ANY(%s) OR worker_id IS DISTINCT FROM 0",
                [list(shards), list(shards), START, list(shards)],
            )
            await tx.execute("DELETE FROM delivery_queue")
            await tx.execute("DELETE FROM sending_tenants")
            await tx.execute(
                "INSERT INTO sending_tenants (tenant_id, shard) SELECT * FROM unnest(%s::bigint[], %s::smallint[])",
                [self.tenants, [shard_of(tenant) for tenant in self.tenants]],
            )
        self.customers = {}
        for tenant in self.tenants:
            self.simulator.add_tenant(
                tenant,
                client_id=f"cid.{tenant}",
                client_secret=f"cs1.{tenant}",
                app_key="ak1.demo",
                booking_provider=501,
            )
            ids = []
            for number, name in enumerate(("Ada Example", "Ben Example")):
                place = {"street": "1 Main St", "city": "Austin", "state": "TX", "zip": "78701", "country": "USA"}
                body: dict[str, Any] = {"name": name, "address": place, "locations": [{"name": name, "address": place}]}
                if is_whole:
                    body["contacts"] = [
                        {"type": "MobilePhone", "value": whole.phone_of(number)},
                        {"type": "Email", "value": whole.email_of(number)},
                    ]
                made = await self.client(tenant).customers.create(body=body)
                ids.append(made.body.id)  # type: ignore[union-attr]
            self.customers[tenant] = ids
            if is_whole:
                await whole.sync(self, tenant)
        self.configure(1)

    def configure(self, version: int) -> None:
        """Decide with a version of the config from here on."""
        if self.is_whole:
            self.deciders = whole.deciders_of(self.tenants, version=version)
        else:
            self.deciders = ScriptDeciders(self)
            self.deciders.config_version = str(version)

    def client(self, tenant_id: TenantId) -> ServiceTitan:
        if tenant_id not in self._clients:
            credentials = Credentials.for_environment(
                "http://simulator",
                tenant_id=tenant_id,
                client_id=f"cid.{tenant_id}",
                client_secret=f"cs1.{tenant_id}",
                app_key="ak1.demo",
                booking_provider=501,
            )

            def note(operation: str, ids: Mapping[str, int | str], body: object, answer: Any) -> None:
                if operation in {"customers.get", "customers.update"} and answer.modified_on is not None:
                    key = (tenant_id, int(answer.id))
                    self.shown[key] = max(self.shown.get(key, START), answer.modified_on)

            self._clients[tenant_id] = ServiceTitan(credentials, self.http, lambda: self.time, on_success=note)
        return self._clients[tenant_id]

    async def newest_of(self, tenant_id: TenantId, party: PartyKind, record_id: int) -> datetime | None:
        """Tell what the mirror would: answers of our own calls are in it at once, and outlive a crash."""
        return self.shown.get((tenant_id, record_id)) if party is PartyKind.CUSTOMER else None

    def _note_hidden(self, tenant_id: TenantId, path: str, body: bytes) -> None:
        """Take note of an answer from before a person's change that no answer had shown us yet: nobody can know of it."""
        last = path.rpartition("/")[2]
        key = (tenant_id, int(last) if last.isdigit() else 0)
        if key in self.edited and self.shown.get(key, START) < self.edited[key]:
            shows = msgspec.json.decode(body, type=Head)
            if shows.modified_on is None or shows.modified_on < self.edited[key]:
                self.hidden.add(key)

    async def receive(self, tenant: TenantId, source: str, delivery: dict[str, Any]) -> None:
        door = self.deciders.doors[SourceId(f"{source}-{tenant}")]
        if self.is_whole:
            request = whole.request_of(source, delivery, now=self.time)
        else:
            request = HookRequest(
                method="POST",
                url=f"http://bridge/hooks/{source}",
                headers=(("content-type", "application/json"),),
                body=msgspec.json.encode(delivery),
            )
        told = await received(self.store, door, request, trace_id="", now=self.time)
        assert isinstance(told, tuple), told

    async def process(self, worker: Worker, *, share: int, hands_over: bool) -> int:
        """Let a worker process what waits of the tenants it owns, together; stale workers try too, and are fenced.

        Where it does not hand over, what it decides is only read later, as what anybody else decided.
        """
        epochs = worker.lease.owned
        tenants = [tenant for tenant in self.tenants if shard_of(tenant) in epochs]
        if not tenants:
            return 0
        async with self.database.connection() as connection:
            queued = await queue.claim(connection, tenants, now=datetime.now(UTC), share=share)
        if queued:
            sender = worker.dispatcher.sender if hands_over else None
            await pipeline.process(
                self.database, self.deciders, queued, epochs=epochs, now=worker.clock(), sender=sender
            )
            worker.dispatcher.wake()
        return len(queued)

    async def expire(self, worker_id: int) -> None:
        async with self.database.begin() as tx:
            await tx.execute("UPDATE shard_leases SET expires_at = %s WHERE worker_id = %s", [self.time, worker_id])

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self.simulator.settle()

    async def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        async with self.database.connection() as connection:
            return await (await connection.execute(query, parameters)).fetchall()
