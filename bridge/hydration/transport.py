"""Connections that lead nowhere but where a source may go: what is looked up is checked, and what was checked is connected to.

The check stands at the socket, so neither a second DNS answer, an address in a redirect nor a mapped form slips past it.
"""

import socket
from typing import Any

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from httpx_aiohttp import AiohttpTransport

from bridge.hydration.targets import AddressForbidden, Reach
from bridge.servicetitan.transport import trust_of

CONNECTIONS = 8  # of one source
KEEPALIVE = 15.0  # seconds


class GuardedTransport(AiohttpTransport):
    """The aiohttp transport of one source: no proxy, no cookies, no redirects, only addresses within its reach."""

    def __init__(self, reach: Reach, *, resolver: AbstractResolver | None = None) -> None:
        super().__init__(verify=trust_of(True), trust_env=False)
        self._reach = reach
        self._resolver = resolver

    def get_client(self) -> aiohttp.ClientSession:
        """Return the connections of this source; made within the running loop."""
        connector = aiohttp.TCPConnector(
            limit=CONNECTIONS,
            keepalive_timeout=KEEPALIVE,
            ssl=self.ssl_context,
            resolver=_GuardedResolver(self._reach, self._resolver or aiohttp.ThreadedResolver()),
            use_dns_cache=False,
            socket_factory=self._socket,
        )
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)

    def _socket(self, address: tuple[Any, ...]) -> socket.socket:
        """Return a socket for one resolved address; raise AddressForbidden where it may not be connected to."""
        family, kind, protocol, _, where = address
        if not self._reach.may_connect(str(where[0]), int(where[1])):
            raise AddressForbidden("the address is not allowed")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made


class _GuardedResolver(AbstractResolver):
    """Looks up only what may be spoken to, and refuses a name of which any address is forbidden."""

    def __init__(self, reach: Reach, inner: AbstractResolver) -> None:
        self._reach = reach
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of an allowed host; raise AddressForbidden for others."""
        if not self._reach.allows(host, port):
            raise AddressForbidden("the host is not allowed")
        found = await self._inner.resolve(host, port, family)
        if not all(self._reach.may_connect(one["host"], port) for one in found):
            raise AddressForbidden("the host leads to an address that is not allowed")
        return found

    async def close(self) -> None:
        """Close what looks names up."""
        await self._inner.close()


def open_guarded(reach: Reach) -> httpx.AsyncBaseTransport:
    """Return the transport of one source; close it with `aclose()`."""
    return GuardedTransport(reach)
