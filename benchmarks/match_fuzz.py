"""Look up and decide made-up inquiries of every kind of nastiness: each gets a verdict, without an exception, in bounded time.

    python benchmarks/match_fuzz.py --inquiries 100000 --seconds 170 --report docs/matching/fuzz.json

Every inquiry goes the real way, keys, look-up in PostgreSQL and decision, beside the townspeople that are mirrored
first. The report holds the number that was run, which is what fits the seconds. CPU time is the deciding thread's alone.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import random
import resource
import tempfile
import time
import traceback
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from bridge.db import match_keys, migrations
from bridge.db.database import Database, Tx
from bridge.db.embedded import EmbeddedPostgres
from bridge.domain.ids import TenantId
from bridge.domain.inquiry import BookingInquiry, Person, PostalAddress
from bridge.domain.keys import phones
from bridge.domain.match import MatchSettings
from bridge.matching import candidates
from bridge.matching.decide import decide
from bridge.matching.weights import shipped

TENANT = TenantId(7)
TOWNSPEOPLE = 500
LIMIT_MS = 20.0
NASTY = (
    "x" * 10_000, "😀" * 400, "محمد عبد الله", "\u202eevil\u202c", "'; DROP TABLE links; --", "{{ 7*7 }}", "%s %(x)s", "\0", "\ud7ff", "",
    " " * 600, "\n" * 599 + "x", "1\n2\n3\n4\n5 Elm St", "<script>alert(1)</script>", "A" * 300 + " Jr.", "- & , . ; |" * 40,
    "9 Rue de Paris, 75001 Paris, France", "東京都千代田区1-1", ", ".join(f"512444{n:04}" for n in range(50)), "0" * 400, "a@" * 200,
)  # fmt: skip
GIVEN = ("Ada", "Bert", "Cleo", "José", "Mary Ann", "O'Neil", "Zoë", "Wm.")
SURNAMES = ("Lane", "Smith", "García-López", "van der Berg", "St. John", "Smith Jr.", "Ng")
STREETS = ("Oak St", "N Main Street", "County Road 12", "Harbor Ln Apt 4", "5th Ave SW")


def townsman(number: int) -> tuple[str, str, str, str]:
    """Return name, street, phone and e-mail of one mirrored customer."""
    chance = random.Random(number)
    name = f"{chance.choice(GIVEN)} {chance.choice(SURNAMES)}"
    phone, mail = f"512444{chance.randint(2000, 9999)}", f"{chance.choice(GIVEN).lower()[:3]}{number}@example.org"
    return name, f"{chance.randint(1, 900)} {chance.choice(STREETS)}", phone, mail


async def fill(tx: Tx) -> None:
    """Mirror the townspeople."""
    now = datetime.now(UTC)
    for number in range(1, TOWNSPEOPLE + 1):
        name, street, phone, mail = townsman(number)
        place = [street, "Austin", "TX", "78701"]
        await tx.execute(
            "INSERT INTO mirrored_customers (tenant_id, id, active, modified_on, name, type, street, city, state, zip)"
            " VALUES (%s, %s, true, %s, %s, 'Residential', %s, %s, %s, %s)",
            [TENANT, number, now, name, *place],
        )
        await tx.execute(
            "INSERT INTO mirrored_locations (tenant_id, id, active, modified_on, customer_id, name, street, city, state, zip)"
            " VALUES (%s, %s, true, %s, %s, %s, %s, %s, %s, %s)",
            [TENANT, number + 10_000, now, number, name, *place],
        )
        for id_, kind, value in ((number * 2, "Phone", phone), (number * 2 + 1, "Email", mail)):
            await tx.execute(
                "INSERT INTO mirrored_contacts (tenant_id, party, id, active, modified_on, owner_id, type, value)"
                " VALUES (%s, 'customer', %s, true, %s, %s, %s, %s)",
                [TENANT, id_, now, number, kind, value],
            )
    await match_keys.renew(tx, TENANT, range(1, TOWNSPEOPLE + 1), region="US")


def garbled(text: str, chance: random.Random) -> str:
    """Return a text as it is, with slips, or another one altogether."""
    kind = chance.random()
    if kind < 0.4 or not text:
        return text
    at = chance.randrange(len(text))
    if kind < 0.55:
        return text[:at] + text[at + 1 :]
    if kind < 0.65:
        return text[:at] + chr(chance.choice((chance.randint(1, 0x2FF), chance.randint(0x1F300, 0x1F6FF)))) + text[at:]
    if kind < 0.75:
        return chance.choice((text.upper(), text.lower(), f"  {text}\t", text[::-1], f"{text} {text}"))
    return chance.choice(NASTY) if kind < 0.9 else ""


def made_up(number: int, seed: int) -> BookingInquiry:
    """Return one inquiry: a townsman's with slips, mixed with another's, or garbage."""
    chance = random.Random(f"{seed}/{number}")
    name, street, phone, mail = townsman(chance.randint(1, TOWNSPEOPLE))
    if chance.random() < 0.3:
        name = townsman(chance.randint(1, TOWNSPEOPLE))[0]
    phones = tuple(garbled(phone, chance) for _ in range(chance.choice((0, 1, 1, 1, 2, 50))))
    address = PostalAddress(
        street=garbled(street, chance), unit=garbled("Apt 4", chance) if chance.random() < 0.3 else "",
        city=garbled("Austin", chance), state=garbled("TX", chance), zip=garbled("78701", chance),
    )  # fmt: skip
    mails = tuple(garbled(mail, chance) for _ in range(chance.choice((0, 1, 2))))
    record = garbled(f"lead-{number}", chance)
    person = Person(name=garbled(name, chance), phones=phones, emails=mails, address=address)
    return BookingInquiry(key=str(number), record_id=record, person=person)


class Cost(NamedTuple):
    """What this thread used, and what was done beside the work in it: garbage collected, pages brought in, waits for a core."""

    cpu: float
    wall: float
    collected: float
    faults: float
    waits: float


class Meter:
    """Reads the cost of a stretch of work."""

    def __init__(self) -> None:
        self._collected = self._began = 0.0
        gc.callbacks.append(self._collects)

    def _collects(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.thread_time()
        else:
            self._collected += time.thread_time() - self._began

    def read(self) -> Cost:
        """Return what was used until now, in milliseconds."""
        used = resource.getrusage(resource.RUSAGE_THREAD)
        return Cost(
            time.thread_time() * 1000,
            time.perf_counter() * 1000,
            self._collected * 1000,
            used.ru_minflt,
            used.ru_nivcsw,
        )

    def since(self, before: Cost) -> Cost:
        """Return what was used since an earlier reading."""
        return Cost(*(now - then for now, then in zip(self.read(), before, strict=True)))


async def fuzz(dsn: str, *, first: int, inquiries: int, seconds: float, seed: int) -> dict[str, Any]:
    """Return what came of the inquiries that fit the time."""
    database, settings = Database(dsn), MatchSettings()
    phones.read_tables()  # as the worker does when it starts
    await database.open()
    verdicts: Counter[str] = Counter()
    failures: list[dict[str, Any]] = []
    failed, took, walls, meter = 0, [], [], Meter()
    slow: list[dict[str, Any]] = []
    async with database.begin() as tx:
        await fill(tx)
    begun = time.monotonic()
    for number in range(first, first + inquiries):
        if time.monotonic() - begun > seconds:
            break
        inquiry = made_up(number, seed)
        before = meter.read()
        try:
            async with database.begin() as tx:
                (found,) = await candidates.find_many(tx, TENANT, [inquiry], settings)
            verdicts[type(decide(inquiry, found, shipped(), settings)).__name__] += 1
        except Exception:
            failed += 1
            if len(failures) < 10:
                failures.append({"number": number, "error": traceback.format_exc(limit=-3)})
        cost = meter.since(before)
        took.append(cost.cpu)
        walls.append(cost.wall)
        if cost.cpu > LIMIT_MS:
            told = {name: round(value, 1) for name, value in cost._asdict().items()}
            slow.append({"number": number, **told, "again_cpu": await again(database, inquiry, settings)})
    await database.close()
    return {
        "first": first,
        "asked_for": inquiries,
        "run": len(took),
        "seed": seed,
        "exceptions": failed,
        "verdicts": dict(verdicts),
        "cpu_ms": figures(took),
        "wall_ms": figures(walls),
        "over_20_cpu_ms": len(slow),
        "over_20_cpu_ms_each_time": sum(one["again_cpu"] > LIMIT_MS for one in slow),
        "over_20_wall_ms": sum(wall > LIMIT_MS for wall in walls),
        "slow": slow[:20],
        "seconds": round(time.monotonic() - begun, 1),
        "load_average": [round(one, 1) for one in os.getloadavg()],
        "failures": failures,
    }


def figures(took: list[float]) -> dict[str, float]:
    """Return percentiles of milliseconds."""
    ordered = sorted(took)
    at = {"p50": 0.5, "p99": 0.99, "p99_9": 0.999, "p99_99": 0.9999}
    return {name: round(ordered[int(len(ordered) * share)], 3) for name, share in at.items()} | {
        "max": round(ordered[-1], 3)
    }


async def again(database: Database, inquiry: BookingInquiry, settings: MatchSettings) -> float:
    """Return the least CPU time of three more tries: what the inquiry itself takes, without what happened beside it."""
    took = []
    for _ in range(3):
        started = time.thread_time()
        with contextlib.suppress(Exception):
            async with database.begin() as tx:
                (found,) = await candidates.find_many(tx, TENANT, [inquiry], settings)
            decide(inquiry, found, shipped(), settings)
        took.append((time.thread_time() - started) * 1000)
    return round(min(took), 2)


def main() -> None:
    """Fuzz, print, keep the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--first", type=int, default=0, help="the number of the first inquiry, to go on where a run ended"
    )
    parser.add_argument("--inquiries", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=3600.0, help="stop after so long, and say how many were run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path)
    given = parser.parse_args()
    gc.collect()  # as every role of the bridge does: what was imported is out of the collector's sight
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    with tempfile.TemporaryDirectory(prefix="bridge-fuzz-") as folder:
        server = EmbeddedPostgres(Path(folder))
        dsn = server.start()
        try:
            migrations.upgrade(dsn)
            result = asyncio.run(
                fuzz(dsn, first=given.first, inquiries=given.inquiries, seconds=given.seconds, seed=given.seed)
            )
        finally:
            server.stop()
    text = json.dumps(result, indent=2)
    print(text)
    if given.report:
        given.report.parent.mkdir(parents=True, exist_ok=True)
        given.report.write_text(text + "\n")
    if result["exceptions"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
