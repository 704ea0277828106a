"""The bounded HTTP client of one tenant: httpx in front, aiohttp underneath, and errors that keep what is known.

Plain httpx looks over its whole pool on each request: 80 requests/s in all, with 100 connections to a slow far side.
The stock `httpx-aiohttp` transport reports a server that hangs up after reading the request as a *connect* timeout;
taken at its word, that books a customer twice. So the exceptions are mapped here by what they prove about the bytes.
"""

from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

CONNECT_TIMEOUT = 5.0  # seconds
TOTAL_TIMEOUT = 110.0  # seconds; ServiceTitan itself gives up after 100, and an answer beats a doubt
CONNECTIONS = 64  # of one tenant: 60 requests/s at one second each fit
KEEPALIVE = (
    15.0  # seconds; below the 60 of common gateways, so that a connection is not reused while its far end closes it
)


class Transport(AiohttpTransport):
    """Sends one request whole and reads its answer whole, within one total time."""

    def __init__(self, *, connections: int, connect: float, total: float, verify: bool = True) -> None:
        super().__init__(verify=verify, limits=httpx.Limits(max_connections=connections, keepalive_expiry=KEEPALIVE))
        # `connect` of aiohttp covers the wait for a free connection too. It must end before the total does, so that
        # a total that runs out always means: the request was on its way.
        self._timeout = aiohttp.ClientTimeout(
            total=total, sock_connect=min(connect, total / 2), connect=min(2 * connect, total * 0.75)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer with its body read; raises httpx errors that tell sent from never sent."""
        if not isinstance(self.client, aiohttp.ClientSession):
            self.client = self.get_client()
        try:
            async with self.client.request(
                request.method,
                str(request.url),
                headers=request.headers.multi_items(),
                data=request.content or None,
                allow_redirects=False,
                auto_decompress=False,
                timeout=self._timeout,
            ) as answer:
                content = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise mapped(error, request) from error
        return httpx.Response(answer.status, headers=answer.raw_headers, content=content, request=request)


def mapped(error: Exception, request: httpx.Request) -> httpx.TransportError:
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
    return next((to(text, request=request) for kind, to in kinds if isinstance(error, kind)), None) or httpx.ReadError(
        text, request=request
    )


def open_http(
    *,
    connect: float = CONNECT_TIMEOUT,
    total: float = TOTAL_TIMEOUT,
    connections: int = CONNECTIONS,
    verify: bool = True,
) -> httpx.AsyncClient:
    """Return the HTTP client of one tenant, bounded in connections and in time (seconds); close it with `aclose()`."""
    transport = Transport(connections=connections, connect=connect, total=total, verify=verify)
    return httpx.AsyncClient(transport=transport, timeout=total, trust_env=False, follow_redirects=False)


Headers = dict[str, Any]
