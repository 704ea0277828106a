"""Intake against pgbench on the same PostgreSQL in one run: durable settings, 2 KB signed bodies over HTTP.

    python benchmarks/ingest.py [--json] [--seconds 8] [--stored 0] [--rounds 3] [--folder PATH]

pgbench inserts one 2 KB row a transaction (c=32 and c=1); then the bridge takes signed Standard Webhooks requests, each with an
id of its own, from one thread of this process, which runs on the same cores as pgbench's does. With 32 connections both have
the scheduling policy SCHED_BATCH: woken by what they measure, they may not interrupt it, as a sender elsewhere would not.
CPU is what the kernel counted for the server and for PostgreSQL's processes, on pgbench's side for pgbench and PostgreSQL's;
our load generator's is printed beside it.
Every answer must be 202, and as many rows must be stored as were answered.
`--stored N` puts N deliveries with random keys there first; then the same N rows stand in pgbench's table.
"""

import argparse
import base64
import contextlib
import gc
import hashlib
import hmac
import json
import os
import platform
import re
import resource
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from bridge.bootstrap import load_settings
from bridge.db import migrations
from bridge.db.embedded import EmbeddedPostgres, binaries

with socket.socket() as _probe:
    _probe.bind(("127.0.0.1", 0))
    PORT = _probe.getsockname()[1]
TICKS = os.sysconf("SC_CLK_TCK")
DURABLE = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "synchronous_commit": "on",
    "fsync": "on",
    "full_page_writes": "on",
}
BODY = json.dumps(
    {
        "type": "lead.created",
        "name": "Ada Example",
        "phone": "512-555-0142",
        "email": "ada@example.com",
        "message": "x" * 1850,
    }
)


