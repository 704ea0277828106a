"""Everything that runs, as processes of its own: the simulator, servers, workers; and how what came of it is counted."""

import base64
import contextlib
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests.ports import unused_port

ROOT = Path(__file__).parents[2]
FIRST_TENANT = 3_000_001
SECRET = "whsec_" + base64.b64encode(b"a secret of the chaos tests alone").decode()
PERSON = "Ada Example"
STARTS_WITHIN = 120.0  # seconds, on a machine that does much else

_WAITS = "SELECT (SELECT count(*) FROM delivery_queue) + (SELECT count(*) FROM outbox)"
_OWNERS = "SELECT worker_id, count(*) FROM shard_leases GROUP BY worker_id"


class Program:
    """One process."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, *, port: int = 0) -> None:
        self.process = process
        self.log = log
        self.port = port

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def has_ended(self) -> bool:
        """Tell whether it is over."""
        return self.process.poll() is not None

    def kill(self) -> None:
        """End it as a power cut does, and wait."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end, wait, and return what it said."""
        self.process.terminate()
        return self.process.wait(timeout=30)


class Stage:
    """A simulator, and servers and workers as they are started, on one database."""

    def __init__(self, folder: Path, dsn: str, *, tenants: int = 8, is_impatient: bool = True) -> None:
        self.dsn = dsn
        self.tenants = [FIRST_TENANT + number for number in range(tenants)]
        self._folder = folder
        self._started: list[Program] = []
        place = folder / "bridge.yaml"
        place.write_text(_config(tenants, is_impatient=is_impatient))
        self._environ = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
        self._environ |= {
            "DATABASE_URL": dsn,
            "BRIDGE_CONFIG": str(place),
            "CHAOS_SECRET": SECRET,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        }
        # Where a load is measured the product's own times count, but for the wait of those few that the kill left in doubt.
        self._environ |= {"CHAOS_ABSENT": "2", "CHAOS_SILENT": "1"} if is_impatient else {"CHAOS_ABSENT": "30"}
        port = unused_port()
        self._environ["BRIDGE_SIMULATOR_URL"] = f"http://127.0.0.1:{port}"
        added = [word for tenant in self.tenants for word in ("--tenant", str(tenant))]
        self.simulator = self._start(["-m", "bridge", "simulator", "--port", str(port), *added], port=port)
        self.far = httpx.Client(base_url=self.simulator.address, timeout=60)
        self._asks = httpx.Client(timeout=5)

    def start(self, role: str, *, point: str = "", hits: int = 1) -> Program:
        """Start a server or a worker; with a point it dies there, else it lives."""
        port = unused_port() if role == "serve" else 0
        return self._start(["-m", "tests.chaos.program", point, str(hits), role], port=port)

    def _start(self, arguments: Sequence[str], *, port: int) -> Program:
        log = self._folder / f"{len(self._started)}.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [sys.executable, "-W", "ignore", *arguments],
                cwd=ROOT,
                env=self._environ | {"BRIDGE_PORT": str(port)},
                stdout=sink,
                stderr=sink,
            )
        program = Program(process, log, port=port)
        self._started.append(program)
        return program

    def until_up(self, *programs: Program, workers: int) -> None:
        """Wait until the servers answer and the shards are shared out among so many workers."""
        seen = ""

        def missing() -> str:
            ends = "\n".join(f"{one.process.poll()} {one.log.read_text()[-1500:]}" for one in programs)
            return f"everything is up; {seen}\n{ends}"

        with patience(missing) as tries:
            for _ in tries:
                with contextlib.suppress(httpx.HTTPError, psycopg.Error):
                    owners = self._owners()
                    ready = [self._is_ready(program) for program in programs]
                    seen = f"answers: {ready}, shards by worker: {owners}"
                    is_shared = None not in owners and len(owners) == workers
                    if all(ready) and is_shared and min(owners.values()) >= 64 // (workers + 1):
                        return

    def _is_ready(self, program: Program) -> bool:
        return not program.port or self._asks.get(f"{program.address}/readyz").status_code == 200

    def _owners(self) -> dict[int | None, int]:
        with psycopg.connect(self.dsn) as look:
            return dict(look.execute(_OWNERS).fetchall())

    def until_idle(self, *, seconds: float) -> bool:
        """Wait until nothing is left to decide or to send; tell whether that came within the time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(psycopg.Error), psycopg.connect(self.dsn, connect_timeout=3) as look:
                if look.execute(_WAITS).fetchone() == (0,):
                    return True
            time.sleep(0.1)
        return False

    def booked(self, *, after: int = 0) -> Counter[int]:
        """Return how often the ledger has a booking for each number that was sent; only entries after a place in it."""
        asked = {"kind": "booking.created", "after": after, "limit": 10_000_000}
        entries = self.far.get("/_simulator/ledger", params=asked).json()["entries"]
        names: dict[tuple[int, int], str] = {}
        for tenant in {entry["tenant"] for entry in entries}:
            asked = {"tenant": tenant, "table": "bookings", "limit": 10_000_000}
            rows = self.far.get("/_simulator/rows", params=asked).json()["rows"]
            names |= {(tenant, row["id"]): row["name"] for row in rows}
        return Counter(int(names[one["tenant"], one["id"]].removeprefix(PERSON)) for one in entries)

    def times(self, *, after: int = 0) -> list[str]:
        """Return when each booking was made, by the simulator's clock."""
        asked = {"kind": "booking.created", "after": after, "limit": 10_000_000}
        return [entry["at"] for entry in self.far.get("/_simulator/ledger", params=asked).json()["entries"]]

    def place(self) -> int:
        """Return how long the ledger is."""
        return int(self.far.get("/_simulator/ledger", params={"limit": 0}).json()["count"])

    def suffer(self, fault: dict[str, Any], *, times: int, probability: float) -> None:
        """Let the far side misbehave so often with each tenant's bookings; no fault ends what was before."""
        self.far.delete("/_simulator/faults")
        if fault:
            often = {"method": "POST", "path": "/bookings", "times": times, "probability": probability}
            rules = [{**fault, **often, "tenant": tenant} for tenant in self.tenants]
            self.far.post("/_simulator/faults", json=rules).raise_for_status()

    def close(self) -> None:
        """End everything."""
        self.far.close()
        self._asks.close()
        for program in self._started:
            program.kill()


