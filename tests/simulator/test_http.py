"""The simulator over real sockets: faults cut them, a shell starts it, curl can use it."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from click.testing import CliRunner

from bridge.entrypoints.cli.simulator import simulator as simulator_command
from bridge.simulator.faults import Action, Fault
from bridge.simulator.hooks import Subscription
from bridge.simulator.server import configure
from bridge.simulator.start import add_tenant, build, read_switches
from bridge.simulator.state import Simulator

FORM = {"grant_type": "client_credentials", "client_id": "cid.demo", "client_secret": "cs1.demo"}
BOOKING = {"source": "Web", "name": "Ann", "summary": "AC", "isFirstTimeClient": True, "externalId": "e1"}
BODY = {**BOOKING, "contacts": [{"type": "Phone", "value": "512-555-0101"}]}
PATH = "/crm/v2/tenant/1000001/booking-provider/501/bookings"


@pytest.fixture
async def served() -> AsyncIterator[tuple[Simulator, httpx.AsyncClient]]:
    """A simulator on a free port and a client that has logged in."""
    simulator = Simulator(seed=1)
    server = uvicorn.Server(configure(simulator))
    started = asyncio.Event()
    startup = server.startup

    async def startup_and_tell(*given: Any, **named: Any) -> None:
        await startup(*given, **named)
        started.set()

    server.startup = startup_and_tell  # type: ignore[method-assign]
    running = asyncio.create_task(server.serve())
    await started.wait()
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        token = (await client.post("/connect/token", data=FORM)).json()["access_token"]
        client.headers.update({"authorization": f"Bearer {token}", "st-app-key": "ak1.demo"})
        yield simulator, client
    server.should_exit = True
    await running


async def test_a_booking_over_http(served: tuple[Simulator, httpx.AsyncClient]) -> None:
    simulator, client = served
    assert (await client.post(PATH, json=BODY)).json()["externalId"] == "e1"
    assert simulator.count("booking.created") == 1


@pytest.mark.parametrize(
    ("action", "applied"), [("drop_before", 0), ("drop_after", 1), ("refuse", 0), ("timeout_after", 1)]
)
async def test_the_socket_is_cut(served: tuple[Simulator, httpx.AsyncClient], action: str, applied: int) -> None:
    simulator, client = served
    simulator.add_fault(Fault(action=Action(action), method="POST", seconds=0.05))
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await client.post(PATH, json=BODY)
    assert simulator.count("booking.created") == applied
    simulator.clear_faults()
    assert (await client.post(PATH, json=BODY)).status_code == 200


async def test_a_client_that_gives_up_meets_the_late_apply(served: tuple[Simulator, httpx.AsyncClient]) -> None:
    simulator, client = served
    applied = asyncio.Event()
    simulator.listeners.append(lambda _: applied.set())
    simulator.add_fault(Fault(action=Action.LATE_APPLY, seconds=1.5))
    with pytest.raises(httpx.ReadTimeout):
        await client.post(PATH, json=BODY, timeout=0.05)
    assert simulator.count("booking.created") == 0
    await asyncio.wait_for(applied.wait(), 20)
    assert simulator.count("booking.created") == 1


async def test_a_slow_body_arrives_whole(served: tuple[Simulator, httpx.AsyncClient]) -> None:
    simulator, client = served
    simulator.add_fault(Fault(action=Action.SLOW_BODY, seconds=0.05))
    assert (await client.post(PATH, json=BODY)).json()["externalId"] == "e1"


async def test_webhooks_are_sent_over_http(served: tuple[Simulator, httpx.AsyncClient]) -> None:
    simulator, client = served
    got: asyncio.Queue[bytes] = asyncio.Queue()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE)[1])  # type: ignore[index]
        await got.put(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    receiver = await asyncio.start_server(receive, "127.0.0.1", 0)
    port = receiver.sockets[0].getsockname()[1]
    simulator.webhooks.subscriptions.append(Subscription(tenant=1000001, url=f"http://127.0.0.1:{port}/st"))
    made = (await client.post(PATH, json=BODY)).json()
    await client.patch(f"{PATH}/{made['id']}", json={"summary": "changed"})
    event = json.loads(await asyncio.wait_for(got.get(), 20))
    assert event["data"]["booking"]["id"] == made["id"]
    receiver.close()
    await receiver.wait_closed()


def test_a_shell_starts_it_and_curl_uses_it() -> None:
    program = "from bridge.entrypoints.cli.simulator import simulator; simulator()"
    options = ["--port", "0", "--customers", "1000", "--faults", "none", "--tenant", "2000002", "--rate-limit", "0"]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", program, *options], stdout=subprocess.PIPE, text=True, cwd=root, env=environment
    ) as running:
        try:
            assert running.stdout is not None
            address = re.search(r"http://\S+:\d+", running.stdout.readline())[0]  # type: ignore[index]
            form = "grant_type=client_credentials&client_id=cid.2000002&client_secret=cs1.2000002"
            token = json.loads(_curl(f"{address}/connect/token", "-d", form))["access_token"]
            headers = ("-H", f"Authorization: Bearer {token}", "-H", "ST-App-Key: ak1.demo")
            found = json.loads(
                _curl(f"{address}/crm/v2/tenant/2000002/customers?pageSize=2&includeTotal=true", *headers)
            )
            assert len(found["data"]) == 2
            assert found["totalCount"] == 900
        finally:
            running.send_signal(signal.SIGINT)


def _curl(url: str, *options: str) -> str:
    command = ["curl", "-sS", "--retry", "5", "--retry-connrefused", url, *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_texts_of_a_command_line_are_read_or_refused() -> None:
    assert read_switches(["rateLimitPerSecond=0", "exportBatch=7", "newContactsEnabled=false"]).export_batch == 7
    for wrong in ("colour=red", "exportBatch", "exportBatch=many"):
        with pytest.raises(ValueError, match=r"switch|NAME=VALUE"):
            read_switches([wrong])
    simulator = build(seed=1, customers=20, faults="rough", tenants=["7:c:s:a:0"], switches=[])
    assert simulator.clients["c"].booking_provider is None
    assert len(simulator.accounts[7].customers) == 20
    for wrong in ("x", "7:c", "7:c:s"):
        with pytest.raises(ValueError, match="tenant"):
            add_tenant(simulator, wrong)


def test_a_port_that_is_taken_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(simulator_command, ["--port", port])
    assert result.exit_code == 1
    assert "--port 0" in result.output
    assert "Traceback" not in result.output
