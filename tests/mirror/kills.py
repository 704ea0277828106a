"""kill -9 of a mirror's first load and sync, again and again at random points; afterwards the mirror equals the simulator.

    python tests/mirror/kills.py --kills 50 --seed 1 --out docs/simulation/mirror_kills.json

Each life is a process of its own that goes on where the one before was killed; its simulator is made anew from the seed, so
that it holds the same tenant each time. Counted is also how often a kill fell into which part of the work.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import psycopg

from bridge.db import migrations
from bridge.db.embedded import EmbeddedPostgres
from bridge.mirror import cursors, feeds
from tests.mirror.mirrored_town import TENANT, Town, assert_equal, catch_up, load, session, syncing

BATCH = 25


def town(seed: int, customers: int) -> Town:
    """Return the tenant that every life sees."""
    return Town(customers=customers, seed=seed, batch=BATCH)


async def live(dsn: str, seed: int, customers: int) -> None:
    """Load what is missing and catch up, over and over from the beginning of the feeds, until killed."""
    sync = await syncing(dsn, feeds.of_client(town(seed, customers).client))
    print("ready", flush=True)
    while True:
        await load(sync)
        for feed in feeds.FEEDS:
            await cursors.restart(sync.session, TENANT, feed)


async def part(dsn: str) -> str:
    """Say what the last life was at: the first feed that is not loaded, the keys, or a repeat."""
    tx = await session(dsn)
    try:
        known = await cursors.read(tx, TENANT)
    finally:
        await tx.close()
    keyed = known.get(cursors.KEYS)
    loading = next((feed for feed in feeds.FEEDS if feed not in known or known[feed].loaded_at is None), "")
    if keyed is not None and keyed.loaded_at is not None:
        return "repeat"
    return loading or "keys"


async def kill_often(dsn: str, *, kills: int, seed: int, customers: int) -> dict[str, Any]:
    """Kill a load so many times and return where the kills fell; raises AssertionError where the mirror is not equal then."""
    chance = random.Random(seed)
    fell: Counter[str] = Counter()
    for _ in range(kills):
        words = [sys.executable, __file__, "--live", dsn, "--seed", str(seed), "--customers", str(customers)]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as life:
            assert life.stdout is not None
            assert life.stdout.readline() == b"ready\n"
            await asyncio.sleep(chance.uniform(0.0, 0.8))
            life.kill()
        fell[await part(dsn)] += 1
    whole = town(seed, customers)
    sync = await syncing(dsn, feeds.of_client(whole.client))
    try:
        await load(sync)
        await catch_up(sync)
        await assert_equal(sync.session, whole)
    finally:
        await sync.session.close()
    return {
        "kills": kills,
        "seed": seed,
        "customers": customers,
        "batch": BATCH,
        "fell_into": dict(fell),
        "equal": True,
    }


def main() -> None:
    """Kill, compare, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--customers", type=int, default=400)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--live", metavar="DSN", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.live:
        asyncio.run(live(given.live, given.seed, given.customers))
        return
    with tempfile.TemporaryDirectory(prefix="bridge-kills-") as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres")
        dsn = server.start()
        try:
            parts = psycopg.conninfo.conninfo_to_dict(dsn)
            migrations.upgrade(f"postgresql://{parts.get('user', '')}@/{parts['dbname']}?host={parts['host']}")
            report = asyncio.run(kill_often(dsn, kills=given.kills, seed=given.seed, customers=given.customers))
        finally:
            server.stop()
    text = json.dumps(report, indent=2) + "\n"
    if given.out:
        given.out.write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
