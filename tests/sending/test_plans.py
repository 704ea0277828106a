"""The hot statements keep their plans: with empty statistics, with very many rows, behind a blocked lane.

`FINISHED=1000000 pytest tests/sending/test_plans.py` is the full size; the gate has a fifth of it.
"""

import os
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from bridge.db.arrays import integers
from bridge.db.database import Database
from bridge.db.ownership import fences
from bridge.intake import queue
from bridge.intake import store as intake
from bridge.sending import holds, outbox, records, standing, store

# What may be sorted: a handful, to be locked in one order; what persons released of a batch; a short queue.
FEW = {
    "shard_leases.shard",
    "sending_tenants.tenant_id",
    "attempts.effect_id",
    "t.turn, delivery_queue_1.id",
    "delivery_queue_1.id",
}
NOW = datetime(2026, 11, 24, tzinfo=UTC)
NOW_LATER = datetime(2100, 1, 1, tzinfo=UTC)  # all of the queue is due

ROWS = int(os.environ.get("FINISHED", "200000"))

FILL = """
WITH n AS (SELECT nextval('effect_ids') AS id FROM generate_series(1, {rows})),
 w AS (INSERT INTO outbox (tenant_id, id, created_at, due_at, priority, kind, lane, source_id)
   SELECT 1 + id % 4, id, '2026-11-24', '2026-11-24', 5, 'create_booking', {lane}, 'website' FROM n),
 k AS (INSERT INTO effect_keys SELECT 1 + id % 4, lpad(to_hex(id), 32, '0')::uuid, id, id FROM n)
INSERT INTO effects SELECT 1 + id % 4, id, '2026-11-24', lpad(to_hex(id), 32, '0')::uuid, 'create_booking', {lane}, 'website',
  id, id, '', 5, NULL, '{{}}' FROM n
"""
DELIVERIES = """
WITH stored AS (
  INSERT INTO deliveries (tenant_id, source_id, dedup_key, event_type, received_at, method, url, headers, body, verified_by, trace_id)
  SELECT 1 + g % 4, 'website', 'msg_' || g, '', '2026-11-24', 'POST', '', '{{}}', '', '', '' FROM generate_series(1, {rows}) g
  RETURNING tenant_id, id
)
INSERT INTO delivery_queue (tenant_id, id) SELECT tenant_id, id FROM stored
"""
FINISHED = """
INSERT INTO attempts (tenant_id, effect_id, at, number, outcome, settles, epoch)
SELECT 1 + g % 4, g, '2026-11-24', 1, 'succeeded', 1, 1 FROM generate_series(1, {rows}) g
"""


async def explain(database: Database, query: str, parameters: Any) -> tuple[str, int]:
    """Return the plan and the buffers a statement touches; what it writes is rolled back."""
    async with database.connection() as connection, connection.transaction(force_rollback=True):
        rows = await connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) {query}", parameters)
        text = "\n".join(row[0] for row in await rows.fetchall())
    first = re.search(r"Buffers: shared(.*)", text)
    return text, sum(map(int, re.findall(r"(?:hit|read)=(\d+)", first[1]))) if first else 0


def psycopg_style(query: str) -> str:
    """Return a statement for the raw protocol with the placeholders of psycopg; its parameters come in this order."""
    return re.sub(r"\$\d+", "%s", query)


