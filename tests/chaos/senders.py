"""Senders as they are: signed requests at a steady pace, each tried again until a server has acknowledged it."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx

from tests.chaos.stage import PERSON, SECRET
from tests.intake.senders import signed

TIMEOUT = 15.0  # seconds; then a sender asks again
PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0)  # seconds between tries


class Senders:
    """One for each tenant's website. `acknowledged` holds the numbers that were answered with 2xx.

    A balancer stands before the servers: a request goes to the next one when its server does not answer or says 5xx. One in ten
    is sent once more after its acknowledgement, as real senders do.
    """

    def __init__(self, servers: Sequence[str], *, tenants: int, first: int, rate: float) -> None:
        self.servers = list(servers)
        self.sent: set[int] = set()
        self.acknowledged: set[int] = set()
        self.refused: dict[int, int] = {}
        self._tenants = tenants
        self._next = first
        self._apart = 1 / rate
        self._stop = asyncio.Event()
        self._under_way: set[asyncio.Task[None]] = set()
        self._client = httpx.AsyncClient(
            timeout=TIMEOUT, limits=httpx.Limits(max_connections=200, max_keepalive_connections=40)
        )

    async def run(self) -> None:
        """Send until told to stop, one after the other at the pace, whatever the answers do; then wait for the last answers."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not self._stop.is_set():
            task = asyncio.create_task(self._deliver(self._next))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
            self._next += 1
            due += self._apart
            await asyncio.sleep(max(due - loop.time(), 0))
        await asyncio.gather(*self._under_way)
        await self._client.aclose()

    def stop(self) -> None:
        """Begin no more."""
        self._stop.set()

    async def _deliver(self, number: int) -> None:
        self.sent.add(number)
        lead = {
            "type": "lead.created",
            "name": f"{PERSON}{number}",
            "phone": f"512-{200 + number // 10_000:03d}-{number % 10_000:04d}",
            "email": f"ada.{number}@example.com",
            "message": "No cooling upstairs, the unit is about twelve years old.",
        }
        headers, body = signed(f"msg_{number}", now=datetime.now(UTC), payload=lead, secret=SECRET)
        for again in range(2 if number % 10 == 0 else 1):
            await self._until_acknowledged(number + again, headers, body, number)

    async def _until_acknowledged(self, turn: int, headers: dict[str, str], body: bytes, number: int) -> None:
        for tries in range(1000):
            server = self.servers[(turn + tries) % len(self.servers)]
            try:
                answer = await self._client.post(
                    f"{server}/hooks/web{number % self._tenants}", headers=headers, content=body
                )
            except httpx.TransportError:
                await asyncio.sleep(PAUSES[min(tries, len(PAUSES) - 1)])
                continue
            if answer.is_success:
                self.acknowledged.add(number)
                return
            if answer.status_code < 500:
                self.refused[number] = answer.status_code
                return
            await asyncio.sleep(PAUSES[min(tries, len(PAUSES) - 1)])
