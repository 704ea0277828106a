"""Where an effect is made and looked up: in ServiceTitan, or for an alert at the addresses of the config."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

from bridge.domain.ids import TenantId, is_of_alerts
from bridge.domain.outcome import Outcome
from bridge.sending.bell import Bell
from bridge.sending.effects.wire import Refs
from bridge.sending.findings import Finding
from bridge.sending.landing import Flight
from bridge.sending.message import Message
from bridge.sending.store import Loaded
from bridge.servicetitan.client import ServiceTitan

Clients = Callable[[TenantId], ServiceTitan]


class Execute(Protocol):
    """Performs a command and tells what came of it; never raises for what the far side does."""

    def __call__(self, client: ServiceTitan, loaded: Loaded, refs: Refs, *, now: datetime) -> Awaitable[Outcome]:
        """Perform it."""


class LookUp(Protocol):
    """Asks whether an effect exists."""

    def __call__(self, client: ServiceTitan, loaded: Loaded, refs: Refs, *, sent_at: datetime) -> Awaitable[Finding]:
        """Ask."""


class FarSide:
    """Tells by its tenant where a message goes: `bell` takes alerts (None: there are none)."""

    def __init__(self, *, clients: Clients, execute: Execute, look_up: LookUp, bell: Bell | None) -> None:
        self._clients = clients
        self._execute = execute
        self._look_up = look_up
        self._bell = bell

    def perform(self, flight: Flight, *, now: datetime) -> Awaitable[Outcome]:
        """Perform the command of a flight."""
        tenant_id = flight.message.tenant_id
        if self._bell is not None and is_of_alerts(tenant_id):
            return self._bell.send(flight.loaded, now=now)
        return self._execute(self._clients(tenant_id), flight.loaded, flight.refs, now=now)

    async def look_up(self, message: Message, loaded: Loaded, refs: Refs, *, sent_at: datetime) -> Finding:
        """Ask whether the effect of a message exists that was sent at `sent_at` or later."""
        if self._bell is not None and is_of_alerts(message.tenant_id):
            return self._bell.look_up(loaded)
        return await self._look_up(self._clients(message.tenant_id), loaded, refs, sent_at=sent_at)
