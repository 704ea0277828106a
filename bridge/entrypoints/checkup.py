"""The live questions behind `bridge doctor`; each finding says what it looked at, what it found, and what to do."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

from bridge import bootstrap
from bridge.db import migrations
from bridge.db.database import UNREACHABLE, Database
from bridge.domain import reference
from bridge.domain.outcome import Deferred, InDoubt, Outcome, Rejected, Succeeded
from bridge.domain.reasons import advice_for
from bridge.domain.reference import ListEntry, ReferenceLists
from bridge.servicetitan.client import ServiceTitan
from bridge.servicetitan.exports import collect
from bridge.servicetitan.transport import open_http
from bridge.settings import Settings, TenantSettings

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
    for one in settings.tenants.values():
        if tenant in (None, one.key):
            findings += [finding async for finding in _tenant(settings, one)]
    return findings


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


async def _tenant(settings: Settings, tenant: TenantSettings) -> AsyncIterator[Finding]:
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
        lists = await _lists(client)
        for finding in _names(name, settings, tenant, lists):
            yield finding


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
    calls = {
        reference.CAMPAIGN: client.campaigns.list,
        reference.BUSINESS_UNIT: client.business_units.list,
        reference.JOB_TYPE: client.job_types.list,
        reference.CALL_REASON: client.call_reasons.list,
    }
    entries: dict[str, tuple[ListEntry, ...]] = {}
    for kind, call in calls.items():
        outcome = await collect(call, query={})
        if isinstance(outcome, Succeeded):
            entries[kind] = tuple(
                ListEntry(id=row.id, name=row.name or "", active=row.active is not False) for row in outcome.body
            )
    return ReferenceLists(entries=entries, is_loaded=True)


def _names(name: str, settings: Settings, tenant: TenantSettings, lists: ReferenceLists) -> list[Finding]:
    """Look up every campaign, business unit, job type and reason the config names."""
    defaults = tenant.defaults
    wanted: list[tuple[str, str, int | str]] = [
        ("defaults.campaign", reference.CAMPAIGN, defaults.campaign or ""),
        ("defaults.business_unit", reference.BUSINESS_UNIT, defaults.business_unit or ""),
        ("defaults.job_type", reference.JOB_TYPE, defaults.job_type or ""),
        ("defaults.dismiss_reason", reference.CALL_REASON, defaults.dismiss_reason or ""),
        *((f"campaigns.{key}", reference.CAMPAIGN, value) for key, value in tenant.campaigns.items()),
        *((f"services.{key}", reference.JOB_TYPE, value) for key, value in tenant.services.items()),
    ]
    findings = []
    for place, kind, value in wanted:
        if value == "" or kind not in lists.entries:
            continue
        found = lists.candidates(kind, value)
        subject = f"{name}: {place}"
        if len(found) == 1 and found[0].active:
            findings.append(Finding(subject=subject, state="ok", text=f"{value} is {found[0].name} ({found[0].id})"))
        else:
            text = f"{kind} {value!r} " + (
                "means several" if len(found) > 1 else "is not active" if found else "is unknown"
            )
            known = ", ".join(entry.name for entry in lists.entries[kind][:8])
            findings.append(Finding(subject=subject, state="problem", text=text, remedy=f"There are: {known}."))
    del settings
    return findings


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
