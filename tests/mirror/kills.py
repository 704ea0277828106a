"""kill -9 of a mirror's first load or of a later sync at a random point, again and again; after each the mirror equals the simulator.

    python tests/mirror/kills.py --kills 50 --seed 1 --out docs/simulation/mirror_kills.json

Each life is a process of its own. Every other kill falls into a first load, into an empty mirror; the others into a sync of
what changed since: each time a day has passed there, on which people were renamed, moved and merged. What was killed goes on
in another process where it stood, and then every record and every match key is compared. The simulator is made anew from
the seed each time, so that all see the same tenant.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import msgspec
import psycopg

from bridge.db import migrations
from bridge.db.embedded import EmbeddedPostgres
from bridge.mirror import cursors, feeds, keying
from tests.mirror.mirrored_town import NOW, TENANT, Town, assert_equal, load, session, syncing

BATCH = 25
TABLES = (
    "cursors, match_keys, customer_keys, mirrored_customers, mirrored_locations, mirrored_contacts, mirrored_bookings,"
    " mirrored_leads"
)
EDITS_A_DAY = 30
STEPS = 150
"""Pages and parts of the keys in a first load of 400 customers, and some of what comes after."""


def town(seed: int, customers: int, days: int) -> Town:
    """Return the tenant that every life sees after so many days."""
    now = NOW
    made = Town(customers=customers, seed=seed, batch=BATCH, now=lambda: now)
    # Its clock stands, so that it would take 60 requests in all.
    made.simulator.switches = msgspec.structs.replace(made.simulator.switches, rate_limit_per_second=0)
    for day in range(days):
        now = NOW + timedelta(days=day + 1)
        edit(made, random.Random(seed * 1000 + day))
    now += timedelta(hours=1)  # beyond what the feeds hold back
    return made


def edit(made: Town, chance: random.Random) -> None:
    """Do to a tenant what its people do in a day: rename, move, correct, take away, hand over, merge."""
    rows = {feed: list(made.account.tables[feed]) for feed in ("customers", "locations", "customer_contacts")}
    rows["location_contacts"] = list(made.account.tables["location_contacts"])
    alive = [row["id"] for row in rows["customers"] if row["mergedToId"] is None]
    for number in range(EDITS_A_DAY):
        feed = chance.choice(sorted(rows))
        row = chance.choice(rows[feed])
        match feed, chance.randrange(3):
            case "customers", 0 if row["id"] in alive and len(alive) > 2:
                alive.remove(row["id"])
                made.edit(feed, row["id"], active=False, mergedToId=chance.choice(alive))
            case "customers", _:
                made.edit(feed, row["id"], name=f"Quincy Underhill{number}")
            case "locations", 0:
                made.edit(feed, row["id"], customerId=chance.choice(alive))
            case "locations", _:
                made.edit(feed, row["id"], address={**row["address"], "street": f"{100 + number} Larch Rd"})
            case _, 0:
                made.edit(feed, row["id"], active=False)
            case _:
                made.edit(feed, row["id"], value=f"512-555-{chance.randrange(10_000):04}")


async def live(dsn: str, seed: int, customers: int, days: int) -> None:
    """Load what is missing and catch up, over and over from the beginning of the feeds, until killed."""
    # As many steps as a large tenant takes.
    keying.CUSTOMERS_AT_ONCE, keying.KEYS_AT_ONCE = 40, 1000
    sync = await syncing(dsn, feeds.of_client(town(seed, customers, days).client))
    sync = replace(sync, report=lambda _progress: print("step", flush=True))
    print("ready", flush=True)
    while True:
        await load(sync)
        for feed in feeds.FEEDS:
            await cursors.restart(sync.session, TENANT, feed)


async def part(dsn: str, *, first: bool) -> str:
    """Say what the last life was at: the first feed that is not loaded, the keys, or a repeat."""
    tx = await session(dsn)
    try:
        known = await cursors.read(tx, TENANT)
    finally:
        await tx.close()
    keyed = known.get(cursors.KEYS)
    if not first:
        at = next((feed for feed in feeds.FEEDS if known[feed].place == ""), "")
        return f"a later sync, from the start of {at}" if at else "a later sync, of what changed"
    loading = next((feed for feed in feeds.FEEDS if feed not in known or known[feed].loaded_at is None), "")
    if keyed is not None and keyed.loaded_at is not None:
        return "a first load, done"
    if keyed is not None and keyed.place.startswith("spread"):
        return "a first load: keys, being spread"
    return f"a first load: {loading or 'keys'}"


async def kill_often(dsn: str, *, kills: int, seed: int, customers: int) -> dict[str, Any]:
    """Kill so many times and return where the kills fell; raises AssertionError where the mirror is not equal after one."""
    chance = random.Random(seed)
    fell: Counter[str] = Counter()
    days = 0
    for number in range(kills):
        first = number % 2 == 0
        if first:
            tx = await session(dsn)
            await tx.execute(f"TRUNCATE {TABLES}")
            await tx.close()
        else:
            days += 1
        words = [sys.executable, __file__, "--live", dsn, "--seed", str(seed), "--customers", str(customers)]
        with subprocess.Popen([*words, "--days", str(days)], stdout=subprocess.PIPE) as life:
            assert life.stdout is not None
            assert life.stdout.readline() == b"ready\n"
            # By steps and not by the clock: a busy machine's kills would all fall into the beginning.
            for _ in range(chance.randrange(STEPS if first else STEPS // 3)):
                assert life.stdout.readline() == b"step\n"
            await asyncio.sleep(chance.uniform(0.0, 0.03))
            life.kill()
        fell[await part(dsn, first=first)] += 1
        whole = town(seed, customers, days)
        sync = await syncing(dsn, feeds.of_client(whole.client))
        try:
            await load(sync)
            await assert_equal(sync.session, whole)
        finally:
            await sync.session.close()
    return {
        "kills": kills,
        "seed": seed,
        "customers": customers,
        "days": days,
        "batch": BATCH,
        "fell_into": dict(sorted(fell.items())),
        "equal_after_each": True,
    }


def main() -> None:
    """Kill, compare, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--customers", type=int, default=400)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--live", metavar="DSN", help=argparse.SUPPRESS)
    parser.add_argument("--days", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.live:
        asyncio.run(live(given.live, given.seed, given.customers, given.days))
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
