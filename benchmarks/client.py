"""How fast the ServiceTitan client is: one core against a local server, and 50 tenants against a far side 200 ms away.

The far side is a bare HTTP/1.1 responder in a process of its own, so the figures are the client's: URL, contract check,
token, httpx, aiohttp, answer read into its type.

    python benchmarks/client.py --json --seconds 8    # about 30 s in all
"""

import argparse
import asyncio
import gc
import json
import multiprocessing
import os
import resource
import statistics
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))

from bridge.servicetitan.client import ServiceTitan
from bridge.servicetitan.credentials import Credentials
from bridge.servicetitan.transport import open_http

TARGET_PER_CORE = 3_000  # requests/s
TARGET_PER_TENANT = 55  # requests/s, of the 60 ServiceTitan grants

RAMP = 2.0  # seconds before counting starts: what is asked for is a rate that lasts, not how fast it is reached

TOKEN = json.dumps({"access_token": "x" * 900, "expires_in": 900, "token_type": "Bearer"}).encode()
BOOKING = json.dumps(
    {
        "id": 4711,
        "source": "Website",
        "createdOn": "2026-07-19T20:35:38.2876004Z",
        "name": "Pat Example",
        "address": {"street": "1 Main St", "unit": None, "city": "Springfield", "state": "IL", "zip": "62701"},
        "customerType": "Residential",
        "start": None,
        "campaignId": 11,
        "businessUnitId": 22,
        "isFirstTimeClient": True,
        "uploadedImages": [],
        "isSendConfirmationEmail": False,
        "status": "New",
        "externalId": "0123456789abcdef0123456789abcdef",
        "priority": "Normal",
        "jobTypeId": 33,
        "bookingProviderId": 501,
        "modifiedOn": "2026-07-19T20:35:38.2876004Z",
        "summary": "No cooling upstairs, unit is about 12 years old.",
    }
).encode()
REQUEST = {
    "source": "Website",
    "name": "Pat Example",
    "summary": "No cooling upstairs, unit is about 12 years old.",
    "isFirstTimeClient": True,
    "externalId": "0123456789abcdef0123456789abcdef",
    "address": {"street": "1 Main St", "city": "Springfield", "state": "IL", "zip": "62701", "country": "USA"},
    "contacts": [{"type": "MobilePhone", "value": "2175550100"}, {"type": "Email", "value": "pat@example.com"}],
    "campaignId": 11,
    "businessUnitId": 22,
    "jobTypeId": 33,
}


class FarSide(asyncio.Protocol):
    """Answers each request after a delay; reads heads and lengths, nothing else."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that has arrived whole."""
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            place = head.find(b"content-length:")
            length = int(head[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            self.buffer = self.buffer[end + 4 + length :]
            body = TOKEN if b"/connect/token" in head else BOOKING
            answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
                len(body),
                body,
            )
            if self.delay:
                asyncio.get_running_loop().call_later(self.delay, self.transport.write, answer)
            else:
                self.transport.write(answer)


def serve(ready: Connection, delay: float) -> None:
    """Run the far side on a free port and tell which."""

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: FarSide(delay), "127.0.0.1", 0, backlog=2048)
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())


class Far:
    """A far side in its own process, for the length of a `with`."""

    def __init__(self, delay: float) -> None:
        ours, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=serve, args=(theirs, delay), daemon=True)
        self.process.start()
        self.origin = f"http://127.0.0.1:{ours.recv()}"

    def __enter__(self) -> str:
        return self.origin

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.join()


def client_of(origin: str, tenant: int) -> tuple[ServiceTitan, Any]:
    """Return the client of one tenant on an HTTP client of its own."""
    http = open_http()
    credentials = Credentials.for_environment(
        origin,
        tenant_id=tenant,
        client_id="cid",
        client_secret="none",
        app_key="ak",
        booking_provider=501,
    )
    return ServiceTitan(credentials, http, lambda: datetime.now(UTC)), http


