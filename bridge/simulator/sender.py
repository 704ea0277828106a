"""Sends queued webhooks and does late applies in real time."""

import asyncio
import contextlib
from typing import TYPE_CHECKING

from bridge.simulator.state import Simulator

if TYPE_CHECKING:
    from httpx import AsyncClient

POLL_SECONDS = 0.25
"""How late a webhook or late apply may come at most; a new event wakes the loop at once."""

ANSWER_SECONDS = 10.0


async def run_webhooks(simulator: Simulator) -> None:
    """Send what is due until cancelled; the HTTP client is made when the first event is due."""
    queued = asyncio.Event()
    client: AsyncClient | None = None
    try:
        while True:
            simulator.webhooks.on_queued = queued.set
            simulator.settle()
            due = simulator.webhooks.next_due()
            if due is not None and due <= simulator.now():
                client = client or _client()
                await _send(simulator, client)
                continue
            queued.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(queued.wait(), POLL_SECONDS)
    finally:
        if client is not None:
            await client.aclose()


def _client() -> "AsyncClient":
    import httpx  # noqa: PLC0415 - a simulator without webhooks starts without an HTTP client

    return httpx.AsyncClient(timeout=ANSWER_SECONDS)


async def _send(simulator: Simulator, client: "AsyncClient") -> None:
    import httpx  # noqa: PLC0415 - as above

    async def post(url: str, body: bytes, headers: dict[str, str]) -> int:
        try:
            return (await client.post(url, content=body, headers=headers)).status_code
        except httpx.HTTPError:
            return 0

    await simulator.webhooks.send_due(post, now=simulator.now(), guid=simulator.new_guid, switches=simulator.switches)
