"""ServiceTitan's own webhooks, signed by the stand-in, through the real door and a worker into the mirror."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from bridge.bootstrap import load_settings
from bridge.entrypoints import worker
from bridge.entrypoints.serve import Application
from bridge.settings import Settings
from bridge.simulator.app import create_app
from bridge.simulator.hooks import Post, Subscription
from bridge.simulator.state import Simulator
from bridge.simulator.transport import SimulatorTransport

TENANT = 1000001
KEY = "0123456789abcdef0123456789abcdef"
URL = "http://bridge.example.com/hooks/st-events"
CONFIG = """
tenants:
  acme: {tenant_id: 1000001, environment: simulator, booking_provider: 501, time_zone: America/Chicago}
sources:
  st-events:
    connector: servicetitan
    tenant: acme
    secrets: [{env: ST_WEBHOOK_KEY, name: current}]
"""
OTHER_HEADER = "    options: {verify: {header: X-Acme-Signature, encoding: base64}}\n"


class Office:
    """The far side: a tenant's account in the simulator, and its API as an app of ours uses it."""

    def __init__(self) -> None:
        self.simulator = Simulator(now=lambda: datetime.now(UTC))
        self.api = httpx.AsyncClient(
            transport=SimulatorTransport(create_app(self.simulator, send_webhooks=False)),
            base_url="http://servicetitan.example.com",
        )

    async def log_in(self) -> None:
        form = {"grant_type": "client_credentials", "client_id": "cid.demo", "client_secret": "cs1.demo"}
        token = (await self.api.post("/connect/token", data=form)).json()["access_token"]
        self.api.headers.update({"authorization": f"Bearer {token}", "st-app-key": "ak1.demo"})

    async def call(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self.api.request(method, f"/crm/v2/tenant/{TENANT}{path}", json=body)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    async def send(self, post: Post) -> list[list[int]]:
        """Send the webhooks that are due and return what each was answered."""
        hooks = self.simulator.webhooks
        await hooks.send_due(
            post, now=self.simulator.now(), guid=self.simulator.new_guid, switches=self.simulator.switches
        )
        return [one.answers for one in hooks.deliveries]


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    made = Office()
    await made.log_in()
    yield made
    await made.api.aclose()


def settings_of(folder: Path, config: str) -> Settings:
    place = folder / "bridge.yaml"
    place.write_text(config)
    return load_settings(place, environ={"ST_WEBHOOK_KEY": KEY})


async def post_to(client: httpx.AsyncClient, url: str, body: bytes, headers: dict[str, str]) -> int:
    return (await client.post(url, content=body, headers=headers)).status_code


async def until_empty(look: psycopg.AsyncConnection) -> None:
    """Wait until every delivery is decided."""
    async with asyncio.timeout(30):
        while (await (await look.execute("SELECT count(*) FROM delivery_queue")).fetchone() or (1,))[0]:
            await asyncio.sleep(0.02)


@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    ("config", "header", "encoding"),
    [
        (CONFIG, "x-servicetitan-signature", "hex"),
        (CONFIG, "x-servicetitan-signature", "base64"),
        (CONFIG + OTHER_HEADER, "x-acme-signature", "base64"),
    ],
)
async def test_a_booking_updated_and_a_lead_created_there_show_in_the_mirror_and_a_forged_one_does_not(
    office: Office, database_dsn: str, tmp_path: Path, config: str, header: str, encoding: str
) -> None:
    settings = settings_of(tmp_path, config)
    switches = office.simulator.switches
    office.simulator.switches = type(switches)(webhook_header=header, webhook_encoding=encoding)
    office.simulator.webhooks.subscriptions.append(Subscription(tenant=TENANT, url=URL, key=KEY))
    booking = await office.call(
        "POST",
        "/booking-provider/501/bookings",
        {
            "source": "Web",
            "name": "Ann Lee",
            "summary": "AC is out",
            "isFirstTimeClient": True,
            "externalId": "web-1",
            "contacts": [{"type": "Phone", "value": "512-555-0101"}],
        },
    )
    await office.call("PATCH", f"/booking-provider/501/bookings/{booking['id']}", {"name": "Ann Lee-Ortiz"})
    lead = await office.call("POST", "/leads", {"campaignId": 601, "callReasonId": 901, "summary": "Wants a quote"})
    running = Application(settings, dsn=database_dsn)
    app = running.build()
    stop = asyncio.Event()
    work = asyncio.create_task(worker.run(settings, dsn=database_dsn, stop=stop))
    look = await psycopg.AsyncConnection.connect(database_dsn, autocommit=True)
    async with (
        running._lifespan(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://bridge.example.com") as door,
    ):

        async def forged(url: str, body: bytes, headers: dict[str, str]) -> int:
            return await post_to(door, url, body.replace(b"Ortiz", b"Thief"), headers | {header: "0" * 64})

        async def honest(url: str, body: bytes, headers: dict[str, str]) -> int:
            return await post_to(door, url, body, headers)

        assert await office.send(forged) == [[401], [401]]
        office.simulator.advance(11)  # it tries again after 10 s
        assert await office.send(honest) == [[401, 200], [401, 200]]
        await until_empty(look)
    stop.set()
    await work
    found = await look.execute("SELECT id, name, external_id, status FROM mirrored_bookings")
    assert await found.fetchall() == [(booking["id"], "Ann Lee-Ortiz", "web-1", "New")]
    found = await look.execute("SELECT id, status FROM mirrored_leads")
    assert await found.fetchall() == [(lead["id"], "Open")]
    await look.close()
