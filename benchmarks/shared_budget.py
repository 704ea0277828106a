"""`bridge work` and `bridge sync`, two processes that know nothing of each other, beside ServiceTitan's 60 requests a second.

    python benchmarks/shared_budget.py [--json] [--events 600] [--customers 4000]

A simulator that takes 60 requests a second from an (app, tenant), as ServiceTitan does, is loaded by a mirror in small pages
while a backlog of signed webhooks becomes bookings. Counted is in the simulator's own log, while both were at work: the
requests of each, the most in any second, and how many were answered 429. Exit code 1 where one was.
"""

import argparse
import base64
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.end_to_end import FIRST_TENANT, SECRET, Program, answer, config, free_port, requests, send, until_up
from bridge.db import migrations
from bridge.db.embedded import EmbeddedPostgres
from bridge.domain import budget

PAGE = 20
"""Records of a page of the feeds: small, so that the mirror has requests to make for as long as the bookings last."""


def busiest(times: list[float]) -> int:
    """Return the most of any second, wherever it begins."""
    times = sorted(times)
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def run(folder: Path, *, events: int, customers: int) -> dict[str, Any]:
    """Run it all and return what was counted."""
    server = EmbeddedPostgres(folder / "postgres")
    dsn = server.start()
    place = folder / "bridge.yaml"
    place.write_text(config(1))
    far, near = f"http://127.0.0.1:{free_port()}", free_port()
    environ = os.environ | {
        "BRIDGE_CONFIG": str(place),
        "DATABASE_URL": dsn,
        "END_TO_END_SECRET": "whsec_" + base64.b64encode(SECRET).decode(),
        "BRIDGE_SIMULATOR_URL": far,
        "BRIDGE_PORT": str(near),
    }
    programs: list[Program] = []
    try:
        migrations.upgrade(dsn)
        port = far.rpartition(":")[2]
        words = ["--port", port, "--tenant", str(FIRST_TENANT), "--customers", str(customers)]
        programs.append(Program(["simulator", *words, "--switch", f"exportBatch={PAGE}"], environ))
        programs.append(Program(["serve"], environ))
        until_up(f"{far}/_simulator/time")
        until_up(f"http://127.0.0.1:{near}/readyz")
        sent = send(near, requests(events, first=0, tenants=1))
        assert not sent.refused, f"{sent.refused} of {events} webhooks were refused"
        programs += [Program(["sync"], environ), Program(["work"], environ)]
        until_booked(far, events)
        asked = answer(f"{far}/_simulator/requests?tenant={FIRST_TENANT}&limit=1000000")["requests"]
    finally:
        for one in reversed(programs):
            one.end()
        server.stop()
    return counted(asked)


def until_booked(far: str, events: int, *, patience: float = 120.0) -> None:
    """Wait until every event has its booking."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        found = answer(f"{far}/_simulator/ledger?tenant={FIRST_TENANT}&kind=booking.created&limit=1")
        if found["count"] >= events:
            return
        time.sleep(0.5)
    raise SystemExit(f"not every event was booked in {patience:.0f} s")


def counted(asked: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return who asked how often while both did."""
    api = [(datetime.fromisoformat(one["at"]).timestamp(), one) for one in asked if "/connect/" not in one["path"]]
    writes = [at for at, one in api if one["method"] != "GET"]
    reads = [at for at, one in api if one["method"] == "GET"]
    begin, end = max(min(writes), min(reads)), min(max(writes), max(reads))
    both = [at for at, _ in api if begin <= at <= end]
    return {
        "seconds_together": round(end - begin, 1),
        "sending_per_second": round(sum(begin <= at <= end for at in writes) / (end - begin), 1),
        "mirror_per_second": round(sum(begin <= at <= end for at in reads) / (end - begin), 1),
        "busiest_second": busiest(both),
        "limit": int(budget.LIMIT),
        "answered_429": sum(one["status"] == 429 for _, one in api),
        "answers": len(api),
    }


def main() -> None:
    """Run, print, and fail where a request was refused."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=600)
    parser.add_argument("--customers", type=int, default=4000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    load = round(os.getloadavg()[0], 2)
    with tempfile.TemporaryDirectory(prefix="bridge-budget-") as folder:
        result = {"load_before": load, **run(Path(folder), events=given.events, customers=given.customers)}
    if given.json:
        print(json.dumps(result, indent=2))
    else:
        for name, value in result.items():
            print(f"{name:20} {value}")
    if result["answered_429"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
