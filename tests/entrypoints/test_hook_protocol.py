"""Hook URLs over a real connection, written byte by byte as senders and proxies do."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from bridge.entrypoints.serve import Application
from bridge.entrypoints.server import serve
from tests.intake.senders import SETTINGS, signed


class Line:
    """One connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, *parts: bytes) -> None:
        self.writer.write(b"".join(parts))

    async def answer(self) -> tuple[int, dict[str, str], Any]:
        """Return status, headers and JSON of the next answer."""
        async with asyncio.timeout(30):
            status, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(status.split()[1]), headers, json.loads(body) if body else None

    async def is_closed(self) -> bool:
        async with asyncio.timeout(30):
            return await self.reader.read() == b""


Dial = Any


@pytest.fixture
async def dial(database_dsn: str, free_port: int) -> AsyncIterator[Dial]:
    application = Application(SETTINGS, dsn=database_dsn)
    serving = asyncio.create_task(
        serve(
            application.build(),
            host="127.0.0.1",
            port=free_port,
            draining=application.draining,
            handle_signals=False,
        )
    )
    lines: list[Line] = []

    async def connect() -> Line:
        for _ in range(1_500):
            with contextlib.suppress(OSError):
                lines.append(Line(*await asyncio.open_connection("127.0.0.1", free_port)))
                return lines[-1]
            await asyncio.sleep(0.02)
        raise AssertionError("the server did not start")

    yield connect
    for line in lines:
        line.writer.close()
    application.draining.set()
    await serving


