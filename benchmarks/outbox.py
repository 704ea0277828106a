# ruff: noqa: ARG002  stands in for an interface and uses part of it, or prints to people
"""The outbox against a no-op far side, beside pgqueuer and procrastinate, all on one durable PostgreSQL in the same run.

Ours runs with everything on: order per party, fence, committed intents, recorded outcomes with history, budget, breakers.

    python benchmarks/outbox.py --json [--peers PYTHON] [--deep ROWS] [--held SECONDS]

`--peers` is an interpreter that has pgqueuer and procrastinate (requirements/bench.in); without it only ours is measured.
`--deep` burns down the first of so many waiting messages beside as many finished ones, `--held` behind a transaction that stays
open; each is compared with rounds of the same run, `--held` with some before and some after it, by the clock and by CPU (ours and
PostgreSQL's), which other work on the machine changes less.
"""

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.end_to_end import cpu_of
from bridge.db import migrations, ownership
from bridge.db.database import Database
from bridge.db.ear import hear
from bridge.db.embedded import EmbeddedPostgres
from bridge.domain.command import ContactMethod, CreateBooking, kind_of
from bridge.domain.ids import DecisionId, DeliveryId, SourceId, TenantId
from bridge.domain.outcome import Outcome, Succeeded
from bridge.domain.plan import Effect, effect_key
from bridge.sending import outbox
from bridge.sending.dispatcher import Dispatcher
from bridge.sending.findings import Finding, Found
from bridge.sending.outbox import Wanted
from bridge.sending.run import run
from bridge.sending.settings import SendingSettings
from bridge.sending.wakeups import CHANNEL

TENANTS = 20
PARTIES = 5_000
BATCH = 500
DURABLE = {"shared_buffers": "1GB", "max_wal_size": "8GB", "max_connections": "60", "checkpoint_timeout": "15min"}
SETTINGS = SendingSettings(batch=1_000, read=500, window=1_500, in_flight=500, rate=1e9, burst=1e9)


class Everything:
    """Ownership of all shards, without the thread."""

    def __init__(self) -> None:
        self.owned: Mapping[int, int] = {}
        self.leaving: frozenset[int] = frozenset()

    def holds(self, shard: int, epoch: int) -> bool:
        return self.owned.get(shard) == epoch

    def let_go(self, shard: int) -> None:
        pass


@contextmanager
def server() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="bridge-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder), options=DURABLE) as running:
            yield running.dsn


def fresh(dsn: str, name: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name}")
    host = psycopg.conninfo.conninfo_to_dict(dsn)["host"]
    return f"postgresql://postgres@/{name}?host={host}"


def effect(number: int, tenant: TenantId) -> Effect:
    command = CreateBooking(
        source="Website",
        name="Pat Example",
        summary="No cooling upstairs, the unit is about twelve years old.",
        is_first_time_client=True,
        contacts=(ContactMethod(type="MobilePhone", value="+15125550142"),),
    )
    key = effect_key(tenant_id=tenant, kind=kind_of(command), target="", inquiry_key=str(number))
    return Effect(key=key, command=command, lane=f"party:{number % PARTIES}")


async def fill(database: Database, count: int, *, first: int = 0) -> float:
    """Put `count` effects and return how many per second."""
    wanted = []
    for number in range(first, first + count):
        tenant = TenantId(1_000 + number % TENANTS)
        wanted.append(
            Wanted(tenant, SourceId("website"), DeliveryId(number), DecisionId(number), [effect(number, tenant)])
        )
    began = time.perf_counter()
    for at in range(0, count, BATCH):
        async with database.begin() as tx:
            await outbox.put_many(tx, wanted[at : at + BATCH], now=datetime.now(UTC))
    return count / (time.perf_counter() - began)


class Counter:
    """A far side that does nothing and counts; it says when the last has come."""

    def __init__(self) -> None:
        self.left = 0
        self.all = asyncio.Event()
        self.began: dict[str, float] = {}
        self.waits: list[float] = []

    async def execute(self, client: Any, loaded: Any, refs: Any, *, now: datetime) -> Outcome:
        if self.began:
            started = self.began.pop(loaded.key, None)
            if started is not None:
                self.waits.append(time.perf_counter() - started)
        return Succeeded(status=200, body={"": 1})

    def expect(self, count: int) -> None:
        """Count anew."""
        self.left = count
        self.all.clear()

    async def look_up(self, client: Any, loaded: Any, refs: Any, *, sent_at: datetime) -> Finding:
        return Found()

    def recorded(self, record: Any) -> None:
        self.left -= 1
        if self.left <= 0:
            self.all.set()


class Worker(NamedTuple):
    """One owner of all shards, who knows what was read so far, and its far side."""

    dispatcher: Dispatcher
    far: Counter