async def drive(
    origin: str, *, tenants: int, workers: int, seconds: float, pace: float = 0, tuned: bool = False
) -> dict[str, Any]:
    """Book through every tenant with some workers each, at most `pace` requests/s; return rates and CPU time."""
    if tuned:
        # The collector's default walks all objects of 1,200 live connections again and again: a quarter of the CPU here.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 50, 100)
    opened = [client_of(origin, 1_000_000 + number) for number in range(tenants)]
    done: Counter[int] = Counter()
    outcomes: Counter[str] = Counter()
    delays: list[float] = []
    await asyncio.gather(*(st.bookings.create(body=REQUEST) for st, _ in opened))
    start = time.perf_counter() + RAMP
    stop = start + seconds

    slots = {st.credentials.tenant_id: time.perf_counter() for st, _ in opened}

    async def work(st: ServiceTitan) -> None:
        tenant = st.credentials.tenant_id
        while True:
            if pace:  # as the outbox does: a slot of the tenant's budget first, then the request
                begun = time.perf_counter()
                slots[tenant] = max(slots[tenant] + 1 / pace, begun - 0.2)
                if slots[tenant] > begun:
                    await asyncio.sleep(slots[tenant] - begun)
            begun = time.perf_counter()
            if begun >= stop:
                return
            outcome = await st.bookings.create(body=REQUEST)
            outcomes[type(outcome).__name__] += 1
            ended = time.perf_counter()
            if start <= ended <= stop:
                done[tenant] += 1
                delays.append(ended - begun)

    async def usage_between() -> float:
        await asyncio.sleep(start - time.perf_counter())
        before = time.process_time()
        await asyncio.sleep(stop - time.perf_counter())
        return time.process_time() - before

    cpu, *_ = await asyncio.gather(usage_between(), *(work(st) for st, _ in opened for _ in range(workers)))
    for _, http in opened:
        await http.aclose()
    total = done.total()
    delays.sort()
    return {
        "requests": total,
        "outcomes": dict(outcomes),
        "requests_per_s": round(total / seconds),
        "requests_per_cpu_s": round(total / cpu),
        "cpu_us_per_request": round(cpu / total * 1e6, 1),
        "cpu_share": round(cpu / seconds, 2),
        "per_tenant_per_s": {
            "min": round(min(done.values()) / seconds, 1),
            "median": round(statistics.median(done.values()) / seconds, 1),
        },
        "p50_ms": round(delays[len(delays) // 2] * 1e3, 1),
        "p99_ms": round(delays[int(len(delays) * 0.99)] * 1e3, 1),
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def run(delay: float, tenants: int, workers: int, seconds: float, pace: float, tuned: bool) -> dict[str, Any]:
    """Run one measurement in this process against a far side of its own."""
    with Far(delay) as origin:
        return uvloop.run(drive(origin, tenants=tenants, workers=workers, seconds=seconds, pace=pace, tuned=tuned))


def measure(*arguments: Any) -> dict[str, Any]:
    """Run one measurement in a fresh interpreter, so that no run warms or burdens the next."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_send_result, args=(theirs, *arguments))
    process.start()
    result: dict[str, Any] = ours.recv()
    process.join()
    return result


def _send_result(to: Connection, *arguments: Any) -> None:
    to.send(run(*arguments))


def main() -> None:
    """Print the figures beside their targets; exit 1 where one is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each measurement")
    parser.add_argument("--tenants", type=int, default=50)
    parser.add_argument("--delay", type=float, default=0.2, help="seconds the far side takes")
    parser.add_argument("--default-gc", action="store_true", help="leave Python's garbage collector as it is")
    arguments = parser.parse_args()
    tuned = not arguments.default_gc
    load = round(os.getloadavg()[0], 2)  # figures count where this is near 0
    local = measure(0.0, 1, 20, arguments.seconds, 0.0, tuned)
    # Each tenant is paced to the 60/s ServiceTitan grants; 24 in the air leave room for answers that come late.
    far = measure(arguments.delay, arguments.tenants, 24, arguments.seconds, 60.0, tuned)
    result = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_before": load,
        "seconds": arguments.seconds,
        "gc_tuned": tuned,
        "local": {**local, "target_requests_per_s_per_core": TARGET_PER_CORE},
        "tenants": {
            **far,
            "tenants": arguments.tenants,
            "delay_ms": round(arguments.delay * 1e3),
            "target_per_tenant_per_s": TARGET_PER_TENANT,
        },
    }
    ok = (
        local["requests_per_cpu_s"] >= TARGET_PER_CORE
        and far["per_tenant_per_s"]["min"] >= TARGET_PER_TENANT
        and set(local["outcomes"]) == set(far["outcomes"]) == {"Succeeded"}
    )
    result["ok"] = ok
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        print(f"local: {local['requests_per_s']} requests/s, {local['cpu_us_per_request']} µs CPU per request")
        print(
            f"{arguments.tenants} tenants, {result['tenants']['delay_ms']} ms far side: "
            f"{far['per_tenant_per_s']['min']} requests/s at least per tenant, "
            f"{far['cpu_us_per_request']} µs CPU per request, {far['cpu_share']} cores"
        )
        print("targets met" if ok else "TARGETS MISSED")
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