def statements(ids: list[int]) -> dict[str, tuple[str, Any, str]]:
    """Return each hot statement with parameters for 100 messages, and the index it must walk."""
    tenants = [1 + i % 4 for i in ids]
    zeros = integers([0] * len(ids))
    by_tenant = [i for tenant in (1, 2, 3, 4) for i in ids if 1 + i % 4 == tenant]
    fenced = {**fences(dict.fromkeys(range(4), 1)), "ids": integers(by_tenant), "sends": zeros, "now": NOW}
    four, quarters = "{1,1,1,1}", {"lows": "{1,26,51,76}", "highs": "{25,50,75,100}"}
    intend = {"tenants": "{1,2,3,4}", "versions": "{0,0,0,0}", "intents": "{1,2,3,4}", "shard_of": "{0,1,2,3}"}
    intend |= {"epoch_of": four, "of": "{1,2,3,4}", "sent": "{0,0,0,0}", "oldest": NOW, "youngest": NOW}
    intend |= {"from": quarters["lows"], "to": quarters["highs"]}
    done = {"tenants": "{1,2,3,4}", "sends": "{0,0,0,0}", "by": four, "sent": four, "sorted": integers(ids)}
    done |= {"milliseconds": zeros, "made": zeros, "over_tenants": "{1,2,3,4}", "over_ids": four}
    took = [
        (tenant, i, 0, "x", 0, 1, None, None, None, "", "", None, None, 0, 0, NOW)
        for tenant, i in zip(tenants, ids, strict=True)
    ]
    moved = [list(column) for column in zip(*took, strict=True)]
    sent = [integers(tenants), ["website"] * len(ids), [f"msg_{i}" for i in ids]]
    arrived = [*sent, [""] * len(ids), [NOW] * len(ids), *[[""] * len(ids)] * 2, ["{}"] * len(ids), [b""] * len(ids)]
    keys = "{" + ",".join(f"{i:032x}" for i in ids) + "}"
    return {
        "claim": (store._CLAIM, ["{1,2,3,4}", "{0,0,0,0}", "{25,25,25,25}"], "pk_outbox"),
        "intend": (store._INTEND, {**fenced, **quarters, **intend}, "pk_outbox"),
        "load": (store._LOAD, [integers(tenants), integers(ids), NOW, NOW], "effects_p2_rest_pkey"),
        "done": (records._DONE, {**fenced, **quarters, **done}, "pk_outbox"),
        "evidence": (standing._EVIDENCE, [integers(tenants), integers(ids)], "attempts"),
        "standing": (standing._STANDING, [integers(tenants), integers(ids)], "pk_outbox"),
        "end": (records._END, [*moved[:13], NOW, NOW], "pk_outbox"),
        "move": (records._MOVE, [*moved, NOW], "pk_outbox"),
        "created": (standing._CREATED, [integers(tenants), keys], "pk_effect_keys"),
        "released": (holds._RELEASED, ["{1,2,3,4}", integers(ids)], "attempts"),
        "keys": (outbox._KNOWN, [integers(tenants), keys], "pk_effect_keys"),
        "new keys": (outbox._KEYS, [integers(tenants), keys, zeros], "Conflicting Tuples: 100"),
        "deliveries": (psycopg_style(intake._FIND), sent, "uq_deliveries"),
        "new deliveries": (psycopg_style(intake._INSERT), [*arrived, *[[""] * len(ids)] * 2], "uq_deliveries"),
        "queue": (
            queue._CLAIM,
            {"tenants": "{1,2,3,4}", "now": NOW_LATER, "share": 25, "most": 4},
            "pk_delivery_queue",
        ),
    }


@pytest.mark.parametrize(
    ("waiting", "finished", "lane", "is_analyzed"),
    [
        (1_000, 0, "'party:' || id % 500", False),
        (100_000, ROWS, "'party:' || id % 5000", False),
        (100_000, ROWS, "'party:' || id % 5000", True),
        (50_000, 0, "'party:hot'", False),
    ],
)
@pytest.mark.timeout(180)
async def test_hot_statements_walk_their_index(
    database: Database, waiting: int, finished: int, lane: str, is_analyzed: bool
) -> None:
    async with database.connection() as connection:
        # Statistics as of the empty tables: what a queue has right after a burst.
        for table in ("outbox", "effects", "effect_keys", "attempts", "deliveries", "delivery_queue"):
            await connection.execute(
                f"ALTER TABLE {table if table not in ('effects', 'attempts') else table + '_p2_rest'}"
                " SET (autovacuum_enabled = off)"
            )
        await connection.execute("TRUNCATE outbox, effects, effect_keys, attempts, deliveries, delivery_queue")
        await connection.execute("ANALYZE")
        await connection.execute("UPDATE shard_leases SET worker_id = 1, epoch = 1 WHERE shard < 4")
        await connection.execute(
            "INSERT INTO sending_tenants (tenant_id, shard) SELECT g + 1, g FROM generate_series(0, 3) g"
        )
        await connection.execute(FILL.format(rows=waiting, lane=lane))
        await connection.execute(DELIVERIES.format(rows=waiting))
        if finished:
            await connection.execute(FINISHED.format(rows=finished))
        if is_analyzed:
            await connection.execute("ANALYZE")
    ids = list(range(1, 101))
    for name, (query, parameters, index) in statements(ids).items():
        plan, buffers = await explain(database, query, parameters)
        assert index in plan, f"{name}: {plan}"
        assert "Seq Scan on outbox" not in plan, f"{name}: {plan}"
        assert "Seq Scan on effect" not in plan, f"{name}: {plan}"
        assert not re.search("Seq Scan on deliver", plan), f"{name}: {plan}"
        assert "Seq Scan on attempts" not in plan, f"{name}: {plan}"
        assert {key.strip() for key in re.findall(r"Sort Key: (.*)", plan)} <= FEW, f"{name}: {plan}"
        assert (0 if name == "released" else 10) < buffers < 4_000, f"{name} touches {buffers} pages: {plan}"
