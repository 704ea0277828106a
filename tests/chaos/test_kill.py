"""Outages of every kind, with real processes, a real PostgreSQL and the simulator over real sockets: none lost, none doubled."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from bridge.db import migrations
from bridge.db.database import Database, Tx
from bridge.db.embedded import EmbeddedPostgres
from bridge.domain.command import ContactMethod, CreateBooking, kind_of
from bridge.domain.ids import DecisionId, DeliveryId, SourceId, TenantId
from bridge.domain.plan import Effect, effect_key
from bridge.sending import outbox

ROOT = Path(__file__).parents[2]
TENANT = TenantId(1000001)
POINTS = (
    "during_intent_commit",
    "after_intent_commit",
    "before_send",
    "after_bytes_sent",
    "after_response",
    "before_outcome_commit",
    "during_outcome_commit",
    "after_outcome_commit",
)
FAULTS: dict[str, dict[str, Any]] = {
    "none": {},
    "rate_limit": {"action": "rate_limit", "seconds": 1.0},
    "error_before": {"action": "error_before"},
    "error_after": {"action": "error_after"},
    "drop_after": {"action": "drop_after"},
    "timeout_after": {"action": "timeout_after", "seconds": 6.0},
}
TIMES = 4  # hits of a fault; more in a row open the breaker, which rests for longer than a cell may last
COUNT = 40


@pytest.fixture
def simulator(free_port: int) -> Iterator[str]:
    """The simulator as a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "bridge", "simulator", "--port", str(free_port)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{free_port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
async def far(simulator: str) -> AsyncIterator[httpx.AsyncClient]:
    """A way to ask the simulator."""
    async with httpx.AsyncClient(base_url=simulator, timeout=10) as client:
        for _ in range(200):
            try:
                await client.get("/_simulator/ledger")
            except httpx.HTTPError:
                await asyncio.sleep(0.1)
            else:
                break
        yield client


def start(dsn: str, simulator: str, point: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("worker.py"), dsn, simulator, point],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    with process.stdout as said:
        assert said.readline() == b"ready\n"
    return process


async def put(database: Database, numbers: range) -> list[str]:
    async with database.begin() as tx:
        return await put_in(tx, numbers)


async def put_in(tx: Tx, numbers: range) -> list[str]:
    effects = []
    for number in numbers:
        command = CreateBooking(
            source="Website",
            name=f"Person {number}",
            summary="asks",
            is_first_time_client=True,
            contacts=(ContactMethod(type="Phone", value="+15125550142"),),
        )
        key = effect_key(tenant_id=TENANT, kind=kind_of(command), target="", inquiry_key=str(number))
        effects.append(Effect(key=key, command=command, lane=f"party:{number % 7}"))
    await outbox.put(
        tx,
        tenant_id=TENANT,
        source_id=SourceId("website"),
        delivery_id=DeliveryId(1),
        decision_id=DecisionId(1),
        effects=effects,
        now=datetime.now(UTC),
    )
    return [effect.key for effect in effects]


async def empty(database: Database, *, seconds: float) -> None:
    """Wait until the outbox is empty."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                async with database.connection() as connection:
                    row = await (await connection.execute("SELECT count(*) FROM outbox")).fetchone()
            except psycopg.Error:
                row = None
            if row == (0,):
                return
            await asyncio.sleep(0.1)


async def made(far: httpx.AsyncClient) -> list[str]:
    answer = (await far.get("/_simulator/ledger", params={"kind": "booking.created", "limit": 1_000_000})).json()
    entries = answer["entries"] if isinstance(answer, dict) else answer
    return [entry["externalId"] for entry in entries]


async def suffer(far: httpx.AsyncClient, fault: str) -> None:
    """Let the far side misbehave now and then."""
    if FAULTS[fault]:
        rule = {**FAULTS[fault], "method": "POST", "path": "/bookings", "times": TIMES, "probability": 0.3}
        (await far.post("/_simulator/faults", json=[rule])).raise_for_status()


@pytest.mark.parametrize(("point", "fault"), list(zip(POINTS, (*FAULTS, "error_after", "drop_after"), strict=True)))
async def test_a_kill_at_any_point_loses_nothing_and_doubles_nothing(
    database: Database, database_dsn: str, simulator: str, far: httpx.AsyncClient, point: str, fault: str
) -> None:
    """Each point with one fault; `python -m tests.chaos.matrix` plays each with all."""
    await suffer(far, fault)
    wanted = await put(database, range(COUNT))
    dying = start(database_dsn, simulator, point)
    await asyncio.to_thread(dying.wait, 30)
    assert dying.returncode == -signal.SIGKILL
    living = start(database_dsn, simulator, "")
    try:
        await empty(database, seconds=40)
        assert sorted(await made(far)) == sorted(wanted)
    finally:
        living.send_signal(signal.SIGTERM)
        await asyncio.to_thread(living.wait, 20)
    assert living.returncode == 0


async def test_connections_cut_again_and_again_lose_nothing(
    database: Database, database_dsn: str, simulator: str, far: httpx.AsyncClient
) -> None:
    workers = [start(f"{database_dsn}&application_name=worker", simulator, "") for _ in range(2)]
    wanted = []
    try:
        async with await psycopg.AsyncConnection.connect(database_dsn, autocommit=True) as storm:
            for part in range(5):
                wanted += await put(database, range(part * 20, part * 20 + 20))
                await storm.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND application_name = 'worker'"
                )
                await asyncio.sleep(0.4)
        await empty(database, seconds=40)
        assert sorted(await made(far)) == sorted(wanted)
    finally:
        for worker in workers:
            worker.kill()
            await asyncio.to_thread(worker.wait, 20)


@pytest.mark.timeout(240)
async def test_restarts_of_the_database_amid_sending_lose_nothing(
    tmp_path: Path, simulator: str, far: httpx.AsyncClient
) -> None:
    server = EmbeddedPostgres(tmp_path / "own", options={"fsync": "off"})
    dsn = server.start()
    migrations.upgrade(dsn)
    database = Database(dsn, max_size=4)
    await database.open()
    workers = [start(dsn, simulator, "") for _ in range(2)]
    wanted = []
    try:
        for part, how in enumerate((signal.SIGINT, signal.SIGQUIT)):  # in good order, and as after a crash
            wanted += await put(database, range(part * 45, part * 45 + 45))
            async with asyncio.timeout(60):
                while len(await made(far)) < part * 45 + 10:
                    await asyncio.sleep(0.005)
            assert len(await made(far)) < part * 45 + 45, "the restart came too late to fall amid sending"
            assert server._process is not None
            server._process.send_signal(how)
            server.stop()
            server.start()
            await empty(database, seconds=90)
        assert sorted(await made(far)) == sorted(wanted)
    finally:
        for worker in workers:
            worker.kill()
            await asyncio.to_thread(worker.wait, 20)
        await database.close()
        server.stop()


@pytest.mark.timeout(240)
async def test_a_held_transaction_stops_no_sending_and_what_it_wrote_is_sent_when_it_ends(
    database: Database, database_dsn: str, simulator: str, far: httpx.AsyncClient
) -> None:
    workers = [start(database_dsn, simulator, "") for _ in range(2)]
    try:
        async with database.begin() as tx:
            await outbox.enter(tx, [TENANT])  # as a worker does at its start
        others = []
        async with await psycopg.AsyncConnection.connect(database_dsn) as holder:
            held = await put_in(
                holder, range(4)
            )  # the tenant's very first, drew its ids first, and is open for as long as all others take
            others += await put(database, range(4, 60))
            await empty(database, seconds=60)
            others += await put(database, range(60, 80))
            await empty(database, seconds=60)
            assert sorted(await made(far)) == sorted(others)
            await holder.commit()
        await empty(database, seconds=60)
        assert sorted(await made(far)) == sorted(held + others)
    finally:
        for worker in workers:
            worker.kill()
            await asyncio.to_thread(worker.wait, 20)