@contextlib.contextmanager
def stage(folder: Path, dsn: str, **parts: Any) -> Iterator[Stage]:
    """Lend a stage with its simulator up."""
    made = Stage(folder, dsn, **parts)
    try:
        with patience(lambda: "the simulator is up") as tries:
            for _ in tries:
                with contextlib.suppress(httpx.HTTPError):
                    made.place()
                    break
        yield made
    finally:
        made.close()


@contextlib.contextmanager
def patience(what: Callable[[], str]) -> Iterator[Iterator[None]]:
    """Lend tries that end in an error when they last too long."""

    def tries() -> Iterator[None]:
        end = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < end:
            yield
            time.sleep(0.1)
        raise TimeoutError(f"not within {STARTS_WITHIN} s: {what()}")

    yield tries()


def _config(tenants: int, *, is_impatient: bool) -> str:
    text = "worker: {lease_seconds: 10, http_seconds: 4}\n" if is_impatient else ""
    text += "tenants:\n"
    for number in range(tenants):
        text += f"  t{number}: {{tenant_id: {FIRST_TENANT + number}, environment: simulator, booking_provider: 501}}\n"
    text += "sources:\n"
    for number in range(tenants):
        text += (
            f"  web{number}: {{connector: standard-webhooks, tenant: t{number}, secrets: [{{env: CHAOS_SECRET}}]}}\n"
        )
    return text
