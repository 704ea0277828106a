"""What the tests of sending share: effects in a line, and workers whose every step is called."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx

from bridge.db import ownership
from bridge.db.database import Database, Tx
from bridge.db.ownership import shard_of
from bridge.domain.command import AddNote, Command, ContactMethod, CreateBooking, CreateCustomer, CreatedBy, kind_of
from bridge.domain.ids import DecisionId, DeliveryId, EffectKey, SourceId, TenantId
from bridge.domain.inquiry import PostalAddress
from bridge.domain.plan import Effect, effect_key
from bridge.sending import outbox
from bridge.sending.dispatcher import Dispatcher
from bridge.sending.effects.execute import Performer
from bridge.sending.settings import SendingSettings
from bridge.servicetitan.client import ServiceTitan
from bridge.servicetitan.credentials import Credentials
from bridge.simulator.app import create_app
from bridge.simulator.faults import Action, Fault
from bridge.simulator.state import Simulator
from bridge.simulator.transport import SimulatorTransport

TENANT = TenantId(1000001)
OTHER = TenantId(1000002)
LEASE = timedelta(seconds=30)


class Held:
    """Ownership without a thread: what it holds is set by the test."""

    def __init__(self) -> None:
        self.owned: Mapping[int, int] = {}
        self.leaving: frozenset[int] = frozenset()
        self.gone: set[int] = set()
        self.worker_id = 0
        self.is_sure = True

    def holds(self, shard: int, epoch: int) -> bool:
        return self.is_sure and self.owned.get(shard) == epoch

    def let_go(self, shard: int) -> None:
        self.gone.add(shard)


class Worker:
    """A dispatcher with its ownership."""

    def __init__(self, world: "World", settings: SendingSettings, **parts: Any) -> None:
        self.world = world
        self.ownership = Held()
        performer = Performer(lambda _: "11111111-1111-4111-8111-111111111111")
        self.dispatcher = Dispatcher(
            world.database,
            clients=world.client,
            ownership=self.ownership,
            clock=world.now,
            execute=parts.get("execute", performer.execute),
            look_up=parts.get("look_up", performer.look_up),
            bell=parts.get("bell"),
            settings=settings,
        )

    async def own(self, *tenants: TenantId) -> "Worker":
        """Take the tenants' shards, from whoever has them and whatever their leases say."""
        shards = sorted({shard_of(tenant) for tenant in tenants})
        async with self.world.database.begin() as tx:
            if not self.ownership.worker_id:
                self.ownership.worker_id = await ownership.join(tx, name="test", now=self.world.now())
            await tx.execute(
                "UPDATE shard_leases SET expires_at = %s WHERE shard = ANY(%s)", [self.world.now(), shards]
            )
            taken = await ownership.take(
                tx, worker_id=self.ownership.worker_id, limit=64, now=self.world.now(), lease=LEASE
            )
            others = {shard: epoch for shard, epoch in taken.items() if shard not in shards}
            await ownership.release(tx, worker_id=self.ownership.worker_id, shards=others, now=self.world.now())
        self.ownership.owned = {**self.ownership.owned, **{s: e for s, e in taken.items() if s in shards}}
        return self

    async def send_all(self) -> int:
        """Send what is outbound, one after the other."""
        sent = 0
        while self.dispatcher.sender.outbound:
            await self.dispatcher.send(self.dispatcher.sender.outbound.popleft())
            sent += 1
        return sent

    async def turn(self) -> int:
        """Claim, commit, send, record, once around; return how many were sent."""
        await self.dispatcher.claim()
        await self.dispatcher.commit_intents()
        sent = await self.send_all()
        await self.dispatcher.record_outcomes()
        return sent

    async def drain(self, *, seconds: float = 3600.0, step: float = 1.0) -> None:
        """Work until nothing is left to do or the virtual time is over."""
        end = self.world.now() + timedelta(seconds=seconds)
        while self.world.now() < end:
            worked = await self.turn() + await self.dispatcher.reconcile_due()
            if not worked:
                if not await self.world.waiting():
                    return
                self.world.advance(step)
        raise AssertionError(f"{await self.world.waiting()} messages still wait after {seconds} s")


