"""A changed config is taken up while the program runs; one with faults is refused, said, and the old one stays in force."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.bootstrap import load_settings
from bridge.db.database import Database
from bridge.entrypoints import metrics, worker
from bridge.entrypoints.reloading import Reloader
from bridge.settings import Settings

GOOD = """tenants:
  acme: {tenant_id: 7, environment: simulator}
sources:
  web: {connector: generic, tenant: acme, unsigned: true}
"""
BETTER = GOOD.replace("unsigned: true}", "unsigned: true, title: Our form}")
BAD = BETTER.replace("tenant: acme", "tenant: acm").replace("generic", "generc")


class Running:
    """A reloader with the versions that were taken up."""

    def __init__(self, place: Path, *, look_seconds: float = 0.02) -> None:
        self.place = place
        self.used: list[Settings] = []
        self.fails = 0
        environ = {"BRIDGE_CONFIG": str(place)}
        self.reloader = Reloader(
            load_settings(environ=environ), use=self.use, environ=environ, look_seconds=look_seconds
        )

    async def use(self, settings: Settings) -> None:
        if self.fails:
            self.fails -= 1
            raise OSError
        self.used.append(settings)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.used) < count:
                await asyncio.sleep(0.01)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "bridge.yaml").write_text(GOOD)
    return tmp_path


async def test_a_bad_config_is_refused_with_every_fault_and_the_old_one_stays(place: Path) -> None:
    running = Running(place)
    before = running.reloader.settings
    (place / "bridge.yaml").write_text(BAD)
    with capture_logs() as logs:
        assert not await running.reloader.reload()
    assert running.reloader.settings is before
    assert not running.used
    assert metrics.config_refused._value.get() == 1
    (line,) = logs
    assert (line["event"], line["log_level"], line["kept"], line["count"]) == (
        "config.refused", "error", before.version.hash, 2,
    )  # fmt: skip
    assert 'did you mean "generic"?' in line["faults"][0]
    assert 'did you mean "acme"?' in line["faults"][1]
    (place / "bridge.yaml").write_text(BETTER)
    assert await running.reloader.reload()
    assert running.reloader.faults == ()
    assert metrics.config_refused._value.get() == 0
    assert running.used[0].version != before.version


async def test_a_changed_and_a_new_file_are_seen_and_an_untouched_one_is_not_read(place: Path) -> None:
    running = Running(place)
    watch = asyncio.create_task(running.reloader.run())
    (place / "bridge.yaml").write_text(BETTER)
    await running.until(1)
    (place / "rules.yaml").write_text("rules:\n  - name: r\n    do: [{never: [add_note]}]\n")
    await running.until(2)
    assert [len(settings.rules) for settings in running.used] == [0, 1]
    watch.cancel()


async def test_sighup_asks_at_once_and_the_same_text_changes_nothing(place: Path) -> None:
    running = Running(place, look_seconds=3600)
    watch = asyncio.create_task(running.reloader.run())
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGHUP)
    await asyncio.sleep(0.2)
    assert not running.used
    (place / "bridge.yaml").write_text(BETTER)
    os.kill(os.getpid(), signal.SIGHUP)
    await running.until(1)
    watch.cancel()


async def test_a_config_that_could_not_be_taken_up_is_tried_again(place: Path) -> None:
    running = Running(place)
    running.fails = 1
    watch = asyncio.create_task(running.reloader.run())
    (place / "bridge.yaml").write_text(BETTER)
    await running.until(1)
    watch.cancel()


async def test_a_worker_decides_by_the_new_version_and_keeps_its_text(
    place: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGE_CONFIG", str(place))
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(load_settings(), dsn=database.dsn, stop=stop))

    async def versions(count: int) -> list[str]:
        async with asyncio.timeout(30):
            while True:
                async with database.connection() as connection:
                    rows = await (await connection.execute("SELECT text FROM config_versions")).fetchall()
                if len(rows) >= count:
                    return [row[0] for row in rows]
                await asyncio.sleep(0.05)

    assert len(await versions(1)) == 1
    await asyncio.sleep(0.3)
    (place / "bridge.yaml").write_text(BETTER)
    assert any("Our form" in text for text in await versions(2))
    stop.set()
    await asyncio.wait_for(running, 30)
