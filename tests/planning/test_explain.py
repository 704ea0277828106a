"""`bridge explain` says how a request proves who sent it: a delivery as of its receipt, a file with its headers."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bridge import connectors
from bridge.connectors import get_connector
from bridge.connectors.base import Secret, SourceOptions
from bridge.db.database import Database
from bridge.domain.delivery import HookRequest
from bridge.entrypoints.cli import cli
from bridge.settings import Settings, load_texts
from tests.planning.facts import NOW
from tests.planning.house import CONFIG, House

SIGNED = CONFIG + "  signed: {connector: standard-webhooks, tenant: acme, secrets: [{env: SIGNED_SECRET}]}\n"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ENVIRON = {"SIGNED_SECRET": SECRET}


async def test_a_delivery_is_verified_as_of_its_receipt_and_a_file_with_its_headers(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_texts({"c.yaml": SIGNED}, ENVIRON, kinds=connectors.kinds())
    assert isinstance(settings, Settings), settings
    house = await House(database, settings).open()
    body = json.dumps({"type": "lead.created", "data": {"name": "Ann Lee", "phone": "(512) 555-0100"}}).encode()
    plain = HookRequest(method="POST", url="/hooks/signed", headers=(("content-type", "application/json"),), body=body)
    request = get_connector("standard-webhooks").prove(
        plain, secret=Secret("SIGNED_SECRET", SECRET), options=SourceOptions(), now=NOW
    )
    number = await house.arrive("signed", json.loads(body), at=NOW)
    long_ago = await house.arrive("signed", json.loads(body), at=NOW - timedelta(hours=1))
    await house.rows(
        "UPDATE deliveries SET headers = %s, body = %s RETURNING id", json.dumps(request.headers), request.body
    )
    config, file = tmp_path / "c.yaml", tmp_path / "lead.json"
    config.write_text(SIGNED)
    file.write_bytes(body)
    for name, value in (("BRIDGE_CONFIG", str(config)), ("DATABASE_URL", database.dsn), *ENVIRON.items()):
        monkeypatch.setenv(name, value)

    async def told(*arguments: str) -> Any:
        result = await asyncio.to_thread(CliRunner().invoke, cli, ["explain", *arguments, "--json"])
        return json.loads(result.output)["verified"]

    assert (await told(str(number))).startswith("verified by standard-webhooks")
    assert "timestamp" in await told(str(long_ago))
    from_file = (str(file), "--source", "signed")
    assert await told(*from_file) == "not verified: no headers given"
    lines = [part for name, value in request.headers for part in ("--header", f"{name}: {value}")]
    assert "timestamp" in await told(*from_file, *lines)  # a file is judged now, long after it was signed
    assert "unsigned" in await told(str(file), "--source", "web")
