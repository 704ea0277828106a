"""Fetches over real sockets: what a far side may do to us, and what it never gets."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from bridge.connectors.base import Fetch, Hydrate
from bridge.domain.ids import SourceId
from bridge.domain.outcome import Deferred, Outcome, Rejected, Succeeded
from bridge.domain.reasons import Reason
from bridge.hydration.fetcher import Access, Fetcher, Got
from bridge.hydration.targets import Place, Reach, reach_of
from bridge.hydration.transport import GuardedTransport
from tests.hydration.far import Far, access, access_with, reply

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
META = SourceId("meta")
LEAD = Fetch(name="lead/7", url="https://graph.facebook.com/v23.0/7?fields=id", auth="token")


@pytest.fixture
async def far() -> AsyncIterator[Far]:
    opened = await Far().open()
    yield opened
    await opened.close()


async def fetch(source: Access, wanted: Fetch = LEAD, *, total: float = 5.0, looks: int = 1, **parts: Any) -> Got:
    fetcher = Fetcher({META: source}, total=total, **parts)
    try:
        return (await fetcher.fetch_all(META, [wanted], looks=looks, now=NOW))[0]
    finally:
        await fetcher.aclose()


async def outcome(far: Far, wanted: Fetch = LEAD, *, total: float = 5.0, looks: int = 1, **changed: Any) -> Outcome:
    got = await fetch(access(f"http://127.0.0.1:{far.port}/graph", **changed), wanted, total=total, looks=looks)
    return got.outcome


async def test_an_answer_is_kept_as_it_came(far: Far) -> None:
    far.act = reply(b'{"id": "7"}', headers="set-cookie: a=b\r\n")
    got = await fetch(access(f"http://127.0.0.1:{far.port}/graph"))
    assert got.answer is not None
    assert (got.answer.name, got.answer.status, got.answer.body) == ("lead/7", 200, b'{"id": "7"}')
    assert far.seen[0].startswith(b"GET /graph/v23.0/7?fields=id HTTP/1.1\r\n")
    assert b"authorization: bearer a/secret token+\r\n" in far.seen[0].lower()


@pytest.mark.parametrize(
    ("style", "sent"),
    [
        ("header:APIKEY", b"\r\napikey: a/secret token+\r\n"),
        ("scheme:Token", b"\r\nauthorization: token a/secret token+\r\n"),
        ("query:access_token", b"?fields=id&access_token=a/secret%20token%2b http"),
    ],
)
async def test_the_credential_goes_where_the_sender_wants_it(far: Far, style: str, sent: bytes) -> None:
    wanted = Fetch(name="x", url=LEAD.url, auth="token", auth_style=style)
    assert isinstance(await outcome(far, wanted), Succeeded)
    assert sent in far.seen[0].lower()


async def test_what_is_kept_holds_no_form_of_the_credential(far: Far) -> None:
    far.act = reply(
        b'{"next": "https://x/?t=a%2Fsecret%20token%2B", "also": "a/secret token+", "plus": "a%2Fsecret+token%2B"}'
    )
    got = await fetch(access(f"http://127.0.0.1:{far.port}"))
    assert got.answer is not None
    assert got.answer.body == b'{"next": "https://x/?t=***", "also": "***", "plus": "***"}'


async def test_a_redirect_within_the_reach_is_followed(far: Far) -> None:
    async def once(writer: asyncio.StreamWriter) -> None:
        act = (
            reply(b'{"id": 7}')
            if len(far.seen) > 1
            else reply(status="302 Found", headers="location: /graph/moved\r\n")
        )
        await act(writer)

    far.act = once
    assert isinstance(await outcome(far), Succeeded)
    assert far.seen[1].startswith(b"GET /graph/moved ")


@pytest.mark.parametrize(
    "place",
    [
        "https://evil.example.com/", "http://169.254.169.254/latest/meta-data", "http://127.0.0.1:5432/", "//evil.example.com/",
        "http://[::1]:80/", "file:///etc/passwd", "http://localhost/", "gopher://127.0.0.1:6379/_x",
    ],
)  # fmt: skip
async def test_a_redirect_out_of_the_reach_is_not_followed(far: Far, place: str) -> None:
    far.act = reply(status="301 Moved Permanently", headers=f"location: {place}\r\n")
    said = await outcome(far)
    assert isinstance(said, Rejected)
    assert said.reason == Reason.FETCH_FORBIDDEN
    assert len(far.seen) == 1


async def test_redirects_end(far: Far) -> None:
    far.act = reply(status="302 Found", headers="location: /graph/again\r\n")
    said = await outcome(far)
    assert isinstance(said, Rejected)
    assert len(far.seen) == 4


async def test_a_post_is_never_redirected(far: Far) -> None:
    far.act = reply(status="307 Temporary Redirect", headers="location: /graph/again\r\n")
    said = await outcome(far, Fetch(name="x", url=LEAD.url, auth="token", method="POST", body=b"{}"))
    assert isinstance(said, Rejected)
    assert len(far.seen) == 1


async def test_another_host_of_the_reach_does_not_hear_the_credential() -> None:
    heard: list[tuple[str, str | None]] = []

    def serve(request: httpx.Request) -> httpx.Response:
        heard.append((request.url.host, request.headers.get("authorization")))
        if request.url.host == "graph.facebook.com":
            return httpx.Response(302, headers={"location": "https://cdn.example.com/7"})
        return httpx.Response(200, stream=httpx.ByteStream(b"{}"))

    hydrate = Hydrate(hosts=("cdn.example.com",))
    source = access_with(reach_of({"graph.facebook.com"}, hydrate), hydrate)
    got = await fetch(source, open_transport=lambda _: httpx.MockTransport(serve))
    assert isinstance(got.outcome, Succeeded)
    assert heard == [("graph.facebook.com", "Bearer a/secret token+"), ("cdn.example.com", None)]


async def test_an_answer_beyond_the_bound_is_cut_off(far: Far) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while not far.done.is_set():
            writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            await writer.drain()

    far.act = endless
    said = await outcome(far, max_bytes=10_000)
    assert isinstance(said, Rejected)
    assert said.reason == Reason.FETCH_TOO_LARGE


async def test_a_small_answer_that_unpacks_to_much_is_cut_off(far: Far) -> None:
    packed = gzip.compress(b"\0" * 30_000_000)
    assert len(packed) < 100_000
    far.act = reply(packed, headers="content-encoding: gzip\r\n")
    said = await outcome(far, max_bytes=100_000)
    assert isinstance(said, Rejected)
    assert said.reason == Reason.FETCH_TOO_LARGE


async def test_a_packed_answer_is_unpacked(far: Far) -> None:
    far.act = reply(gzip.compress(b'{"id": 7}'), headers="content-encoding: gzip\r\n")
    said = await outcome(far)
    assert isinstance(said, Succeeded)
    assert said.body == b'{"id": 7}'


@pytest.mark.parametrize("how", ["silence", "half a head", "half a body", "a byte at a time", "no connection"])
async def test_a_far_side_that_hangs_is_left_within_the_time(far: Far, how: str) -> None:
    async def slowly(writer: asyncio.StreamWriter) -> None:
        head = {
            "half a head": b"HTTP/1.1 200 OK\r\ncont",
            "half a body": b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}",
        }
        writer.write(head.get(how, b""))
        if how == "a byte at a time":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
            while not far.done.is_set():
                writer.write(b" ")
                await asyncio.sleep(0.05)
        await far.done.wait()

    far.act = slowly
    if how == "no connection":
        await far.close()
    async with asyncio.timeout(30):
        said = await outcome(far, total=0.3)
    assert isinstance(said, Deferred)
    assert said.reason == Reason.FETCH_UNANSWERED
    assert not said.backpressure


async def test_a_dropped_connection_is_tried_again(far: Far) -> None:
    async def drop(writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    far.act = drop
    said = await outcome(far)
    assert isinstance(said, Deferred)
    assert said.reason == Reason.FETCH_UNANSWERED


async def test_a_429_holds_the_source_back_for_its_time(far: Far) -> None:
    far.act = reply(status="429 Too Many Requests", headers="retry-after: 17\r\n")
    fetcher = Fetcher({META: access(f"http://127.0.0.1:{far.port}")})
    first = (await fetcher.fetch_all(META, [LEAD], looks=0, now=NOW))[0].outcome
    second = (await fetcher.fetch_all(META, [LEAD], looks=0, now=NOW))[0].outcome
    await fetcher.aclose()
    assert isinstance(first, Deferred)
    assert (first.backpressure, first.retry_after) == (True, 17.0)
    assert isinstance(second, Deferred)
    assert second.backpressure
    assert len(far.seen) == 1  # the second waited without asking


async def test_a_source_asks_no_more_often_than_its_limit(far: Far) -> None:
    fetcher = Fetcher({META: access(f"http://127.0.0.1:{far.port}", per_minute=3)})
    wanted = [Fetch(name=f"lead/{number}", url=f"{LEAD.url}{number}", auth="token") for number in range(9)]
    got = await fetcher.fetch_all(META, wanted, looks=0, now=NOW)
    await fetcher.aclose()
    assert len(far.seen) == 3
    waits = [one.outcome for one in got if isinstance(one.outcome, Deferred)]
    assert len(waits) == 6
    assert all(one.backpressure and one.reason == Reason.FETCH_LIMITED for one in waits)


async def test_without_the_credential_nothing_is_sent(far: Far) -> None:
    said = await outcome(far, Fetch(name="x", url=LEAD.url, auth="another"))
    assert isinstance(said, Rejected)
    assert said.reason == Reason.HYDRATION_MISSING
    assert far.seen == []


async def test_a_credential_that_no_header_may_hold_is_not_sent(far: Far) -> None:
    source = access(f"http://127.0.0.1:{far.port}")
    broken = Access(
        source_id=META, reach=source.reach, hydrate=source.hydrate, credentials={"token": "a\r\nhost: evil"}
    )
    got = await fetch(broken)
    assert isinstance(got.outcome, Rejected)
    assert "evil" not in got.outcome.detail
    assert far.seen == []


class _Names(AbstractResolver):
    """A name server that gives other addresses each time."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        kinds = {True: socket.AF_INET6, False: socket.AF_INET}
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kinds[":" in address], proto=0, flags=socket.AI_NUMERICHOST)
            for address in self._answers.pop(0)
        ]  # fmt: skip

    async def close(self) -> None:
        return None


