"""Measure look-ups on a large mirror: keys, one round trip, decision, explanation.

    python benchmarks/matching.py --rows 1000000 --json

The simulator's generator fills the mirror through the real sync (see mirror.py); `--rows` counts locations. Leads are drawn
from the mirror: as stored, with another format, with another number of the house, by phone and name alone, and strangers.
Timed are single look-ups of one caller (cold after a restart of PostgreSQL, then warm), then of 8 callers beside a sync that
writes 100 records a second.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Any

import mirror
import psycopg
import uvloop

from bridge.db import match_keys, migrations
from bridge.db.embedded import EmbeddedPostgres
from bridge.domain.inquiry import BookingInquiry, Person, PostalAddress
from bridge.domain.match import Ambiguous, Match, Matched, MatchSettings, Unmatched
from bridge.matching import candidates
from bridge.matching.bounds import upper_bound
from bridge.matching.decide import decide
from bridge.matching.weights import shipped
from bridge.mirror.sync import open_session

LOCATIONS_PER_CUSTOMER = 1.45
SETTINGS = MatchSettings(trusts_fictional=True)
MIX = {"as_stored": 36, "messy": 15, "moved": 8, "phone_and_name": 8, "stranger": 33}
"""Shares of an ordinary day in percent: an assumption, printed with the result."""
Lead = tuple[str, int, BookingInquiry]

_DRAWN = """
SELECT c.id, c.name, l.street, coalesce(l.unit, ''), l.city, l.state, l.zip, k.value
FROM mirrored_customers c TABLESAMPLE SYSTEM (%s) REPEATABLE (7)
JOIN LATERAL (SELECT * FROM mirrored_locations l WHERE l.tenant_id = c.tenant_id AND l.customer_id = c.id
  AND l.merged_to_id IS NULL LIMIT 1) l ON true
JOIN LATERAL (SELECT value FROM mirrored_contacts k WHERE k.tenant_id = c.tenant_id AND k.party = 'customer'
  AND k.owner_id = c.id AND k.active AND k.type <> 'Email' LIMIT 1) k ON true
