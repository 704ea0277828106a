"""Look up and decide made-up inquiries of every kind of nastiness: each gets a verdict, without an exception, in bounded time.

    python benchmarks/match_fuzz.py --inquiries 100000 --report docs/matching/fuzz.json --kept FILE

Every inquiry goes the real way, keys, look-up in PostgreSQL and decision, beside townspeople, and managers with hundreds of
flats and contacts, that are mirrored first. CPU time is the deciding thread's and that of PostgreSQL's process for it. With --kept,
what was run stands in FILE as it goes, and the same command goes on where an earlier one was stopped.
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
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

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
MANAGERS, FLATS, TENANTS = 16, 24, 12
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


def line_of(manager: int) -> str:
    """Return the number of a manager's office."""
    return f"512446{manager:04}"


async def fill_managers(tx: Tx) -> None:
    """Mirror the managers: each the most flats and contacts that a look-up reads, all at one address."""
    now, place = datetime.now(UTC), ["1 Harbor Ln", "Austin", "TX", "78701"]
    flats, contacts = [], []
    for manager in range(MANAGERS):
        id_ = 900_000 + manager
        await tx.execute(
            "INSERT INTO mirrored_customers (tenant_id, id, active, modified_on, name, type, street, city, state, zip)"
            " VALUES (%s, %s, true, %s, %s, 'Commercial', %s, %s, %s, %s)",
            [TENANT, id_, now, f"Smith Rentals {manager} LLC", *place],
        )
        contacts.append([TENANT, "customer", id_, now, id_, line_of(manager), None])
        for flat in range(1_000_000 + manager * FLATS, 1_000_000 + (manager + 1) * FLATS):
            flats.append([TENANT, flat, now, id_, f"Ada Lane {flat % FLATS}", f"Apt {flat % FLATS}", *place])
            contacts += [
                [TENANT, "location", flat * 20 + at, now, flat, f"737{flat % 700 + 200}{2000 + at * 37}", f"Cleo Smith{chr(97 + at)}"]
                for at in range(TENANTS)
            ]  # fmt: skip
    async with tx.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO mirrored_locations (tenant_id, id, active, modified_on, customer_id, name, unit, street, city, state, zip)"
            " VALUES (%s, %s, true, %s, %s, %s, %s, %s, %s, %s, %s)",
            flats,
        )
        await cursor.executemany(
            "INSERT INTO mirrored_contacts (tenant_id, party, id, active, modified_on, owner_id, type, value, memo)"
            " VALUES (%s, %s, %s, true, %s, %s, 'Phone', %s, %s)",
            contacts,
        )
    await match_keys.renew(tx, TENANT, range(900_000, 900_000 + MANAGERS), region="US")


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
    if chance.random() < 0.02:  # somebody who meets every manager
        phones = (*phones[:2], *(" / ".join(line_of(chance.randrange(MANAGERS)) for _ in range(8)) for _ in range(3)))
        address = PostalAddress(
            street="1 Harbor Ln", unit=garbled("Apt 4", chance), city="Austin", state="TX", zip="78701"
        )
    record = garbled(f"lead-{number}", chance)
    person = Person(name=garbled(name, chance), phones=phones, emails=mails, address=address)
    return BookingInquiry(key=str(number), record_id=record, person=person)


class Cost(NamedTuple):
    """What was used, and what was done beside the work in it: garbage collected, pages brought in, waits for a core."""

    cpu: float
    """This thread's."""
    database: float
    """CPU time of PostgreSQL's process for the connection."""
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

    def read(self, process: int) -> Cost:
        """Return what was used until now, in milliseconds; `process` is PostgreSQL's."""
        used = resource.getrusage(resource.RUSAGE_THREAD)
        return Cost(
            time.thread_time() * 1000,
            int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1_000_000,
            time.perf_counter() * 1000,
            self._collected * 1000,
            used.ru_minflt,
            used.ru_nivcsw,
        )

    def since(self, before: Cost, process: int) -> Cost:
        """Return what was used since an earlier reading."""
        return Cost(*(now - then for now, then in zip(self.read(process), before, strict=True)))


class Run(msgspec.Struct, kw_only=True):
    """What came of the inquiries that were run so far."""

    first: int
    seed: int
    exceptions: int = 0
    verdicts: dict[str, int] = {}
    cpu: list[float] = []
    database: list[float] = []
    wall: list[float] = []
    slow: list[dict[str, Any]] = []
    failures: list[dict[str, Any]] = []
    seconds: float = 0.0


