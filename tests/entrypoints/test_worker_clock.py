"""When a request may have gone is told by the database's clock: the owner after a crash counts from it, on another machine."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge import bootstrap
from bridge.bootstrap import load_settings
from bridge.db import database as module
from bridge.db.database import Database
from bridge.entrypoints import worker
from tests.sending.world import booking, put

CONFIG = """tenants: {acme: {tenant_id: 1000001, environment: simulator, booking_provider: 501}}
sources: {website: {connector: generic, tenant: acme, unsigned: true}}
"""


async def test_a_worker_whose_machine_is_late_writes_the_time_of_the_database(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "wall_clock", lambda: datetime.now(UTC) - timedelta(minutes=10))
    (tmp_path / "bridge.yaml").write_text(CONFIG)
    settings = load_settings(tmp_path, environ={"BRIDGE_SIMULATOR_URL": "http://127.0.0.1:9"})  # nobody listens there
    async with database.begin() as tx:
        await put(tx, booking(), now=await database.now())
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(settings, dsn=database.dsn, stop=stop))
    async with asyncio.timeout(30), database.connection() as connection:
        while True:
            rows = await connection.execute("SELECT greatest(now() - at, now() - sent_at) FROM attempts")
            if found := await rows.fetchall():
                break
            await asyncio.sleep(0.05)
    stop.set()
    await asyncio.wait_for(running, 30)
    assert found[0][0] < timedelta(minutes=1)


async def test_the_time_goes_on_from_what_the_database_told(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, steady = await database.now(), module._steady()
    assert abs(told - datetime.now(UTC)) < timedelta(seconds=10)
    monkeypatch.setattr(module, "_steady", lambda: steady + 25)
    assert timedelta(seconds=24) < database.time() - told < timedelta(seconds=26)
    monkeypatch.setattr(module, "_steady", lambda: steady + 3_600)  # it slept
    assert timedelta(minutes=59) < database.time() - told
    assert abs(await database.now() - told) < timedelta(seconds=10)  # and asks again
