"""Runs an ASGI application under uvicorn so that SIGTERM drains in seconds, open live lists included."""

import asyncio
import contextlib
from functools import partial

import uvicorn
from litestar import Litestar

from bridge.entrypoints.hook_protocol import HookProtocol
from bridge.entrypoints.signals import stop_on_signals
from bridge.entrypoints.webhooks import HookedApp

DRAIN_SECONDS = 3


async def serve(app: Litestar, *, host: str, port: int, draining: asyncio.Event, handle_signals: bool = True) -> None:
    """Serve until SIGTERM or SIGINT (or until `draining` is set), finish open requests within 3 s, then return."""
    protocol = partial(HookProtocol, app.hooks if isinstance(app, HookedApp) else None)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol,  # type: ignore[arg-type]  # uvicorn calls it, no more
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        lifespan="on",
        ws="none",
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
