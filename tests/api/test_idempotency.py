"""Idempotency-Key over real HTTP: a write waits inside the database while its key is tried again."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest

from bridge.db.database import Database
from bridge.entrypoints.server import serve
from tests.console.conftest import Seeded
from tests.console.seeding import app_for, context_for


class Api(NamedTuple):
    """A client of a served API, with a way to ask the database."""

    client: httpx.AsyncClient
    database: Database
    seeded: Seeded

    async def replay(self, key: str, *, kind: str = "booked", token: str = "write", **body: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.seeded.tokens[token]}", "idempotency-key": key}
        return await self.client.post(f"/api/v1/deliveries/{self.seeded.made[kind]}/replay", json=body, headers=headers)

    async def one(self, query: str) -> Any:
        async with self.database.begin() as tx:
            row = await (await tx.execute(query)).fetchone()
            return row[0] if row else None

    async def replays(self) -> int:
        return int(await self.one("SELECT count(*) FROM audit_log WHERE action = 'delivery.replayed'"))


@pytest.fixture
async def api(database: Database, seeded: Seeded, free_port: int) -> AsyncIterator[Api]:
    context = context_for(database)
    server = asyncio.create_task(
        serve(app_for(context), host="127.0.0.1", port=free_port, draining=context.draining, handle_signals=False)
    )
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{free_port}", timeout=30) as client:
        async with asyncio.timeout(30):
            while True:
                try:
                    await client.get("/login")
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.02)
        yield Api(client, database, seeded)
    context.draining.set()
    await server


async def test_the_same_request_gets_the_same_answer_and_another_body_none(api: Api) -> None:
    first, again = await api.replay("k"), await api.replay("k")
    assert (first.status_code, again.status_code) == (200, 200)
    assert (again.content, again.headers["content-type"]) == (first.content, first.headers["content-type"])
    assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (None, "true")
    for other in (await api.replay("k", reason="another"), await api.replay("k", kind="updated")):
        assert (other.status_code, other.json()["reason"]) == (422, "idempotency_key_reused")
        assert other.headers["content-type"] == "application/problem+json"
    assert await api.replays() == 1


async def test_a_refusal_is_repeated_too(api: Api) -> None:
    assert (await api.replay("first")).status_code == 200
    refused = await api.replay("second")
    await api.one("DELETE FROM delivery_queue RETURNING id")
    again = await api.replay("second")
    assert (refused.status_code, again.status_code) == (409, 409)
    assert refused.json()["reason"] == again.json()["reason"] == "waiting_already"
    assert again.content == refused.content


async def test_a_key_belongs_to_its_token_and_a_request_that_failed_gives_it_back(api: Api) -> None:
    assert (await api.replay("k")).status_code == 200
    assert (await api.replay("k", token="admin", kind="updated")).status_code == 200
    headers = {"authorization": f"Bearer {api.seeded.tokens['write']}", "idempotency-key": "n"}
    missing = await api.client.post("/api/v1/deliveries/999999/replay", json={}, headers=headers)
    assert missing.status_code == 404
    assert (await api.replay("n", kind="failed")).status_code == 200


async def test_while_the_first_is_in_flight_the_key_is_a_conflict(api: Api, database_dsn: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_dsn) as keeper:
        await keeper.execute("LOCK TABLE delivery_queue IN ACCESS EXCLUSIVE MODE")
        first = asyncio.create_task(api.replay("k"))
        async with asyncio.timeout(30):
            while not await api.one("SELECT count(*) FROM idempotency_keys WHERE key = 'k'"):
                await asyncio.sleep(0.01)
        running, other = await api.replay("k"), await api.replay("k", reason="another")
        assert (running.status_code, running.json()["reason"]) == (409, "idempotency_key_running")
        assert (other.status_code, other.json()["reason"]) == (422, "idempotency_key_reused")
        assert not first.done()
    answer, again = await first, await api.replay("k")
    assert (answer.status_code, again.content) == (200, answer.content)
    assert await api.replays() == 1
