"""Signed webhook to booking over real HTTP: `bridge serve`, `bridge work`, the simulator and durable PostgreSQL on one machine.

    python benchmarks/end_to_end.py [--json] [--events 8000] [--rate 300] [--seconds 15] [--tenants 40]

Closed loop: 32 connections send events of distinct people as fast as they are taken; events/s count from the first byte sent
to the last booking in the simulator's ledger. Open loop: a fixed rate; latency runs from the moment an event was due to the
time its booking has in the ledger. Every event must have exactly one booking, or the run fails. CPU is what the kernel
counted, all processes of this run (sender and simulator too) share the cores.
"""

import argparse
import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

sys.path.insert(0, str(Path(__file__).parents[1]))

from bridge.db import migrations
from bridge.db.embedded import EmbeddedPostgres

TICKS = os.sysconf("SC_CLK_TCK")
DURABLE = {"shared_buffers": "512MB", "max_wal_size": "8GB", "synchronous_commit": "on", "fsync": "on"}
SECRET = b"the end to end benchmark's secret"
CONNECTIONS = 32
GIVE_UP = 90.0  # seconds without the last booking
FIRST_TENANT = 2_000_001


class Sent(NamedTuple):
    """What the sender saw: `webhook-id` → when it was due, and how many were not taken."""

    due: dict[str, float]
    refused: int


class Program:
    """One process of the run."""

    def __init__(self, arguments: list[str], environ: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bridge", *arguments],
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def cpu(self) -> float:
        """Return the seconds of a core it has used."""
        return cpu_of(self.process.pid)

    def megabytes(self) -> float:
        """Return what it holds in memory now."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return round(int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024, 1)  # type: ignore[index]

    def end(self) -> None:
        """Stop it and wait."""
        self.process.terminate()
        self.process.wait()


def cpu_of(pid: int, *, children: bool = False) -> float:
    """Return user and system seconds of a process, or of its children alone, the dead included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    if not children:
        return (int(fields[11]) + int(fields[12])) / TICKS
    living = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    total = (int(fields[13]) + int(fields[14])) / TICKS
    for child in living:
        with contextlib.suppress(OSError):
            total += cpu_of(int(child))
    return total


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def config(tenants: int) -> str:
    """Return a config of so many contractors, each with one website."""
    text = "tenants:\n"
    for number in range(tenants):
        text += f"  t{number}: {{tenant_id: {FIRST_TENANT + number}, environment: simulator, booking_provider: 501}}\n"
    text += "sources:\n"
    for number in range(tenants):
        text += f"  web{number}: {{connector: standard-webhooks, tenant: t{number}, secrets: [{{env: END_TO_END_SECRET}}]}}\n"
    return text


def requests(count: int, *, first: int, tenants: int) -> list[tuple[str, bytes]]:
    """Return signed requests of distinct people from the `first` on, tenant after tenant, by their id."""
    stamp, made = str(int(time.time())), []
    for number in range(first, first + count):
        ident = f"msg_{number}"
        lead = {
            "type": "lead.created",
            "name": f"Ada Example{number}",
            "phone": f"512-{200 + number // 10_000:03d}-{number % 10_000:04d}",
            "email": f"ada.{number}@example.com",
            "message": "No cooling upstairs, the unit is about twelve years old. " * 6,
        }
        body = json.dumps(lead).encode()
        mac = base64.b64encode(hmac.new(SECRET, f"{ident}.{stamp}.".encode() + body, hashlib.sha256).digest()).decode()
        head = (
            f"POST /hooks/web{number % tenants} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nwebhook-id: {ident}\r\nwebhook-timestamp: {stamp}\r\n"
            f"webhook-signature: v1,{mac}\r\n\r\n"
        )
        made.append((ident, head.encode() + body))
    return made


def send(port: int, wanted: list[tuple[str, bytes]], *, rate: float = 0.0) -> Sent:
    """Send everything: at a fixed rate whatever the answers do, or (rate 0) each as soon as a connection is free.

    Plain sockets and select: an event loop's timers are a millisecond coarse, and its share of the cores would count.
    """
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
    for one in connections:
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # The one that rested longest is next: one left to itself for the server's keep-alive time is closed under our hands.
    idle, busy = deque(connections), set[socket.socket]()
    due: dict[str, float] = {}
    refused, start = 0, time.time() + 0.1
    while len(due) < len(wanted) or busy:
        now = time.time()
        at = start + len(due) / rate if rate else now
        is_left = len(due) < len(wanted)
        if is_left and idle and at <= now:
            ident, request = wanted[len(due)]
            one = idle.popleft()
            one.sendall(request)
            busy.add(one)
            due[ident] = at
            continue
        for one in select.select(busy, [], [], max(at - now, 0) if is_left and idle else 5)[0]:
            refused += b" 202 " not in one.recv(4096)[:20]  # head and body come in one write
            busy.discard(one)
            idle.append(one)
    for one in connections:
        one.close()
    return Sent(due, refused)


def answer(url: str) -> Any:
    """Return what an address says in JSON."""
    with urllib.request.urlopen(url, timeout=30) as response:  # noqa: S310  our own simulator
        return json.load(response)


def until_up(url: str) -> None:
    """Wait until an address answers."""
    for _ in range(600):
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1):  # noqa: S310
            return
        time.sleep(0.1)
    raise SystemExit(f"{url} does not answer")


