"""Thin webhooks through the whole flow: real database, real HTTP, the stand-ins of the senders' APIs."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from bridge import bootstrap, pipeline
from bridge.connectors.base import Secret
from bridge.db import ownership
from bridge.db.database import Database
from bridge.db.ownership import shard_of
from bridge.domain.delivery import HookRequest
from bridge.domain.ids import DeliveryId, SourceId, TenantId
from bridge.hydration.fetcher import Fetcher
from bridge.intake import queue
from bridge.intake.store import DeliveryStore
from bridge.pipeline import Processed
from bridge.pipeline.completing import LEASE, Completer
from bridge.pipeline.deciders import ConfiguredDeciders
from bridge.settings import Settings
from bridge.simulator.senders import person_of
from bridge.simulator.server import configure
from bridge.simulator.state import Simulator
from tests.hydration.far import Far, reply
from tests.intake.senders import received

TENANT = TenantId(1000001)
SECRET = "a-secret-of-the-tests-1"
STAND_INS = {"meta": "graph", "hubspot": "hubspot", "jobber": "jobber", "keap": "keap", "jotform": "jotform"}
KINDS = {"meta": "meta-lead-ads"}
LEAD = b"""{"field_data": [{"name": "full_name", "values": ["Maria Lopez"]}, {"name": "phone_number", "values": ["5125550142"]}]}"""
CONFIG = """
tenants:
  demo: {tenant_id: 1000001, environment: simulator, booking_provider: 501, time_zone: America/Chicago}
sources:
  website: {connector: generic, tenant: demo, secrets: [{env: HOOK}], options: {verify: {shared: {}}}}
"""
SOURCE = """
  {name}:
    connector: {kind}
    tenant: demo
    secrets: [{{env: HOOK}}]
    hydrate: {{token: {{env: TOKEN}}}}
    options: {{fetch_url: "{base}"}}
"""


def config(tmp_path: Path, **bases: str) -> Settings:
    """Return settings in which the named sources fetch from these addresses."""
    written = CONFIG + "".join(
        SOURCE.format(name=name, kind=KINDS.get(name, name), base=base) for name, base in bases.items()
    )
    (tmp_path / "bridge.yaml").write_text(written)
    return bootstrap.load_settings(tmp_path, environ={"HOOK": SECRET, "TOKEN": "demo-token"})


def notice(source: str, ident: str) -> tuple[bytes, str]:
    """Return the body of a thin webhook that names a record, and its content type."""
    bodies: dict[str, Any] = {
        "meta": {"object": "page", "entry": [{"changes": [{"field": "leadgen", "value": {"leadgen_id": ident}}]}]},
        "hubspot": [
            {
                "eventId": 1, "subscriptionId": 2, "portalId": 3, "occurredAt": 1_764_000_000_000, "objectId": ident,
                "subscriptionType": "contact.creation", "attemptNumber": 0,
            }
        ],
        "jobber": {
            "data": {"webHookEvent": {"topic": "REQUEST_CREATE", "appId": "a", "accountId": "b", "itemId": ident, "occurredAt": "2026-11-24T15:00:00Z"}}
        },
        "keap": {"event_key": "contact.add", "object_type": "contact", "object_keys": [{"id": ident, "timestamp": "2026-11-24T15:00:00Z"}]},
        "website": {"name": f"Walk {ident}", "phone": "512-555-0100", "message": ident},
    }  # fmt: skip
    if source == "jotform":
        form = f'--b\r\ncontent-disposition: form-data; name="submissionID"\r\n\r\n{ident}\r\n--b--\r\n'
        return form.encode(), "multipart/form-data; boundary=b"
    return json.dumps(bodies[source]).encode(), "application/json"


class Bridge:
    """Intake and one worker process's view of a tenant, on a clock that a test moves."""

    def __init__(self, database: Database, store: DeliveryStore, settings: Settings) -> None:
        self.database, self.store, self.settings = database, store, settings
        self.now = datetime.now(UTC) + timedelta(
            minutes=1
        )  # after the database's clock, by which deliveries enter the queue
        self.epoch = 0
        self.doors = bootstrap.doors_of(settings)
        self.fetcher: Fetcher
        self.completer: Completer
        self.deciders: ConfiguredDeciders

    async def start(self) -> None:
        """Be a new process: own the tenant's shard, know nothing of what was under way."""
        async with self.database.begin() as tx:
            worker_id = await ownership.join(tx, name="test", now=self.now)
            await tx.execute("UPDATE shard_leases SET worker_id = NULL")
            epochs = await ownership.take(tx, worker_id=worker_id, limit=64, now=self.now, lease=timedelta(days=9))
        self.epoch = epochs[shard_of(TENANT)]
        self.fetcher = bootstrap.fetcher_of(self.settings, self.doors)
        self.completer = Completer(self.fetcher)
        self.deciders = ConfiguredDeciders(self.settings, doors=self.doors, completer=self.completer)
        await self.deciders.store_version(self.database)

    async def stop(self) -> None:
        await self.completer.close()
        await self.fetcher.aclose()

    async def receive(self, source: str, ident: str) -> DeliveryId:
        """Take a signed webhook in."""
        door = self.doors[SourceId(source)]
        body, content_type = notice(source, ident)
        url = f"http://127.0.0.1:8080/hooks/{source}"
        bare = HookRequest(method="POST", url=url, headers=(("content-type", content_type),), body=body)
        request = door.connector.prove(bare, secret=Secret("s", SECRET), options=door.options, now=self.now)
        told = await received(self.store, door, request, now=self.now)
        assert isinstance(told, tuple), told
        return told[1].delivery_id

    async def step(self, *, settle: bool = True) -> Processed:
        """Process what is due; then let the fetches that are under way end."""
        async with self.database.connection() as connection:
            due = await queue.claim(connection, [TENANT], now=self.now, share=100)
        epochs = {shard_of(TENANT): self.epoch}
        done = await pipeline.process(self.database, self.deciders, due, epochs=epochs, now=self.now)
        if settle:
            await self.completer.settled()
        return done

    async def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        async with self.database.connection() as connection:
            return await (await connection.execute(query, list(values))).fetchall()

    async def state(self, delivery_id: DeliveryId) -> tuple[Any, ...]:
        rows = await self.rows("SELECT state, reason, name FROM delivery_states WHERE delivery_id = %s", delivery_id)
        return (*rows[0][:2], rows[0][2].title()) if rows else ("received", "", "")


