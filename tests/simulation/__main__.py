"""`python -m tests.simulation --histories N --seed S [--json]`: seeded histories over the real pipeline and a real PostgreSQL."""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import uvloop

from bridge.db import migrations
from bridge.db.embedded import EmbeddedPostgres
from tests.simulation.bugs import NAMES, Bugs
from tests.simulation.history import History, Step, Story, draw
from tests.simulation.scene import Scene
from tests.simulation.stage import Stage

FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum_naptime": "20s",
    "shared_buffers": "256MB",
    "max_connections": "60",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "1h",
    "track_counts": "on",
}


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Lend an own PostgreSQL without durability, or the one DATABASE_URL names."""
    given = os.environ.get("DATABASE_URL")
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="bridge-simulation-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder), options=FAST) as running:
            yield running.dsn


def database_of(dsn: str, number: int) -> str:
    """Return the address of a fresh, migrated database for one process."""
    name = f"simulation_{os.getpid()}_{number}"
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    address = psycopg.conninfo.conninfo_to_dict(dsn)
    made = f"postgresql://{address.get('user', 'postgres')}@/{name}?host={address['host']}"
    migrations.upgrade(made)
    with psycopg.connect(made, autocommit=True) as maker:
        # Nothing outlives the run: no write-ahead log is kept for it.
        tables = maker.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relpersistence = 'p'"
            " AND relnamespace = 'public'::regnamespace"
        ).fetchall()
        for (table,) in tables:
            maker.execute(f"ALTER TABLE {table} SET UNLOGGED")
    return made


class Player:
    """One process's stage and the histories it plays there."""

    def __init__(self, dsn: str, bug: str) -> None:
        self.dsn = dsn
        self.bugs = Bugs(bug)

    async def play(self, seeds: range, *, first: bool, report: Any = None) -> list[Story]:
        database = Stage(self.dsn)
        await database.open()
        scene = Scene(database, self.dsn)
        storing = asyncio.create_task(scene.store.run())
        stories = []
        try:
            for seed in seeds:
                story = await self.one(scene, seed, draw(seed))
                if story.violations and not self.bugs.name:
                    steps = await self.shrink(scene, seed, draw(seed))
                    story.violations.append("shrunk to: " + "; ".join(map(str, steps)))
                stories.append(story)
                if report is not None:
                    report(story)
                if story.violations and first:
                    break
        finally:
            scene.store.close()
            await storing
            await scene.http.aclose()
            await database.close()
        return stories

    async def one(self, scene: Scene, seed: int, steps: list[Step]) -> Story:
        history = History(scene, self.bugs, seed=seed)
        with self.bugs.on():
            try:
                return await asyncio.wait_for(history.play(steps), 60)
            except Exception as error:
                import traceback

                history.story.violations.append(
                    f"broke: {type(error).__name__}: {error} " + traceback.format_exc()[-900:]
                )
                return history.story

    async def shrink(self, scene: Scene, seed: int, steps: list[Step]) -> list[Step]:
        """Return a short list of steps that still breaks a promise: halves, quarters, … are left out while it does."""
        size, tries = len(steps) // 2, 0
        while size >= 1 and tries < 150:
            at = 0
            while at < len(steps) and tries < 150:
                tries += 1
                shorter = steps[:at] + steps[at + size :]
                if (await self.one(scene, seed, shorter)).violations:
                    steps = shorter
                else:
                    at += size
            size //= 2
        return steps


def _work(parts: tuple[str, int, range, str, bool]) -> tuple[Counter[str], list[tuple[int, list[str]]], int]:
    dsn, number, seeds, bug, first = parts
    player = Player(database_of(dsn, number), bug)
    counts: Counter[str] = Counter()
    broken: list[tuple[int, list[str]]] = []

    def report(story: Story) -> None:
        counts.update(story.counts)
        if story.violations:
            broken.append((story.seed, story.violations))
        done = story.seed - seeds.start + 1
        if done % 1000 == 0:
            print(f"process {number}: {done} of {len(seeds)}, violations: {len(broken)}", file=sys.stderr, flush=True)

    stories = uvloop.run(player.play(seeds, first=first, report=report))
    return counts, broken, len(stories)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--histories", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument(
        "--bug", default="", choices=["", *NAMES], help="switch a known bug on and stop where it is found"
    )
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    began = time.monotonic()
    share = -(-asked.histories // asked.processes)
    end = asked.seed + asked.histories
    ranges = [range(start, min(start + share, end)) for start in range(asked.seed, end, share)]
    with server() as dsn:
        parts = [(dsn, number, seeds, asked.bug, bool(asked.bug)) for number, seeds in enumerate(ranges)]
        if len(parts) == 1:
            results = [_work(parts[0])]
        else:
            with multiprocessing.get_context("spawn").Pool(len(parts)) as pool:
                results = pool.map(_work, parts)
    counts: Counter[str] = sum((counts for counts, _, _ in results), Counter())
    broken = sorted(one for _, some, _ in results for one in some)
    played = sum(number for _, _, number in results)
    report = {
        "histories": played,
        "seeds": [asked.seed, end - 1],
        "bug": asked.bug,
        "violations": len(broken),
        "seconds": round(time.monotonic() - began, 1),
        "counts": dict(sorted(counts.items())),
        "broken": [{"seed": seed, "violations": said} for seed, said in broken[:20]],
    }
    if asked.json:
        print(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    else:
        print(f"{played} histories from seed {asked.seed}: {len(broken)} with violations, {report['seconds']} s")
        for seed, said in broken[:20]:
            print(f"  seed {seed}: " + "\n    ".join(said))
    found_as_wanted = bool(broken) == bool(asked.bug)
    return 0 if found_as_wanted else 1


if __name__ == "__main__":
    sys.exit(main())
