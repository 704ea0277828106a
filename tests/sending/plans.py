"""The hot statements of the outbox and what PostgreSQL does for them, in tables of any size and whatever their statistics say.

    python -m tests.sending.plans [--finished 1000000] [--waiting 100000] [--blocked 50000] [--json]

Each statement is explained with parameters for a hundred messages of four tenants, as it is sent, and rolled back.
"""

import argparse
import asyncio
import json
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from psycopg import AsyncClientCursor, AsyncConnection
from psycopg._queries import PostgresQuery
from psycopg.adapt import Transformer

from bridge.db import migrations
from bridge.db.arrays import integers
from bridge.db.database import _SET_UP, _SET_UP_IN_ORDER, Database
from bridge.db.embedded import EmbeddedPostgres
from bridge.db.ownership import fences
from bridge.intake import queue
from bridge.intake import store as intake
from bridge.sending import handing, holds, outbox, records, standing, store

MESSAGES = 100
PAGES = 2_000
"""The most that a statement may touch: twenty pages a message. A walk over what waits touches more."""

# What may be sorted: a handful, to be locked in one order; what persons released of a batch; a short queue.
FEW = {
    "shard_leases.shard",
    "sending_tenants.tenant_id",
    "attempts.effect_id",
    "attempts.number DESC",
    "t.turn, delivery_queue.id",
}
NOW = datetime(2026, 11, 24, tzinfo=UTC)
NOW_LATER = datetime(2100, 1, 1, tzinfo=UTC)  # all of the queue is due

CLAIMS = ("claim", "queue")

ALL = ("outbox", "intents", "effects", "effect_keys", "attempts", "dead_messages", "deliveries", "delivery_queue")
EMPTIED = ("outbox", "intents", "dead_messages", "delivery_queue")
"""What rows leave; history only grows, and its months are dropped whole."""

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
INTENTS = """
INSERT INTO intents (tenant_id, id, shard, epoch, sent_at, effect_ids, sends)
SELECT 1 + g % 4, 10 + g, g % 4, 1, '2026-11-24', ARRAY[g::bigint], ARRAY[0::smallint] FROM generate_series(1, {rows}) g
"""
FINISHED = """
INSERT INTO attempts (tenant_id, effect_id, at, number, outcome, settles, epoch)
SELECT 1 + g % 4, g, '2026-11-24', 1, 'succeeded', 1, 1 FROM generate_series(1, {rows}) g
"""


class Scene(NamedTuple):
    """How full the tables are, and when their statistics were taken: `empty`, `emptied` (pages and no rows) or `full`."""

    waiting: int
    finished: int
    lanes: int
    statistics: str

    def __str__(self) -> str:
        lanes = "one lane" if self.lanes == 1 else f"{self.lanes} lanes"
        return f"{self.waiting} waiting in {lanes}, {self.finished} finished, statistics of {self.statistics} tables"


def scenes(*, finished: int, waiting: int, blocked: int) -> list[Scene]:
    """Return what is looked at: little, much, and one party blocked behind its head."""
    return [
        Scene(1_000, 0, 500, "empty"),
        Scene(waiting, finished, 5_000, "empty"),
        Scene(waiting, finished, 5_000, "full"),
        Scene(waiting, finished, 5_000, "emptied"),
        Scene(blocked, 0, 1, "empty"),
        Scene(blocked, 0, 1, "emptied"),
    ]


class Seen(NamedTuple):
    """What PostgreSQL did for one statement."""

    name: str
    walks: str  # the index that it has to use
    pages: int
    plan: str

    def faults(self) -> list[str]:
        """Return what is wrong with it, in words."""
        found = [f"does not walk {self.walks}"] if self.walks not in self.plan else []
        found += re.findall(r"Seq Scan on (?:outbox|effect|deliver|attempts|intents|dead)\w*", self.plan)
        found += [
            f"sorts by {key.strip()}" for key in re.findall(r"Sort Key: (.*)", self.plan) if key.strip() not in FEW
        ]
        if not (0 if self.name.startswith("released") else 3) < self.pages <= PAGES:
            found.append(f"touches {self.pages} pages")
        return found


