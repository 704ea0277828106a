"""Measure look-ups on a large mirror: keys, one round trip, decision, explanation.

    python benchmarks/matching.py --rows 1000000 --json

The simulator's generator fills the mirror through the real sync (see mirror.py); `--rows` counts locations. Leads are drawn
from the mirror (leads.py): an ordinary day's mix, and a noisier one that says how often a match is wrong. Timed are single look-ups of
one caller within the transactions that a worker decides in (cold after a restart of PostgreSQL, then warm), then of 8 callers beside a sync that
writes 100 records a second.
"""

import argparse
import asyncio
import gc
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import heard
import leads
import mirror
import msgspec
import psycopg
import uvloop

from bridge import connectors
from bridge.db import match_keys, migrations
from bridge.db.database import Database, Tx
from bridge.db.embedded import EmbeddedPostgres
from bridge.domain.ids import SourceId
from bridge.domain.inquiry import BookingInquiry, ContactUpdate
from bridge.domain.keys import phones
from bridge.domain.match import Ambiguous, Evidence, Match, Matched, MatchSettings, Unmatched
from bridge.matching import candidates
from bridge.matching.bounds import upper_bound
from bridge.matching.certifying import CERTIFIED_AUTO
from bridge.matching.decide import decide
from bridge.matching.weights import shipped
from bridge.mirror.sync import open_session
from bridge.planning.context import PlanContext
from bridge.planning.plan import plan
from bridge.settings import Settings, load_texts

LOCATIONS_PER_CUSTOMER = 1.45
SETTINGS = MatchSettings(trusts_fictional=True)
MIXES = {
    "ordinary": (leads.ORDINARY, leads.lead_of),
    "noisy": (leads.NOISY, leads.lead_of),
    "heard": (heard.HEARD, heard.heard),
}
MEMORY = "2GB"
"""Shared buffers: a twelfth of the memory of the machine that was measured on, and enough for the keys of 1 M locations."""

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
CONFIG = """
tenants:
  acme: {tenant_id: 7, environment: simulator, time_zone: America/Chicago}
sources:
  web: {title: Website form, connector: typeform, tenant: acme, unsigned: true}
"""
"""Nothing but defaults: what a person is asked when nobody wrote a rule."""

_DRAWN = """
SELECT c.id, c.name, l.street, coalesce(l.unit, ''), l.city, l.state, l.zip, k.value, coalesce(m.value, ''), l.id
FROM mirrored_customers c TABLESAMPLE SYSTEM (%s) REPEATABLE (%s)
JOIN LATERAL (SELECT * FROM mirrored_locations l WHERE l.tenant_id = c.tenant_id AND l.customer_id = c.id
  AND l.merged_to_id IS NULL LIMIT 1) l ON true
JOIN LATERAL (SELECT value FROM mirrored_contacts k WHERE k.tenant_id = c.tenant_id AND k.party = 'customer'
  AND k.owner_id = c.id AND k.active AND k.type <> 'Email' LIMIT 1) k ON true
LEFT JOIN LATERAL (SELECT value FROM mirrored_contacts k WHERE k.tenant_id = c.tenant_id AND k.party = 'customer'
  AND k.owner_id = c.id AND k.active AND k.type = 'Email' LIMIT 1) m ON true
WHERE c.active AND c.merged_to_id IS NULL AND c.type = 'Residential' AND l.active
AND NOT EXISTS (SELECT 1 FROM mirrored_customers o WHERE o.tenant_id = c.tenant_id AND o.id BETWEEN c.id - 20 AND c.id - 1
  AND o.name = c.name AND o.street = c.street AND o.active)
ORDER BY c.id LIMIT %s
"""
"""Residential customers with a location and a phone; not the second record of somebody, which the generator makes near by."""


async def leads_of(
    session: psycopg.AsyncConnection, number: int, *, mix: str = "ordinary", seed: int = 11
) -> list[leads.Lead]:
    """Return leads in the shares of a mix, of people drawn by a seed."""
    total = (await (await session.execute("SELECT count(*) FROM mirrored_customers")).fetchone() or (1,))[0]
    rows = await (await session.execute(_DRAWN, [min(100, 400 * number / total), seed, 2 * number])).fetchall()
    shares, made_by = MIXES[mix]
    found = leads.mixed(rows, shares, seed=seed, made_by=made_by)
    random.Random(seed).shuffle(found)
    return found[:number]


async def look_up(tx: Tx, inquiry: BookingInquiry) -> Match:
    """Return the verdict about one inquiry, as the worker decides it."""
    (found,) = await candidates.find_many(tx, mirror.TENANT, [inquiry], SETTINGS)
    return decide(inquiry, found, shipped(), SETTINGS)


