"""How quiet sources are is looked at no sooner than one may be too quiet, and nobody hears later for that."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.bootstrap import load_settings
from bridge.db.database import Database
from bridge.domain.ids import TenantId
from bridge.entrypoints.alerting import Lookout
from bridge.reports import sources
from bridge.settings import Settings

ACME, BOLT = TenantId(1000001), TenantId(1000002)
NOW = datetime(2026, 11, 24, 15, 20, tzinfo=UTC)
CONFIG = """tenants:
  acme: {tenant_id: 1000001, environment: simulator}
  bolt: {tenant_id: 1000002, environment: simulator}
sources:
  website: {connector: generic, tenant: acme, unsigned: true}
  typeform: {connector: generic, tenant: bolt, unsigned: true}
"""


def settings_of(folder: Path, config: str = CONFIG) -> Settings:
    (folder / "bridge.yaml").write_text(config)
    return load_settings(folder, environ={})


async def receive(database: Database, tenant_id: TenantId, source: str, *, at: datetime) -> None:
    async with database.begin() as tx:
        await tx.execute(
            "INSERT INTO deliveries (tenant_id, source_id, dedup_key, event_type, received_at, method, url, headers, body, verified_by, trace_id)"
            " VALUES (%s, %s, gen_random_uuid()::text, '', %s, 'POST', '', '{}', '', '', '')",
            [tenant_id, source, at],
        )


async def usual(database: Database, tenant_id: TenantId, source: str, *, an_hour: int) -> None:
    """Let so many come in each hour of five weeks."""
    async with database.begin() as tx:
        await tx.execute(
            "INSERT INTO delivery_hours (tenant_id, source_id, hour, received)"
            " SELECT %s, %s, date_trunc('hour', %s::timestamptz) - n * interval '1 hour', %s FROM generate_series(1, 840) n",
            [tenant_id, source, NOW, an_hour],
        )


async def quiet(database: Database) -> set[str]:
    async with database.connection() as connection:
        rows = await connection.execute("SELECT subject FROM alerts WHERE kind = 'source_quiet' AND closed_at IS NULL")
        return {row[0] for row in await rows.fetchall()}


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[TenantId]:
    """Whose sources were looked at."""
    seen: list[TenantId] = []
    asks = sources.quiet_at

    async def watched(database: Database, tenant_id: TenantId, *rest: object, **others: object) -> datetime:
        seen.append(tenant_id)
        return await asks(database, tenant_id, *rest, **others)  # type: ignore[arg-type]

    monkeypatch.setattr(sources, "quiet_at", watched)
    return seen


async def test_a_quiet_source_is_told_in_the_half_minute_in_which_its_rhythm_says(
    database: Database, tmp_path: Path, counted: list[TenantId]
) -> None:
    """59 an hour, in four of six weeks 88: nothing for 7.2 minutes is no accident. What comes from one tenant says nothing of the other."""
    settings, lookout = settings_of(tmp_path), Lookout(database)
    for tenant_id, source in ((ACME, "website"), (BOLT, "typeform")):
        await usual(database, tenant_id, source, an_hour=88)
        await receive(database, tenant_id, source, at=NOW)
    told = {}
    for half_minutes in range(1, 21):
        now = NOW + timedelta(seconds=30 * half_minutes)
        if half_minutes < 18:
            await receive(database, BOLT, "typeform", at=now)
        if half_minutes == 17:
            await receive(database, ACME, "website", at=now)
        await lookout.look(settings, now=now)
        told[half_minutes] = await quiet(database)
    assert [number for number, names in told.items() if names] == [15, 16]
    assert told[15] == {"website"}
    assert counted.count(ACME) <= 6
    assert counted.count(BOLT) <= 3


async def test_a_new_limit_in_the_config_counts_at_once(database: Database, tmp_path: Path) -> None:
    lookout = Lookout(database)
    await receive(database, ACME, "website", at=NOW - timedelta(hours=3))
    await lookout.look(settings_of(tmp_path), now=NOW)
    assert await quiet(database) == set()
    changed = CONFIG.replace("acme, unsigned", "acme, rhythm: {quiet_after_hours: 2}, unsigned")
    await lookout.look(settings_of(tmp_path, changed), now=NOW + timedelta(seconds=30))
    assert await quiet(database) == {"website"}


async def test_a_limit_of_hours_is_looked_at_when_it_is_over(database: Database, tmp_path: Path) -> None:
    changed = CONFIG.replace("acme, unsigned", "acme, rhythm: {quiet_after_hours: 0.5}, unsigned")
    settings, lookout = settings_of(tmp_path, changed), Lookout(database)
    await receive(database, ACME, "website", at=NOW)
    for minutes, names in ((1, set()), (29, set()), (31, {"website"})):
        await lookout.look(settings, now=NOW + timedelta(minutes=minutes))
        assert await quiet(database) == names


async def test_what_was_committed_late_is_counted(database: Database, tmp_path: Path) -> None:
    """Received in the last second of an hour, committed in the next, after that hour had been counted."""
    settings, lookout = settings_of(tmp_path), Lookout(database)
    hour = NOW.replace(minute=0)
    await receive(database, ACME, "website", at=hour - timedelta(minutes=1))
    await lookout.look(settings, now=hour + timedelta(seconds=1))
    await receive(database, ACME, "website", at=hour - timedelta(seconds=1))
    await receive(database, ACME, "website", at=hour + timedelta(seconds=9))
    await lookout.look(settings, now=hour + timedelta(seconds=31))
    async with database.connection() as connection:
        rows = await connection.execute("SELECT hour, received FROM delivery_hours ORDER BY hour")
        assert await rows.fetchall() == [(hour - timedelta(hours=1), 2), (hour, 1)]
