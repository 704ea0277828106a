"""SIGTERM under load: the program ends by itself, and what it acknowledged is stored."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import httpx
import psycopg

from tests.intake.senders import signed


async def test_a_server_told_to_stop_amid_requests_loses_nothing_it_acknowledged(
    database_dsn: str, free_port: int
) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
    environ |= {"DATABASE_URL": database_dsn, "BRIDGE_PORT": str(free_port), "BRIDGE_CONFIG": ""}
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge", "serve"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    acknowledged: set[int] = set()
    refused: list[int] = []
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{free_port}", timeout=30) as client:

        async def send(sender: int) -> None:
            for number in range(10_000):
                headers, body = signed(f"msg_{sender}_{number}", now=datetime.now(UTC))
                try:
                    answer = await client.post("/hooks/website", headers=headers, content=body)
                except httpx.TransportError:  # the server is gone: this one was never acknowledged
                    return
                if answer.status_code == 202:
                    acknowledged.add(int(answer.json()["id"]))
                else:
                    refused.append(answer.status_code)

        await _until_it_answers(client)
        senders = [asyncio.create_task(send(sender)) for sender in range(16)]
        while len(acknowledged) < 100:
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        output, _ = await asyncio.to_thread(process.communicate, timeout=20)
        await asyncio.gather(*senders)

    assert process.returncode == 0
    assert not refused
    with psycopg.connect(database_dsn) as connection:
        stored = {row[0] for row in connection.execute("SELECT id FROM deliveries").fetchall()}
        queued = {row[0] for row in connection.execute("SELECT id FROM delivery_queue").fetchall()}
    assert acknowledged <= stored
    assert stored == queued
    lines = [json.loads(line) for line in output.splitlines()]
    assert acknowledged <= {line.get("delivery_id") for line in lines}


async def _until_it_answers(client: httpx.AsyncClient) -> None:
    for _ in range(600):
        try:
            if (await client.get("/readyz")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)
    raise AssertionError("the server did not start")