async def ask(reach: Reach, names: _Names, *, times: int, wanted: Fetch = LEAD) -> list[Outcome]:
    source = access_with(reach, Hydrate())
    fetcher = Fetcher({META: source}, open_transport=lambda of: GuardedTransport(of, resolver=names))
    said = [(await fetcher.fetch_all(META, [wanted], looks=1, now=NOW))[0].outcome for _ in range(times)]
    await fetcher.aclose()
    return said


@pytest.mark.parametrize(
    "second", ["169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "fe80::1"]
)
async def test_a_name_that_first_leads_well_and_then_elsewhere_is_refused(far: Far, second: str) -> None:
    reach = reach_of(
        {"graph.facebook.com"}, Hydrate(base_url=f"http://standin.example.com:{far.port}", allow_private=True)
    )
    first, then = await ask(reach, _Names(["127.0.0.1"], [second]), times=2)
    assert isinstance(first, Succeeded)
    assert isinstance(then, Rejected)
    assert then.reason == Reason.FETCH_FORBIDDEN
    assert len(far.seen) == 1


@pytest.mark.parametrize("inside", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "10.0.0.1"])
async def test_the_senders_name_may_not_lead_to_this_machine(far: Far, inside: str) -> None:
    reach = Reach(frozenset({Place("graph.facebook.com", 443), Place("graph.facebook.com", far.port)}))
    url = f"https://graph.facebook.com:{far.port}/7"
    (said,) = await ask(reach, _Names([inside]), times=1, wanted=Fetch(name="x", url=url, auth="token"))
    assert isinstance(said, Rejected)
    assert said.reason == Reason.FETCH_FORBIDDEN
    assert far.seen == []


async def test_one_forbidden_address_among_good_ones_is_enough() -> None:
    reach = reach_of({"graph.facebook.com"}, Hydrate())
    (said,) = await ask(reach, _Names(["157.240.1.1", "10.0.0.1"]), times=1)
    assert isinstance(said, Rejected)
    assert said.reason == Reason.FETCH_FORBIDDEN