async def fuzz(
    dsn: str, *, first: int, inquiries: int, seconds: float, seed: int, kept: Path | None = None
) -> dict[str, Any]:
    """Return what came of the inquiries that fit the time, with those that an earlier run kept."""
    database, settings, meter = Database(dsn), MatchSettings(), Meter()
    phones.read_tables()  # as the worker does when it starts
    run = kept_run(kept, first=first, seed=seed)
    await database.open()
    async with database.begin() as tx:
        await fill(tx)
        await fill_managers(tx)
        await tx.execute("ANALYZE")
        process = tx.info.backend_pid
    begun = last = time.monotonic()
    for number in range(first + len(run.cpu), first + inquiries):
        if last - begun > seconds:
            break
        inquiry = made_up(number, seed)
        before = meter.read(process)
        try:
            async with database.begin() as tx:
                process = tx.info.backend_pid
                (found,) = await candidates.find_many(tx, TENANT, [inquiry], settings)
            verdict = type(decide(inquiry, found, shipped(), settings)).__name__
            run.verdicts[verdict] = run.verdicts.get(verdict, 0) + 1
        except Exception:
            run.exceptions += 1
            run.failures.append({"number": number, "error": traceback.format_exc(limit=-3)})
        cost = meter.since(before, process)
        run.cpu.append(round(cost.cpu, 3))
        run.database.append(round(cost.database, 3))
        run.wall.append(round(cost.wall, 3))
        if cost.cpu + cost.database > LIMIT_MS:
            told = {name: round(value, 1) for name, value in cost._asdict().items()}
            run.slow.append({"number": number, **told, "again": await again(database, inquiry, settings, meter)})
        now = time.monotonic()
        run.seconds, last = run.seconds + now - last, now
        if kept is not None and number % 1000 == 999:
            keep(kept, run)
    await database.close()
    if kept is not None:
        keep(kept, run)
    return report(run, inquiries)


def kept_run(path: Path | None, *, first: int, seed: int) -> Run:
    """Return what an earlier run kept, a new one where there is none."""
    run = Run(first=first, seed=seed)
    if path is not None and path.exists():
        run = msgspec.json.decode(path.read_bytes(), type=Run)
        assert (run.first, run.seed) == (first, seed), "what was kept is of another run"
    return run


def keep(path: Path, run: Run) -> None:
    """Write what was run so far, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".new").write_bytes(msgspec.json.encode(run))
    path.with_suffix(".new").replace(path)


def report(run: Run, asked_for: int) -> dict[str, Any]:
    """Return the figures of a run."""
    both = [ours + theirs for ours, theirs in zip(run.cpu, run.database, strict=True)]
    return {
        "first": run.first,
        "asked_for": asked_for,
        "run": len(run.cpu),
        "seed": run.seed,
        "exceptions": run.exceptions,
        "verdicts": run.verdicts,
        "cpu_ms": figures(run.cpu),
        "database_cpu_ms": figures(run.database),
        "both_cpu_ms": figures(both),
        "wall_ms": figures(run.wall),
        "over_20_cpu_ms": len(run.slow),
        "over_20_cpu_ms_each_time": sum(one["again"] > LIMIT_MS for one in run.slow),
        "over_20_wall_ms": sum(wall > LIMIT_MS for wall in run.wall),
        "slow": run.slow[:20],
        "seconds": round(run.seconds, 1),
        "load_average": [round(one, 1) for one in os.getloadavg()],
        "failures": run.failures[:10],
    }


def figures(took: list[float]) -> dict[str, float]:
    """Return percentiles of milliseconds."""
    ordered = sorted(took)
    at = {"p50": 0.5, "p99": 0.99, "p99_9": 0.999, "p99_99": 0.9999}
    return {name: round(ordered[int(len(ordered) * share)], 3) for name, share in at.items()} | {
        "max": round(ordered[-1], 3)
    }


async def again(database: Database, inquiry: BookingInquiry, settings: MatchSettings, meter: Meter) -> float:
    """Return the least CPU time of three more tries: what the inquiry itself takes, without what happened beside it."""
    took = []
    for _ in range(3):
        with contextlib.suppress(Exception):
            async with database.begin() as tx:
                process = tx.info.backend_pid
                before = meter.read(process)
                (found,) = await candidates.find_many(tx, TENANT, [inquiry], settings)
                decide(inquiry, found, shipped(), settings)
                cost = meter.since(before, process)
            took.append(cost.cpu + cost.database)
    return round(min(took, default=LIMIT_MS * 1000), 2)


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
    parser.add_argument("--kept", type=Path, help="a file that what was run is kept in, to go on from")
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
                fuzz(
                    dsn,
                    first=given.first,
                    inquiries=given.inquiries,
                    seconds=given.seconds,
                    seed=given.seed,
                    kept=given.kept,
                )
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
