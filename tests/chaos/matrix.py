"""`python -m tests.chaos.matrix [--cells N] [--seed S] [--out FILE]`: kill -9 at each named point under each fault of the far side.

Each cell starts two workers over one backlog, lets the owner kill itself at the point, and counts in the simulator's ledger
what the other made of it. Cells come in an order drawn from the seed; without --cells all are played.
"""

import argparse
import asyncio
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import msgspec

from bridge.db import migrations
from bridge.db.database import Database
from bridge.db.embedded import EmbeddedPostgres
from tests.chaos.test_kill import FAULTS, POINTS, ROOT, empty, made, put, start, suffer

COUNT = 60


async def cell(
    database: Database, far: httpx.AsyncClient, *, simulator: str, point: str, fault: str, first: int
) -> dict[str, Any]:
    """Play one cell and return what came of it."""
    await far.delete("/_simulator/faults")
    before = set(await made(far))
    await suffer(far, fault)
    wanted = await put(database, range(first, first + COUNT))
    dying = start(database.dsn, simulator, point)
    living = start(database.dsn, simulator, "")
    try:
        await asyncio.to_thread(dying.wait, 60)
        killed = time.monotonic()
        made_by_then = len(set(await made(far)) - before)
        await empty(database, seconds=120)
        drained = time.monotonic() - killed
        got = [key for key in await made(far) if key not in before]
    finally:
        living.send_signal(signal.SIGTERM)
        await asyncio.to_thread(living.wait, 30)
        dying.kill()
    return {
        "point": point,
        "fault": fault,
        "was_killed": dying.returncode == -signal.SIGKILL,
        "made_when_killed": made_by_then,
        "lost": len(set(wanted) - set(got)),
        "doubled": len(got) - len(set(got)),
        "unwanted": len(set(got) - set(wanted)),
        "seconds_until_all_was_made": round(drained, 1),
    }


async def play(
    cells: list[tuple[str, str]], *, seed: int, simulator: str, dsn: str, out: Path | None
) -> dict[str, Any]:
    """Play the cells one after the other on one database and one simulator; the report is kept after each."""
    database = Database(dsn, max_size=4)
    await database.open()
    found: list[dict[str, Any]] = []
    async with httpx.AsyncClient(base_url=simulator, timeout=20) as far:
        for _ in range(300):
            try:
                await far.get("/_simulator/ledger")
                break
            except httpx.HTTPError:
                await asyncio.sleep(0.1)
        for number, (point, fault) in enumerate(cells):
            found.append(await cell(database, far, simulator=simulator, point=point, fault=fault, first=number * COUNT))
            if out is not None:
                out.write_text(printed(report_of(found, seed=seed)))
    await database.close()
    return report_of(found, seed=seed)


def report_of(found: list[dict[str, Any]], *, seed: int) -> dict[str, Any]:
    """Sum up the cells."""
    return {
        "seed": seed,
        "cells": len(found),
        "killed": sum(one["was_killed"] for one in found),
        "effects": COUNT * len(found),
        "lost": sum(one["lost"] for one in found),
        "doubled": sum(one["doubled"] for one in found),
        "unwanted": sum(one["unwanted"] for one in found),
        "played": found,
    }


def printed(report: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.matrix", description=__doc__)
    parser.add_argument("--cells", type=int, default=len(POINTS) * len(FAULTS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    cells = [(point, fault) for point in POINTS for fault in FAULTS]
    random.Random(asked.seed).shuffle(cells)
    cells = cells[: asked.cells]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="bridge-matrix-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        far = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "bridge", "simulator", "--port", str(port)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with EmbeddedPostgres(Path(folder)) as server:
                migrations.upgrade(server.dsn)
                address = f"http://127.0.0.1:{port}"
                report = asyncio.run(play(cells, seed=asked.seed, simulator=address, dsn=server.dsn, out=asked.out))
        finally:
            far.kill()
            far.wait()
    sys.stdout.write(printed(report))
    return int(bool(report["lost"] or report["doubled"] or report["unwanted"] or report["killed"] < report["cells"]))


if __name__ == "__main__":
    sys.exit(main())