class Stage:
    """Everything that runs, and where."""

    def __init__(self, folder: Path, dsn: str, postgres: int, *, tenants: int) -> None:
        self.tenants = tenants
        self.dsn = dsn
        self.port, simulator_port = free_port(), free_port()
        self.simulator = f"http://127.0.0.1:{simulator_port}"
        place = folder / "bridge.yaml"
        place.write_text(config(tenants))
        environ = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
        environ |= {
            "DATABASE_URL": dsn,
            "BRIDGE_CONFIG": str(place),
            "BRIDGE_PORT": str(self.port),
            "BRIDGE_SIMULATOR_URL": self.simulator,
            "END_TO_END_SECRET": "whsec_" + base64.b64encode(SECRET).decode(),
        }
        added = [word for number in range(tenants) for word in ("--tenant", str(FIRST_TENANT + number))]
        self.programs = {
            "simulator": Program(["simulator", "--port", str(simulator_port), *added], environ),
            "serve": Program(["serve"], environ),
            "work": Program(["work"], environ),
        }
        self._postgres = postgres

    def wait(self) -> None:
        """Wait until all of it is at work: the worker owns every shard once nobody else has a lease."""
        until_up(f"{self.simulator}/_simulator/time")
        until_up(f"http://127.0.0.1:{self.port}/readyz")
        with psycopg.connect(self.dsn, autocommit=True) as look:
            for _ in range(600):
                row = look.execute("SELECT count(*) FROM shard_leases WHERE worker_id IS NULL").fetchone()
                if row == (0,):
                    return
                time.sleep(0.1)
        raise SystemExit("the worker did not start")

    def cpu(self) -> dict[str, float]:
        """Return the seconds of a core that each has used."""
        used = {name: program.cpu() for name, program in self.programs.items()}
        return used | {"postgres": cpu_of(self._postgres, children=True), "sender": time.process_time()}

    def run(self, wanted: list[tuple[str, bytes]], *, rate: float = 0.0) -> dict[str, Any]:
        """Send, wait for the last booking, and return what was seen; every event has one booking, or this ends the run."""
        load = Path("/proc/loadavg").read_text().split()[0]
        before, ledger = self.cpu(), answer(f"{self.simulator}/_simulator/ledger?limit=0")["count"]
        sent = send(self.port, wanted, rate=rate)
        taken = time.time()
        found = self._bookings(after=ledger, count=len(wanted))
        after = self.cpu()
        times = self._times(sent, found)
        latencies = sorted((times[ident] - due) * 1000 for ident, due in sent.due.items())
        first, last = min(sent.due.values()), max(times.values())
        return {
            "load_before": float(load),
            "events": len(wanted),
            "refused": sent.refused,
            "taken_per_second": round(len(wanted) / (taken - first), 1),
            "per_second": round(len(wanted) / (last - first), 1),
            "p50_ms": round(latencies[len(latencies) // 2], 2),
            "p99_ms": round(latencies[int(len(latencies) * 0.99)], 2),
            "max_ms": round(latencies[-1], 2),
            "cpu_us_per_event": {name: round((after[name] - before[name]) / len(wanted) * 1e6) for name in after},
        }

    def _bookings(self, *, after: int, count: int) -> dict[str, float]:
        """Return externalId → time of the bookings in the ledger once there are so many; each of them once."""
        with psycopg.connect(self.dsn, autocommit=True) as look:
            for _ in range(int(GIVE_UP / 0.25)):  # the outbox is asked, not the simulator: its answer would be long
                row = look.execute(
                    "SELECT (SELECT count(*) FROM delivery_queue) + (SELECT count(*) FROM outbox)"
                ).fetchone()
                if row == (0,):
                    break
                time.sleep(0.25)
        asked = f"{self.simulator}/_simulator/ledger?kind=booking.created&after={after}&limit={2 * count}"
        entries = answer(asked)["entries"]
        found = {one["externalId"]: datetime.fromisoformat(one["at"]).timestamp() for one in entries}
        if len(found) != count or len(entries) != count:
            with psycopg.connect(self.dsn) as look:
                states = look.execute(
                    "SELECT outcome, reason, count(*), max(detail) FROM attempts GROUP BY 1, 2"
                ).fetchall()
            raise SystemExit(f"{count} events, {len(entries)} bookings, {len(found)} different; attempts: {states}")
        return found

    def _times(self, sent: Sent, found: dict[str, float]) -> dict[str, float]:
        """Return `webhook-id` → time of its booking."""
        with psycopg.connect(self.dsn) as look:
            rows = look.execute(
                "SELECT d.dedup_key, replace(e.key::text, '-', '') FROM effects AS e"
                " JOIN deliveries AS d ON d.tenant_id = e.tenant_id AND d.id = e.delivery_id"
            ).fetchall()
        return {ident: found[key] for ident, key in rows if ident in sent.due}


@contextlib.contextmanager
def stage(*, tenants: int) -> Iterator[Stage]:
    """Start everything, lend it, stop it."""
    with tempfile.TemporaryDirectory(prefix="bridge-end-to-end-") as name:
        folder = Path(name)
        server = EmbeddedPostgres(folder, options=DURABLE)
        dsn = server.start()
        try:
            migrations.upgrade(dsn)
            postgres = int((folder / "postgres" / "postmaster.pid").read_text().split("\n")[0])
            made = Stage(folder, dsn, postgres, tenants=tenants)
            try:
                made.wait()
                yield made
            finally:
                for program in made.programs.values():
                    program.end()
        finally:
            server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--events", type=int, default=8_000)
    parser.add_argument("--rate", type=float, default=300.0)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--tenants", type=int, default=40)
    options = parser.parse_args()
    with stage(tenants=options.tenants) as made:
        started = {name: program.megabytes() for name, program in made.programs.items()}
        warm, count = 20 * options.tenants, int(options.rate * options.seconds)
        made.run(requests(warm, first=0, tenants=options.tenants))
        steady = made.run(requests(count, first=warm, tenants=options.tenants), rate=options.rate)
        closed = made.run(requests(options.events, first=warm + count, tenants=options.tenants))
        report = {
            "cores": os.cpu_count(),
            "tenants": options.tenants,
            "closed_loop": closed,
            "open_loop": {"rate": options.rate, **steady},
            "megabytes_at_start": started,
            "megabytes_at_end": {name: program.megabytes() for name, program in made.programs.items()},
        }
    print(json.dumps(report, indent=2) if options.json else table(report))


def table(report: dict[str, Any]) -> str:
    """Return the figures beside their targets."""
    closed, steady = report["closed_loop"], report["open_loop"]
    return "\n".join(
        [
            f"{report['cores']} cores, {report['tenants']} tenants, load before {closed['load_before']}",
            f"closed loop  {closed['per_second']:.0f} events/s (at least 1000), CPU us an event {closed['cpu_us_per_event']}",
            f"{steady['rate']:.0f}/s open  p50 {steady['p50_ms']} ms (15), p99 {steady['p99_ms']} ms (50), load {steady['load_before']}",
            f"memory       {report['megabytes_at_end']} MB (100 each; simulator apart)",
        ]
    )


if __name__ == "__main__":
    main()
