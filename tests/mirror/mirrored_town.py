"""A tenant in the simulator, a mirror of it, and the question whether they are equal."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx
import msgspec
import psycopg
from psycopg.types.json import Jsonb

from bridge.domain.ids import TenantId
from bridge.domain.keys import ContactRow, CustomerRow, LocationRow, record_keys
from bridge.mirror import feeds
from bridge.mirror.feeds import Source, Syncing
from bridge.mirror.keying import make_keys
from bridge.mirror.shapes import FEEDS, stored_json
from bridge.servicetitan.client import ServiceTitan
from bridge.servicetitan.credentials import Credentials
from bridge.simulator import generator
from bridge.simulator.app import create_app
from bridge.simulator.state import Simulator
from bridge.simulator.switches import Switches
from bridge.simulator.transport import SimulatorTransport

TENANT = TenantId(1000001)
BOOKING = {
    "source": "Website",
    "name": "Pat Example",
    "summary": "No cooling upstairs",
    "isFirstTimeClient": True,
    "externalId": "web-1",
    "contacts": [{"type": "Phone", "value": "512-555-0123"}],
}
NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)


class Town:
    """The demo tenant of a simulator with made-up customers, and a client to it."""

    def __init__(
        self, *, customers: int = 60, seed: int = 1, batch: int = 40, now: Callable[[], datetime] = lambda: NOW
    ) -> None:
        self.simulator = Simulator(seed=seed, now=now, switches=msgspec.structs.replace(Switches(), export_batch=batch))
        self.account = self.simulator.accounts[TENANT]
        if customers:
            generator.attach(self.account, generator.Town(seed=seed, customers=customers))
        self.tamper: Callable[[str, bytes], bytes] = lambda _path, content: content
        self.http = httpx.AsyncClient(transport=_Wire(self))
        credentials = Credentials.for_environment(
            "http://simulator",
            tenant_id=TENANT,
            client_id="cid.demo",
            client_secret="cs1.demo",
            app_key="ak1.demo",
            booking_provider=501,
        )
        self.client = ServiceTitan(credentials, self.http, self.simulator.now)

    def edit(self, table: str, row_id: int, **fields: Any) -> None:
        """Change a record as a person would in ServiceTitan."""
        rows = self.account.tables[table]
        row = rows.get(row_id)
        assert row is not None
        stamp = self.simulator.now().strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
        rows.put({**row, **fields, "modifiedOn": stamp})


class _Wire(SimulatorTransport):
    """The way to the simulator, where a test may change the bytes that come back."""

    def __init__(self, town: Town) -> None:
        super().__init__(create_app(town.simulator))
        self._town = town

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Serve one request."""
        answer = await super().handle_async_request(request)
        content = self._town.tamper(request.url.path, await answer.aread())
        return httpx.Response(
            answer.status_code, headers={"content-type": "application/json"}, content=content, request=request
        )


async def session(dsn: str) -> psycopg.AsyncConnection:
    """Open a connection as sync does."""
    opened = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
    await opened.execute("SET TimeZone TO 'UTC'")
    return opened


def fixed(now: datetime) -> Callable[[], Awaitable[datetime]]:
    """Return a clock that stands."""

    async def tell() -> datetime:
        return now

    return tell


async def syncing(dsn: str, source: Source, *, now: datetime = NOW, stop: asyncio.Event | None = None) -> Syncing:
    """Return one session of the demo tenant."""
    return Syncing(
        session=await session(dsn),
        tenant_id=TENANT,
        region="US",
        source=source,
        clock=fixed(now),
        stop=stop or asyncio.Event(),
    )


class Opened(Protocol):
    """Opens a session of a town's mirror, closed when the test ends."""

    async def __call__(self, town: Town, *, now: datetime = NOW) -> Syncing:
        """Return the session."""
        ...


async def load(sync: Syncing, *, recent: bool = True) -> None:
    """Load everything: each feed to its end, the keys, and what the feeds hold back."""
    for feed in FEEDS:
        await feeds.read_feed(sync, feed)
    await make_keys(sync)
    if recent:
        await catch_up(sync)


async def catch_up(sync: Syncing) -> None:
    """Read the recent changes of every feed."""
    for feed in FEEDS:
        await feeds.read_feed(sync, feed, recent=True)


async def mirrored(tx: psycopg.AsyncConnection, feed: str) -> dict[int, tuple[Any, ...]]:
    """Return what the mirror holds of a feed's records."""
    shape = FEEDS[feed]
    names = ", ".join(f'"{name}"' for name in shape.columns)
    where = "".join(f" AND {name} = '{value}'" for name, value in shape.fixed.items())
    found = await tx.execute(f"SELECT {names} FROM {shape.table} WHERE tenant_id = %s{where}", [TENANT])
    return {row[0]: _parsed(feed, row) for row in await found.fetchall()}


def simulated(town: Town, feed: str) -> dict[int, tuple[Any, ...]]:
    """Return what ServiceTitan holds of a feed's records."""
    shape = FEEDS[feed]
    rows = (shape.to_row(msgspec.convert(row, shape.answer)) for row in town.account.tables[feed])
    return {row[0]: _parsed(feed, row) for row in rows}


def _parsed(feed: str, row: tuple[Any, ...]) -> tuple[Any, ...]:
    del feed
    return tuple(msgspec.json.decode(stored_json(value.obj)) if isinstance(value, Jsonb) else value for value in row)


async def stored_keys(tx: psycopg.AsyncConnection) -> set[tuple[int, int, int]]:
    """Return the match keys that are stored."""
    found = await tx.execute("SELECT key, customer_id, location_id FROM match_keys WHERE tenant_id = %s", [TENANT])
    return set(await found.fetchall())


def true_keys(town: Town) -> set[tuple[int, int, int]]:
    """Return the match keys that the simulator's records have, taken straight from its tables."""
    keys: set[tuple[int, int, int]] = set()
    tables = town.account.tables
    for customer in tables["customers"]:
        if customer["mergedToId"] is not None:
            continue
        locations = [
            row for row in tables["locations"].where("customerId", customer["id"]) if row["mergedToId"] is None
        ]
        contacts = [(0, row) for row in tables["customer_contacts"].where("customerId", customer["id"])]
        for location in locations:
            contacts += [
                (location["id"], row) for row in tables["location_contacts"].where("locationId", location["id"])
            ]
        keys |= {
            tuple(key)  # type: ignore[misc]
            for key in record_keys(
                CustomerRow(customer["id"], customer["name"], *_address(customer)),
                [LocationRow(row["id"], customer["id"], row["name"], *_address(row)) for row in locations],
                [
                    ContactRow(where, row["type"], row["value"], row["memo"] or "")
                    for where, row in contacts
                    if row["active"]
                ],
            )
        }
    return keys


def _address(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(row["address"].get(name) or "" for name in ("street", "unit", "city", "state", "zip"))


async def assert_equal(tx: psycopg.AsyncConnection, town: Town, *, with_keys: bool = True) -> None:
    """Compare the mirror with the simulator: every record of every feed, and every match key."""
    for feed in FEEDS:
        assert await mirrored(tx, feed) == simulated(town, feed), feed
    if with_keys:
        assert await stored_keys(tx) == true_keys(town)
