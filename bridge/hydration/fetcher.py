"""Performs described fetches: allowed places only, within size, time and rate, credentials added last and taken out again."""

import asyncio
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import NamedTuple, cast
from urllib.parse import quote, quote_plus, urljoin, urlsplit

import httpx

from bridge.connectors.base import Fetch, Hydrate
from bridge.domain.budget import Budget
from bridge.domain.delivery import Fetched
from bridge.domain.ids import SourceId
from bridge.domain.outcome import Deferred, Outcome, Rejected, Succeeded
from bridge.domain.reasons import Reason
from bridge.hydration.answers import outcome_of
from bridge.hydration.targets import Reach, Target, aim, is_forbidden

TOTAL_SECONDS = 10.0
CONNECT_SECONDS = 5.0
AT_ONCE = 8
"""Fetches of one source under way at a time; the others wait their turn outside the ten seconds."""
REDIRECTS = 3
BURST = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """How one source fetches: where to, with which credentials by name, how much and how often."""

    source_id: SourceId
    reach: Reach
    hydrate: Hydrate
    credentials: Mapping[str, str] = field(repr=False)


class Got(NamedTuple):
    """What came of one described fetch; `answer` is what may be stored where it succeeded."""

    fetch: Fetch
    host: str
    outcome: Outcome
    answer: Fetched | None
    seconds: float


class _TooLargeError(Exception):
    """The answer goes beyond the source's bound."""


class Fetcher:
    """Fetches for all sources of this process; each source has its own connections, budget per host and turn."""

    def __init__(
        self,
        sources: Mapping[SourceId, Access],
        *,
        open_transport: Callable[[Reach], httpx.AsyncBaseTransport] | None = None,
        total: float = TOTAL_SECONDS,
        on_fetch: Callable[[SourceId, Got], None] | None = None,
    ) -> None:
        if open_transport is None:
            from bridge.hydration.transport import open_guarded  # noqa: PLC0415  8 MB that only those who fetch need

            open_transport = open_guarded

        self._sources = sources
        self._open = open_transport
        self._total = total
        self._on_fetch = on_fetch
        self._transports: dict[SourceId, httpx.AsyncBaseTransport] = {}
        self._turns: dict[SourceId, asyncio.Semaphore] = {}
        self._budgets: dict[tuple[SourceId, str], Budget] = {}

    def knows(self, source_id: SourceId) -> bool:
        """Tell whether a source has what it takes to fetch."""
        return source_id in self._sources

    async def fetch_all(self, source_id: SourceId, fetches: Sequence[Fetch], *, looks: int, now: datetime) -> list[Got]:
        """Perform fetches of one delivery side by side; never raises for what a far side does. `looks` counts tries before."""
        clock = _clock_from(now)
        access = self._sources[source_id]
        return list(await asyncio.gather(*(self._one(access, fetch, looks=looks, clock=clock) for fetch in fetches)))

    async def aclose(self) -> None:
        """Close every connection."""
        for transport in self._transports.values():
            await transport.aclose()
        self._transports.clear()

    async def _one(self, access: Access, fetch: Fetch, *, looks: int, clock: Callable[[], datetime]) -> Got:
        began = monotonic()
        target = aim(fetch.url, access.reach)
        credential = access.credentials.get(fetch.auth, "")
        if isinstance(target, Rejected):
            outcome: Outcome = target
        elif not credential:
            outcome = Rejected(reason=Reason.HYDRATION_MISSING, detail=f"no credential is named {fetch.auth!r}")
        else:
            async with self._turns.setdefault(access.source_id, asyncio.Semaphore(AT_ONCE)):
                began = monotonic()
                outcome = await self._budgeted(access, fetch, target, credential, looks=looks, clock=clock)
        answer = None
        if isinstance(outcome, Succeeded):
            body = _without(outcome.body, credential)
            answer = Fetched(name=fetch.name, status=outcome.status, body=body, fetched_at=clock())
        host = target.host if isinstance(target, Target) else ""
        got = Got(fetch, host, outcome, answer, monotonic() - began)
        if self._on_fetch is not None:
            self._on_fetch(access.source_id, got)
        return got

    async def _budgeted(
        self,
        access: Access,
        fetch: Fetch,
        target: Target,
        credential: str,
        *,
        looks: int,
        clock: Callable[[], datetime],
    ) -> Outcome:
        budget = self._budget(access, target.host, clock())
        if not budget.take(1.0, now=clock()):
            wait = max((budget.next_at(clock()) - clock()).total_seconds(), 0.1)
            return Deferred(reason=Reason.FETCH_LIMITED, retry_after=wait, backpressure=True, detail="own limit")
        outcome = await self._perform(access, fetch, target, credential, looks=looks, clock=clock)
        if isinstance(outcome, Deferred) and outcome.backpressure:
            budget.refused(now=clock(), retry_after=outcome.retry_after)
            budget.rate = min(budget.rate, budget.full_rate)  # its floor of 1/s may be above what this source is given
        return outcome

    def _budget(self, access: Access, host: str, now: datetime) -> Budget:
        key = (access.source_id, host)
        if key not in self._budgets:
            rate = access.hydrate.per_minute / 60
            burst = min(BURST, max(float(access.hydrate.per_minute), 1.0))
            # A lead does not wait for a bucket to fill: limits of these senders count minutes, a restart spends one burst.
            begin = now - timedelta(seconds=burst / rate)
            self._budgets[key] = Budget(now=begin, rate=rate, burst=burst, reserve=0.0)
        return self._budgets[key]

    async def _perform(
        self,
        access: Access,
        fetch: Fetch,
        target: Target,
        credential: str,
        *,
        looks: int,
        clock: Callable[[], datetime],
    ) -> Outcome:
        try:
            async with asyncio.timeout(self._total):
                reply = await self._exchange(access, fetch, target, credential)
        except _TooLargeError:
            return Rejected(
                reason=Reason.FETCH_TOO_LARGE, detail=f"more than {access.hydrate.max_bytes} bytes from {target.host}"
            )
        except TimeoutError:
            return _unanswered(f"no answer of {target.host} in time")
        except (httpx.HTTPError, OSError) as error:
            if is_forbidden(error):
                return Rejected(reason=Reason.FETCH_FORBIDDEN, detail=f"{target.host} leads to a forbidden address")
            return _unanswered(f"{type(error).__name__} from {target.host}")
        except (httpx.InvalidURL, ValueError):  # its text may quote the credential
            return Rejected(reason=Reason.HYDRATION_REFUSED, detail="the request cannot be written")
        if isinstance(reply, Rejected):
            return reply
        status, headers, body = reply
        return outcome_of(status, headers, body, expect=fetch.expect, looks=looks, now=clock())

    async def _exchange(
        self, access: Access, fetch: Fetch, target: Target, credential: str
    ) -> tuple[int, httpx.Headers, bytes] | Rejected:
        """Return the answer, after redirects that stay within the reach of the source."""
        first = target
        for _ in range(REDIRECTS + 1):
            is_first_place = (target.host, target.port) == (first.host, first.port)
            request = _request(fetch, target.url, credential if is_first_place else "")
            # The transport itself and no client of httpx: that would keep cookies and log URLs, and a URL may hold a key.
            response = await self._transport(access).handle_async_request(request)
            try:
                if response.status_code not in {301, 302, 303, 307, 308}:
                    return response.status_code, response.headers, await _body(response, access.hydrate.max_bytes)
            finally:
                await response.aclose()
            leads = response.headers.get("location", "")
            if fetch.method != "GET" or not leads:
                return Rejected(reason=Reason.FETCH_FORBIDDEN, detail=f"{target.host} points elsewhere")
            found = aim(urljoin(target.url, leads), access.reach)
            if isinstance(found, Rejected):
                return found
            target = found
        return Rejected(reason=Reason.FETCH_FORBIDDEN, detail=f"{target.host} points elsewhere again and again")

    def _transport(self, access: Access) -> httpx.AsyncBaseTransport:
        if access.source_id not in self._transports:
            self._transports[access.source_id] = self._open(access.reach)
        return self._transports[access.source_id]


