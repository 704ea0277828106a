"""`serve`, `work` and `sync` as a test starts and watches them."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import psycopg

from bridge.bootstrap import load_settings

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
            said = {role: (self.folder / f"{role}.log").read_text(errors="replace")[-2000:] for role in ended}
            assert not ended, f"{ended} ended while waiting for {what}: {said}"
            time.sleep(0.1)
        raise AssertionError(f"never: {what}")

    def post(self, source: str) -> int:
        return httpx.post(f"http://127.0.0.1:{self.ports[0]}/hooks/{source}", json=LEAD).status_code
