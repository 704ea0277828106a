"""A real worker process that kills itself at a named point: `worker.py DSN SIMULATOR POINT`; an empty point lives."""

import asyncio
import os
import random
import signal
import sys
from datetime import UTC, datetime
from typing import Any

import httpx

from bridge.db.database import Database
from bridge.db.ownership import Ownership
from bridge.domain.ids import TenantId
from bridge.sending import dispatcher as dispatching
from bridge.sending import records, store
from bridge.sending.dispatcher import Dispatcher
from bridge.sending.execute import Performer
from bridge.sending.run import run
from bridge.sending.settings import SendingSettings
from bridge.servicetitan.client import ServiceTitan
from bridge.servicetitan.credentials import Credentials


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Killing(Dispatcher):
    """Dies where it was told to, the third time it comes by."""

    point = ""
    left = 3

    def at(self, point: str) -> None:
        if point == self.point:
            type(self).left -= 1
            if self.left <= 0:
                die()

    async def commit_intents(self) -> int:
        count = await super().commit_intents()
        if count:
            self.at("after_intent_commit")
        return count

    async def send(self, flight: Any) -> None:
        self.at("before_send")
        await super().send(flight)
        self.at("after_response")

    async def record_outcomes(self) -> int:
        if self.landed:
            self.at("before_outcome_commit")
        count = await super().record_outcomes()
        if count:
            self.at("after_outcome_commit")
        return count


def patch(killing: Killing) -> None:
    """Put points where a statement that commits by itself is on its way: its commit may happen or not."""
    intend, done = store.intend, records.done

    async def intend_or_die(*arguments: Any, **parts: Any) -> Any:
        under_way = asyncio.ensure_future(intend(*arguments, **parts))
        await asyncio.wait([under_way], timeout=random.random() / 500)
        killing.at("during_intent_commit")
        return await under_way

    async def done_or_die(*arguments: Any, **parts: Any) -> int:
        under_way = asyncio.ensure_future(done(*arguments, **parts))
        await asyncio.wait([under_way], timeout=random.random() / 500)
        killing.at("during_outcome_commit")
        return await under_way

    dispatching.store.intend = intend_or_die  # type: ignore[assignment]
    dispatching.records.done = done_or_die  # type: ignore[assignment]


class Cutting(httpx.AsyncHTTPTransport):
    """Dies when the bytes are out and the answer has begun to come."""

    killing: Killing

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        if request.method == "POST" and "bookings" in request.url.path:
            self.killing.at("after_bytes_sent")
        return answer


async def main(dsn: str, simulator: str, point: str) -> None:
    database = Database(dsn, min_size=1, max_size=4)
    await database.open()
    transport = Cutting()
    http = httpx.AsyncClient(transport=transport, timeout=5.0)
    credentials = Credentials.for_environment(
        simulator,
        tenant_id=1000001,
        client_id="cid.demo",
        client_secret="cs1.demo",
        app_key="ak1.demo",
        booking_provider=501,
    )

    def clock() -> datetime:
        return datetime.now(UTC)

    client = ServiceTitan(credentials, http, clock)
    performer = Performer(http_timeout=5.0)
    ownership = Ownership(dsn, name=f"chaos-{os.getpid()}", lease=6.0, renew_every=0.3, silence=1.0)

    def client_of(_: TenantId) -> ServiceTitan:
        return client

    killing = Killing(
        database,
        clients=client_of,
        ownership=ownership,
        clock=clock,
        execute=performer.execute,
        look_up=performer.look_up,
        settings=SendingSettings(http_timeout=5.0, lease=6.0, batch=8, in_flight=8),
    )
    killing.point = point
    transport.killing = killing
    patch(killing)
    ownership.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await run(killing, stop, dsn=dsn)
    ownership.stop()
    await http.aclose()
    await database.close()


if __name__ == "__main__":
    # The far side's patience is shortened, so that "absent" counts within a test's time.
    from datetime import timedelta

    from bridge.sending import retry

    retry.FAR_SIDE_TIMEOUT = timedelta(seconds=1)
    retry.READ_LAG = timedelta(seconds=1)
    asyncio.run(main(*sys.argv[1:4]))
