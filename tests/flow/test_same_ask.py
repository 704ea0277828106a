"""One person, two sources, two servers, two workers and a change of owner in the middle: one booking."""

import asyncio
import contextlib
import itertools
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from bridge.bootstrap import doors_of, load_settings
from bridge.domain.delivery import HookRequest
from bridge.domain.ids import SourceId
from bridge.entrypoints import worker
from bridge.entrypoints.cli.demo_samples import samples
from bridge.intake.store import DeliveryStore
from bridge.settings import Settings
from tests.intake.senders import received, signed


@pytest.fixture
def simulator(free_port: int) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge", "simulator", "--port", str(free_port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    address = f"http://127.0.0.1:{free_port}"
    for _ in range(600):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/_simulator/time", timeout=1):
            break
        time.sleep(0.05)
    yield address
    process.terminate()
    process.wait()


@pytest.fixture
def settings(simulator: str) -> Settings:
    return load_settings(environ={"BRIDGE_SIMULATOR_URL": simulator})


@pytest.fixture
async def stores(database_dsn: str) -> AsyncIterator[list[DeliveryStore]]:
    opened = [DeliveryStore(database_dsn) for _ in range(2)]
    running = [asyncio.create_task(store.run()) for store in opened]
    yield opened
    for store in opened:
        store.close()
    await asyncio.gather(*running)


def requests_of_one_person(settings: Settings, count: int) -> list[tuple[str, HookRequest]]:
    """Return `count` different requests of Maria, through the website and Typeform in turn."""
    secrets = {str(name): source.secrets[0].value for name, source in settings.sources.items()}
    now = datetime.now(UTC)
    made = []
    for number in range(count):
        if number % 2:
            sample = samples(secrets, run=f"r{number}", now=int(now.timestamp()))[-1]
            headers, body, source = sample.headers, sample.body, "typeform"
        else:
            lead = {"name": "Maria Lopez", "phone": "(512) 555-0142", "message": f"number {number}"}
            headers, body = signed(f"msg_{number}", now=now, payload=lead, secret=secrets["website"])
            source = "website"
        url = f"http://bridge.example.com/hooks/{source}"
        made.append((source, HookRequest(method="POST", url=url, headers=tuple(headers.items()), body=body)))
    return made


async def until(condition: Callable[[], bool], *, seconds: float = 40.0) -> None:
    """Wait for a condition, or fail."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)


@pytest.mark.timeout(120)
async def test_thirty_two_at_once_are_one_booking(
    settings: Settings, stores: list[DeliveryStore], database_dsn: str, simulator: str
) -> None:
    doors = doors_of(settings)
    wanted = requests_of_one_person(settings, 32)
    servers = itertools.cycle(stores)

    async def send(source: str, request: HookRequest) -> None:
        now = datetime.now(UTC)
        told = await received(next(servers), doors[SourceId(source)], request, now=now)
        assert isinstance(told, tuple)

    with psycopg.connect(database_dsn, autocommit=True) as look:

        def count(query: str) -> int:
            row = look.execute(query).fetchone()
            return int(row[0]) if row else 0

        stop_first, stop_second = asyncio.Event(), asyncio.Event()
        first = asyncio.create_task(worker.run(settings, dsn=database_dsn, stop=stop_first))
        await asyncio.gather(*(send(*one) for one in wanted[:16]))
        await until(lambda: count("SELECT count(*) FROM decisions") > 0)
        second = asyncio.create_task(worker.run(settings, dsn=database_dsn, stop=stop_second))
        rest = asyncio.gather(*(send(*one) for one in wanted[16:]))
        stop_first.set()  # the owner leaves while half of the deliveries are under way
        await rest
        await first
        await until(lambda: count("SELECT count(*) FROM delivery_queue") == 0)
        await until(lambda: count("SELECT count(*) FROM outbox") == 0)
        stop_second.set()
        await second
        assert count("SELECT count(*) FROM deliveries") == 32
        assert count("SELECT count(*) FROM decisions") == 32
    with urllib.request.urlopen(f"{simulator}/_simulator/ledger?tenant=1000001", timeout=5) as answer:
        body = json.loads(answer.read())
    entries = body["entries"] if isinstance(body, dict) else body
    assert sum(entry["kind"] == "booking.created" for entry in entries) == 1