def cpu_seconds(pids: list[int]) -> float:
    """Return user and system seconds of processes."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def family(pid: int) -> list[int]:
    """Return a process and its children."""
    children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [pid, *map(int, children.stdout.split())]


def children_cpu() -> float:
    """Return user and system seconds of our own children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class PostgresCpu:
    """CPU of PostgreSQL's processes, those that ended meanwhile included (a parent counts its dead children)."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._start = self._now()

    def _now(self) -> float:
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        dead = (int(fields[13]) + int(fields[14])) / TICKS
        return dead + cpu_seconds(family(self._pid))

    def spent(self) -> float:
        """Return seconds since this was made, once processes that are ending have ended: only then are they counted."""
        time.sleep(0.3)
        return self._now() - self._start


def pgbench(dsn: str, postgres: int, *, clients: int, seconds: int) -> dict[str, float]:
    """Insert single rows and return transactions/s, p50 in ms and CPU per transaction in us."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "insert.sql"
        script.write_text(
            f"INSERT INTO bench_rows (source, key, body) VALUES ('website', gen_random_uuid(), '{'y' * 2000}'::bytea);\n"
        )
        command = [binaries() / "pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-T", str(seconds)]
        before, before_client = PostgresCpu(postgres), children_cpu()
        log = Path(folder) / "log"
        run = subprocess.Popen(
            [*command, "-f", script, "-l", f"--log-prefix={log}", "--sampling-rate=0.1", dsn],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        output, errors = run.communicate()
        if run.returncode:
            raise SystemExit(errors)
        client, usage = children_cpu() - before_client, before.spent()
        tps = float(re.search(r"tps = ([\d.]+)", output)[1])  # type: ignore[index]
        latencies = sorted(
            int(line.split()[2]) / 1000 for path in Path(folder).glob("log.*") for line in path.read_text().splitlines()
        )
    return {
        "per_second": tps,
        "p50_ms": latencies[len(latencies) // 2],
        "cpu_us": (usage + client) / (tps * seconds) * 1e6,
        "cpu_client_us": client / (tps * seconds) * 1e6,
    }


def signed_requests(count: int, secret: str) -> list[bytes]:
    """Return raw HTTP requests, each with an id and signature of its own."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    stamp, body, run = str(int(time.time())), BODY.encode(), os.urandom(4).hex()
    requests = []
    for number in range(count):
        ident = f"msg_{run}_{number}"
        mac = base64.b64encode(hmac.new(key, f"{ident}.{stamp}.".encode() + body, hashlib.sha256).digest()).decode()
        head = (
            f"POST /hooks/website HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nwebhook-id: {ident}\r\nwebhook-timestamp: {stamp}\r\n"
            f"webhook-signature: v1,{mac}\r\n\r\n"
        )
        requests.append(head.encode())
    return requests


def closed_loop(heads: list[bytes], *, connections: int, seconds: float) -> dict[str, float]:
    """Keep so many connections busy, each with its next request as soon as it has its answer, and return what was seen.

    One thread, plain sockets and epoll: 12 to 18 us of CPU a request, about what pgbench's client costs a transaction. `wrk`
    with a script that gives each request its own id and signature costs 27 to 40, on the cores that are measured.
    """
    body, following = BODY.encode(), iter(heads)
    poll = select.epoll()
    opened = {one.fileno(): one for one in (socket.create_connection(("127.0.0.1", PORT)) for _ in range(connections))}
    for one in opened.values():
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        poll.register(one, select.EPOLLIN)
    latencies: list[float] = []
    errors, sent_at = 0, dict[int, float]()
    gc.collect()
    gc.disable()
    cpu, begun = time.process_time(), time.perf_counter()
    for number in opened:
        sent_at[number] = time.perf_counter()
        os.writev(number, (next(following), body))
    now, end = begun, begun + seconds
    while now < end:
        for number, _ in poll.poll():
            answer = os.read(number, 4096)  # head and body come in one write
            now = time.perf_counter()
            latencies.append(now - sent_at[number])
            errors += answer[9:12] != b"202"
            sent_at[number] = now
            os.writev(number, (next(following), body))
    spent, cpu = now - begun, time.process_time() - cpu
    gc.enable()
    for _ in opened:  # answers that were still on their way are waited for and not counted
        poll.unregister(poll.poll(10)[0][0])
    for one in opened.values():
        one.close()
    ordered = sorted(latencies)
    return {
        "answered": len(ordered),
        "per_second": len(ordered) / spent,
        "p50_ms": ordered[len(ordered) // 2] * 1000,
        "p99_ms": ordered[int(len(ordered) * 0.99)] * 1000,
        "errors": errors,
        "cpu_client_us": cpu / len(ordered) * 1e6,
    }


def open_loop(heads: list[bytes], *, rate: float, seconds: float) -> dict[str, float]:
    """Send at a fixed rate whatever the answers do, and return latencies from the moment each was due.

    Plain sockets and select: an event loop's timers are a millisecond coarse, and its share of the cores would count as ours.
    """
    idle = deque(socket.create_connection(("127.0.0.1", PORT)) for _ in range(64))
    connections, body = tuple(idle), BODY.encode()
    for one in idle:
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    requests = [head + body for head in heads[: int(rate * seconds)]]
    busy: dict[socket.socket, float] = {}
    latencies: list[float] = []
    errors, sent, start = 0, 0, time.perf_counter() + 0.1
    while sent < len(requests) or busy:
        now = time.perf_counter()
        due = start + sent / rate
        if sent < len(requests) and due <= now and idle:
            one = idle.popleft()  # in turn: one that is left alone for five seconds is hung up on
            one.sendall(requests[sent])
            busy[one] = due
            sent += 1
            continue
        wait = max(due - now, 0) if sent < len(requests) and idle else 5
        for one in select.select(list(busy), [], [], wait)[0]:
            answer = one.recv(4096)  # head and body come in one write
            latencies.append(time.perf_counter() - busy.pop(one))
            errors += b" 202 " not in answer[:20]
            idle.append(one)
    for one in connections:
        one.close()
    ordered = sorted(latencies)
    return {
        "p50_ms": ordered[len(ordered) // 2] * 1000,
        "p99_ms": ordered[int(len(ordered) * 0.99)] * 1000,
        "errors": errors,
    }


def measured(
    heads: list[bytes], dsn: str, server: int, postgres: int, *, connections: int, seconds: int
) -> dict[str, float]:
    """Drive the server, add CPU per event of server and PostgreSQL, and see that what was answered is stored."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        newest = connection.execute("SELECT coalesce(max(id), 0) FROM deliveries WHERE tenant_id = 1000001").fetchone()
        before, before_postgres = cpu_seconds(family(server)), PostgresCpu(postgres)
        seen = closed_loop(heads, connections=connections, seconds=seconds)
        after = cpu_seconds(family(server))
        seen["cpu_postgres_us"] = before_postgres.spent() / seen["answered"] * 1e6
        rows = connection.execute(
            "SELECT count(*) FROM deliveries WHERE tenant_id = 1000001 AND id > %s", newest
        ).fetchone()
    if not rows or not seen["answered"] - seen["errors"] <= rows[0] <= seen["answered"] + connections:
        raise SystemExit(f"{seen['answered']} were answered, {seen['errors']} of them with a no, and {rows} are stored")
    seen["cpu_server_us"] = (after - before) / seen["answered"] * 1e6
    return seen


def store_many(dsn: str, count: int) -> None:
    """Put deliveries there with random keys, as years of traffic would have, and as many rows beside them for pgbench.

    Indexes are made afterwards, in a tenth of the time; they are fuller than grown ones, so that the first inserts split more pages.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET maintenance_work_mem = '1GB'")
        remade = [*_without_indexes(connection, "deliveries"), *_without_indexes(connection, "bench_rows")]
        for start in range(0, count, 500_000):
            amount = [min(500_000, count - start)]
            connection.execute(
                "INSERT INTO deliveries (tenant_id, source_id, dedup_key, event_type, received_at, method, url, headers, body,"
                " verified_by, trace_id) SELECT 1000001, 'website', gen_random_uuid()::text, 'lead.created', now(), 'POST', '/',"
                " '[]', ''::bytea, 'x', 'x' FROM generate_series(1, %s)",
                amount,
            )
            connection.execute(
                "INSERT INTO bench_rows (source, key, body) SELECT 'website', gen_random_uuid(), ''::bytea"
                " FROM generate_series(1, %s)",
                amount,
            )
        for statement in remade:
            connection.execute(statement)
        for table in ("deliveries", "bench_rows"):
            connection.execute(f"VACUUM ANALYZE {table}")
        connection.execute("CHECKPOINT")


def _without_indexes(connection: psycopg.Connection, table: str) -> list[str]:
    """Drop a table's keys and indexes and return the statements that make them again."""
    constraints = connection.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('p', 'u')",
        [table],
    ).fetchall()
    for name, _ in constraints:
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    indexes = connection.execute("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s", [table]).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    added = [f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}" for name, definition in constraints]
    return [*added, *(definition for _, definition in indexes)]


@contextlib.contextmanager
def giving_way() -> Iterator[None]:
    """Let this process, and those it starts, interrupt no other: the kernel puts a client that is answered on the core of its server.

    Three of four requests were seen to interrupt the server's next ones, 9 us of waiting for a core for each; pgbench's client
    gains nothing by it. Only the loads are so: the server is started before, PostgreSQL too.
    """
    if not hasattr(os, "SCHED_BATCH"):
        yield
        return
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--stored", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="keeps the database here; one that is here is used as it is")
    options = parser.parse_args()
    settings = load_settings(environ={})
    secret = settings.sources["website"].secrets[0].value  # type: ignore[index]
    with tempfile.TemporaryDirectory(prefix="bridge-ingest-") as temporary:
        folder = options.folder or Path(temporary)
        is_new = not (folder / "postgres").exists()
        server = EmbeddedPostgres(folder, options=DURABLE)
        dsn = server.start()
        postgres = int((folder / "postgres" / "postmaster.pid").read_text().split("\n")[0])
        migrations.upgrade(dsn)
        if is_new:
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute(
                    "CREATE TABLE bench_rows (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, source text, key uuid, body bytea,"
                    " UNIQUE (source, key))"
                )
            store_many(dsn, options.stored)
        if not options.rounds:  # a long filling is done beforehand, at low priority
            server.stop()
            return
        environ = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
        environ |= {"DATABASE_URL": dsn, "BRIDGE_PORT": str(PORT), "BRIDGE_CONFIG": ""}
        process = subprocess.Popen(
            [sys.executable, "-m", "bridge", "serve"], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _wait_until_ready()
            rounds = [
                _round(dsn, process.pid, postgres, secret, seconds=options.seconds) for _ in range(options.rounds)
            ]
            heads = signed_requests(500 * 10, secret)
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute("CHECKPOINT")  # what the rounds left to write is theirs; WAL is recycled, not made
            os.sync()
            steady = open_loop(heads, rate=500, seconds=8)
        finally:
            process.terminate()
            process.wait()
            server.stop()
    report = _report(rounds, steady, stored=options.stored)
    print(json.dumps(report, indent=2) if options.json else _table(report))


def _wait_until_ready() -> None:
    import urllib.request

    for _ in range(200):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


def _round(dsn: str, server: int, postgres: int, secret: str, *, seconds: int) -> dict[str, Any]:
    loads = Path("/proc/loadavg").read_text().split()[0]
    with giving_way():
        many = pgbench(dsn, postgres, clients=32, seconds=seconds)
        heads = signed_requests(int(many["per_second"] * seconds * 2.5), secret)
        ours = measured(heads, dsn, server, postgres, connections=32, seconds=seconds)
    one = pgbench(dsn, postgres, clients=1, seconds=max(seconds // 2, 2))
    heads = signed_requests(20_000 * max(seconds // 2, 2), secret)
    single = measured(heads, dsn, server, postgres, connections=1, seconds=max(seconds // 2, 2))
    found = {"load": float(loads), "pgbench_32": many, "bridge_32": ours, "pgbench_1": one, "bridge_1": single}
    print(json.dumps(found), file=sys.stderr, flush=True)  # a run over hours that ends early keeps its rounds
    return found


def _report(rounds: list[dict[str, Any]], steady: dict[str, float], *, stored: int) -> dict[str, Any]:
    def median(ratio: Any) -> float:
        return round(statistics.median(ratio(one) for one in rounds), 3)

    return {
        "stored": stored,
        "cores": os.cpu_count(),
        "python": " ".join((platform.python_version(), *platform.python_build(), platform.python_compiler())),
        "load_before": [one["load"] for one in rounds],
        "ratio_per_second": median(lambda one: one["bridge_32"]["per_second"] / one["pgbench_32"]["per_second"]),
        "ratio_cpu": median(
            lambda one: (
                (one["bridge_32"]["cpu_server_us"] + one["bridge_32"]["cpu_postgres_us"]) / one["pgbench_32"]["cpu_us"]
            )
        ),
        "ratio_p50_one_connection": median(lambda one: one["bridge_1"]["p50_ms"] / one["pgbench_1"]["p50_ms"]),
        "open_loop_500": steady,
        "rounds": rounds,
    }


def _table(report: dict[str, Any]) -> str:
    lines = [
        f"{report['cores']} cores, load before each round {report['load_before']}, {report['stored']} deliveries stored",
        f"durable webhooks/s over pgbench's inserts/s (32 connections)  {report['ratio_per_second']}",
        f"CPU per event over pgbench's                                  {report['ratio_cpu']}",
        f"p50 of one connection over pgbench's                          {report['ratio_p50_one_connection']}",
        f"500/s open loop, p50 / p99 ms                                 {report['open_loop_500']['p50_ms']:.2f} / "
        f"{report['open_loop_500']['p99_ms']:.2f}",
    ]
    for one in report["rounds"]:
        ours, theirs = one["bridge_32"], one["pgbench_32"]
        lines.append(
            f"  bridge {ours['per_second']:.0f}/s ({ours['cpu_server_us']:.0f}+{ours['cpu_postgres_us']:.0f} us, p50"
            f" {ours['p50_ms']:.2f}, p99 {ours['p99_ms']:.2f} ms, {ours['errors']:.0f} errors); pgbench"
            f" {theirs['per_second']:.0f}/s ({theirs['cpu_us']:.0f} us); one connection {one['bridge_1']['p50_ms']:.2f} /"
            f" {one['pgbench_1']['p50_ms']:.2f} ms"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
