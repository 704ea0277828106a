"""Each kind of alert reaches a Slack-compatible address and one of Standard Webhooks, over real HTTP, as the worker sends it."""

import asyncio
import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from bridge.bootstrap import Clients, load_settings, wall_clock
from bridge.db.ear import hear
from bridge.db.ownership import Ownership
from bridge.entrypoints import alerting
from bridge.mirror import cursors
from bridge.sending import run as sending
from bridge.sending.bell import Bell
from bridge.sending.dispatcher import Dispatcher
from bridge.sending.effects.execute import Performer
from bridge.sending.wakeups import CHANNEL
from bridge.settings import ConfigInvalid, Settings
from tests.console.seeding import TENANT, deliver

KINDS = {"tenant_held", "effect_dead", "feed_stopped", "source_quiet", "review_late", "work_late"}
CONFIG = """tenants:
  acme: {tenant_id: 1000001, environment: simulator}
sources:
  website: {connector: generic, tenant: acme, unsigned: true}
  typeform: {connector: generic, tenant: acme, unsigned: true}
alerts:
  targets:
    office: {url: {env: CHAT_URL}}
    ops: {url: {env: OPS_URL}, style: standard-webhooks, secret: {env: OPS_SECRET}}
"""
KEY = b"k" * 24
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Receiver:
    """Takes requests over HTTP and answers 204."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().strip().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                body = await reader.readexactly(int(headers["content-length"]))
                self.got.append((first.split()[1], headers, body))
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        except asyncio.IncompleteReadError:
            writer.close()


async def six_troubles(database, now: datetime) -> None:
    await deliver(database, 4, "held", at=now - timedelta(minutes=5))
    await deliver(database, 2, "failed", at=now - timedelta(minutes=5))
    await deliver(database, 1, "review", at=now - timedelta(hours=30))
    await deliver(database, 3, "working", at=now - timedelta(hours=1))
    await deliver(database, 7, "received", at=now - timedelta(hours=8), source="typeform")
    async with database.begin() as tx:
        await tx.execute(
            "INSERT INTO delivery_hours (tenant_id, source_id, hour, received)"
            " SELECT %s, 'typeform', date_trunc('hour', %s::timestamptz) - n * interval '1 hour', 2 FROM generate_series(9, 840) n",
            [TENANT, now],
        )
        await cursors.get(tx, TENANT, "customer_contacts")
        await cursors.fail(tx, TENANT, "customer_contacts", reason="answer_unreadable", detail="", stop=True, now=now)


def dispatcher_for(
    database, dsn: str, settings: Settings, http: httpx.AsyncClient
) -> tuple[Dispatcher, Ownership, Clients]:
    """Return what sends as the worker's does, but for ServiceTitan, which nobody asks here."""
    ownership = Ownership(dsn, name="test")
    clients, performer = Clients(settings), Performer()
    bell = Bell(lambda: alerting.addresses_of(settings), http)
    dispatcher = Dispatcher(
        database, clients=clients, ownership=ownership, clock=wall_clock, execute=performer.execute, look_up=performer.look_up,
        bell=bell,
    )  # fmt: skip
    return dispatcher, ownership, clients


async def test_every_kind_is_told_once_to_both_addresses(database, database_dsn: str, tmp_path: Path) -> None:
    receiver, stop = Receiver(), asyncio.Event()
    await six_troubles(database, datetime.now(UTC))
    server = await asyncio.start_server(receiver, "127.0.0.1", 0)
    here = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    (tmp_path / "bridge.yaml").write_text(CONFIG)
    settings = load_settings(
        tmp_path, environ={"CHAT_URL": f"{here}/chat", "OPS_URL": f"{here}/ops", "OPS_SECRET": SECRET}
    )
    async with httpx.AsyncClient() as http:
        dispatcher, ownership, clients = dispatcher_for(database, database_dsn, settings, http)
        ownership.start()
        hearing = asyncio.create_task(hear(database_dsn, {CHANNEL: dispatcher.wake}))
        running = [
            asyncio.create_task(alerting.run(database, lambda: settings, stop)),
            asyncio.create_task(sending.run(dispatcher, stop)),
        ]
        async with asyncio.timeout(40):
            while len(receiver.got) < 2 * len(KINDS):
                await asyncio.sleep(0.02)
        stop.set()
        await asyncio.gather(*running)
        hearing.cancel()
        await asyncio.to_thread(ownership.stop)
        await clients.close()
    server.close()

    chat = [json.loads(body)["text"] for path, _, body in receiver.got if path == "/chat"]
    assert len(chat) == len(KINDS)
    for words in ("credentials refused; 1 message waits", "create booking given up", "typeform is quiet", "1 decision waits", "1 message is not sent", "feed of customer contacts stands still: answer unreadable"):  # fmt: skip
        assert any(words in text for text in chat), (words, chat)
    signed = [(headers, body) for path, headers, body in receiver.got if path == "/ops"]
    assert sorted(json.loads(body)["type"] for _, body in signed) == sorted(f"bridge.alert.{kind}" for kind in KINDS)
    for headers, body in signed:
        content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        digest = base64.b64encode(hmac.new(KEY, content, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{digest}"
    assert len({headers["webhook-id"] for headers, _ in signed}) == len(KINDS)


@pytest.mark.parametrize(
    ("config", "secret", "says"),
    [
        (CONFIG.replace(", secret: {env: OPS_SECRET}", ""), SECRET, "name a secret"),
        (CONFIG, "whsec_not base64", "not base64"),
        (CONFIG, "whsec_", "not base64"),
    ],
)
def test_an_address_that_cannot_be_signed_for_is_refused_at_start(tmp_path: Path, config: str, secret: str, says: str):
    (tmp_path / "bridge.yaml").write_text(config)
    with pytest.raises(ConfigInvalid, match=says):
        load_settings(
            tmp_path, environ={"CHAT_URL": "http://a.example", "OPS_URL": "http://b.example", "OPS_SECRET": secret}
        )