@pytest.fixture
async def store(database_dsn: str) -> AsyncIterator[DeliveryStore]:
    opened = DeliveryStore(database_dsn)
    running = asyncio.create_task(opened.run())
    yield opened
    opened.close()
    await running


@pytest.fixture
async def stand_ins() -> AsyncIterator[str]:
    """The stand-ins on a free port, as `bridge simulator` serves them."""
    server = uvicorn.Server(configure(Simulator(seed=1)))
    running = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:
            await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/_senders"
    server.should_exit = True
    await running


@pytest.fixture
async def far() -> AsyncIterator[Far]:
    opened = await Far().open()
    yield opened
    await opened.close()


async def test_each_thin_sender_is_completed_from_its_api(
    database: Database, store: DeliveryStore, stand_ins: str, tmp_path: Path
) -> None:
    bases = {name: f"{stand_ins}/{api}" for name, api in STAND_INS.items()}
    bridge = Bridge(database, store, config(tmp_path, **bases))
    await bridge.start()
    taken = {name: await bridge.receive(name, "4071") for name in STAND_INS}
    assert set((await bridge.step()).waiting) == set(taken.values())
    await bridge.step()
    person = person_of("4071")
    assert person is not None
    for name, delivery_id in taken.items():
        state, reason, who = await bridge.state(delivery_id)
        assert state != "failed", (name, reason)
        assert who == f"{person.first} {person.last}", name
    await bridge.stop()


async def test_records_that_are_gone_or_refused_say_so(
    database: Database, store: DeliveryStore, stand_ins: str, tmp_path: Path
) -> None:
    bases = {name: f"{stand_ins}/{api}" for name, api in STAND_INS.items()}
    bridge = Bridge(database, store, config(tmp_path, **bases))
    await bridge.start()
    taken = {name: await bridge.receive(name, "gone-1") for name in STAND_INS}
    for _ in range(12):
        await bridge.step()
        bridge.now += timedelta(hours=2)
    found = {name: await bridge.state(delivery_id) for name, delivery_id in taken.items()}
    assert {name: reason for name, (_, reason, _) in found.items()} == dict.fromkeys(STAND_INS, "hydration_refused")
    await bridge.stop()


