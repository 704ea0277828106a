"""`bridge plan` over recorded deliveries: the command itself, with its start, beside PostgreSQL on one machine.

    python benchmarks/plan.py [--json] [--deliveries 8000] [--customers 20000]

The deliveries were decided once, so that open asks, decisions and effects stand as they do after a week: three in ten come
from mirrored customers, one in ten asks a second time for what it asked before, one in ten changes a contact. Two configs are
tried: one with other rules (who somebody is stays as it was decided with the first) and one with another review threshold
(everybody is matched twice). Each runs twice and must print the same bytes.
"""

import argparse
import asyncio
import hashlib
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

sys.path.insert(0, str(Path(__file__).parents[1]))

from bridge import pipeline
from bridge.bootstrap import doors_of, load_settings
from bridge.db import match_keys, migrations, ownership
from bridge.db.database import Database
from bridge.db.embedded import EmbeddedPostgres
from bridge.domain.ids import TenantId
from bridge.intake import queue
from bridge.pipeline.deciders import ConfiguredDeciders
from bridge.simulator import generator_words as words

TENANT = TenantId(2_000_001)
CONFIG = """
tenants:
  acme: {tenant_id: 2000001, environment: simulator, booking_provider: 501%s}
sources:
  web: {connector: generic, tenant: acme, unsigned: true}
  crm: {connector: generic, tenant: acme, unsigned: true, options: {ask: contact, record: id}}
rules:
  - name: heat
    when: '"heat" in inquiry.message'
    do: [{create_booking: {priority: %s}}]
  - name: known
    when: 'match.kind == "matched" and "maintenance" in inquiry.message'
    do: [{create_booking: {summary: "A customer of ours: {{ inquiry.message }}"}}]
  - name: spam
    when: '"seo" in inquiry.message'
    do: [{ignore: spam}]
"""
NEW = {
    "other_rules": CONFIG % ("", "Urgent"),
    "other_threshold": CONFIG % (", thresholds: {review: 0.02}", "High"),
}
MESSAGES = (
    "no heat upstairs",
    "the drain is slow",
    "yearly maintenance please",
    "first place with our seo",
    "a quote for a new unit",
)


def person(number: int) -> tuple[str, str, str]:
    """Return name, phone and street of somebody, the same for a number; people share names and streets as in a town."""
    chance = random.Random(number)
    given, surname = chance.choice(words.GIVEN), chance.choice(words.SURNAMES)
    phone = f"{chance.choice(('512', '737', '210'))}{chance.randint(200, 999)}{chance.randint(0, 9999):04d}"
    return f"{given} {surname}", phone, f"{chance.randint(1, 9999)} {chance.choice(words.STREETS)} St"


async def fill(database: Database, customers: int) -> None:
    """Put customers with a location and a phone into the mirror."""
    now = datetime.now(UTC)
    async with database.begin() as tx:
        cursor = tx.cursor()
        place = ("Austin", "TX", "78701")
        people = [(number, *person(number)) for number in range(1, customers + 1)]
        await cursor.executemany(
            "INSERT INTO mirrored_customers (tenant_id, id, active, name, type, street, city, state, zip, modified_on)"
            " VALUES (%s, %s, true, %s, 'Residential', %s, %s, %s, %s, %s)",
            [(TENANT, number, name, street, *place, now) for number, name, _, street in people],
        )
        await cursor.executemany(
            "INSERT INTO mirrored_locations (tenant_id, id, customer_id, active, name, street, city, state, zip, modified_on)"
            " VALUES (%s, %s, %s, true, %s, %s, %s, %s, %s, %s)",
            [(TENANT, number, number, name, street, *place, now) for number, name, _, street in people],
        )
        await cursor.executemany(
            "INSERT INTO mirrored_contacts (tenant_id, party, id, owner_id, active, type, value, modified_on)"
            " VALUES (%s, 'customer', %s, %s, true, 'MobilePhone', %s, %s)",
            [(TENANT, number, number, phone, now) for number, _, phone, _ in people],
        )
        await match_keys.renew(tx, TENANT, list(range(1, customers + 1)), region="US")


def arrivals(count: int, customers: int) -> list[tuple[str, dict[str, Any]]]:
    """Return source and payload of each delivery."""
    chance = random.Random(5)
    made: list[tuple[str, dict[str, Any]]] = []
    for number in range(count):
        kind = chance.choices(("known", "again", "contact", "stranger"), (3, 1, 1, 5))[0]
        if kind == "again" and made:
            made.append(("web", {**made[chance.randrange(len(made))][1], "message": "and is anybody coming?"}))
            continue
        who = chance.randint(1, customers) if kind != "stranger" else customers + number
        name, phone, street = person(who)
        payload = {"name": name, "phone": phone, "address": street, "city": "Austin", "state": "TX", "zip": "78701"}
        if kind == "contact":
            made.append(("crm", {**payload, "id": f"c{number}", "email": f"p{number}@example.com"}))
        else:
            made.append(("web", {**payload, "message": chance.choice(MESSAGES)}))
    return made


