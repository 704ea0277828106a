"""What real sockets do to a request, and which of it proves that nothing was sent."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from bridge.domain.outcome import Deferred, InDoubt, Outcome, Succeeded
from bridge.servicetitan.client import ServiceTitan
from bridge.servicetitan.credentials import Credentials
from bridge.servicetitan.transport import open_http

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
TOKEN = b'{"access_token":"t","expires_in":900,"token_type":"Bearer"}'


class Far:
    """A server that reads each request whole, answers token requests, and does with the others what a test says."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.answer: Callable[[asyncio.StreamWriter], Awaitable[None]] = self.reply(b'{"id": 1}')
        self.server: asyncio.Server | None = None
        self.waiting = asyncio.Event()

    def reply(self, body: bytes, *, status: str = "200 OK", headers: str = "") -> Any:
        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{headers}\r\n".encode() + body)
            await writer.drain()

        return answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
                body = await reader.readexactly(int(length or 0))
                if b"/connect/token" in head:
                    await self.reply(TOKEN)(writer)
                    continue
                self.seen.append(head.split(b"\r\n")[0] + b" " + body)
                await self.answer(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def open(self) -> str:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"


@pytest.fixture
async def far() -> AsyncIterator[Far]:
    opened = Far()
    yield opened
    opened.waiting.set()
    if opened.server is not None:
        opened.server.close()


async def book(origin: str, clock: Any, *, calls: int = 1, method: str = "create", **bounds: Any) -> list[Outcome]:
    """Return the outcomes of bookings made one after the other over real connections."""
    http = open_http(**bounds)
    credentials = Credentials.for_environment(
        origin, tenant_id=1, client_id="cid", client_secret="cs", app_key="ak", booking_provider=5
    )
    st = ServiceTitan(credentials, http, clock)
    body = {"source": "s", "name": "n", "summary": "x", "isFirstTimeClient": True, "externalId": "e"}
    contacts = [{"type": "Phone", "value": "5125550142"}]
    try:
        if method == "get":
            return [await st.bookings.get(1) for _ in range(calls)]
        return [await st.bookings.create(body={**body, "contacts": contacts}) for _ in range(calls)]
    finally:
        await http.aclose()


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def half_an_answer(writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"id": 1')
    await writer.drain()
    writer.close()


async def reset(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def garbage(writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    await writer.drain()
    writer.close()


async def test_a_request_arrives_with_its_headers_and_its_answer_is_read(far: Far, clock: Any) -> None:
    (outcome,) = await book(await far.open(), clock)
    assert isinstance(outcome, Succeeded)
    assert outcome.body.id == 1
    assert far.seen[0].startswith(b"POST /crm/v2/tenant/1/booking-provider/5/bookings HTTP/1.1 {")


@pytest.mark.parametrize("answer", [hang_up, half_an_answer, reset, garbage])
@pytest.mark.parametrize("calls", [1, 2])
async def test_a_connection_that_breaks_after_the_request_leaves_a_write_in_doubt(
    far: Far, clock: Any, answer: Any, calls: int
) -> None:
    """The stock transport calls a hang-up a connect timeout, which would send the booking again."""
    origin = await far.open()
    far.answer = answer
    outcomes = await book(origin, clock, calls=calls)
    assert [(type(one), one.reason) for one in outcomes] == [(InDoubt, "connection_lost")] * calls
    assert len(far.seen) == calls, "sent once each, never again by itself"


async def test_a_read_whose_connection_breaks_is_deferred(far: Far, clock: Any) -> None:
    origin = await far.open()
    far.answer = hang_up
    (outcome,) = await book(origin, clock, method="get")
    assert isinstance(outcome, Deferred)
    assert outcome.reason == "connection_lost"


async def test_an_answer_that_does_not_come_in_time_leaves_a_write_in_doubt(far: Far, clock: Any) -> None:
    origin = await far.open()

    async def silence(_: asyncio.StreamWriter) -> None:
        await far.waiting.wait()

    far.answer = silence
    (outcome,) = await book(origin, clock, total=0.2)
    assert isinstance(outcome, InDoubt)
    assert outcome.reason == "answer_timeout"


async def test_a_body_that_drips_is_cut_at_the_total_time(far: Far, clock: Any) -> None:
    origin = await far.open()

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while not far.waiting.is_set():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    far.answer = drip
    (outcome,) = await book(origin, clock, total=0.2)
    assert isinstance(outcome, InDoubt)
    assert outcome.reason == "answer_timeout"


async def test_nothing_was_sent_where_nobody_listens(free_port: int, clock: Any) -> None:
    (outcome,) = await book(f"http://127.0.0.1:{free_port}", clock)
    assert isinstance(outcome, Deferred)
    assert outcome.reason == "token_unavailable"


async def test_nothing_was_sent_where_all_connections_are_busy(far: Far, clock: Any) -> None:
    origin = await far.open()
    http = open_http(connections=1, connect=0.1, total=60)
    credentials = Credentials.for_environment(origin, tenant_id=1, client_id="c", client_secret="s", app_key="a")
    st = ServiceTitan(credentials, http, clock)
    assert isinstance(await st.customers.get(1), Succeeded)

    held = asyncio.Event()  # the first is on its way and holds the only connection

    async def silence(_: asyncio.StreamWriter) -> None:
        held.set()
        await far.waiting.wait()

    far.answer = silence
    first = asyncio.create_task(st.tags.add(body={"customerIds": [1], "tagTypeIds": [2]}))
    await held.wait()
    second = await st.tags.add(body={"customerIds": [3], "tagTypeIds": [4]})
    assert isinstance(second, Deferred)
    assert second.reason in {"connect_failed", "connections_busy"}
    assert len(far.seen) == 2
    first.cancel()
    await http.aclose()


async def test_a_compressed_answer_is_read(far: Far, clock: Any) -> None:
    origin = await far.open()
    far.answer = far.reply(gzip.compress(b'{"id": 77}'), headers="content-encoding: gzip\r\n")
    (outcome,) = await book(origin, clock)
    assert isinstance(outcome, Succeeded)
    assert outcome.body.id == 77


async def test_a_redirect_is_not_followed(far: Far, clock: Any) -> None:
    origin = await far.open()
    far.answer = far.reply(b"", status="302 Found", headers="location: https://example.com/login\r\n")
    (outcome,) = await book(origin, clock)
    assert isinstance(outcome, Deferred)
    assert (outcome.reason, outcome.detail) == ("redirected", "https://example.com/login")