async def test_a_far_side_that_hangs_delays_nobody(
    database: Database, store: DeliveryStore, far: Far, tmp_path: Path
) -> None:
    far.act = far.hang
    bridge = Bridge(database, store, config(tmp_path, meta=f"http://127.0.0.1:{far.port}"))
    await bridge.start()
    thin = [await bridge.receive("meta", str(number)) for number in range(20)]
    whole = [await bridge.receive("website", str(number)) for number in range(3)]
    async with asyncio.timeout(5):  # the far side would take ten seconds to be given up
        done = await bridge.step(settle=False)
    assert [story.delivery_id for story in done.stories] == whole
    assert set(done.waiting) == set(thin)
    late = await bridge.receive("website", "late")
    async with asyncio.timeout(5):
        assert [story.delivery_id for story in (await bridge.step(settle=False)).stories] == [late]
    await bridge.stop()


async def test_a_worker_that_dies_while_fetching_leaves_the_fetch_to_the_next(
    database: Database, store: DeliveryStore, far: Far, tmp_path: Path
) -> None:
    far.act = far.hang
    bridge = Bridge(database, store, config(tmp_path, keap=f"http://127.0.0.1:{far.port}"))
    await bridge.start()
    delivery_id = await bridge.receive("keap", "5")
    await bridge.step(settle=False)
    dead, dead_fetcher = bridge.completer, bridge.fetcher  # nothing of it is told
    await bridge.start()
    far.act = reply(b'{"given_name": "Maria", "family_name": "Lopez", "phone_numbers": [{"number": "5125550142"}]}')
    assert await bridge.step() == Processed()  # the lease of the dead one still runs
    bridge.now += LEASE
    assert (await bridge.step()).waiting == (delivery_id,)
    await bridge.step()
    assert (await bridge.state(delivery_id))[2] == "Maria Lopez"
    await dead.close()
    await dead_fetcher.aclose()
    await bridge.stop()


async def test_a_worker_that_lost_its_tenant_writes_nothing(
    database: Database, store: DeliveryStore, far: Far, tmp_path: Path
) -> None:
    bridge = Bridge(database, store, config(tmp_path, keap=f"http://127.0.0.1:{far.port}"))
    await bridge.start()
    await bridge.receive("keap", "5")
    waiting = asyncio.Event()

    async def when_told(writer: asyncio.StreamWriter) -> None:
        await waiting.wait()
        await reply(b'{"given_name": "Maria"}')(writer)

    far.act = when_told
    await bridge.step(settle=False)
    before = await bridge.rows("SELECT due_at, attempts FROM delivery_queue")
    old, old_fetcher = bridge.completer, bridge.fetcher
    await bridge.start()
    waiting.set()
    await old.settled()
    assert await bridge.rows("SELECT count(*) FROM fetched") == [(0,)]
    assert await bridge.rows("SELECT due_at, attempts FROM delivery_queue") == before
    await old_fetcher.aclose()
    await bridge.stop()


async def test_a_replay_needs_no_network(database: Database, store: DeliveryStore, far: Far, tmp_path: Path) -> None:
    far.act = reply(LEAD)
    bridge = Bridge(database, store, config(tmp_path, meta=f"http://127.0.0.1:{far.port}"))
    await bridge.start()
    delivery_id = await bridge.receive("meta", "77")
    await bridge.step()
    await bridge.step()
    assert (await bridge.state(delivery_id))[2] == "Maria Lopez"
    effects = await bridge.rows("SELECT key FROM effects ORDER BY id")
    assert len(effects) >= 1
    await far.close()
    asked = len(far.seen)
    async with database.begin() as tx:
        await queue.replay(tx, TENANT, delivery_id, by="a test")
    bridge.now = datetime.now(UTC) + timedelta(minutes=1)
    done = await bridge.step()
    assert [story.state for story in done.stories] == ["processed"]
    assert len(far.seen) == asked
    assert await bridge.rows("SELECT key FROM effects ORDER BY id") == effects
    await bridge.stop()


