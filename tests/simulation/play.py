"""Plays seeds in one process or several, each with a database of its own, and sums up what came of them."""

import asyncio
import contextlib
import gc
import logging
import multiprocessing
import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psycopg
import uvloop

from bridge.db import migrations
from bridge.db.embedded import EmbeddedPostgres
from tests.conftest import with_database
from tests.places import new_folder
from tests.simulation.bugs import Bugs
from tests.simulation.history import History, Step, Story, draw
from tests.simulation.merge import merge
from tests.simulation.scene import Scene
from tests.simulation.stage import Stage

CHUNK = 250  # seeds one process plays at a stretch

FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum_naptime": "20s",
    "shared_buffers": "256MB",
    "max_connections": "60",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "512MB",
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
    folder = new_folder()
    try:
        with EmbeddedPostgres(folder, options=FAST) as running:
            yield running.dsn
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def database_of(dsn: str) -> str:
    """Return the address of a fresh, migrated database for one process."""
    name = f"simulation_{os.getpid()}"
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    made = with_database(dsn, name)
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

    def __init__(self, dsn: str, bug: str, *, is_stormy: bool = False) -> None:
        self.dsn = dsn
        self.bugs = Bugs(bug)
        self.is_stormy = is_stormy

    async def play(self, seeds: range, *, first: bool) -> list[Story]:
        database = Stage(self.dsn)
        await database.open()
        scene = Scene(database, self.dsn)
        storing = asyncio.create_task(scene.store.run())
        stories = []
        try:
            for seed in seeds:
                if seed % 50 == 0:
                    gc.collect()
                story = await self.one(scene, seed, draw(seed, is_stormy=self.is_stormy))
                if story.violations and not self.bugs.name:
                    steps = await self.shrink(scene, seed, draw(seed, is_stormy=self.is_stormy))
                    story.violations.append("shrunk to: " + "; ".join(map(str, steps)))
                stories.append(story)
                if story.violations and first:
                    break
        finally:
            scene.store.close()
            await storing
            await scene.http.aclose()
            await database.close()
        return stories

    async def one(self, scene: Scene, seed: int, steps: list[Step]) -> Story:
        history = History(scene, self.bugs, seed=seed, is_stormy=self.is_stormy)
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


class Part(NamedTuple):
    """One chunk of seeds for a process."""

    dsn: str
    seeds: range
    bug: str
    is_stormy: bool


_addresses: dict[str, str] = {}  # server → this process's own database on it


def _work(part: Part) -> dict[str, Any]:
    """Play a chunk of seeds in this process's own database and return its report."""
    if part.dsn not in _addresses:
        _addresses[part.dsn] = database_of(part.dsn)
    logging.disable(logging.WARNING)  # late outcomes and unseen databases are what histories are made of
    gc.disable()  # cycles are looked for between histories, not amid them
    player = Player(_addresses[part.dsn], part.bug, is_stormy=part.is_stormy)
    began = time.monotonic()
    stories = uvloop.run(player.play(part.seeds, first=bool(part.bug)))
    counts = sum((story.counts for story in stories), Counter[str]())
    return {
        "histories": len(stories),
        "seeds": [part.seeds.start, part.seeds.stop - 1],
        "violations": sum(bool(story.violations) for story in stories),
        "seconds": round(time.monotonic() - began, 1),
        "counts": dict(sorted(counts.items())),
        "broken": [{"seed": story.seed, "violations": story.violations} for story in stories if story.violations],
    }


def run(
    *, histories: int, seed: int, jobs: int = 1, bug: str = "", is_stormy: bool = False, out: Path | None = None
) -> dict[str, Any]:
    """Play the histories on so many processes and return the report.

    With `out` each chunk's report is kept in that folder as it ends, and chunks that are there are not played again.
    """
    began = time.monotonic()
    end = seed + histories
    size = histories if jobs == 1 and out is None else CHUNK
    chunks = [range(start, min(start + size, end)) for start in range(seed, end, size)]
    reports = []
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        there = [chunk for chunk in chunks if (out / _name(chunk)).exists()]
        reports = [msgspec.json.decode((out / _name(chunk)).read_bytes()) for chunk in there]
        chunks = [chunk for chunk in chunks if chunk not in there]
    with server() as dsn, contextlib.ExitStack() as stack:
        parts = [Part(dsn, chunk, bug, is_stormy) for chunk in chunks]
        if jobs == 1:
            results: Iterable[dict[str, Any]] = map(_work, parts)
        else:
            pool = stack.enter_context(multiprocessing.get_context("spawn").Pool(jobs))
            results = pool.imap_unordered(_work, parts)
        for report in results:
            reports.append(report)
            if out is not None:
                (out / _name(range(report["seeds"][0], report["seeds"][1] + 1))).write_bytes(
                    msgspec.json.encode({"commit": _commit(), **report})
                )
            if bug and report["violations"]:
                break
    return {"bug": bug, **merge(reports), "seconds": round(time.monotonic() - began, 1)}


def _name(seeds: range) -> str:
    return f"seeds-{seeds.start:07}-{seeds.stop - 1:07}.json"


def _commit() -> str:
    told = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return told.stdout.strip()