async def fill(database: Database, scene: Scene) -> None:
    """Make the tables as a scene says."""
    lane = "'party:hot'" if scene.lanes == 1 else f"'party:' || id % {scene.lanes}"
    async with database.connection() as connection:
        for table in ALL:
            place = f"{table}_p2_rest" if table in {"effects", "attempts"} else table
            await connection.execute(f"ALTER TABLE {place} SET (autovacuum_enabled = off)")
        await connection.execute(f"TRUNCATE {', '.join(ALL)}, sending_tenants")
        if scene.statistics == "emptied":
            await _rows(connection, scene.waiting, lane)
            for table in EMPTIED:
                await connection.execute(f"DELETE FROM {table}")
                await connection.execute(f"VACUUM (TRUNCATE OFF) {table}")
            await connection.execute(f"TRUNCATE {', '.join(set(ALL) - set(EMPTIED))}")
        await connection.execute("ANALYZE")
        await connection.execute("SELECT setval('effect_ids', 1, false)")
        await connection.execute("UPDATE shard_leases SET worker_id = 1, epoch = 1 WHERE shard < 4")
        await connection.execute(
            "INSERT INTO sending_tenants (tenant_id, shard) SELECT g + 1, g FROM generate_series(0, 3) g"
        )
        await _rows(connection, scene.waiting, lane)
        if scene.finished:
            await connection.execute(FINISHED.format(rows=scene.finished))
        if scene.statistics == "full":
            await connection.execute("ANALYZE")


async def _rows(connection: Any, waiting: int, lane: str) -> None:
    await connection.execute(FILL.format(rows=waiting, lane=lane))
    await connection.execute(DELIVERIES.format(rows=waiting))
    await connection.execute(INTENTS.format(rows=MESSAGES))


async def look(database: Database) -> list[Seen]:
    """Return what PostgreSQL does for each statement."""
    seen = []
    async with await AsyncConnection.connect(
        database.dsn, autocommit=True, cursor_factory=AsyncClientCursor
    ) as connection:
        for name, (query, parameters, index) in statements(list(range(1, MESSAGES + 1))).items():
            await connection.execute(_SET_UP_IN_ORDER if name in CLAIMS else f"RESET ALL; {_SET_UP}")
            for mode, what in (("force_custom_plan", name), ("force_generic_plan", f"{name}, planned once")):
                await connection.execute(f"SET plan_cache_mode = {mode}")
                text, pages = await explain(connection, query, parameters)
                seen.append(Seen(what, index, pages, text))
    return seen


async def explain(connection: AsyncConnection, query: str, parameters: Any) -> tuple[str, int]:
    """Return the plan and the buffers a statement touches; what it writes is rolled back."""
    asked = PostgresQuery(Transformer())
    asked.convert(query, parameters)
    values = [parameters[name] for name in asked._order] if asked._order else parameters
    async with connection.transaction(force_rollback=True):
        await connection.execute(f"PREPARE asked AS {asked.query.decode()}")
        told = await connection.execute(
            f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) EXECUTE asked ({', '.join(['%s'] * len(values))})",
            values,
        )
        text = "\n".join(row[0] for row in await told.fetchall())
        await connection.execute("DEALLOCATE asked")
    first = re.search(r"Buffers: shared(.*)", text)
    return text, sum(map(int, re.findall(r"(?:hit|read)=(\d+)", first[1]))) if first else 0


def psycopg_style(query: str) -> str:
    """Return a statement for the raw protocol with the placeholders of psycopg; its parameters come in this order."""
    return re.sub(r"\$\d+", "%s", query)


