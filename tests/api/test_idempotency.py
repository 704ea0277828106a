"""Idempotency-Key over real HTTP: a write waits inside the database while its key is tried again."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest

from bridge.db.database import Database
from bridge.domain.ids import DeliveryId
from bridge.entrypoints.server import serve
from bridge.operations import deliveries, tokens
from bridge.operations.audit import Act, KeyTaken, Once
from bridge.operations.tokens import Running
from tests.console.conftest import Seeded
from tests.console.seeding import NOW, TENANT, app_for, context_for
from tests.console.visiting import listens
from tests.ports import unused_port


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
            asked = await tx.execute(query)
            row = await asked.fetchone() if asked.description else None
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


async def test_what_a_killed_process_left_behind(api: Api, database_dsn: str) -> None:
    """One request acted and was never answered, another waits inside the database, as the process is killed."""
    port = unused_port()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
    environ |= {"DATABASE_URL": database_dsn, "BRIDGE_PORT": str(port), "BRIDGE_CONFIG": ""}
    await api.one(
        "DO $$ BEGIN CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN PERFORM pg_advisory_xact_lock(8); RETURN NEW; END $f$;"
        " CREATE TRIGGER stay BEFORE UPDATE ON idempotency_keys FOR EACH ROW WHEN (NEW.status IS NOT NULL) EXECUTE FUNCTION stay(); END $$"
    )
    process = subprocess.Popen([sys.executable, "-m", "bridge", "serve"], env=environ, stdout=subprocess.DEVNULL)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            doomed = api._replace(client=client)
            await until(lambda: listens(port))
            async with await psycopg.AsyncConnection.connect(database_dsn) as keeper:
                await keeper.execute("SELECT pg_advisory_xact_lock(8)")
                acted = asyncio.create_task(doomed.replay("acted"))
                await until(lambda: api.one("SELECT body IS NOT NULL FROM idempotency_keys WHERE key = 'acted'"))
                await keeper.execute("LOCK TABLE delivery_queue IN ACCESS EXCLUSIVE MODE")
                waiting = asyncio.create_task(doomed.replay("waiting", kind="updated"))
                await until(lambda: api.one("SELECT count(*) FROM idempotency_keys WHERE key = 'waiting'"))
                process.kill()
                for one in (acted, waiting):
                    with pytest.raises(httpx.TransportError):
                        await one
            await until(lambda: api.one(ALONE))  # what waited for a lock ends, and no commit follows
    finally:
        process.kill()
        process.wait()
    await api.one("DROP TRIGGER stay ON idempotency_keys")
    await aged(api, timedelta())
    for key, kind in (("acted", "booked"), ("waiting", "updated")):
        assert (await api.replay(key, kind=kind)).json()["reason"] == "idempotency_key_running"
    await aged(api, tokens.ABANDONED + timedelta(seconds=1))
    told = await api.replay("acted")
    assert (told.status_code, told.headers["idempotent-replayed"]) == (200, "true")
    assert told.json() == {
        "text": "It was done; how it was answered is lost, for the process ended.",
        "id": api.seeded.made["booked"],
    }
    assert await api.replays() == 1
    done = await api.replay("waiting", kind="updated")
    assert (done.status_code, done.headers.get("idempotent-replayed")) == (200, None)
    assert await api.replays() == 2


ALONE = "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'"


async def until(seen: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(100):
        while not await seen():
            await asyncio.sleep(0.02)


async def aged(api: Api, by: timedelta) -> None:
    async with api.database.begin() as tx:
        await tx.execute("UPDATE idempotency_keys SET started_at = %s WHERE status IS NULL", [NOW - by])


async def test_who_lost_the_key_to_another_acts_no_more(database: Database, seeded: Seeded) -> None:
    """A request slower than the time after which its key counts as abandoned: the second one acts, the first is rolled back."""
    took: dict[str, Any] = {"token_id": 1, "key": "k", "request": b"x"}
    slow = await tokens.begin_once(database, **took, now=NOW - tokens.ABANDONED - timedelta(seconds=1))
    second = await tokens.begin_once(database, **took, now=NOW)
    assert isinstance(slow, Once)
    assert isinstance(second, Once)
    here: dict[str, Any] = {"tenant_id": TENANT, "delivery_id": DeliveryId(seeded.made["booked"])}
    with pytest.raises(KeyTaken):
        await deliveries.replay(database, Act("token:write", NOW, once=slow), **here)
    assert (await deliveries.replay(database, Act("token:write", NOW, once=second), **here)).is_done
    await tokens.end_once(database, slow, answer=None)
    assert isinstance(await tokens.begin_once(database, **took, now=NOW), Running)