async def worker_of(database: Database) -> Worker:
    owner, far = Everything(), Counter()
    async with database.begin() as tx:
        now = datetime.now(UTC)
        worker = await ownership.join(tx, name="bench", now=now)
        await tx.execute("UPDATE shard_leases SET worker_id = NULL")
        owner.owned = await ownership.take(tx, worker_id=worker, limit=64, now=now, lease=ownership.timedelta(hours=1))
    dispatcher = Dispatcher(
        database,
        clients=lambda _: None,  # type: ignore[arg-type,return-value]
        ownership=owner,
        clock=lambda: datetime.now(UTC),
        execute=far.execute,
        look_up=far.look_up,
        settings=SETTINGS,
        on_record=far.recorded,
    )
    return Worker(dispatcher, far)


async def burn(database: Database, count: int, worker: Worker | None = None) -> dict[str, float]:
    """Send `count` waiting messages and return messages per second and what a message costs in CPU.

    By the `worker` given, which works on where it left, or by one that has just taken all shards over.
    """
    dispatcher, far = worker or await worker_of(database)
    far.expect(count)
    async with database.connection() as connection:
        postgres = parent_of(connection.info.backend_pid)
    stop = asyncio.Event()
    theirs, ours, began = cpu_of(postgres, children=True), time.process_time(), time.perf_counter()
    dispatcher.wake()
    working = asyncio.create_task(run(dispatcher, stop))
    await far.all.wait()
    seconds, ours = time.perf_counter() - began, time.process_time() - ours
    theirs = cpu_of(postgres, children=True) - theirs
    stop.set()
    dispatcher.wake()
    await working
    return {
        "per_second": round(count / seconds),
        "client_cpu_us": round(ours / count * 1e6, 2),
        "postgres_cpu_us": round(theirs / count * 1e6, 2),
        "messages": count,
    }


