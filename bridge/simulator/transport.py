"""The simulator inside a test: an httpx transport that turns its faults into the errors a network gives."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from bridge.simulator.app import EXTENSION, Wire


class _VirtualWire(Wire):
    """Notes how the request ended; time passes only through the transport's `sleep`."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]] | None) -> None:
        self.fate = ""
        self.seconds = 0.0
        self._sleep = sleep

    async def drop(self) -> None:
        self.fate = "drop"

    async def refuse(self) -> None:
        self.fate = "refuse"

    async def hang(self, seconds: float) -> None:
        self.fate, self.seconds = "timeout", seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        if self._sleep is not None:
            await self._sleep(seconds)


class SimulatorTransport(httpx.AsyncBaseTransport):
    """Serves requests from the simulator's application without a network and without waiting.

    A dropped connection is `httpx.ReadError`, a refused one `httpx.ConnectError`, a silent one `httpx.ReadTimeout`; so is an answer
    or a slow body that takes longer than the request's read timeout. `sleep` lets a virtual clock pass the time; without it no time passes.
    """

    def __init__(self, app: Any, *, sleep: Callable[[float], Awaitable[None]] | None = None) -> None:
        self.app = app
        self.sleep = sleep

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Serve one request."""
        body = await request.aread()
        wire = _VirtualWire(self.sleep)
        patience = (request.extensions.get("timeout") or {}).get("read")
        status, headers, content = await self._call(request, body, wire)
        if wire.fate == "timeout" and self.sleep is not None:
            await self.sleep(wire.seconds if patience is None else min(patience, wire.seconds))
        if wire.fate == "timeout" or (patience is not None and wire.seconds > patience):
            raise httpx.ReadTimeout("The simulator did not answer in time.", request=request)
        if wire.fate == "drop":
            raise httpx.ReadError("The simulator dropped the connection.", request=request)
        if wire.fate == "refuse":
            raise httpx.ConnectError("The simulator refused the connection.", request=request)
        return httpx.Response(status, headers=headers, content=content, request=request)

    async def _call(
        self, request: httpx.Request, body: bytes, wire: Wire
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Call the application and return status, headers and body."""
        status, headers, pieces = 0, list[tuple[bytes, bytes]](), list[bytes]()
        given = False

        async def receive() -> Any:
            nonlocal given
            if given:
                await asyncio.Event().wait()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status, headers = message["status"], list(message.get("headers", ()))
            else:
                pieces.append(message.get("body", b""))

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": request.url.scheme,
            "path": request.url.path,
            "raw_path": request.url.raw_path.split(b"?")[0],
            "query_string": request.url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "server": (request.url.host, request.url.port),
            "client": ("127.0.0.1", 123),
            "state": {},
            "extensions": {EXTENSION: wire},
        }
        await self.app(scope, receive, send)
        return status, headers, b"".join(pieces)