def statements(ids: list[int]) -> dict[str, tuple[str, Any, str]]:
    """Return each hot statement with parameters for the messages, and the index it must walk."""
    tenants = [1 + i % 4 for i in ids]
    pairs = [integers(tenants), integers(ids)]
    zeros = integers([0] * len(ids))
    by_tenant = [i for tenant in (1, 2, 3, 4) for i in ids if 1 + i % 4 == tenant]
    fenced = {**fences(dict.fromkeys(range(4), 1)), "ids": integers(by_tenant), "sends": zeros, "now": NOW}
    four, quarters = "{1,1,1,1}", {"lows": "{1,26,51,76}", "highs": "{25,50,75,100}"}
    intend = {"tenants": "{1,2,3,4}", "versions": "{0,0,0,0}", "intents": "{1,2,3,4}", "shard_of": "{0,1,2,3}"}
    intend |= {"epoch_of": four, "of": "{1,2,3,4}", "sent": "{0,0,0,0}", "oldest": NOW, "youngest": NOW}
    intend |= {"from": quarters["lows"], "to": quarters["highs"]}
    handed = {"going": integers(by_tenant), "known": integers(by_tenant), "positions": "{0,0,0,0}"}
    handed |= {"shards": "{0,1,2,3}", "epochs": four, "to": quarters["highs"]}
    done = {"tenants": "{1,2,3,4}", "sends": "{0,0,0,0}", "sorted": integers(ids)}
    done |= dict.fromkeys(("by", "sent", "milliseconds", "made"), zeros)
    done |= {"over_tenants": integers(tenants), "over_ids": integers(i + 10 for i in ids)}
    sent = [integers(tenants), ["website"] * len(ids), [f"msg_{i}" for i in ids]]
    arrived = [*sent, [""] * len(ids), [NOW] * len(ids), *[[""] * len(ids)] * 2, ["{}"] * len(ids), [b""] * len(ids)]
    keys = "{" + ",".join(f"{i:032x}" for i in ids) + "}"
    recover = {"tenants": [1, 2, 3, 4], "now": NOW, "flown": timedelta(0), "reason": "worker_crashed"}
    due = {"tenants": "{1,2,3,4}", "now": NOW_LATER, "share": 25, "least": 25, "most": len(ids)}
    return {
        "claim": (store._CLAIM, ["{1,2,3,4}", "{0,0,0,0}", "{25,25,25,25}"], "pk_outbox"),
        "intend": (store._INTEND, {**fenced, **quarters, **intend}, "pk_outbox"),
        "hand over": (handing._INTEND, {**intend, **quarters, **handed, "now": NOW}, "pk_outbox"),
        "load": (store._LOAD, [*pairs, NOW, NOW], "effects_p2_rest_pkey"),
        "done": (records._DONE, {**fenced, **quarters, **done}, "pk_outbox"),
        "end": (records._END, _ended(ids, settles=2), "pk_outbox"),
        "move": (records._MOVE, _ended(ids, settles=0), "pk_outbox"),
        "recover": (store._RECOVER, recover, "pk_outbox"),
        "doubted": (standing._DOUBTED, pairs, "attempts"),
        "standing": (standing._STANDING, pairs, "pk_outbox"),
        "created": (standing._CREATED, [integers(tenants), keys], "pk_effect_keys"),
        "released": (holds._RELEASED, ["{1,2,3,4}", integers(ids)], "attempts"),
        "keys": (outbox._KNOWN, [integers(tenants), keys], "pk_effect_keys"),
        "new keys": (outbox._KEYS, [integers(tenants), keys, zeros], "Conflicting Tuples: 100"),
        "deliveries": (psycopg_style(intake._FIND), sent, "uq_deliveries"),
        "new deliveries": (psycopg_style(intake._INSERT), [*arrived, *[[""] * len(ids)] * 2], "uq_deliveries"),
        "queue": (queue._CLAIM, due, "pk_delivery_queue"),
        "decided": (queue._FINISH, {**fenced, "tenants": pairs[0], "ids": pairs[1]}, "pk_delivery_queue"),
    }


def _ended(ids: Sequence[int], *, settles: int) -> dict[str, object]:
    ended = [
        records.Record(1 + i % 4, i, 0, "rejected", settles, 1, NOW, 7, 400, "x", "", None, None, due_at=NOW)
        for i in ids
    ]
    return records._columns(ended, now=NOW)


async def report(dsn: str, wanted: list[Scene]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return for each scene what each statement touches and what is wrong with it."""
    database = Database(dsn)
    await database.open()
    found = {}
    for scene in wanted:
        await fill(database, scene)
        found[str(scene)] = {
            one.name: {"walks": one.walks, "pages": one.pages, "faults": one.faults()} for one in await look(database)
        }
    await database.close()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.sending.plans",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--finished", type=int, default=1_000_000)
    parser.add_argument("--waiting", type=int, default=100_000)
    parser.add_argument("--blocked", type=int, default=50_000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    wanted = scenes(finished=asked.finished, waiting=asked.waiting, blocked=asked.blocked)
    with tempfile.TemporaryDirectory(prefix="bridge-plans-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder), options={"max_wal_size": "4GB", "fsync": "off"}) as server:
            migrations.upgrade(server.dsn)
            found = asyncio.run(report(server.dsn, wanted))
    if asked.json:
        told = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "cores": os.cpu_count(), "at_most": PAGES}
        sys.stdout.write(json.dumps({**told, "messages": MESSAGES, "scenes": found}, indent=1) + "\n")
    else:
        for scene, statements_seen in found.items():
            sys.stdout.write(f"{scene}\n")
            for name, one in statements_seen.items():
                sys.stdout.write(f"  {name:15} {one['pages']:6} pages  {'; '.join(one['faults'])}\n")
    return int(any(one["faults"] for each in found.values() for one in each.values()))


if __name__ == "__main__":
    sys.exit(main())