def parent_of(pid: int) -> int:
    """Return the process that started another."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def middle(rounds: list[dict[str, float]]) -> dict[str, Any]:
    """Return the median speed and the median CPU a message of some rounds, with the speed of each."""
    return {
        "per_second": statistics.median(one["per_second"] for one in rounds),
        "cpu_us": round(statistics.median(one["client_cpu_us"] + one["postgres_cpu_us"] for one in rounds), 2),
        "rounds": [one["per_second"] for one in rounds],
    }


async def normal(database: Database, messages: int, worker: Worker, *, first: int) -> list[dict[str, float]]:
    """Fill and burn down five times in tables that hold little else."""
    rounds = []
    for number in range(5):
        await fill(database, messages, first=first + number * 10**7)
        rounds.append(await burn(database, messages, worker))
    return rounds


async def latency(database: Database, dsn: str, *, rate: int, seconds: float) -> dict[str, float]:
    """Put one at a time and return how long each takes from commit to the call of the far side."""
    dispatcher, far = await worker_of(database)
    far.expect(10**9)
    stop = asyncio.Event()
    working = asyncio.create_task(run(dispatcher, stop))
    hearing = asyncio.create_task(hear(dsn, {CHANNEL: dispatcher.wake}))
    await asyncio.sleep(0.3)
    began = time.perf_counter()
    for number in range(int(rate * seconds)):
        wanted = effect(10**8 + number, TenantId(1_000))
        async with database.begin() as tx:
            await outbox.put(
                tx,
                tenant_id=TenantId(1_000),
                source_id=SourceId("website"),
                delivery_id=DeliveryId(1),
                decision_id=DecisionId(1),
                effects=[wanted],
                now=datetime.now(UTC),
            )
        far.began[wanted.key] = time.perf_counter()
        dispatcher.wake()
        await asyncio.sleep(max(0.0, began + (number + 1) / rate - time.perf_counter()))
    await asyncio.sleep(0.5)
    stop.set()
    dispatcher.wake()
    await working
    hearing.cancel()
    waits = sorted(far.waits)
    return {
        "rate": rate,
        "count": len(waits),
        "p50_ms": round(statistics.median(waits) * 1e3, 2),
        "p99_ms": round(waits[int(len(waits) * 0.99)] * 1e3, 2),
    }


async def deepen(database: Database, rows: int) -> float:
    """Add `rows` waiting and as many finished messages with plain SQL, and return how long that took."""
    began = time.perf_counter()
    key = "lpad(to_hex(id), 32, '0')::uuid"
    async with database.connection() as connection:
        await connection.execute("SET synchronous_commit = off")
        step = 500_000
        for at in range(0, rows, step):
            await connection.execute(
                f"WITH n AS (SELECT nextval('effect_ids') AS id FROM generate_series(1, {min(step, rows - at)})),"
                " w AS (INSERT INTO outbox (tenant_id, id, created_at, due_at, priority, kind, lane, source_id)"
                " SELECT 1000 + id % 20, id, '2026-11-24', '2026-11-24', 5, 'create_booking', 'party:' || id % 5000,"
                " 'website' FROM n), k AS (INSERT INTO effect_keys SELECT 1000 + id % 20, " + key + ", id, id FROM n)"
                " INSERT INTO effects SELECT 1000 + id % 20, id, '2026-11-24', " + key + ", 'create_booking',"
                " 'party:' || id % 5000, 'website', id, id, '', 5, NULL,"
                ' \'{"type":"create_booking","source":"Website","name":"Pat Example","summary":"No cooling upstairs",'
                '"is_first_time_client":true}\' FROM n'
            )
            await connection.execute(
                f"INSERT INTO attempts (tenant_id, effect_id, at, number, outcome, settles, epoch)"
                f" SELECT 1000 + g % 20, g, '2026-11-24', 1, 'succeeded', 1, 1 FROM generate_series({at}, {at + step}) g"
            )
        await connection.execute("SET synchronous_commit = on")
        # What a table that grew to this size has behind it; none of it is the cost of a message.
        await connection.execute("VACUUM (ANALYZE) outbox, effects, effect_keys, attempts")
        await connection.execute("CHECKPOINT")
    return time.perf_counter() - began


async def measure(dsn: str, asked: argparse.Namespace) -> dict[str, Any]:
    address = fresh(dsn, "ours")
    migrations.upgrade(address)
    database = Database(address, min_size=2, max_size=6)
    await database.open()
    found: dict[str, Any] = {}
    found["put_per_second"] = round(await fill(database, asked.messages))
    found["burn_down"] = await burn(database, asked.messages)
    found["latency"] = await latency(database, address, rate=200, seconds=asked.seconds)
    if asked.held or asked.deep:
        worker = await worker_of(database)
        usual = await normal(database, asked.messages, worker, first=3 * 10**8)
    if asked.held:
        held, taken_over, worker = await behind_a_held_transaction(database, address, asked, worker)
        usual += await normal(database, asked.messages, worker, first=2 * 10**9)
        late = middle(held[len(held) // 2 :])
        found["held"] = {"seconds": asked.held, **late, **compared(late, middle(usual)), "taken_over": taken_over}
        found["held"]["rounds"] = middle(held)["rounds"]
    if asked.held or asked.deep:
        found["normal"] = middle(usual)
    if asked.deep:
        seconds = await deepen(database, asked.deep)
        rounds = middle([await burn(database, asked.messages) for _ in range(3)])
        found["deep"] = {
            "rows": asked.deep,
            "loaded_in_s": round(seconds),
            **rounds,
            **compared(rounds, found["normal"]),
        }
    found["peak_rss_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    await database.close()
    return found


async def behind_a_held_transaction(
    database: Database, address: str, asked: argparse.Namespace, worker: Worker
) -> tuple[list[dict[str, float]], dict[str, float], Worker]:
    """Hold a transaction with a snapshot and an id open, and burn down behind it again and again.

    The second half of the rounds counts: most rows that nobody can clear away are there by then. At the end another worker
    takes over, who has to read past all of them; then the transaction ends and they are cleared away.
    """
    async with await psycopg.AsyncConnection.connect(address) as holder:
        await holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await holder.execute("SELECT pg_current_xact_id(), count(*) FROM workers")
        began, rounds, first = time.perf_counter(), [], 4 * 10**8
        while time.perf_counter() - began < asked.held:
            await fill(database, asked.messages, first=first)
            rounds.append(await burn(database, asked.messages, worker))
            first += 10**7
        await fill(database, asked.messages, first=first)
        successor = await worker_of(database)
        taken_over = await burn(database, asked.messages, successor)
        await holder.rollback()
    async with database.connection() as connection:
        await connection.execute("VACUUM outbox, intents")
    return rounds, taken_over, successor


def compared(found: dict[str, Any], usual: dict[str, Any]) -> dict[str, float]:
    """Return the share of the usual speed and how many times the usual CPU a message took."""
    return {
        "share_of_normal": round(found["per_second"] / usual["per_second"], 2),
        "times_cpu_of_normal": round(found["cpu_us"] / usual["cpu_us"], 2),
    }


def peers(python: str, dsn: str, messages: int) -> dict[str, Any]:
    script = Path(__file__).with_name("outbox_peers.py")
    found = {}
    for name, count in (("pgqueuer", messages), ("procrastinate", 2_000)):
        done = subprocess.run(
            [python, script, name, fresh(dsn, name), str(count)], capture_output=True, text=True, check=False
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        found[name] = json.loads(lines[-1]) if lines else {"error": done.stderr[-400:]}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--held", type=float, default=0.0)
    parser.add_argument("--deep", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--peers", default="")
    asked = parser.parse_args()
    report: dict[str, Any] = {"at": datetime.now(UTC).isoformat(), "cores": os.cpu_count(), "rounds": []}
    with server() as dsn:
        for _ in range(asked.rounds):
            load = os.getloadavg()[0]
            ours = uvloop.run(measure(dsn, asked))
            found = {"load_before": round(load, 2), "ours": ours}
            if asked.peers:
                found |= peers(asked.peers, dsn, asked.messages // 2)
                rate = found.get("pgqueuer", {}).get("per_second")
                if rate:
                    found["times_pgqueuer"] = round(ours["burn_down"]["per_second"] / rate, 2)
            report["rounds"].append(found)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
