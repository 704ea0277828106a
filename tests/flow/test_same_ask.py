"""One person, two sources, two server processes, two workers and a change of owner in the middle: one booking."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

import httpx
import psycopg
import pytest

from bridge.bootstrap import load_settings
from bridge.db.ownership import shard_of
from bridge.domain.ids import TenantId
from bridge.entrypoints.cli.demo_samples import samples
from tests.intake.senders import signed
from tests.ports import unused_port

TENANT = TenantId(1000001)
Request = tuple[str, dict[str, str], bytes]


@pytest.fixture
def simulator(free_port: int) -> Iterator[str]:
    process = start("simulator", "--port", str(free_port))
    address = f"http://127.0.0.1:{free_port}"
    for _ in range(600):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/_simulator/time", timeout=1):
            break
        time.sleep(0.05)
    yield address
    process.terminate()
    process.wait()


def start(*words: str, **environ: str) -> subprocess.Popen[bytes]:
    """Start a role of the bridge as a process of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
    return subprocess.Popen(
        [sys.executable, "-m", "bridge", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=kept | {"BRIDGE_CONFIG": ""} | environ,
    )


def end(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """End processes that we started."""
    for process in processes:
        process.kill()
        process.wait()


def requests_of_one_person(count: int) -> list[Request]:
    """Return `count` different requests of Maria, through the website and Typeform in turn."""
    sources = load_settings(environ={}).sources
    secrets = {str(name): source.secrets[0].value for name, source in sources.items()}
    now = datetime.now(UTC)
    made: list[Request] = []
    for number in range(count):
        if number % 2:
            sample = samples(secrets, run=f"r{number}", now=int(now.timestamp()))[-1]
            made.append(("typeform", sample.headers, sample.body))
        else:
            lead = {"name": "Maria Lopez", "phone": "(512) 555-0142", "message": f"number {number}"}
            made.append(("website", *signed(f"msg_{number}", now=now, payload=lead, secret=secrets["website"])))
    return made


async def until(condition: Callable[[], bool], *, seconds: float = 60.0) -> None:
    """Wait for a condition, or fail."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.timeout(180)
async def test_thirty_two_at_once_through_two_servers_are_one_booking(database_dsn: str, simulator: str) -> None:
    environ = {"DATABASE_URL": database_dsn, "BRIDGE_SIMULATOR_URL": simulator}
    ports = [unused_port() for _ in range(2)]
    roles = [start("serve", **environ, BRIDGE_PORT=str(port)) for port in ports] + [start("work", **environ)]
    with contextlib.ExitStack() as ends:
        ends.callback(end, roles)
        look = ends.enter_context(psycopg.connect(database_dsn, autocommit=True))

        def count(query: str) -> int:
            row = look.execute(query).fetchone()
            return int(row[0]) if row and row[0] is not None else 0

        def owner() -> int:
            return count(f"SELECT worker_id FROM shard_leases WHERE shard = {shard_of(TENANT)}")

        async with (
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports[0]}", timeout=30) as here,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports[1]}", timeout=30) as there,
        ):

            async def send(number: int, request: Request) -> int:
                source, headers, body = request
                server = (here, there)[number // 2 % 2]  # each server gets both sources
                return (await server.post(f"/hooks/{source}", headers=headers, content=body)).status_code

            async def is_ready(server: httpx.AsyncClient) -> None:
                async with asyncio.timeout(60):
                    while True:
                        with contextlib.suppress(httpx.TransportError):
                            if (await server.get("/readyz")).status_code == 200:
                                return
                        await asyncio.sleep(0.1)

            await asyncio.gather(is_ready(here), is_ready(there))
            await until(lambda: owner() > 0)
            first = owner()
            wanted = list(enumerate(requests_of_one_person(32)))
            early = [asyncio.create_task(send(*one)) for one in wanted[:16]]
            await until(lambda: count("SELECT count(*) FROM decisions") > 0)
            roles.append(start("work", **environ))
            late = [asyncio.create_task(send(*one)) for one in wanted[16:]]
            roles[2].terminate()  # amid the deliveries, while its successor is only starting
            assert set(await asyncio.gather(*early, *late)) == {202}
        await until(lambda: count("SELECT count(*) FROM decisions") == 32)
        await until(lambda: count("SELECT count(*) FROM delivery_queue") == 0)
        await until(lambda: count("SELECT count(*) FROM outbox") == 0)
        assert owner() > first
        assert count("SELECT count(*) FROM deliveries") == 32
        assert count("SELECT count(DISTINCT source_id) FROM deliveries") == 2
    with urllib.request.urlopen(f"{simulator}/_simulator/ledger?tenant={TENANT}", timeout=5) as answer:
        body = json.loads(answer.read())
    entries = body["entries"] if isinstance(body, dict) else body
    assert sum(entry["kind"] == "booking.created" for entry in entries) == 1