async def record(database: Database, place: Path, wanted: list[tuple[str, dict[str, Any]]]) -> None:
    """Store the deliveries over the last six days and decide them, batch by batch."""
    settings = load_settings(place)
    deciders = ConfiguredDeciders(settings, doors=doors_of(settings))
    began = datetime.now(UTC) - timedelta(days=6)
    step = timedelta(days=6) / len(wanted)
    async with database.begin() as tx:
        worker = await ownership.join(tx, name="benchmark", now=began)
        owned = await ownership.take(tx, worker_id=worker, limit=64, now=began, lease=timedelta(days=30))
        await tx.cursor().executemany(
            "WITH kept AS (INSERT INTO deliveries (tenant_id, source_id, dedup_key, event_type, received_at, method, url, headers,"
            " body, verified_by, trace_id) VALUES (%s, %s, %s, '', %s, 'POST', %s, %s, %s, 'benchmark', '') RETURNING id)"
            " INSERT INTO delivery_queue (tenant_id, id, due_at) SELECT %s, id, %s FROM kept",
            [
                (TENANT, source, f"d{number}", began + number * step, f"/hooks/{source}",
                 '[["content-type", "application/json"]]', json.dumps(payload).encode(), TENANT, began)
                for number, (source, payload) in enumerate(wanted)
            ],
        )  # fmt: skip
    decided = 0
    while True:
        async with database.connection() as connection:
            batch = await queue.claim(connection, [TENANT], now=datetime.now(UTC), share=64)
        if not batch:
            return
        await pipeline.process(database, deciders, batch, epochs=owned, now=began + decided * step)
        decided += len(batch)


def run(place: Path, new: Path, dsn: str) -> tuple[float, float, bytes]:
    """Run the command and return its seconds by the clock and on a core, and what it printed."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environ = os.environ | {"DATABASE_URL": dsn, "BRIDGE_CONFIG": str(place)}
    command = [sys.executable, "-m", "bridge", "plan", str(new), "--json"]
    done = subprocess.run(command, env=environ, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit((done.stderr + done.stdout).decode())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - started, cpu, done.stdout


async def measured(folder: Path, dsn: str, options: argparse.Namespace) -> dict[str, Any]:
    """Fill, record, run the command twice for each new config, and return the figures."""
    place = folder / "bridge.yaml"
    place.write_text(CONFIG % ("", "High"))
    database = Database(dsn)
    await database.open()
    await fill(database, options.customers)
    await record(database, place, arrivals(options.deliveries, options.customers))
    await database.close()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("ANALYZE")
    found: dict[str, Any] = {}
    for name, text in NEW.items():
        new = folder / f"{name}.yaml"
        new.write_text(text)
        load = round(os.getloadavg()[0], 2)
        runs = [run(place, new, dsn) for _ in range(2)]
        if runs[0][2] != runs[1][2]:
            raise SystemExit("two runs printed different bytes")
        said = json.loads(runs[0][2])
        seconds = min(took for took, _, _ in runs)
        found[name] = {
            "load_before": load,
            "inquiries": said["inquiries"],
            "changes": len(said["changes"]),
            "counts": said["counts"],
            "seconds": round(seconds, 2),
            "inquiries_per_second": round(said["inquiries"] / seconds),
            "cpu_us_per_inquiry": round(min(cpu for _, cpu, _ in runs) / said["inquiries"] * 1e6),
            "sha256": hashlib.sha256(runs[0][2]).hexdigest()[:16],
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--deliveries", type=int, default=8_000)
    parser.add_argument("--customers", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bridge-plan-") as name:
        server = EmbeddedPostgres(Path(name), options={"shared_buffers": "256MB"})
        dsn = server.start()
        try:
            migrations.upgrade(dsn)
            found = asyncio.run(measured(Path(name), dsn, options))
        finally:
            server.stop()
    report = {"cores": os.cpu_count(), "deliveries": options.deliveries, "customers": options.customers, **found}
    if options.json:
        print(json.dumps(report, indent=2))
        return
    for which in NEW:
        one = report[which]
        print(f"{which}: {one['inquiries_per_second']} inquiries/s (at least 1000), CPU {one['cpu_us_per_inquiry']} us each, "
              f"{one['changes']} of {one['inquiries']} change, load before {one['load_before']}")  # fmt: skip


if __name__ == "__main__":
    main()