WHERE c.active AND c.merged_to_id IS NULL AND c.type = 'Residential' AND l.active LIMIT %s
"""


def lead_of(row: tuple[Any, ...], kind: str, number: int, chance: random.Random) -> Lead:
    """Return one lead of a kind made of a mirrored customer."""
    id_, name, street, unit, city, state, code, phone = row
    if kind == "messy":
        name, street = name.upper(), street.replace(" Rd", " Road").replace(" St", " Street").upper()
        phone = "+1" + "".join(c for c in phone if c.isdigit())
    elif kind == "moved":
        street = f"{chance.randint(20_000, 99_000)} {chance.choice(('Wren', 'Tulip', 'Harbor'))} Ct"
    elif kind == "phone_and_name":
        street = unit = city = state = code = ""
    elif kind == "stranger":
        name = f"{chance.choice(('Ingrid', 'Osric', 'Perla', 'Quill'))} {chance.choice(('Zabel', 'Yarrow', 'Umstead'))}{chance.choice(('', 'son', 'ski'))}"
        street, phone = (
            f"{chance.randint(20_000, 99_000)} {street.partition(' ')[2]}",
            f"+1989{chance.randint(2_000_000, 9_999_999)}",
        )
        id_ = 0
    address = PostalAddress(street=street, unit=unit, city=city, state=state, zip=code)
    return kind, id_, BookingInquiry(key=str(number), person=Person(name=name, phones=(phone,), address=address))


async def leads_of(session: psycopg.AsyncConnection, number: int) -> list[Lead]:
    """Return leads in the shares of the mix."""
    total = (await (await session.execute("SELECT count(*) FROM mirrored_customers")).fetchone() or (1,))[0]
    rows = await (await session.execute(_DRAWN, [min(100, 400 * number / total), number])).fetchall()
    chance = random.Random(11)
    kinds = chance.choices(list(MIX), weights=list(MIX.values()), k=len(rows))
    return [lead_of(row, kind, at, chance) for at, (row, kind) in enumerate(zip(rows, kinds, strict=True))]


async def look_up(session: psycopg.AsyncConnection, inquiry: BookingInquiry) -> Match:
    """Return the verdict about one inquiry, as the worker decides it."""
    (found,) = await candidates.find_many(session, mirror.TENANT, [inquiry], SETTINGS)
    return decide(inquiry, found, shipped(), SETTINGS)


async def timed(session: psycopg.AsyncConnection, leads: list[Lead]) -> tuple[list[float], list[Match]]:
    """Return the milliseconds of each look-up, and the verdicts."""
    took, verdicts = [], []
    for _, _, inquiry in leads:
        started = time.perf_counter()
        verdicts.append(await look_up(session, inquiry))
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


def quality(leads: list[Lead], verdicts: list[Match]) -> dict[str, Any]:
    """Return shares of review and wrong matches, the latter with its exact upper bound."""
    matched = wrong = review = duplicates = 0
    for (_, id_, _), verdict in zip(leads, verdicts, strict=True):
        match verdict:
            case Matched(customer_id=customer):
                matched += 1
                wrong += customer != id_
            case Ambiguous():
                review += 1
            case Unmatched():
                duplicates += id_ != 0
    return {
        "mix_percent": MIX,
        "leads": len(leads),
        "matched": matched,
        "wrong": wrong,
        "wrong_per_1000_at_most": round(1000 * upper_bound(wrong, matched), 3),
        "review_share": round(review / len(leads), 4),
        "missed": duplicates,
    }


async def one_caller(dsn: str, number: int) -> dict[str, Any]:
    """Return what one caller sees, cold and then warm."""
    session = await open_session(dsn)
    leads = await leads_of(session, number)
    cold, _ = await timed(session, leads[:200])
    await timed(session, leads[200:1200])
    warm, verdicts = await timed(session, leads)
    sizes = await (
        await session.execute(
            "SELECT pg_total_relation_size('match_keys'), count(*), (SELECT count(*) FROM mirrored_locations) FROM match_keys"
        )
    ).fetchone() or (0, 0, 1)
    await session.close()
    return {
        "locations": sizes[2],
        "match_keys": sizes[1],
        "key_bytes_per_location": round(sizes[0] / max(sizes[2], 1)),
        "cold_ms": figures(cold),
        "warm_ms": figures(warm),
        **quality(leads, verdicts),
    }


async def eight_callers(dsn: str, number: int) -> dict[str, Any]:
    """Return what eight callers at once see beside a running sync."""
    sessions = [await open_session(dsn) for _ in range(8)]
    leads = await leads_of(sessions[0], number)
    stop = asyncio.Event()
    syncing = asyncio.create_task(write_records(dsn, stop))
    for session in sessions:
        await timed(session, leads[:100])
    started = time.perf_counter()
    done = await asyncio.gather(*(timed(session, leads[at::8]) for at, session in enumerate(sessions)))
    seconds = time.perf_counter() - started
    stop.set()
    written = await syncing
    for session in sessions:
        await session.close()
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
    with tempfile.TemporaryDirectory(prefix="bridge-matching-") as scratch:
        place = given.keep or Path(scratch)
        is_full = (place / "filled").exists()
        server = EmbeddedPostgres(place / "postgres", options={"shared_buffers": "512MB"})
        dsn = mirror.to_url(server.start())
        try:
            if not is_full:
                fill(dsn, Path(scratch), rows=given.rows, seed=given.seed)
                (place / "filled").touch()
            server.stop()
            dsn = mirror.to_url(server.start())
            result = uvloop.run(one_caller(dsn, given.lookups)) | uvloop.run(eight_callers(dsn, given.lookups))
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
