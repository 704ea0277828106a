"""The simulator over real HTTP: uvicorn with a protocol that lets faults cut the socket."""

import asyncio
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bridge.simulator.app import EXTENSION, Wire, create_app
from bridge.simulator.state import Simulator

KEEPALIVE = (
    75  # seconds, as gateways have it; with uvicorn's 5 a client that waits longer meets connections being closed
)


class _SocketWire(Wire):
    """The wire of one connection."""

    def __init__(self, protocol: HttpToolsProtocol) -> None:
        self._protocol = protocol

    async def drop(self) -> None:
        """Reset the connection and wait until uvicorn has noticed, or it would answer 500."""
        self._protocol.transport.abort()
        await self._gone()

    async def hang(self, seconds: float) -> None:
        """Keep silent until the time is up or the client has gone."""
        try:
            await asyncio.wait_for(self._gone(), seconds)
        except TimeoutError:
            await self.drop()

    async def _gone(self) -> None:
        """Wait until the connection is lost; uvicorn sets the event of the request then."""
        cycle = self._protocol.cycle
        while not cycle.disconnected:
            cycle.message_event.clear()
            await cycle.message_event.wait()


class SimulatorProtocol(HttpToolsProtocol):
    """uvicorn's own protocol, offering each request the wire of its connection."""

    def on_message_begin(self) -> None:
        """Start a request and put the wire into its scope."""
        super().on_message_begin()
        scope: Any = self.scope
        scope["extensions"] = {EXTENSION: _SocketWire(self)}


def configure(simulator: Simulator, *, host: str = "127.0.0.1", port: int = 0) -> uvicorn.Config:
    """Return the configuration of a server for this simulator; port 0 takes a free one."""
    return uvicorn.Config(
        create_app(simulator),
        host=host,
        port=port,
        http=SimulatorProtocol,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEPALIVE,
    )
