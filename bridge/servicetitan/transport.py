"""The bounded HTTP client of one tenant: httpx in front, aiohttp underneath, and errors that keep what is known.

Plain httpx looks over its whole pool on each request: 80 requests/s in all, with 100 connections to a slow far side.
The stock `httpx-aiohttp` transport reports a server that hangs up after reading the request as a *connect* timeout;
taken at its word, that books a customer twice. So the exceptions are mapped here by what they prove about the bytes.
"""

import ssl
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from multidict import CIMultiDict
from yarl import URL

CONNECT_TIMEOUT = 5.0  # seconds
TOTAL_TIMEOUT = 110.0  # seconds; ServiceTitan itself gives up after 100, and an answer beats a doubt
CONNECTIONS = 64  # of one tenant: 60 requests/s at one second each fit
KEEPALIVE = (
    15.0  # seconds; below the 60 of common gateways, so that no connection is reused while its far end closes it
)

INFLATED = {"content-encoding", "content-length", "transfer-encoding"}  # no longer true of a body that was inflated


class Transport(AiohttpTransport):
    """Sends one request whole and reads its answer whole, within one total time."""

    def __init__(self, *, connections: int, connect: float, total: float, verify: ssl.SSLContext | bool) -> None:
        super().__init__(
            verify=trust_of(verify) if isinstance(verify, bool) else verify,
            limits=httpx.Limits(max_connections=connections, keepalive_expiry=KEEPALIVE),
        )
        # `connect` of aiohttp covers the wait for a free connection too. It must end before the total does, so that
        # a total that runs out always means: the request was on its way.
        self._timeout = aiohttp.ClientTimeout(
            total=total, sock_connect=min(connect, total / 2), connect=min(2 * connect, total * 0.75)
        )

    def get_client(self) -> aiohttp.ClientSession:
        """Return the connections of one tenant; no cookies are kept, bodies arrive inflated."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self.limits.max_connections or 0, keepalive_timeout=KEEPALIVE, ssl=self.ssl_context
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer with its body read; raises httpx errors that tell sent from never sent."""
        headers = CIMultiDict((name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers.raw)
        reply = await self.exchange(request.method, str(request.url), headers=headers, content=request.content or None)
        kept = [(name, value) for name, value in reply.headers.items() if name.lower() not in INFLATED]
        return httpx.Response(reply.status_code, headers=kept, content=reply.content, request=request)

    async def exchange(self, method: str, url: str, *, headers: CIMultiDict[str], content: bytes | None) -> "Reply":
        """Return the answer with its body read; raises httpx errors that tell sent from never sent."""
        if not isinstance(self.client, aiohttp.ClientSession):
            self.client = self.get_client()
        try:
            async with self.client.request(
                method, parsed(url), headers=headers, data=content, allow_redirects=False
            ) as answer:
                return Reply(answer.status, await answer.read(), answer.headers)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise mapped(error) from error


class Reply(NamedTuple):
    """An answer as far as its meaning needs it; an httpx.Response has the same three."""

    status_code: int
    content: bytes
    headers: Mapping[str, str]


class TenantHttp(httpx.AsyncClient):
    """An httpx client that hands requests straight to its transport: this API has no redirects, cookies or auth flows.

    `exchange` leaves out httpx's request and response objects too. Together they took more than half of a whole call,
    and what they offer beyond status, headers and bytes is not used here.
    """

    def __init__(self, transport: Transport, *, timeout: float) -> None:
        super().__init__(transport=transport, timeout=timeout, trust_env=False)
        self.exchange = transport.exchange
        self._direct = transport

    async def send(self, request: httpx.Request, **_: Any) -> httpx.Response:
        """Return the answer to the request, read whole."""
        return await self._direct.handle_async_request(request)


@cache
def trust_of(verify: bool) -> ssl.SSLContext:  # noqa: FBT001 - as httpx calls it
    """Return the one TLS context all tenants share: loading the certificates takes 20 ms and a megabyte each time."""
    return httpx.create_ssl_context(verify=verify)


@lru_cache(maxsize=4096)
def parsed(url: str) -> URL:
    """Return the URL as it is, not quoted again."""
    return URL(url, encoded=True)


def mapped(error: Exception) -> httpx.TransportError:
    """Return the httpx error that says the same about the bytes of the request."""
    kinds: list[tuple[type[Exception], type[httpx.TransportError]]] = [
        (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),  # no connection yet: pool, DNS, TCP or TLS
        (aiohttp.ClientConnectorError, httpx.ConnectError),
        (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
        (TimeoutError, httpx.ReadTimeout),  # SocketTimeoutError is one
        (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
        (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    ]
    text = str(error) or type(error).__name__
    return next((to(text) for kind, to in kinds if isinstance(error, kind)), None) or httpx.ReadError(text)


def open_http(
    *,
    connect: float = CONNECT_TIMEOUT,
    total: float = TOTAL_TIMEOUT,
    connections: int = CONNECTIONS,
    verify: ssl.SSLContext | bool = True,
) -> httpx.AsyncClient:
    """Return the HTTP client of one tenant, bounded in connections and in time (seconds); close it with `aclose()`."""
    transport = Transport(connections=connections, connect=connect, total=total, verify=verify)
    return TenantHttp(transport, timeout=total)
