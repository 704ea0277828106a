"""The Litestar application: the API's door at the root, the control API under `/_simulator/`."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from litestar import Litestar, asgi
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin
from litestar.types import Receive, Scope, Send

from bridge.simulator import senders
from bridge.simulator.control import ROUTES
from bridge.simulator.door import Door, Reply, Request
from bridge.simulator.sender import run_webhooks
from bridge.simulator.state import Simulator

EXTENSION = "bridge.simulator"
"""The name in `scope["extensions"]` under which a server or transport offers to be cut off: see `Wire`."""

Sleep = Callable[[float], Awaitable[None]]
SLOW_PIECES = 5


class ConnectionDropped(Exception):
    """The simulator cut the connection; raised only where the server offers no other way."""


class Wire:
    """How a server or transport lets the simulator misbehave: the methods end the request without an answer."""

    async def drop(self) -> None:
        """Cut the connection now."""
        raise NotImplementedError

    async def refuse(self) -> None:
        """Cut the connection as if it had never been taken."""
        await self.drop()

    async def hang(self, seconds: float) -> None:
        """Keep silent for these seconds or until the client gives up, then cut the connection."""
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        """Let time pass on this wire."""
        await asyncio.sleep(seconds)


class _PlainWire(Wire):
    """The wire of a server that offers nothing: half an answer and an exception make it close the connection."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def drop(self) -> None:
        """Send half an answer, then fail."""
        await self._send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
        await self._send({"type": "http.response.body", "body": b"{", "more_body": True})
        raise ConnectionDropped

    async def hang(self, seconds: float) -> None:
        """Wait, then drop."""
        await asyncio.sleep(seconds)
        await self.drop()


async def _read_body(receive: Receive) -> bytes:
    message: Any = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return body


async def answer(reply: Reply, wire: Wire, send: Send) -> None:
    """Send a reply the way its fate says."""
    match reply.fate:
        case "drop":
            return await wire.drop()
        case "refuse":
            return await wire.refuse()
        case "timeout":
            return await wire.hang(reply.wait)
        case _:
            pass
    slow = reply.fate == "slow"
    if reply.wait and not slow:
        await wire.sleep(reply.wait)
    headers = [(b"content-length", str(len(reply.body)).encode())]
    if reply.body:
        headers.append((b"content-type", reply.content_type.encode()))
    headers += [(name.encode(), value.encode()) for name, value in reply.headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if slow:
        size = max(1, -(-len(reply.body) // SLOW_PIECES))
        for at in range(0, len(reply.body), size):
            await send({"type": "http.response.body", "body": reply.body[at : at + size], "more_body": True})
            await wire.sleep(reply.wait / SLOW_PIECES)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    else:
        await send({"type": "http.response.body", "body": reply.body, "more_body": False})
    return None


def _door(door: Door) -> Any:
    @asgi("/", is_mount=True, copy_scope=False)
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        raw: Any = scope
        if raw["type"] != "http":
            return
        body = await _read_body(receive)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw["headers"]}
        path = raw["raw_path"].partition(b"?")[0].decode("latin-1") if raw.get("raw_path") else raw["path"]
        query = raw["query_string"].decode("latin-1")
        if path.startswith(senders.PREFIX):
            status, data = senders.answer(raw["method"], path, query, headers, body)
            reply = Reply(status, json.dumps(data).encode())
        else:
            reply = door.serve(Request(raw["method"], path, query, headers, body))
        wire = (raw.get("extensions") or {}).get(EXTENSION) or _PlainWire(send)
        await answer(reply, wire, send)

    return serve


class _Lean(Litestar):
    """Litestar without the plugins for pydantic and attrs, whose imports are half of the start-up (0.7 s of 1.6 s without bytecode)."""

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]


def create_app(state: Simulator, *, send_webhooks: bool = True) -> Litestar:
    """Build the application of a simulator.

    With `send_webhooks` its lifespan sends queued webhooks and late applies in real time; a test that drives a virtual clock
    turns it off and calls `Simulator.settle` and `Webhooks.send_due` itself.
    """
    door = Door(state)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        if not send_webhooks:
            yield
            return
        running = asyncio.create_task(run_webhooks(state))
        try:
            yield
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    app = _Lean(
        route_handlers=[_door(door), *ROUTES],
        lifespan=[lifespan],
        openapi_config=OpenAPIConfig(
            title="Simulator control",
            version="1",
            path="/_simulator/docs",
            render_plugins=[JsonRenderPlugin()],  # the others load their page's script from elsewhere
        ),
        logging_config=None,
    )
    app.state.simulator = state
    return app
