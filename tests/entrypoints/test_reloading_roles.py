"""The real processes take a changed config up, refuse a bad one, and a decision names the version that made it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from bridge.bootstrap import load_settings

pytestmark = pytest.mark.slow

GOOD = """\
tenants:
  acme: {tenant_id: 1000001, environment: simulator}
sources:
  web: {connector: generic, tenant: acme, unsigned: true}
"""
BAD = GOOD.replace("tenant: acme", "tenant: acm")
BETTER = """\
tenants:
  acme: {tenant_id: 1000001, environment: simulator}
  beta: {tenant_id: 1000002, environment: simulator}
sources:
  web: {connector: generic, tenant: acme, unsigned: true}
  beta-web: {connector: generic, tenant: beta, unsigned: true}
rules:
  - name: Ask first
    do: [{hold: is it real?}]
"""
LEAD = {"name": "Dana Cruz", "phone": "(512) 555-0142", "message": "The AC is out."}


class Roles:
    """`serve`, `work` and `sync` in processes of their own, with the simulator they talk to."""

    def __init__(self, folder: Path, dsn: str, ports: tuple[int, int]) -> None:
        self.folder, self.dsn, self.ports = folder, dsn, ports
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, role: str, *arguments: str) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")} | {
            "DATABASE_URL": self.dsn,
            "BRIDGE_PORT": str(self.ports[0]),
            "BRIDGE_SIMULATOR_URL": f"http://127.0.0.1:{self.ports[1]}",
            "BRIDGE_CONFIG": str(self.folder / "config"),
            "PYTHONUNBUFFERED": "1",
        }
        with (self.folder / f"{role}.log").open("wb") as log:
            self.processes[role] = subprocess.Popen(
                [sys.executable, "-m", "bridge", role, *arguments], env=environ, stdout=log, stderr=subprocess.STDOUT
            )

    def write(self, config: str) -> str:
        """Write the config and return its version, empty where it has none."""
        place = self.folder / "config"
        place.mkdir(exist_ok=True)
        (place / "bridge.yaml").write_text(config)
        with contextlib.suppress(Exception):
            return load_settings(place).version.hash
        return ""

    def logged(self, role: str, event: str) -> list[Mapping[str, Any]]:
        lines = (self.folder / f"{role}.log").read_text(errors="replace").splitlines()
        return [found for line in lines if line.startswith("{") and (found := json.loads(line)).get("event") == event]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(query).fetchall()

    def until(self, what: str, holds: Callable[[], object]) -> None:
        for _ in range(600):
            with contextlib.suppress(OSError, httpx.TransportError):
                if holds():
                    return
            ended = [role for role, process in self.processes.items() if process.poll() is not None]
            assert not ended, f"{ended} ended while waiting for {what}"
            time.sleep(0.1)
        raise AssertionError(f"never: {what}")

    def post(self, source: str) -> int:
        return httpx.post(f"http://127.0.0.1:{self.ports[0]}/hooks/{source}", json=LEAD).status_code


@pytest.fixture
def roles(tmp_path: Path, database_dsn: str, free_port: int) -> Iterator[Roles]:
    running = Roles(tmp_path, database_dsn, (free_port, free_port + 1))
    yield running
    for process in running.processes.values():
        process.kill()
        process.wait()


def test_every_role_takes_up_a_changed_config_and_refuses_a_bad_one(roles: Roles) -> None:
    first = roles.write(GOOD)
    roles.start("simulator", "--port", str(roles.ports[1]), "--tenant", "1000002:cid.1000002:cs1.1000002:ak1.demo:501")
    for role in ("serve", "work", "sync"):
        roles.start(role)
    roles.until("ready", lambda: httpx.get(f"http://127.0.0.1:{roles.ports[0]}/readyz").status_code == 200)
    roles.until("mirrored", lambda: roles.rows("SELECT 1 FROM mirrored_lists WHERE tenant_id = 1000001 LIMIT 1"))
    assert roles.post("web") == 202
    decided = "SELECT config_version, coalesce(plan ->> 'reason', 'processed') FROM decisions ORDER BY id"
    roles.until("decided", lambda: roles.rows(decided) == [(first, "processed")])

    roles.write(BAD)  # seen without being told of
    for role in ("serve", "work", "sync"):
        roles.until(f"{role} refuses", lambda role=role: roles.logged(role, "config.refused"))
        (refused,) = roles.logged(role, "config.refused")
        assert refused["kept"] == first
        assert 'did you mean "acme"?' in refused["faults"][0]
    assert roles.post("web") in (200, 202)  # by the old one

    second = roles.write(BETTER)
    for role in ("serve", "work", "sync"):
        roles.processes[role].send_signal(signal.SIGHUP)
    for role in ("serve", "work", "sync"):
        roles.until(f"{role} reloads", lambda role=role: roles.logged(role, "config.reloaded"))
    roles.until("beta mirrored", lambda: roles.rows("SELECT 1 FROM mirrored_lists WHERE tenant_id = 1000002 LIMIT 1"))
    assert roles.post("beta-web") == 202
    roles.until("held", lambda: roles.rows(decided)[-1] == (second, "held_by_rule"))
    texts = dict(roles.rows("SELECT version, text FROM config_versions"))
    assert set(texts) == {first, second}
    assert "Ask first" in texts[second]

    for role in ("serve", "work", "sync"):
        roles.processes[role].terminate()
        assert roles.processes[role].wait(timeout=20) == 0
        del roles.processes[role]
