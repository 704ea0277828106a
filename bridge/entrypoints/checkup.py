"""The live questions behind `bridge doctor`, and the names behind `bridge check`; each finding says what it looked at, what it found, and what to do."""

import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg.errors import UndefinedTable

from bridge import bootstrap
from bridge.db import migrations
from bridge.db.database import UNREACHABLE, Database
from bridge.domain.ids import TenantId
from bridge.domain.outcome import Deferred, InDoubt, Outcome, Rejected, Succeeded
from bridge.domain.reasons import advice_for
from bridge.domain.reference import ListEntry, ReferenceLists
from bridge.entrypoints.naming import name_faults
from bridge.mirror import records
from bridge.mirror.lists import read, sources
from bridge.reports.reading import reading
from bridge.servicetitan.client import ServiceTitan
from bridge.settings import Settings, TenantSettings
from bridge.settings.names import KINDS

_CLOCK_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at; state is ok, problem, unreachable or skipped."""

    subject: str
    state: str
    text: str
    remedy: str = ""


async def examine(settings: Settings, *, dsn: str, tenant: str | None = None) -> list[Finding]:
    """Return everything found, the database first, then tenant by tenant."""
    findings = [finding async for finding in _database(dsn)]
    findings.append(
        Finding(subject="public address", state="ok", text=bootstrap.public_url_of(settings))
        if settings.server.public_url
        else Finding(
            subject="public address",
            state="skipped",
            text=f"not set; senders are told {bootstrap.public_url_of(settings)}",
            remedy="Set server.public_url or BRIDGE_PUBLIC_URL before a real sender is connected.",
        )
    )
    lists: dict[str, ReferenceLists] = {}
    for one in settings.tenants.values():
        if tenant in (None, one.key):
            findings += [finding async for finding in _tenant(one, lists)]
    return [*findings, *_names(lists)]


async def _database(dsn: str) -> AsyncIterator[Finding]:
    database = Database(dsn, timeout=3)
    try:
        await database.open()
        async with database.connection() as connection:
            row = await (
                await connection.execute("SELECT clock_timestamp(), current_setting('server_version')")
            ).fetchone()
    except UNREACHABLE:
        yield Finding(
            subject="database",
            state="unreachable",
            text="does not answer",
            remedy="Check DATABASE_URL and that PostgreSQL runs.",
        )
        return
    finally:
        await database.close()
    if row is None:
        return
    yield Finding(subject="database", state="ok", text=f"PostgreSQL {row[1]}")
    skew = abs((datetime.now(UTC) - row[0]).total_seconds())
    yield Finding(
        subject="clock",
        state="ok" if skew < _CLOCK_SECONDS else "problem",
        text=f"{skew:.2f} s from the database's",
        remedy=""
        if skew < _CLOCK_SECONDS
        else "Set this machine's clock by NTP: signatures are good for five minutes.",
    )
    current, head = migrations.current(dsn), migrations.head()
    yield Finding(
        subject="migrations",
        state="ok" if current == head else "problem",
        text=f"the schema is at {current or 'nothing'}" + ("" if current == head else f", this program needs {head}"),
        remedy="" if current == head else "Run `bridge migrate`.",
    )


async def _tenant(tenant: TenantSettings, lists: dict[str, ReferenceLists]) -> AsyncIterator[Finding]:
    """Ask what a tenant's keys may do, and keep the names it knows in `lists`."""
    from bridge.servicetitan.transport import open_http  # noqa: PLC0415  8 MB that only those who send need

    async with open_http(total=15) as http:
        client = bootstrap.open_servicetitan(tenant, http=http)
        name = f"tenant {tenant.key}"
        started = time.perf_counter()
        token = await client.business_units.list(query={"pageSize": 1})
        milliseconds = (time.perf_counter() - started) * 1000
        yield _of_outcome(f"{name}: token", token, f"accepted, first answer in {milliseconds:.0f} ms")
        if not isinstance(token, Succeeded):
            return
        async for finding in _scopes(name, client):
            yield finding
        lists[tenant.key] = await _lists(client)


async def _scopes(name: str, client: ServiceTitan) -> AsyncIterator[Finding]:
    """Ask one cheap question under each scope the flow needs."""
    one = {"pageSize": 1}
    questions = {
        "bookings (tn.crm.bookings:r)": client.bookings.list(query=one)
        if client.credentials.booking_provider
        else client.tenant_bookings.list(query=one),
        "customers (tn.crm.customers:r)": client.customers.list(query=one),
        "locations (tn.crm.locations:r)": client.locations.list(query=one),
        "leads (tn.crm.leads:r)": client.leads.list(query=one),
        "campaigns (tn.mrk.campaigns:r)": client.campaigns.list(query=one),
        "job types (tn.jpm.jobtypes:r)": client.job_types.list(query=one),
    }
    for what, question in questions.items():
        yield _of_outcome(f"{name}: {what}", await question, "may be read")


async def _lists(client: ServiceTitan) -> ReferenceLists:
    """Return the short lists as ServiceTitan has them now; one that cannot be read is left out."""
    entries: dict[str, tuple[ListEntry, ...]] = {}
    calls = sources(client)
    for kind in KINDS:
        call, filters = calls[kind]
        outcome = await read(call, filters)
        if isinstance(outcome, Succeeded):
            entries[kind] = tuple(
                ListEntry(
                    id=row.id,
                    name=row.name or "",
                    active=getattr(row, "active", None) is not False,
                    data_type=getattr(row, "data_type", None) or "",
                    options=tuple(getattr(row, "data_type_options", None) or ()),
                )
                for row in outcome.body
            )
    return ReferenceLists(entries=entries, is_loaded=True)


def _names(lists: Mapping[str, ReferenceLists]) -> Iterator[Finding]:
    """Look up every record the config calls by id or name, each at its place in the files."""
    faults = name_faults(lists)
    for fault in faults:
        subject = f"{fault.place}: {fault.path}"
        yield Finding(subject=subject, state="problem", text=fault.message, remedy=fault.hint)
    if lists and not faults:
        yield Finding(subject="names", state="ok", text=f"all that the config names exist ({', '.join(lists)})")


async def lists_at_hand(dsn: str, tenants: Mapping[str, TenantId]) -> dict[str, ReferenceLists] | None:
    """Return the short lists that a database mirrors, by the tenant's name; None where it has no mirror or is not there."""
    database = Database(dsn, timeout=2)
    try:
        await database.open()
        async with reading(database) as tx:
            found = await records.lists(tx, tenants.values())
    except (*UNREACHABLE, UndefinedTable):
        return None
    finally:
        await database.close()
    return {name: found[tenant_id] for name, tenant_id in tenants.items() if found[tenant_id].is_loaded}


def _of_outcome(subject: str, outcome: Outcome, good: str) -> Finding:
    match outcome:
        case Succeeded():
            return Finding(subject=subject, state="ok", text=good)
        case Rejected() | Deferred() | InDoubt():
            advice = advice_for(outcome.reason)
            unreachable = outcome.status is None
            return Finding(
                subject=subject,
                state="unreachable" if unreachable else "problem",
                text=f"{outcome.reason}: {advice.text}",
                remedy=advice.remedy,
            )
