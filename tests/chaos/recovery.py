"""`python -m tests.chaos.recovery [--rate 80] [--only NAME] [--json]`: how long until as much is done a second as before.

Two servers, two workers, the simulator and a durable PostgreSQL, with the product's own times (what the kill left in doubt is sent again after 30 s instead of 280). Senders keep a steady pace; after some
calm seconds one thing breaks. The rate of effects is read from the simulator's ledger: `before` in the calm seconds, then in windows
of two seconds, each half a second after the last. `first` says when the first of them has 95 % of the rate before, `stays` from when on
all of them have; both count from the moment that what broke is there again (PostgreSQL answers, no session is cut any more), `broken_for`
after it broke. At the end every acknowledged request must have its one effect.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from bridge.db import migrations
from bridge.db.embedded import EmbeddedPostgres
from tests.chaos.cells import crash, cut, restart
from tests.chaos.senders import Senders
from tests.chaos.stage import Program, Stage, stage

WINDOW, STEP = 2.0, 0.5  # seconds
ENOUGH = 0.95
TENANTS = 16
HELD = "transaction_held"
DURABLE = {"shared_buffers": "256MB", "synchronous_commit": "on", "fsync": "on"}


class Recovery:
    """A stage under a steady load on which one thing after the other breaks."""

    def __init__(self, made: Stage, postgres: EmbeddedPostgres, *, rate: float, calm: float, after: float) -> None:
        self._made = made
        self._postgres = postgres
        self._calm, self._after = calm, after
        self._programs: dict[str, list[Program]] = {
            role: [made.start(role) for _ in range(2)] for role in ("serve", "work")
        }
        self.senders = Senders(self._addresses(), tenants=TENANTS, first=0, rate=rate)
        self.breaks: dict[str, Callable[[], Awaitable[float]]] = {
            "worker_killed": lambda: self._kill("work"),
            "server_killed": lambda: self._kill("serve"),
            "postgres_restarted": lambda: self._harm(restart),
            "postgres_crashed": lambda: self._harm(crash),
            "connections_cut": lambda: self._harm(cut),
            HELD: self._hold,
        }

    async def run(self, names: list[str]) -> dict[str, Any]:
        """Let the things break and return what was seen of each, and the count of all."""
        made = self._made
        await self._until_up()
        sending = asyncio.create_task(self.senders.run())
        await asyncio.sleep(3)
        broken: dict[str, tuple[float, float, float]] = {}
        for name in names:
            await asyncio.sleep(self._calm)
            load, began = os.getloadavg()[0], time.time()
            whole = await self.breaks[name]()
            broken[name] = (load, began if name != HELD else whole, whole)
            await asyncio.sleep(self._after)
            await self._replace()
        self.senders.stop()
        await sending
        is_settled = await asyncio.to_thread(made.until_idle, seconds=400)
        times = sorted(datetime.fromisoformat(at).timestamp() for at in made.times())
        booked = made.booked()
        acknowledged = self.senders.acknowledged
        return {
            "recovered": {
                name: {"load": round(load, 1), **self._seen(times, began, whole)}
                for name, (load, began, whole) in broken.items()
            },
            "acknowledged": len(acknowledged),
            "lost": len(acknowledged - booked.keys()),
            "doubled": sum(count > 1 for count in booked.values()),
            "unwanted": len(booked.keys() - self.senders.sent),
            "is_settled": is_settled,
        }

    def _seen(self, times: list[float], began: float, at: float) -> dict[str, Any]:
        def rate(start: float, end: float) -> float:
            return (bisect_left(times, end) - bisect_left(times, start)) / (end - start)

        before = rate(began - self._calm, began)
        starts = [number * STEP for number in range(int((self._after - WINDOW) / STEP) + 1)]
        shares = [rate(at + start, at + start + WINDOW) / before for start in starts]
        good = [start for start, share in zip(starts, shares, strict=True) if share >= ENOUGH]
        bad = [start for start, share in zip(starts, shares, strict=True) if share < ENOUGH]
        return {
            "before_per_second": round(before, 1),
            "broken_for": round(at - began, 1),
            "first": min(good, default=None),
            "stays": 0.0 if not bad else bad[-1] + STEP if bad[-1] < starts[-1] else None,
            "lowest_share": round(min(shares), 2),
            "each_second": [round(rate(at + second, at + second + 1)) for second in range(int(self._after))],
        }

    def _addresses(self) -> list[str]:
        return [program.address for program in self._programs["serve"]]

    async def _until_up(self) -> None:
        everything = [program for programs in self._programs.values() for program in programs]
        await asyncio.to_thread(self._made.until_up, *everything, workers=2)

    async def _kill(self, role: str) -> float:
        self._programs[role][1].kill()
        return time.time()

    async def _harm(self, how: Callable[[Stage, EmbeddedPostgres | None], Awaitable[bool]]) -> float:
        """Count from the moment it is whole again: how long PostgreSQL itself takes to start is not ours."""
        await how(self._made, self._postgres)
        return time.time()

    async def _hold(self) -> float:
        """Hold a transaction with a snapshot and an id open for a minute and count from its middle."""
        async with await psycopg.AsyncConnection.connect(self._made.dsn) as holder:
            await holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            await holder.execute("SELECT pg_current_xact_id(), count(*) FROM outbox")
            await asyncio.sleep(60 - self._after)
            at = time.time()
            await asyncio.sleep(self._after)
        return at

    async def _replace(self) -> None:
        """Start anew what was killed."""
        for role, programs in self._programs.items():
            for place, program in enumerate(programs):
                if program.has_ended():
                    programs[place] = self._made.start(role)
        await self._until_up()
        self.senders.servers[:] = self._addresses()
        await asyncio.sleep(5)  # until what the change itself held up is done: it would count as the rate before


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos.recovery",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rate", type=float, default=80.0, help="events a second")
    parser.add_argument("--calm", type=float, default=10.0, help="seconds before each break")
    parser.add_argument("--after", type=float, default=20.0, help="seconds that are looked at after it")
    parser.add_argument("--only", default="", help="some of the breaks, with commas between them")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bridge-recovery-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with EmbeddedPostgres(folder, options=DURABLE) as server:
            migrations.upgrade(server.dsn)
            with stage(folder, server.dsn, tenants=TENANTS, is_impatient=False) as made:
                playing = Recovery(made, server, rate=asked.rate, calm=asked.calm, after=asked.after)
                names = asked.only.split(",") if asked.only else list(playing.breaks)
                report = {"at": datetime.now().astimezone().isoformat(), "cores": os.cpu_count(), "rate": asked.rate}
                report |= asyncio.run(playing.run(names))
    if asked.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n")
    else:
        sys.stdout.write(table(report))
    is_back = all(one["stays"] is not None and one["stays"] <= 10 for one in report["recovered"].values())
    return int(not is_back or bool(report["lost"] or report["doubled"] or report["unwanted"]))


def table(report: dict[str, Any]) -> str:
    """Return what was seen, a line for each break."""
    lines = [
        f"{name:20} {one['before_per_second']:6.1f}/s before; 95 % after {one['first']} s, stays from {one['stays']} s (at most 10)"
        for name, one in report["recovered"].items()
    ]
    lines.append(f"{report['acknowledged']} acknowledged, {report['lost']} lost, {report['doubled']} doubled")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