def raw(ident: str, *, first: str = "POST /hooks/website HTTP/1.1", **changed: str) -> tuple[bytes, bytes]:
    """Return head and body of a signed request; a header changed to nothing is left out."""
    headers, body = signed(ident, now=datetime.now(UTC))
    headers |= {"host": "bridge", "content-length": str(len(body))}
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    lines = [first, *(f"{name}: {value}" for name, value in headers.items() if value)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode(), body


async def test_a_request_is_whole_however_its_bytes_arrive(dial: Dial) -> None:
    line = await dial()
    line.writer.transport.get_extra_info("socket").setsockopt(6, 1, 1)  # TCP_NODELAY: a packet for each
    for byte in b"".join(raw("msg_1")):
        line.send(bytes([byte]))
        await line.writer.drain()
    status, headers, said = await line.answer()
    assert (status, said["status"]) == (202, "accepted")
    assert headers["content-type"] == "application/json"
    line.send(*raw("msg_1"))
    assert (await line.answer())[2]["status"] == "duplicate"


async def test_a_body_in_chunks_is_the_same_body(dial: Dial) -> None:
    line = await dial()
    head, body = raw("msg_1", content_length="", transfer_encoding="chunked")
    line.send(head, *(b"1\r\n%c\r\n" % byte for byte in body), b"0\r\n\r\n")
    assert (await line.answer())[0] == 202


async def test_requests_sent_before_the_last_answer_are_answered_in_order(dial: Dial, database_dsn: str) -> None:
    line = await dial()
    wrong = raw("msg_x", webhook_signature="v1," + "A" * 43 + "=")
    line.send(*raw("msg_1"), *raw("msg_2"), *wrong, b"GET /readyz HTTP/1.1\r\nhost: bridge\r\n\r\n", *raw("msg_3"))
    answers = [await line.answer() for _ in range(5)]
    assert [status for status, _, _ in answers] == [202, 202, 401, 200, 202]
    ids = [int(answers[place][2]["id"]) for place in (0, 1, 4)]
    with psycopg.connect(database_dsn) as connection:
        rows = connection.execute("SELECT id, dedup_key FROM deliveries ORDER BY id").fetchall()
    assert dict(rows) == dict(zip(ids, ["msg_1", "msg_2", "msg_3"], strict=True))


@pytest.mark.parametrize(
    ("first", "connection"),
    [("POST /hooks/website HTTP/1.1", "close"), ("POST /hooks/website HTTP/1.0", "")],
)
async def test_a_sender_that_wants_no_more_is_hung_up_on(dial: Dial, first: str, connection: str) -> None:
    line = await dial()
    line.send(*raw("msg_1", first=first, connection=connection))
    status, headers, _ = await line.answer()
    assert (status, headers["connection"]) == (202, "close")
    assert await line.is_closed()


async def test_a_sender_that_asks_first_is_told_to_go_on(dial: Dial) -> None:
    line = await dial()
    head, body = raw("msg_1", expect="100-continue")
    line.send(head)
    assert (await line.answer())[0] == 100
    line.send(body)
    assert (await line.answer())[0] == 202


async def test_a_body_announced_too_large_is_refused_unsent(dial: Dial) -> None:
    line = await dial()
    line.send(raw("msg_1", content_length="1048577", expect="100-continue")[0])
    status, headers, said = await line.answer()
    assert (status, said["reason"]) == (413, "body_too_large")
    assert headers["content-type"] == "application/problem+json"


async def test_a_body_that_grows_beyond_the_limit_is_refused(dial: Dial) -> None:
    line = await dial()
    line.send(raw("msg_1", content_length="", transfer_encoding="chunked")[0])
    line.send(*(b"10000\r\n", b"x" * 0x10000, b"\r\n") * 17)
    assert (await line.answer())[0] == 413
    line.send(b"0\r\n\r\n", *raw("msg_2"))
    assert (await line.answer())[0] == 202


@pytest.mark.parametrize(
    ("first", "status", "reason"),
    [
        ("POST /hooks/nobody HTTP/1.1", 404, "source_unknown"),
        ("POST /hooks/%77ebsite HTTP/1.1", 404, "source_unknown"),
        ("POST /hooks/ HTTP/1.1", 404, "source_unknown"),
        ("PUT /hooks/jobber HTTP/1.1", 404, "source_unknown"),
        ("POST http://bridge/hooks/nobody HTTP/1.1", 404, "source_unknown"),
    ],
)
async def test_what_is_no_source_is_told_so(dial: Dial, first: str, status: int, reason: str) -> None:
    line = await dial()
    line.send(*raw("msg_1", first=first))
    seen, _, said = await line.answer()
    assert (seen, said["reason"]) == (status, reason)
    line.send(*raw("msg_2"))
    assert (await line.answer())[0] == 202


async def test_a_head_is_answered_without_a_body(dial: Dial) -> None:
    line = await dial()
    line.send(b"HEAD /hooks/nobody HTTP/1.1\r\nhost: bridge\r\nconnection: close\r\n\r\n")
    async with asyncio.timeout(30):
        text = await line.reader.read()
    assert text.startswith(b"HTTP/1.1 404")
    assert text.endswith(b"\r\n\r\n")


async def test_an_absolute_url_names_the_same_source(dial: Dial) -> None:
    line = await dial()
    line.send(*raw("msg_1", first="POST http://bridge/hooks/website HTTP/1.1"))
    assert (await line.answer())[0] == 202


async def test_half_a_request_leaves_nothing(dial: Dial, database_dsn: str) -> None:
    line = await dial()
    head, body = raw("msg_1")
    line.send(head, body[:-1])
    await line.writer.drain()
    line.writer.close()
    other = await dial()
    other.send(*raw("msg_2"))
    assert (await other.answer())[0] == 202
    with psycopg.connect(database_dsn) as connection:
        assert connection.execute("SELECT dedup_key FROM deliveries").fetchall() == [("msg_2",)]


async def test_one_that_hangs_up_before_its_answer_is_stored_and_may_send_again(dial: Dial) -> None:
    line = await dial()
    line.send(*raw("msg_1"))
    await line.writer.drain()
    line.writer.transport.abort()
    await asyncio.sleep(0.2)
    other = await dial()
    other.send(*raw("msg_1"))
    assert (await other.answer())[0] == 202


async def test_a_repeated_signature_header_is_refused(dial: Dial) -> None:
    line = await dial()
    head, body = raw("msg_1")
    line.send(head.replace(b"\r\n\r\n", b"\r\nwebhook-signature: v1,AAAA\r\n\r\n"), body)
    status, _, said = await line.answer()
    assert (status, said["reason"]) == (401, "signature_duplicated")


async def test_what_is_no_http_is_hung_up_on(dial: Dial) -> None:
    line = await dial()
    line.send(b"POST /hooks/website HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n12345")
    async with asyncio.timeout(30):
        assert b" 400 " in (await line.reader.read())[:20]


@pytest.mark.slow
async def test_a_sender_that_stays_silent_is_hung_up_on(dial: Dial) -> None:
    line = await dial()
    line.send(*raw("msg_1"))
    assert (await line.answer())[0] == 202
    async with asyncio.timeout(20):
        assert await line.reader.read() == b""