async def timed(database: Database, asked: list[leads.Lead]) -> tuple[list[float], list[Match]]:
    """Return the milliseconds of each look-up, and the verdicts; a worker's transaction is lent for fifty of them."""
    took, verdicts = [], []
    for at in range(0, len(asked), 50):
        async with database.begin(piped=True) as tx:
            for _, _, inquiry, _ in asked[at : at + 50]:
                started = time.perf_counter()
                verdicts.append(await look_up(tx, inquiry))
                took.append((time.perf_counter() - started) * 1000)
    return took, verdicts


def figures(took: list[float]) -> dict[str, float]:
    """Return the percentiles of some times."""
    ordered = sorted(took)
    at = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p99_9": 0.999}
    found = {name: round(ordered[min(int(len(ordered) * share), len(ordered) - 1)], 3) for name, share in at.items()}
    return {**found, "max": round(ordered[-1], 2), "n": len(ordered), "per_second": round(1000 * len(took) / sum(took))}


async def write_records(dsn: str, stop: asyncio.Event) -> int:
    """Change 100 customers a second and make their keys anew, as a sync does; return how many."""
    session = await open_session(dsn)
    last = (await (await session.execute("SELECT max(id) FROM mirrored_customers")).fetchone() or (0,))[0]
    written = 0
    for step in count():
        if stop.is_set():
            break
        ids = [last - (step * 10 + place) % 50_000 for place in range(10)]
        async with session.transaction():
            await session.execute(
                "UPDATE mirrored_customers SET modified_on = now() WHERE tenant_id = %s AND id = ANY(%s)",
                [mirror.TENANT, ids],
            )
            await match_keys.renew(session, mirror.TENANT, ids, region="US")
        written += len(ids)
        await asyncio.sleep(0.1)
    await session.close()
    return written


def quality(asked: list[leads.Lead], verdicts: list[Match]) -> dict[str, Any]:
    """Return shares of review and wrong matches, the latter with its exact upper bound."""
    counted: Counter[str] = Counter()
    reviewed: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    elsewhere: Counter[str] = Counter()
    for (kind, id_, _, place), verdict in zip(asked, verdicts, strict=True):
        match verdict:
            case Matched(customer_id=customer, location_id=location):
                counted["matched"] += 1
                wrong[kind] += customer != id_
                elsewhere[kind] += bool(place) and location != place
            case Ambiguous(location_customer_differs=True):
                counted["who_pays"] += 1
            case Ambiguous(evidence=evidence):
                counted["review"] += 1
                reviewed["duplicate_in_crm" if is_duplicate(evidence) else kind] += 1
            case Unmatched():
                counted["missed"] += id_ != 0
    return {
        "leads": len(asked),
        "matched": counted["matched"],
        "wrong": wrong.total(),
        "wrong_by_kind": dict(+wrong),
        "not_that_place_by_kind": dict(+elsewhere),
        "wrong_per_1000_at_most": round(1000 * upper_bound(wrong.total(), counted["matched"]), 3),
        "review_share": round(counted["review"] / len(asked), 4),
        "review_by_kind": {kind: round(many / len(asked), 4) for kind, many in reviewed.most_common()},
        "who_pays_share": round(counted["who_pays"] / len(asked), 4),
        "newcomer_share": round(
            sum(isinstance(one, Ambiguous) and one.is_newcomer for one in verdicts) / len(asked), 4
        ),
        "held_share": held(asked, verdicts),
        "missed": counted["missed"],
    }


def held(asked: list[leads.Lead], verdicts: list[Match]) -> dict[str, Any]:
    """Return the share for which a person must act before all is done, by the planning that decides it.

    Each lead as what it is, a booking; and as if an outside CRM had sent all of them as updates of its people, with the threshold
    for writes of a certified tenant, and with the stricter one before.
    """
    loaded = load_texts({"c.yaml": CONFIG}, {}, kinds=connectors.kinds())
    assert isinstance(loaded, Settings), loaded
    ((source_id, source),) = loaded.sources.items()
    ((_, tenant),) = loaded.tenants.items()
    context = PlanContext(tenant_id=mirror.TENANT, tenant=tenant, source_id=SourceId(source_id), source=source)
    counted: dict[str, Counter[str]] = {"bookings": Counter(), "updates": Counter(), "updates_uncertified": Counter()}
    for (kind, _, inquiry, _), verdict in zip(asked, verdicts, strict=True):
        sure = verdict
        if isinstance(verdict, Matched) and verdict.probability >= CERTIFIED_AUTO:
            sure = msgspec.structs.replace(verdict, may_write=True)
        update = ContactUpdate(key=inquiry.key, record_id=inquiry.key, person=inquiry.person, version="1")
        who = "duplicate_in_crm" if is_duplicate(verdict.evidence) else kind
        for name, told, match in (
            ("bookings", inquiry, verdict),
            ("updates", update, sure),
            ("updates_uncertified", update, verdict),
        ):
            if plan(told, match, context, now=NOW).holds:
                counted[name][who] += 1
    return {
        name: {
            "all": round(found.total() / len(asked), 4),
            **{kind: round(many / len(asked), 4) for kind, many in found.most_common()},
        }
        for name, found in counted.items()
    }


