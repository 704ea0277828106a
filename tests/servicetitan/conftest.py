"""A simulator on a clock that only moves when told, and our client in front of it."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from bridge.domain.outcome import Outcome, Succeeded
from bridge.servicetitan.client import ServiceTitan
from bridge.servicetitan.credentials import Credentials
from bridge.simulator import defaults
from bridge.simulator.app import create_app
from bridge.simulator.faults import Action, Fault
from bridge.simulator.state import Simulator
from bridge.simulator.transport import SimulatorTransport

TENANT = defaults.DEMO_TENANT
ADDRESS = {"street": "12 Oak St", "city": "Austin", "state": "TX", "zip": "78701", "country": "USA"}


class Far:
    """The far side as a test sees it: the simulator, its clock, and clients of it."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.simulator = Simulator(seed=7, now=clock)
        self.http = httpx.AsyncClient(
            transport=SimulatorTransport(create_app(self.simulator, send_webhooks=False), sleep=self._sleep),
            timeout=100.0,
        )
        self.st = self.client()
        self.open_st = self.client(
            client_id=defaults.OPEN_CLIENT_ID, client_secret=defaults.OPEN_CLIENT_SECRET, booking_provider=None
        )

    async def _sleep(self, seconds: float) -> None:
        self.clock.advance(seconds=seconds)

    def client(self, **changes: Any) -> ServiceTitan:
        known = {
            "tenant_id": TENANT,
            "client_id": defaults.DEMO_CLIENT_ID,
            "client_secret": defaults.DEMO_CLIENT_SECRET,
            "app_key": defaults.DEMO_APP_KEY,
            "booking_provider": defaults.DEMO_PROVIDER,
        }
        credentials = Credentials.for_environment("http://simulator.example.com", **{**known, **changes})
        return ServiceTitan(credentials, self.http, self.clock)

    def fault(self, action: Action, **rule: Any) -> None:
        self.simulator.add_fault(Fault(action=action, **rule))

    def requests(self, part: str) -> int:
        """How many requests with this in their path were made."""
        return sum(part in one.path for one in self.simulator.log)


@pytest.fixture
async def far(clock: Any) -> AsyncIterator[Far]:
    opened = Far(clock)
    yield opened
    await opened.http.aclose()


@pytest.fixture
def st(far: Far) -> ServiceTitan:
    return far.st


@pytest.fixture
def body_of() -> Callable[[Outcome], Any]:
    """Return the body of a success; anything else fails the test with what it was."""

    def body(outcome: Outcome) -> Any:
        assert isinstance(outcome, Succeeded), outcome
        return outcome.body

    return body


@pytest.fixture
def booking() -> Callable[..., dict[str, Any]]:
    def made(external_id: str = "0" * 32, **fields: Any) -> dict[str, Any]:
        return {
            "source": "Website",
            "name": "Pat Example",
            "summary": "No cooling upstairs",
            "isFirstTimeClient": True,
            "externalId": external_id,
            "contacts": [{"type": "MobilePhone", "value": "5125550142"}],
            **fields,
        }

    return made


@pytest.fixture
def customer() -> Callable[..., dict[str, Any]]:
    def made(name: str = "Pat Example", **fields: Any) -> dict[str, Any]:
        return {
            "name": name,
            "type": "Residential",
            "address": ADDRESS,
            "locations": [{"name": name, "address": ADDRESS}],
            "contacts": [{"type": "MobilePhone", "value": "5125550142", "memo": "cell"}],
            **fields,
        }

    return made


@pytest.fixture
def tomorrow(clock: Any) -> datetime:
    moment: datetime = clock() + timedelta(days=1)
    return moment
