"""A simulator on a clock that only moves when told, and a client that speaks to it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bridge.simulator.app import create_app
from bridge.simulator.state import Simulator
from bridge.simulator.transport import SimulatorTransport

TENANT = 1000001
ADDRESS = {"street": "12 Oak St", "unit": None, "city": "Austin", "state": "TX", "zip": "78701", "country": "USA"}


class Time:
    """A clock that only moves when told."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def pass_seconds(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Far:
    """ServiceTitan as an app sees it: one client of the simulator with its token."""

    def __init__(self, http: httpx.AsyncClient, simulator: Simulator, *, client_id: str = "cid.demo") -> None:
        self.http = http
        self.simulator = simulator
        self.client_id = client_id
        self.headers: dict[str, str] = {}

    async def log_in(self) -> None:
        client = self.simulator.clients[self.client_id]
        form = {
            "grant_type": "client_credentials",
            "client_id": client.client_id,
            "client_secret": client.client_secret,
        }
        answer = await self.http.post("/connect/token", data=form)
        self.headers = {"authorization": f"Bearer {answer.json()['access_token']}", "st-app-key": client.app_key}

    async def ask(
        self, method: str, path: str, json: Any = None, *, module: str = "crm/v2", **params: Any
    ) -> httpx.Response:
        if not self.headers:
            await self.log_in()
        tenant = self.simulator.clients[self.client_id].tenant
        url = f"/{module}/tenant/{tenant}{path}"
        content = {} if json is None else {"json": json}
        return await self.http.request(method, url, headers=self.headers, params=params or None, **content)

    async def get(self, path: str, *, module: str = "crm/v2", **params: Any) -> Any:
        answer = await self.ask("GET", path, module=module, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, json: Any = None, **params: Any) -> Any:
        answer = await self.ask("POST", path, json, **params)
        assert answer.status_code == 200, answer.text
        return answer.json() if answer.content else None

    async def patch(self, path: str, json: Any) -> Any:
        answer = await self.ask("PATCH", path, json)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def book(self, external_id: str = "e1", **fields: Any) -> Any:
        return await self.post("/booking-provider/501/bookings", booking(external_id, **fields))

    async def customer(self, **fields: Any) -> Any:
        return await self.post("/customers", customer(**fields))


def booking(external_id: str = "e1", **fields: Any) -> dict[str, Any]:
    given = {"source": "Web", "name": "Ann Lee", "summary": "AC is out", "isFirstTimeClient": True}
    return {**given, "externalId": external_id, "contacts": [{"type": "Phone", "value": "(512) 555-0101"}], **fields}


def customer(**fields: Any) -> dict[str, Any]:
    contacts = [{"type": "MobilePhone", "value": "512-555-0102"}]
    location = {"name": "Home", "address": ADDRESS, "contacts": contacts}
    return {"name": "Ann Lee", "address": ADDRESS, "locations": [location], **fields}


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def simulator(time: Time) -> Simulator:
    return Simulator(seed=7, now=time)


@pytest.fixture
async def http(simulator: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(simulator, send_webhooks=False)
    async with httpx.AsyncClient(transport=SimulatorTransport(app), base_url="http://st.example.com") as client:
        yield client


@pytest.fixture
def far(http: httpx.AsyncClient, simulator: Simulator) -> Far:
    return Far(http, simulator)


@pytest.fixture
def wide(http: httpx.AsyncClient, simulator: Simulator) -> Far:
    """An app with no restriction to a booking provider."""
    return Far(http, simulator, client_id="cid.open")
