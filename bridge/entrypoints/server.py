"""Runs an ASGI application under uvicorn so that SIGTERM drains in seconds, open live lists included."""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from types import FrameType

import uvicorn
from litestar import Litestar

DRAIN_SECONDS = 3


class _Server(uvicorn.Server):
    """Tells the application that it is draining at the first signal: uvicorn alone waits for a live list for ever."""

    def __init__(self, config: uvicorn.Config, *, on_drain: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_drain = on_drain

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._on_drain()
        super().handle_exit(sig, frame)


async def serve(app: Litestar, *, host: str, port: int, draining: asyncio.Event, handle_signals: bool = True) -> None:
    """Serve until SIGTERM or SIGINT (or until `draining` is set), finish open requests within 3 s, then return."""
    loop = asyncio.get_running_loop()
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
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

    def drain() -> None:
        loop.call_soon_threadsafe(draining.set)

    server = _Server(config, on_drain=drain)
    if not handle_signals:
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]  # the parent has them

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


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set the event at SIGTERM or SIGINT, for roles that serve nothing."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
