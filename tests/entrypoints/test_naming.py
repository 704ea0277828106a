"""Names of the config are looked up when a worker starts, as soon as the mirror has the lists, and told of in the log."""

import asyncio
from pathlib import Path

from psycopg.types.json import Jsonb
from structlog.testing import capture_logs

from bridge.bootstrap import load_settings
from bridge.db.database import Database
from bridge.domain.reference import CAMPAIGN
from bridge.entrypoints import naming

CONFIG = """tenants:
  acme:
    tenant_id: 1000001
    environment: simulator
    campaigns: {google: Google Ads, mail: Nowhere, radio: Twice}
sources:
  website: {connector: generic, tenant: acme, unsigned: true}
"""


async def test_an_unknown_and_an_ambiguous_name_are_told_of_at_start_with_their_place(
    database: Database, tmp_path: Path
) -> None:
    place = tmp_path / "bridge.yaml"
    place.write_text(CONFIG)
    environ = {"BRIDGE_CONFIG": str(place)}
    settings = load_settings(environ=environ)
    async with database.begin() as tx:
        for number, name in enumerate(["Google Ads", "Twice", "Twice"], start=11):
            await tx.execute(
                "INSERT INTO mirrored_lists (tenant_id, kind, id, name, active, data) VALUES (1000001, %s, %s, %s, true, %s)",
                [CAMPAIGN, number, name, Jsonb({})],
            )
    stop = asyncio.Event()
    with capture_logs() as logs:
        running = asyncio.create_task(naming.run(database, settings, stop, environ=environ))
        async with asyncio.timeout(30):
            while len(logs) < 2:
                await asyncio.sleep(0.02)
        stop.set()
        await running
    told = {
        log["place"].partition(": ")[2]: (log["fault"], log["remedy"])
        for log in logs
        if log["event"] == "config.name_unknown"
    }
    assert told == {
        "tenants.acme.campaigns.mail": ('no campaign is called "Nowhere"', "there are Google Ads, Twice, Twice"),
        "tenants.acme.campaigns.radio": ('"Twice" means 2 records (campaign)', "write the id of one: 12, 13"),
    }
