"""Every statement of a message's whole life, as it is really sent, walks an index and touches few pages in full tables."""

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from bridge.db import database as pool
from bridge.db.database import Database
from bridge.domain.command import AddNote, CreatedBy
from bridge.domain.ids import EffectId
from bridge.sending import control
from tests.sending.world import TENANT, World, booking, effect

BIG = ("outbox", "effects", "effect_keys", "attempts", "dead_messages")
EMPTIED = ("outbox", "dead_messages")
PAGES = 1_000  # a walk over all that waits touches more than that

FILL = """
WITH n AS MATERIALIZED (SELECT nextval('effect_ids') AS id, CASE g % 2 WHEN 0 THEN {tenant} ELSE 7 END AS tenant
   FROM generate_series(1, 60000) AS g),
 w AS (INSERT INTO outbox (tenant_id, id, created_at, due_at, priority, kind, lane, source_id)
   SELECT tenant, id, '2026-11-24', '2027-11-24', 5, 'create_booking', 'party:' || id % 5000, 'website' FROM n),
 k AS (INSERT INTO effect_keys SELECT tenant, lpad(to_hex(id), 32, '0')::uuid, id, id FROM n),
 a AS (INSERT INTO attempts (tenant_id, effect_id, at, number, outcome, settles, epoch)
   SELECT tenant, id, '2026-11-24', 1, 'deferred', 0, 1 FROM n),
 d AS (INSERT INTO dead_messages (tenant_id, effect_id, created_at, died_at, kind, lane, source_id, sends, reason)
   SELECT tenant, id + 1000000, '2026-11-24', '2026-11-24', 'create_booking', 'party:x', 'website', 1, 'x' FROM n)
INSERT INTO effects SELECT tenant, id, '2026-11-24', lpad(to_hex(id), 32, '0')::uuid, 'create_booking', 'party:' || id % 5000,
  'website', id, id, '', 5, NULL, '{{}}' FROM n
"""


@pytest.fixture
async def told(database_dsn: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Database, list[str]]]:
    """A database whose server tells the plan of each statement as it was carried out, and what it told."""
    plans: list[str] = []
    configure = pool._configure

    async def loud(connection: psycopg.AsyncConnection) -> None:
        await configure(connection)
        connection.add_notice_handler(lambda notice: plans.append(notice.message_primary or ""))
        await connection.execute("LOAD 'auto_explain'")
        for name, value in {
            "auto_explain.log_min_duration": "0",
            "auto_explain.log_analyze": "on",
            "auto_explain.log_buffers": "on",
            "auto_explain.log_timing": "off",
            "auto_explain.log_level": "notice",
        }.items():
            await connection.execute("SELECT set_config(%s, %s, false)", [name, value])

    monkeypatch.setattr(pool, "_configure", loud)
    opened = Database(database_dsn, max_size=4)
    await opened.open()
    yield opened, plans
    await opened.close()


async def live(world: World) -> None:
    """Let messages end, move, come into doubt, be looked up, be left by a crashed owner, be acted upon and come again."""
    wanted = [booking(f"Person {number}") for number in range(12)]
    wanted += [booking(" "), effect(AddNote(on="lead", target=CreatedBy(wanted[0].key), text="hello"), "note")]
    ids = (await world.put(*wanted)).created
    async with world.database.connection() as connection:
        await connection.execute(FILL.format(tenant=TENANT))
    for action, body in (("refuse", "Person 1"), ("drop_after", "Person 2"), ("rate_limit", "Person 3")):
        world.fault(action, method="POST", path="/bookings", body=body)
    dead = await world.worker().own(TENANT)
    await dead.dispatcher.claim()
    world.advance(1)
    await dead.dispatcher.commit_intents()
    for _ in range(4):
        await dead.dispatcher.send(dead.dispatcher.sender.outbound.popleft())
    await dead.dispatcher.record_outcomes()
    living = await world.worker().own(TENANT)
    for _ in range(15):
        await living.turn()
        await living.dispatcher.reconcile_due()
        world.advance(30)
    await world.put(*wanted)
    actions: tuple[Any, ...] = (control.retry, control.cancel)
    for action in actions:
        for effect_id in ids.values():
            await act(world, action, effect_id, now=world.now())


async def act(world: World, action: Any, effect_id: EffectId, *, now: datetime) -> None:
    async with world.database.begin() as tx:
        await action(tx, tenant_id=TENANT, effect_id=effect_id, by="kim", now=now + timedelta(seconds=1))


@pytest.mark.parametrize("statistics", ["empty", "emptied"])
@pytest.mark.timeout(180)
async def test_no_statement_of_a_whole_life_walks_a_table(told: tuple[Database, list[str]], statistics: str) -> None:
    """`emptied` tables have pages and no rows when statistics are taken. Seen to fail where completion joins the outbox."""
    database, plans = told
    async with database.connection() as connection:
        for table in ("outbox", "effects_p2_rest", "effect_keys", "attempts_p2_rest", "dead_messages"):
            await connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        await connection.execute(f"TRUNCATE {', '.join(BIG)}")
        if statistics == "emptied":
            await connection.execute(FILL.format(tenant=TENANT))
            for table in EMPTIED:
                await connection.execute(f"DELETE FROM {table}")
                await connection.execute(f"VACUUM (TRUNCATE OFF) {table}")
            await connection.execute("TRUNCATE effects, effect_keys, attempts")
        await connection.execute("ANALYZE")
    plans.clear()
    world = World(database)
    try:
        await live(world)
    finally:
        await world.close()
    seen = [plan for plan in plans if "generate_series" not in plan and any(table in plan for table in BIG)]
    for word in (
        "DELETE FROM outbox",
        "UPDATE outbox",
        "'crashed'",
        "dead_messages",
        "INSERT INTO effect_keys",
        "is_late",
    ):
        assert any(word in plan for plan in seen), f"no statement with {word} was seen"
    for plan in seen:
        assert not re.search(rf"Seq Scan on (?:{'|'.join(BIG)})", plan), plan
        pages = re.search(r"Buffers: shared(.*)", plan)
        assert pages is None or sum(map(int, re.findall(r"(?:hit|read)=(\d+)", pages[1]))) < PAGES, plan
