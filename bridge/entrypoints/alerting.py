"""The loop that looks for what people should know; every worker runs it, one at a time looks. The outbox tells them."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from bridge.db.database import UNREACHABLE, Database
from bridge.domain.ids import TenantId
from bridge.operations import alerts
from bridge.operations.alerts import Limits
from bridge.reports import overview, sources
from bridge.sending.bell import Address
from bridge.settings import Settings

_log = structlog.get_logger()
_SECONDS = 30.0


def addresses_of(settings: Settings) -> list[Address]:
    """Return where the config wants alerts sent."""
    return [
        Address(
            name=one.name,
            url=one.url,
            style=one.style,
            secret=one.secret.value if one.secret else "",
            cooldown=one.cooldown,
        )
        for one in settings.alert_targets
    ]


async def once(database: Database, settings: Settings, *, now: datetime) -> None:
    """Look at every tenant, and put what is to be told into the outbox."""
    addresses = addresses_of(settings)
    for tenant_id in settings.tenants:
        await alerts.count_hours(database, tenant_id=tenant_id, now=now)
        limits = Limits(
            review=timedelta(hours=settings.alerts.review_older_than_hours),
            work=timedelta(minutes=settings.alerts.work_older_than_minutes),
            quiet=await _quiet(database, settings, tenant_id, now=now),
        )
        for one in await alerts.look(database, tenant_id=tenant_id, addresses=addresses, limits=limits, now=now):
            _log.info("alert.open", tenant=tenant_id, kind=one.kind, subject=one.subject)


async def _quiet(
    database: Database, settings: Settings, tenant_id: TenantId, *, now: datetime
) -> tuple[tuple[str, str], ...]:
    """Return the sources that are too quiet, by the hours the config names or by their own rhythm."""
    zone = settings.tenants[tenant_id].time_zone
    names = [name for name, one in settings.sources.items() if one.tenant_id == tenant_id]
    rows = await sources.sources(
        database, tenant_id, names, time_zone=zone, since=overview.midnight(now, zone), now=now
    )
    found = []
    for row in rows:
        limit = next(one.rhythm.quiet_after_hours for name, one in settings.sources.items() if name == row.source_id)
        if row.last_at is not None and (row.is_quiet if limit is None else row.quiet_hours > limit):
            found.append(
                (
                    row.source_id,
                    f"{row.source_id} is quiet for {row.quiet_hours:.0f} h: {row.expected:.0f} are usual by now today, {row.today} came.",
                )
            )
    return tuple(found)


async def run(database: Database, settings: Callable[[], Settings], stop: asyncio.Event) -> None:
    """Look every half minute, by the settings in force, until `stop` is set."""
    while not stop.is_set():
        with contextlib.suppress(*UNREACHABLE):
            await once(database, settings(), now=await database.now())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SECONDS):
                await stop.wait()
