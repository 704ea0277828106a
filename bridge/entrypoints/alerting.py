"""The loop that looks for what people should know and tells them; every worker runs it, one at a time looks."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta

import httpx
import structlog

from bridge.db.database import UNREACHABLE, Database
from bridge.domain.ids import TenantId
from bridge.operations import alerts
from bridge.operations.alerts import Limits, Target
from bridge.reports import overview, sources
from bridge.settings import Settings

_log = structlog.get_logger()
_SECONDS = 30.0
_HTTP_SECONDS = 10.0


def targets_of(settings: Settings) -> list[Target]:
    """Return where the config wants alerts sent."""
    return [
        Target(
            name=one.name,
            url=one.url,
            style=one.style,
            secret=one.secret.value if one.secret else "",
            cooldown=one.cooldown,
        )
        for one in settings.alert_targets
    ]


async def once(database: Database, settings: Settings, post: alerts.Post, *, now: datetime) -> None:
    """Look at every tenant and send what is due."""
    targets = targets_of(settings)
    for tenant_id in settings.tenants:
        await alerts.count_hours(database, tenant_id=tenant_id, now=now)
        limits = Limits(
            review=timedelta(hours=settings.alerts.review_older_than_hours),
            work=timedelta(minutes=settings.alerts.work_older_than_minutes),
            quiet=await _quiet(database, settings, tenant_id, now=now),
        )
        for one in await alerts.look(database, tenant_id=tenant_id, targets=targets, limits=limits, now=now):
            _log.info("alert.open", tenant=tenant_id, kind=one.kind, subject=one.subject)
    await alerts.send_due(database, post, targets=targets, now=now)


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
    async with httpx.AsyncClient(timeout=_HTTP_SECONDS, follow_redirects=False) as client:

        async def post(url: str, body: bytes, headers: dict[str, str]) -> int:
            try:
                return (await client.post(url, content=body, headers=headers)).status_code
            except httpx.HTTPError as error:
                raise OSError(type(error).__name__) from None

        while not stop.is_set():
            with contextlib.suppress(*UNREACHABLE):
                await once(database, settings(), post, now=await database.now())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SECONDS):
                    await stop.wait()
