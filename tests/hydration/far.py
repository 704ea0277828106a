"""A far side over real sockets that does with each request what a test says."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from bridge.connectors.base import Hydrate
from bridge.domain.ids import SourceId
from bridge.hydration.fetcher import Access
from bridge.hydration.targets import Reach, reach_of

Act = Callable[[asyncio.StreamWriter], Awaitable[None]]


def reply(body: bytes = b"{}", *, status: str = "200 OK", headers: str = "") -> Act:
    """Return the act that answers once and closes."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n{headers}\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    return answer


class Far:
    """A server that reads each request whole and then acts; `seen` are the requests."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.act: Act = reply()
        self.done = asyncio.Event()
        self.port = 0
        self._server: asyncio.Server | None = None

    async def open(self) -> "Far":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def close(self) -> None:
        self.done.set()
        if self._server is not None:
            self._server.close()

    async def hang(self, writer: asyncio.StreamWriter) -> None:
        """Say nothing until the test is over."""
        await self.done.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
            self.seen.append(head + await reader.readexactly(int(length or 0)))
            await self.act(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def access(base: str, **changed: Any) -> Access:
    """Return a source that fetches from a stand-in in place of graph.facebook.com."""
    hydrate = Hydrate(base_url=base, allow_private=True, **changed)
    return access_with(reach_of({"graph.facebook.com"}, hydrate), hydrate)


def access_with(reach: Reach, hydrate: Hydrate) -> Access:
    """Return a source that reaches as far as said."""
    return Access(source_id=SourceId("meta"), reach=reach, hydrate=hydrate, credentials={"token": "a/secret token+"})
