"""How long a search takes over many deliveries: p50 and p95 for time, phone, name and id, through the console's own report.

    python benchmarks/search.py --rows 1000000 [--json]

Uses DATABASE_URL if set, else an embedded PostgreSQL in a temporary folder.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bridge.db import migrations
from bridge.db.database import Database
from bridge.db.embedded import EmbeddedPostgres
from bridge.domain.ids import TenantId
from bridge.reports import deliveries
from bridge.reports.search import Local, parse

TENANT = TenantId(1000001)
NOW = datetime(2026, 11, 24, 20, 5, tzinfo=UTC)
FIRST = [
    "james",
    "mary",
    "john",
    "linda",
    "robert",
    "susan",
    "dana",
    "priya",
    "marcus",
    "lucia",
    "tom",
    "ana",
    "wei",
    "omar",
    "nina",
    "paul",
]
LAST = [
    "smith",
    "johnson",
    "garcia",
    "miller",
    "davis",
    "nguyen",
    "brown",
    "wilson",
    "moore",
    "taylor",
    "lee",
    "white",
    "whitfield",
    "raman",
    "ortiz",
    "king",
]

FILL = """
INSERT INTO deliveries (tenant_id, source_id, dedup_key, event_type, received_at, method, url, headers, body, verified_by, trace_id)
SELECT %(t)s, (ARRAY['website','typeform','callrail'])[1 + n %% 3], 'msg_' || n, 'form', %(now)s - n * interval '31 seconds', 'POST', 'u', '[]',
  convert_to('{"lead":{"city":"Austin","n":' || n || '}}', 'UTF8'), 'hmac:current', md5(n::text) FROM generate_series(1, %(rows)s) AS n
"""
STATES = """
INSERT INTO delivery_states (tenant_id, delivery_id, source_id, received_at, updated_at, state, reason, name, phones, phone_ends, emails, zip,
  record_ids, servicetitan_ids)
SELECT tenant_id, id, source_id, received_at, received_at, 'processed', 'processed',
  (%(first)s::text[])[1 + (hashint8(id) & 15)] || ' ' || (%(last)s::text[])[1 + (hashint8(id * 7) & 15)],
  ARRAY['+1512' || lpad(((hashint8(id) & 2147483647) %% 10000000)::text, 7, '0')],
  ARRAY[lpad(((hashint8(id) & 2147483647) %% 10000)::text, 4, '0')], ARRAY['u' || id || '@example.com'],
  (78000 + (hashint8(id * 3) & 511))::text, ARRAY['rec-' || id], ARRAY[(id + 5000000)::bigint] FROM deliveries
"""


async def measure(dsn: str, rows: int, rounds: int) -> dict[str, object]:
    database = Database(dsn)
    await database.open()
    async with database.begin() as tx:
        await tx.execute(FILL, {"t": TENANT, "now": NOW, "rows": rows})
        await tx.execute(STATES, {"first": FIRST, "last": LAST})
    async with database.connection() as connection:
        await connection.execute("VACUUM ANALYZE deliveries")
        await connection.execute("VACUUM ANALYZE delivery_states")
    random.seed(11)
    local = Local(NOW, "America/Chicago", "US")
    async with database.begin() as tx:
        known = await (
            await tx.execute("SELECT phones[1], phone_ends[1] FROM delivery_states TABLESAMPLE system (1) LIMIT 2000")
        ).fetchall()
    asks = {
        "time": lambda: (
            f"{(NOW - timedelta(days=random.randrange(1, 300))):%Y-%m-%d} {random.randrange(24):02}:{random.randrange(60):02}"
        ),
        "phone": lambda: random.choice(known)[0],
        "last four": lambda: random.choice(known)[1],
        "name": lambda: f"{random.choice(FIRST)} {random.choice(LAST)}",
        "surname": lambda: random.choice(LAST),
        "our id": lambda: str(random.randrange(1, rows)),
        "sender's id": lambda: f"rec-{random.randrange(1, rows)}",
        "dedup key": lambda: f"msg_{random.randrange(1, rows)}",
        "ServiceTitan id": lambda: str(5_000_000 + random.randrange(1, rows)),
        "newest": lambda: "",
        "source and day": lambda: "source:website yesterday",
    }
    figures: dict[str, object] = {}
    for name, ask in asks.items():
        took = []
        for _ in range(rounds):
            text = ask()
            started = time.perf_counter()
            page = await deliveries.find(
                database, TENANT, parse(text, local), sources=["website", "typeform", "callrail"]
            )
            took.append((time.perf_counter() - started) * 1000)
            assert page.items or name in {"time", "name"}, (name, text)
        took.sort()
        figures[name] = {"p50_ms": round(statistics.median(took), 1), "p95_ms": round(took[int(len(took) * 0.95)], 1)}
    await database.close()
    return figures


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=100)
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = None if os.environ.get("DATABASE_URL") else EmbeddedPostgres(Path(folder))
        dsn = server.start() if server else os.environ["DATABASE_URL"]
        migrations.upgrade(dsn)
        figures = asyncio.run(measure(dsn, given.rows, given.rounds))
        if server:
            server.stop()
    if given.json:
        print(json.dumps({"rows": given.rows, **figures}))
        return
    for name, figure in figures.items():
        print(f"{name:<16} p50 {figure['p50_ms']:>7} ms   p95 {figure['p95_ms']:>7} ms")


if __name__ == "__main__":
    main()
