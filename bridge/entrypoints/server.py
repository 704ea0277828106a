"""Runs an ASGI application under uvicorn so that SIGTERM drains in seconds, open live lists included."""

import asyncio
import contextlib

import uvicorn
from litestar import Litestar
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bridge.entrypoints.signals import stop_on_signals

DRAIN_SECONDS = 3


class _OneWrite(asyncio.Transport):
    """Keeps the head of an answer until its body comes: each write is a system call, a packet and a wake-up of the far side."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._head = b""
        self.pause_reading = transport.pause_reading  # type: ignore[method-assign]  # as they are, without a step between
        self.resume_reading = transport.resume_reading  # type: ignore[method-assign]
        self.is_closing = transport.is_closing  # type: ignore[method-assign]
        self.get_extra_info = transport.get_extra_info  # type: ignore[method-assign]
        self.get_write_buffer_size = transport.get_write_buffer_size  # type: ignore[method-assign]

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send at once, but for a head without its body: that waits for the next write, or for the loop's next turn."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head + data)
        elif data[-4:] == b"\r\n\r\n":
            self._head = bytes(data)
            self._loop.call_soon(self._release)
        else:
            self._transport.write(data)

    def _release(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)

    def close(self) -> None:
        """Send what waits, then close."""
        self._release()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._head = b""
        self._transport.abort()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the connection on."""
        self._release()
        self._transport.set_protocol(protocol)


class _Protocol(HttpToolsProtocol):
    """uvicorn's own, over a transport that writes an answer at once."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        super().connection_made(_OneWrite(transport, self.loop))


async def serve(app: Litestar, *, host: str, port: int, draining: asyncio.Event, handle_signals: bool = True) -> None:
    """Serve until SIGTERM or SIGINT (or until `draining` is set), finish open requests within 3 s, then return."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=_Protocol,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        lifespan="on",
        timeout_graceful_shutdown=DRAIN_SECONDS,
        backlog=4096,
        h11_max_incomplete_event_size=64 * 1024,
    )

    server = uvicorn.Server(config)
    # Its own handlers would raise the signal again at the end: a program that drained well would die of it, its log unwritten.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    if handle_signals:
        stop_on_signals(draining)

    async def stop_when_draining() -> None:
        await draining.wait()
        server.should_exit = True

    watcher = asyncio.create_task(stop_when_draining())
    try:
        await server.serve()
    finally:
        draining.set()
        watcher.cancel()
    if not server.started:
        raise OSError(f"cannot listen on {host}:{port}")
