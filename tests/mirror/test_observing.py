"""What our own calls did is in the mirror at once, without waiting for a feed."""

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import Any

from bridge.db.database import Database
from bridge.mirror.observing import Observer
from bridge.servicetitan.client import ServiceTitan
from tests.mirror.mirrored_town import BOOKING, NOW, TENANT, Town


async def ids(database: Database, table: str) -> list[int]:
    async with database.connection() as connection:
        cursor = await connection.execute(f"SELECT id FROM {table} WHERE tenant_id = %s ORDER BY id", [TENANT])
        return [row[0] for row in await cursor.fetchall()]


def observer_of(database: Database) -> Observer:
    return Observer(database, region_of=lambda _: "US", clock=lambda: NOW)


async def test_a_created_booking_and_customer_are_mirrored_within_a_moment(database: Database) -> None:
    town = Town(customers=0)
    observer = observer_of(database)
    client = ServiceTitan(town.client.credentials, town.http, town.simulator.now, on_success=observer.of_tenant(TENANT))
    running = asyncio.create_task(observer.run())
    place = {"street": "1 Main St", "city": "Austin", "state": "TX", "zip": "78701", "country": "USA"}
    body: dict[str, Any] = {"name": "Ada Example", "address": place, "locations": [{"name": "Home", "address": place}]}
    booked = await client.within(30).bookings.create(body=BOOKING)
    made = await client.customers.create(body=body)
    refused = await client.customers.create(body={"name": ""})
    assert (booked.reason, made.reason) == ("ok", "ok")
    assert refused.reason != "ok"
    async with asyncio.timeout(30):
        while not await ids(database, "mirrored_locations"):
            await asyncio.sleep(0.02)
    assert await ids(database, "mirrored_bookings") == [booked.body.id]
    assert await ids(database, "mirrored_customers") == [made.body.id]
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await town.http.aclose()


async def test_an_answer_that_cannot_be_written_stands_back_alone(database: Database) -> None:
    observer = observer_of(database)
    note = observer.of_tenant(TENANT)
    at = datetime(2026, 11, 24, 15, tzinfo=UTC).isoformat()
    whole = {"id": 7, "active": True, "name": "Whole", "createdOn": at, "modifiedOn": at}
    note("customers.get", {"id": 6}, None, {"id": "not a number"})
    note("customers.get", {"id": 7}, None, whole)
    note("customers.list", {}, None, {"data": []})
    await observer.write()
    assert await ids(database, "mirrored_customers") == [7]
