"""What the version before had told, or was still to tell, stands in the outbox after the migration."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from bridge.db import migrations
from bridge.db.database import Database
from bridge.domain.ids import TenantId, alerts_of
from bridge.reports import outbox
from bridge.sending import control

TENANT = TenantId(1000001)
NOW = datetime(2026, 11, 24, 20, 5, tzinfo=UTC)


async def test_waiting_told_and_dead_alerts_are_carried_over(database: Database, database_dsn: str) -> None:
    engine = create_engine(database_dsn.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.connect() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parents[2] / "alembic"))
        config.attributes["connection"] = connection
        command.downgrade(config, "0011")
        connection.commit()
    engine.dispose()
    body = {"type": "bridge.alert.effect_dead", "subject": "s", "text": "Given up.", "timestamp": NOW.isoformat()}
    async with database.begin() as tx:
        for attempts, sent_at, is_dead, state in ((0, None, False, "open"), (3, None, False, "over"), (1, NOW, False, "open"), (12, None, True, "open")):  # fmt: skip
            await tx.execute(
                "INSERT INTO alert_messages (tenant_id, address, body, created_at, due_at, attempts, sent_at, is_dead, detail)"
                " VALUES (%s, 'office', %s::text::jsonb, %s, %s, %s, %s, %s, 'answered 503')",
                [TENANT, json.dumps({**body, "state": state}), NOW, NOW, attempts, sent_at, is_dead],
            )
    migrations.upgrade(database_dsn)
    assert migrations.differences(database_dsn) == []
    later = NOW + timedelta(minutes=1)
    carried = await outbox.alerts(database, TENANT)
    assert [one.state for one in carried] == ["dead", "sent", "waiting", "waiting"]
    waiting = await outbox.messages(database, TENANT, now=later)
    assert [(one.state, one.text) for one in waiting] == [
        ("ready", "Given up. To office."),
        ("waiting", "Given up. To office."),
    ]
    async with database.begin() as tx:
        dead = await control.retry(tx, tenant_id=alerts_of(TENANT), effect_id=carried[0].effect_id, by="x", now=later)
    assert dead is None
    assert len(await outbox.messages(database, TENANT, now=later)) == 3
