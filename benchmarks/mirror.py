"""Measure the mirror: first load with match keys, then the same again with 1 % changed.

    python benchmarks/mirror.py --rows 1000000 --json    # minutes; --rows 50000 takes 60 s even on a busy machine
    python benchmarks/mirror.py --rows 50000 --http

`--rows` counts rows of all kinds (of 7: 2 customers, 2 to 3 locations, 3 contacts, near enough). The simulator's generator
writes the pages of the export feeds to a temporary folder first, in a process of its own, so that what is timed is ours:
decoding, COPY, upsert, normalizing, index. `--http` reads them from a simulator over HTTP instead. PostgreSQL is
DATABASE_URL, else an embedded one with durability on.
"""

import argparse
import asyncio
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import uvloop

from bridge.db import match_keys
from bridge.db.embedded import EmbeddedPostgres
from bridge.domain.ids import TenantId
from bridge.domain.outcome import Outcome, Succeeded
from bridge.mirror import cursors, feeds
from bridge.mirror.feeds import Source, Syncing
from bridge.mirror.keying import make_keys
from bridge.mirror.sync import open_session
from bridge.servicetitan.client import ServiceTitan
from bridge.servicetitan.credentials import Credentials
from bridge.servicetitan.transport import open_http
from bridge.servicetitan.wire import Export

TENANT = TenantId(1000001)
PAGE = 5000
KEYED = ("customers", "locations", "customer_contacts", "location_contacts")
ROWS_PER_CUSTOMER = 6.15  # of the generator's blocks: 1 customer, 1.45 locations, 1.85 and 1.45 contacts, rounded down


def write_pages(folder: Path, *, customers: int, seed: int) -> None:
    """Write every page twice: as first loaded, and with each hundredth row changed."""
    from bridge.simulator import generator

    town = generator.Town(seed=seed, customers=customers)
    encode = msgspec.json.Encoder().encode
    for feed in KEYED:
        batch: list[dict[str, Any]] = []
        number = 0

        def flush(*, last: bool) -> None:
            nonlocal batch, number
            for run in ("first", "again"):
                if run == "again":
                    for row in batch[::100]:
                        row["modifiedOn"] = "2026-11-20T12:00:00.0000000Z"
                        row["name" if "name" in row else "memo"] = f"Changed {row['id']}"
                page = {"hasMore": not last, "continueFrom": str(number + 1), "data": batch}
                (folder / f"{run}-{feed}-{number}.json").write_bytes(encode(page))
            batch, number = [], number + 1

        for row in generator.iterate(town, feed):
            if len(batch) == PAGE:
                flush(last=False)
            batch.append(row)
        flush(last=True)


def of_folder(folder: Path, run: str) -> Source:
    """Return the feeds as the files hold them, decoded as the client decodes them."""
    decoder = msgspec.json.Decoder(Export[msgspec.Raw])

    async def read(feed: str, place: str, recent: bool) -> Outcome:
        del recent
        content = (folder / f"{run}-{feed}-{place or 0}.json").read_bytes()
        return Succeeded(status=200, body=decoder.decode(content))

    return read


