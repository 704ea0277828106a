"""A database that is away: roles wait for it, commands say so, and both end when they are told to."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from bridge.db.database import Database

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


async def test_opening_says_at_once_why_not() -> None:
    with pytest.raises(psycopg.OperationalError, match="refused"):
        await Database(NOWHERE).open()


async def test_waiting_for_the_database_ends_when_told_to(database_dsn: str) -> None:
    stop = asyncio.Event()
    waiting = asyncio.create_task(Database(NOWHERE).open_before(stop))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    stop.set()
    assert await waiting is False
    there = Database(database_dsn)
    assert await there.open_before(asyncio.Event()) is True
    await there.close()


@pytest.mark.parametrize("command", ["up", "migrate"])
def test_a_command_ends_with_the_servers_words(command: str, tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
    done = subprocess.run(
        [sys.executable, "-m", "bridge", command],
        env=environ | {"DATABASE_URL": NOWHERE},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith("the database does not answer: ")
    assert "refused" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("role", ["work", "sync"])
def test_a_role_waits_for_the_database_and_ends_at_sigterm(role: str, tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge", role],
        env=environ | {"DATABASE_URL": NOWHERE},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert "database.away" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