class World:
    """The database, the simulator, the clock."""

    def __init__(self, database: Database, *, seed: int = 0, switches: Any = None) -> None:
        self.database = database
        self.takes_real_time = False
        self.time = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
        self.simulator = Simulator(seed=seed, now=self.now, switches=switches)
        self.simulator.add_tenant(
            OTHER, client_id="cid.other", client_secret="cs1.other", app_key="ak1.demo", booking_provider=502
        )
        self.http = httpx.AsyncClient(
            transport=SimulatorTransport(create_app(self.simulator), sleep=self.sleep), timeout=20.0
        )
        self._clients: dict[TenantId, ServiceTitan] = {}
        self._numbers = count(1)

    def now(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self.simulator.settle()

    async def sleep(self, seconds: float) -> None:
        """Let a slow answer take real time where the test is about that, else none."""
        if self.takes_real_time:
            await asyncio.sleep(seconds)

    def client(self, tenant_id: TenantId) -> ServiceTitan:
        if tenant_id not in self._clients:
            name, provider = ("demo", 501) if tenant_id == TENANT else ("other", 502)
            credentials = Credentials.for_environment(
                "http://simulator",
                tenant_id=tenant_id,
                client_id=f"cid.{name}",
                client_secret=f"cs1.{name}",
                app_key="ak1.demo",
                booking_provider=provider,
            )
            self._clients[tenant_id] = ServiceTitan(credentials, self.http, self.now)
        return self._clients[tenant_id]

    def fault(self, action: str, **parts: Any) -> Fault:
        """Let something go wrong, once unless said otherwise."""
        return self.simulator.add_fault(Fault(action=Action(action), **{"times": 1, **parts}))

    def worker(self, **settings: Any) -> Worker:
        parts = {name: settings.pop(name) for name in ("execute", "look_up", "bell") if name in settings}
        return Worker(self, SendingSettings(**settings), **parts)

    async def put(self, *effects: Effect, tenant_id: TenantId = TENANT, source: str = "website") -> outbox.PutResult:
        async with self.database.begin() as tx:
            number = next(self._numbers)
            return await put(tx, *effects, tenant_id=tenant_id, source=source, number=number, now=self.now())

    async def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        async with self.database.connection() as connection:
            return await (await connection.execute(query, parameters)).fetchall()

    async def waiting(self) -> int:
        return int((await self.rows("SELECT count(*) FROM outbox WHERE state <> 2"))[0][0])

    async def history(self, key: EffectKey) -> list[str]:
        """Return the outcomes of an effect in order."""
        rows = await self.rows(
            "SELECT outcome FROM attempts JOIN effect_keys USING (tenant_id, effect_id) WHERE key = %s::uuid"
            " ORDER BY number, at",
            key,
        )
        return [row[0] for row in rows]

    async def close(self) -> None:
        await self.http.aclose()
        await asyncio.sleep(0)


async def put(
    tx: Tx, *effects: Effect, tenant_id: TenantId = TENANT, source: str = "website", number: int = 1, now: datetime
) -> outbox.PutResult:
    """Put effects of one delivery and decision, both of that number, in a transaction of the caller's."""
    return await outbox.put(
        tx,
        tenant_id=tenant_id,
        source_id=SourceId(source),
        delivery_id=DeliveryId(number),
        decision_id=DecisionId(number),
        effects=effects,
        now=now,
    )


def effect(command: Command, name: str, *, tenant_id: TenantId = TENANT, lane: str = "", **parts: Any) -> Effect:
    """Return an effect named for the test."""
    key = effect_key(
        tenant_id=tenant_id, kind=kind_of(command), target="t", inquiry_key=name, version=parts.pop("version", "")
    )
    return Effect(key=key, command=command, lane=lane or f"party:{name}", **parts)


def booking(name: str = "Ada Example", *, tenant_id: TenantId = TENANT, lane: str = "", **parts: Any) -> Effect:
    """Return the wish for a booking."""
    return effect(
        CreateBooking(
            source="Website",
            name=name,
            summary=f"{name} asks for a visit",
            is_first_time_client=True,
            contacts=(ContactMethod(type="MobilePhone", value="+15125550142"),),
        ),
        name,
        tenant_id=tenant_id,
        lane=lane,
        **parts,
    )


def customer_and_note() -> tuple[Effect, Effect]:
    """Return the wish for a customer, and for a note on them that waits for it in the same lane."""
    address = PostalAddress(street="1 Main St", city="Austin", state="TX", zip="78701")
    customer = effect(CreateCustomer(name="Ada Example", address=address), "customer", lane="party:ada")
    note = effect(
        AddNote(on="customer", target=CreatedBy(customer.key, "customer"), text="Came by the website"),
        "note",
        lane="party:ada",
        waits_for=(customer.key,),
    )
    return customer, note