class Timed:
    """Adds up the time spent in a function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.seconds = 0.0

    def __call__(self, *given: Any, **named: Any) -> Any:
        started = time.perf_counter()
        result = self.function(*given, **named)
        self.seconds += time.perf_counter() - started
        return result


def database_cpu_seconds(session: psycopg.AsyncConnection) -> float:
    """Return what the session's server process used of a CPU, 0 where it cannot be seen from here."""
    try:
        fields = Path(f"/proc/{session.info.backend_pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib() -> float:
    """Return the most memory this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def load(session: psycopg.AsyncConnection, source: Source, *, say: Callable[[str], None]) -> dict[str, float]:
    async def clock() -> datetime:
        return datetime.now(UTC)

    sync = Syncing(session=session, tenant_id=TENANT, region="US", source=source, clock=clock)
    took: dict[str, float] = {}
    for feed in KEYED:
        started = time.perf_counter()
        outcome = await feeds.read_feed(sync, feed)
        assert isinstance(outcome, Succeeded), outcome
        took[feed] = time.perf_counter() - started
        say(f"  {feed} {took[feed]:.1f} s")
    started = time.perf_counter()
    if not cursors.has_keys((await cursors.read(session, TENANT)).get(cursors.KEYS)):
        await make_keys(sync)
    took["keys"] = time.perf_counter() - started
    say(f"  keys {took['keys']:.1f} s")
    return took


async def measure(dsn: str, source_of: Callable[[str], Source], *, say: Callable[[str], None]) -> dict[str, Any]:
    # As every role of the bridge does: what was imported is out of the collector's sight.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    session = await open_session(dsn)
    timed = Timed(match_keys.record_texts)
    match_keys.record_texts = timed  # type: ignore[assignment]
    started, cpu, database_cpu = time.perf_counter(), time.process_time(), database_cpu_seconds(session)
    first = await load(session, source_of("first"), say=say)
    first_seconds, first_cpu = time.perf_counter() - started, time.process_time() - cpu
    first_database_cpu = database_cpu_seconds(session) - database_cpu
    normalizing = timed.seconds
    counts = {
        table: (await (await session.execute(f"SELECT count(*) FROM {table}")).fetchone() or (0,))[0]
        for table in ("mirrored_customers", "mirrored_locations", "mirrored_contacts", "match_keys")
    }
    rows = sum(many for table, many in counts.items() if table.startswith("mirrored"))
    for feed in KEYED:
        await cursors.restart(session, TENANT, feed)  # as `bridge sync resume FEED --from-start`
    started, cpu, database_cpu = time.perf_counter(), time.process_time(), database_cpu_seconds(session)
    again = await load(session, source_of("again"), say=say)
    again_seconds, again_cpu = time.perf_counter() - started, time.process_time() - cpu
    again_database_cpu = database_cpu_seconds(session) - database_cpu
    await session.close()
    return {
        "rows": rows,
        "match_keys": counts["match_keys"],
        "first_load_seconds": round(first_seconds, 2),
        "first_load_rows_per_second": round(rows / first_seconds),
        "normalization_share": round(normalizing / first_seconds, 3),
        "cpu_us_per_row": round(first_cpu / rows * 1e6, 1),
        "database_cpu_us_per_row": round(first_database_cpu / rows * 1e6, 1),
        "resync_seconds": round(again_seconds, 2),
        "resync_rows_per_second": round(rows / again_seconds),
        "resync_cpu_us_per_row": round(again_cpu / rows * 1e6, 1),
        "resync_database_cpu_us_per_row": round(again_database_cpu / rows * 1e6, 1),
        "memory_mib": round(memory_mib(), 1),
        "parts": {name: round(seconds, 2) for name, seconds in first.items()},
        "resync_parts": {name: round(seconds, 2) for name, seconds in again.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--http", action="store_true", help="read from a simulator over HTTP")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write-pages", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    customers = max(20, int(given.rows / ROWS_PER_CUSTOMER))
    if given.write_pages:
        write_pages(given.write_pages, customers=customers, seed=given.seed)
        return
    load = round(os.getloadavg()[0], 2)  # figures count where this is near 0
    say: Callable[[str], None] = (lambda _text: None) if given.json else print
    with tempfile.TemporaryDirectory(prefix="bridge-mirror-") as folder:
        result = measured(given, Path(folder), customers=customers, say=say)
    result = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "load_before": load, **result}
    if given.json:
        print(json.dumps(result, indent=2))
    else:
        for name, value in result.items():
            print(f"{name:28} {value}")


def measured(given: argparse.Namespace, folder: Path, *, customers: int, say: Callable[[str], None]) -> dict[str, Any]:
    server = None
    dsn = os.environ.get("DATABASE_URL")
    if dsn is None:
        server = EmbeddedPostgres(folder / "postgres")
        dsn = server.start()
    try:
        with psycopg.connect(dsn, autocommit=True) as admin:
            admin.execute("DROP DATABASE IF EXISTS bridge_bench_mirror")
            admin.execute("CREATE DATABASE bridge_bench_mirror")
        dsn = psycopg.conninfo.make_conninfo(dsn, dbname="bridge_bench_mirror")
        url = to_url(dsn)
        # In a process of its own: what is measured here is the memory of one that syncs, which migrates nothing.
        code = "import sys; from bridge.db import migrations; migrations.upgrade(sys.argv[1])"
        subprocess.run([sys.executable, "-c", code, url], check=True)
        if given.http:
            return over_http(dsn, customers=customers, seed=given.seed, say=say)
        say(f"writing the pages of {customers:,} customers")
        words = ["--rows", str(given.rows), "--seed", str(given.seed), "--write-pages", str(folder)]
        subprocess.run([sys.executable, __file__, *words], check=True)
        return uvloop.run(measure(dsn, lambda run: of_folder(folder, run), say=say))
    finally:
        if server is not None:
            server.stop()


def to_url(dsn: str) -> str:
    parts = psycopg.conninfo.conninfo_to_dict(dsn)
    return f"postgresql://{parts.get('user', '')}@/{parts['dbname']}?host={parts.get('host', '')}" + (
        f"&port={parts['port']}" if parts.get("port") else ""
    )


def over_http(dsn: str, *, customers: int, seed: int, say: Callable[[str], None]) -> dict[str, Any]:
    port = 8391
    words = ["--port", str(port), "--seed", str(seed), "--customers", str(customers), "--rate-limit", "0"]
    simulator = subprocess.Popen([sys.executable, "-m", "bridge", "simulator", *words], stdout=subprocess.DEVNULL)
    try:

        async def go() -> dict[str, Any]:
            http = open_http()
            credentials = Credentials.for_environment(
                f"http://127.0.0.1:{port}",
                tenant_id=TENANT,
                client_id="cid.demo",
                client_secret="cs1.demo",
                app_key="ak1.demo",
            )
            for _ in range(200):
                try:
                    await http.get(f"http://127.0.0.1:{port}/_simulator/ledger")
                    break
                except Exception:
                    await asyncio.sleep(0.1)
            client = ServiceTitan(credentials, http, lambda: datetime.now(UTC))
            try:
                return await measure(dsn, lambda _run: feeds.of_client(client), say=say)
            finally:
                await http.aclose()

        return uvloop.run(go())
    finally:
        simulator.terminate()
        simulator.wait()


if __name__ == "__main__":
    main()
