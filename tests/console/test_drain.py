"""SIGTERM with a live list open: the stream is ended with a word, and the program ends within three seconds."""

import asyncio
import os
import signal
import subprocess
import sys

import httpx

from bridge.bootstrap import wall_clock
from bridge.entrypoints.access import SESSION_COOKIE
from bridge.operations import users
from bridge.operations.audit import Act
from tests.console.visiting import listens

ENDS_WITHIN_SECONDS = 3  # the promise


async def test_an_open_live_list_does_not_keep_the_program(database, database_dsn: str, free_port: int) -> None:
    act = Act("cli:test", wall_clock())
    _, path = await users.make_link(database, act, login="viewer@example.com")
    entered = await users.follow_link(database, path.rsplit("/", 1)[-1], now=act.now)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
    environ |= {"DATABASE_URL": database_dsn, "BRIDGE_PORT": str(free_port), "BRIDGE_CONFIG": ""}
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge", "serve"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(40):
            while not await listens(free_port):
                await asyncio.sleep(0.05)
        base = f"http://127.0.0.1:{free_port}"
        async with httpx.AsyncClient(base_url=base, cookies={SESSION_COOKIE: entered.token}, timeout=30) as client:
            streams = [client.stream("GET", "/live?q=") for _ in range(3)]
            opened = [await stream.__aenter__() for stream in streams]
            lines = [answer.aiter_lines() for answer in opened]
            for one in lines:
                assert await anext(one) == "event: hello"
            process.send_signal(signal.SIGTERM)
            output, _ = await asyncio.to_thread(process.communicate, timeout=ENDS_WITHIN_SECONDS)
            for one in lines:
                assert "event: bye" in [line async for line in one]
    finally:
        process.kill()
    assert process.returncode == 0, output