def is_duplicate(evidence: Evidence) -> bool:
    """Tell whether the first two candidates are one person with two records: the same name, number and place."""
    best = [(one.customer_name.lower(), one.address.lower(), round(one.total, 1)) for one in evidence.candidates[:2]]
    return len(best) == 2 and best[0] == best[1]


async def one_caller(dsn: str, number: int) -> dict[str, Any]:
    """Return what one caller sees, cold and then warm; the leads that warm are others than those that are timed."""
    session = await open_session(dsn)
    database = Database(dsn)
    asked = await leads_of(session, number)
    cold, _ = await timed(database, asked[:200])
    await timed(database, await leads_of(session, number, seed=29))
    warm, verdicts = await timed(database, asked)
    noisy = await leads_of(session, number, mix="noisy", seed=37)
    slow, others = await timed(database, noisy)
    sizes = await (
        await session.execute(
            "SELECT pg_total_relation_size('match_keys'), count(*), (SELECT count(*) FROM mirrored_locations) FROM match_keys"
        )
    ).fetchone() or (0, 0, 1)
    await session.close()
    await database.close()
    return {
        "locations": sizes[2],
        "match_keys": sizes[1],
        "key_bytes_per_location": round(sizes[0] / max(sizes[2], 1)),
        "cold_ms": figures(cold),
        "warm_ms": figures(warm),
        "ordinary": {"mix_percent": leads.ORDINARY, **quality(asked, verdicts)},
        "noisy": {"mix_percent": leads.NOISY, "ms": figures(slow), **quality(noisy, others)},
    }


async def eight_callers(dsn: str, number: int) -> dict[str, Any]:
    """Return what eight callers at once see beside a running sync."""
    session = await open_session(dsn)
    asked = await leads_of(session, number)
    await session.close()
    callers = [Database(dsn) for _ in range(8)]
    stop = asyncio.Event()
    syncing = asyncio.create_task(write_records(dsn, stop))
    for database in callers:
        await timed(database, asked[:100])
    started = time.perf_counter()
    done = await asyncio.gather(*(timed(database, asked[at::8]) for at, database in enumerate(callers)))
    seconds = time.perf_counter() - started
    stop.set()
    written = await syncing
    for database in callers:
        await database.close()
    took = [one for times, _ in done for one in times]
    return {
        "eight_callers_ms": figures(took) | {"per_second": round(len(took) / seconds)},
        "synced_meanwhile": written,
    }


def main() -> None:
    """Fill a mirror, look up, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="locations of the mirror")
    parser.add_argument("--lookups", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="fill the mirror here, or use the one that is here")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    # As every role of the bridge does: what was imported is out of the collector's sight, and numbers' tables are read.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    phones.read_tables()
    with tempfile.TemporaryDirectory(prefix="bridge-matching-") as scratch:
        place = given.keep or Path(scratch)
        is_full = (place / "filled").exists()
        server = EmbeddedPostgres(place / "postgres", options={"shared_buffers": MEMORY})
        dsn = mirror.to_url(server.start())
        try:
            if not is_full:
                fill(dsn, Path(scratch), rows=given.rows, seed=given.seed)
                (place / "filled").touch()
            server.stop()
            dsn = mirror.to_url(server.start())
            load = round(os.getloadavg()[0], 2)
            result = uvloop.run(one_caller(dsn, given.lookups)) | uvloop.run(eight_callers(dsn, given.lookups))
            result = {"load_before": load, "shared_buffers": MEMORY} | result
        finally:
            server.stop()
    print(json.dumps(result, indent=None if given.json else 2))


def fill(dsn: str, folder: Path, *, rows: int, seed: int) -> None:
    """Fill the mirror through the sync from pages that the generator wrote."""
    migrations.upgrade(dsn)
    customers = max(20, int(rows / LOCATIONS_PER_CUSTOMER))
    words = ["--rows", str(int(customers * mirror.ROWS_PER_CUSTOMER) + 7), "--seed", str(seed), "--write-pages"]
    subprocess.run([sys.executable, mirror.__file__, *words, str(folder)], check=True)

    async def load() -> None:
        session = await open_session(dsn)
        await mirror.load(session, mirror.of_folder(folder, "first"), say=lambda text: print(text, file=sys.stderr))
        await session.set_autocommit(True)
        await session.execute("VACUUM ANALYZE")
        await session.close()

    uvloop.run(load())


if __name__ == "__main__":
    main()