async def test_what_cannot_be_fetched_fails_visibly_and_can_be_replayed(
    database: Database, store: DeliveryStore, far: Far, tmp_path: Path
) -> None:
    far.act = reply(b'{"error": {"code": 190, "fbtrace_id": "x"}}', status="400 Bad Request")
    bridge = Bridge(database, store, config(tmp_path, meta=f"http://127.0.0.1:{far.port}"))
    await bridge.start()
    delivery_id = await bridge.receive("meta", "78")
    for _ in range(10):
        await bridge.step()
        bridge.now += timedelta(hours=1)
    assert len(far.seen) == 3
    assert await bridge.state(delivery_id) == ("failed", "hydration_refused", "")
    said = await bridge.rows("SELECT sentence FROM delivery_states WHERE delivery_id = %s", delivery_id)
    assert "HTTP 400, code 190" in said[0][0]
    far.act = reply(LEAD)
    async with database.begin() as tx:
        await queue.replay(tx, TENANT, delivery_id, by="a test")
    bridge.now = datetime.now(UTC) + timedelta(minutes=1)
    await bridge.step()
    await bridge.step()
    assert await bridge.state(delivery_id) == ("processed", "processed", "Maria Lopez")
    await bridge.stop()


async def test_a_fetch_is_tried_again_with_growing_waits(
    database: Database, store: DeliveryStore, far: Far, tmp_path: Path
) -> None:
    far.act = reply(status="502 Bad Gateway")
    bridge = Bridge(database, store, config(tmp_path, meta=f"http://127.0.0.1:{far.port}"))
    await bridge.start()
    await bridge.receive("meta", "79")
    waits = []
    for spent in range(1, 5):
        await bridge.step()
        ((due_at, attempts),) = await bridge.rows("SELECT due_at, attempts FROM delivery_queue")
        assert attempts == spent
        waits.append((due_at - bridge.now).total_seconds())
        bridge.now = due_at
    assert waits == sorted(waits)
    assert waits[0] < 10 < waits[-1]
    await bridge.stop()


async def test_of_a_batch_what_is_known_is_done_and_what_is_missing_stays_visible(
    database: Database, store: DeliveryStore, far: Far, tmp_path: Path
) -> None:
    async def by_lead(writer: asyncio.StreamWriter) -> None:
        act = reply(LEAD) if b"/80?" in far.seen[-1] else reply(status="405 Method Not Allowed")
        await act(writer)

    far.act = by_lead
    bridge = Bridge(database, store, config(tmp_path, meta=f"http://127.0.0.1:{far.port}"))
    await bridge.start()
    door = bridge.doors[SourceId("meta")]
    changes = [{"field": "leadgen", "value": {"leadgen_id": ident}} for ident in ("80", "81")]
    bare = HookRequest(
        method="POST",
        url="http://127.0.0.1:8080/hooks/meta",
        headers=(("content-type", "application/json"),),
        body=json.dumps({"object": "page", "entry": [{"changes": changes}]}).encode(),
    )
    request = door.connector.prove(bare, secret=Secret("s", SECRET), options=door.options, now=bridge.now)
    await received(store, door, request, now=bridge.now)
    await bridge.step()
    await bridge.step()
    decided = await bridge.rows("SELECT state, reason FROM decisions ORDER BY ordinal")
    assert decided == [("processed", "processed"), ("failed", "hydration_refused")]
    assert await bridge.rows("SELECT state FROM delivery_states") == [("failed",)]
    assert await bridge.rows("SELECT kind FROM effects") == [("create_booking",)]
    await bridge.stop()


async def test_a_flood_of_thin_webhooks_takes_turns(
    database: Database, store: DeliveryStore, far: Far, tmp_path: Path
) -> None:
    far.act = far.hang
    bridge = Bridge(database, store, config(tmp_path, meta=f"http://127.0.0.1:{far.port}"))
    await bridge.start()
    for number in range(90):
        await bridge.receive("meta", f"9{number}")
    assert len((await bridge.step(settle=False)).waiting) == 90
    due = await bridge.rows("SELECT count(*) FROM delivery_queue WHERE due_at < %s", bridge.now + LEASE)
    assert due == [(26,)]
    await bridge.stop()