def _request(fetch: Fetch, url: str, credential: str) -> httpx.Request:
    """Return the request with its credential; raise ValueError for a style nobody knows or a value no header may hold."""
    headers = {"accept": "application/json", "accept-encoding": "gzip", "user-agent": "bridge", **dict(fetch.headers)}
    style, _, name = fetch.auth_style.partition(":")
    if credential and not (credential.isascii() and credential.isprintable()):
        raise ValueError("the credential holds what no header may hold")
    match style if credential else "":
        case "":
            pass
        case "bearer":
            headers["authorization"] = f"Bearer {credential}"
        case "scheme":
            headers["authorization"] = f"{name} {credential}"
        case "header":
            headers[name] = credential
        case "query":
            joint = "&" if urlsplit(url).query else "?"
            url = f"{url}{joint}{quote(name, safe='')}={quote(credential, safe='')}"
        case _:
            raise ValueError(f"unknown style {style!r}")
    timeout = {"connect": CONNECT_SECONDS, "read": TOTAL_SECONDS, "pool": TOTAL_SECONDS, "write": TOTAL_SECONDS}
    return httpx.Request(
        fetch.method, url, headers=headers, content=fetch.body or None, extensions={"timeout": timeout}
    )


async def _body(response: httpx.Response, limit: int) -> bytes:
    """Return the body inflated, never holding more than the limit and a chunk: neither sent nor unpacked."""
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in {"identity", "", "gzip", "x-gzip", "deflate"}:
        raise httpx.DecodingError("an encoding that was not asked for")
    unpack = None if coding in {"identity", ""} else zlib.decompressobj(47)
    whole, arrived = bytearray(), 0
    async for chunk in cast("httpx.AsyncByteStream", response.stream):
        arrived += len(chunk)
        try:
            whole += chunk if unpack is None else unpack.decompress(chunk, limit + 1 - len(whole))
        except zlib.error as error:
            raise httpx.DecodingError("the answer cannot be unpacked") from error
        if arrived > limit or len(whole) > limit or (unpack is not None and unpack.unconsumed_tail):
            raise _TooLargeError
    return bytes(whole)


def _without(body: bytes, credential: str) -> bytes:
    """Return a body in which no form of the credential stands: paging links of some APIs repeat it."""
    for form in {credential, quote(credential, safe=""), quote_plus(credential)}:
        body = body.replace(form.encode(), b"***")
    return body


def _unanswered(detail: str) -> Deferred:
    return Deferred(reason=Reason.FETCH_UNANSWERED, detail=detail)


def _clock_from(now: datetime) -> Callable[[], datetime]:
    """Return a clock that starts at `now` and goes on as time passes, so that a Retry-After counts from its answer."""
    began = monotonic()
    return lambda: now + timedelta(seconds=monotonic() - began)
