"""People hear once, again after the cooldown, and when it is over; a receiver that fails is tried again."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta

import msgspec
import pytest

from bridge.operations import alerts
from bridge.operations.alerts import Limits, Target
from bridge.operations.audit import Act
from bridge.reports import outbox, sources
from tests.console.seeding import NOW, TENANT, deliver

SLACK = Target(name="office", url="https://chat.example.com/hook")
SIGNED = Target(
    name="ops",
    url="https://ops.example.com/hook",
    style="standard-webhooks",
    secret="whsec_" + base64.b64encode(b"k" * 24).decode(),
)


class Receiver:
    def __init__(self, *statuses: int) -> None:
        self.statuses, self.got = list(statuses), []

    async def __call__(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        self.got.append((url, body, headers))
        return self.statuses.pop(0) if self.statuses else 200


async def test_a_dead_effect_is_told_once_per_cooldown_and_when_it_is_over(database) -> None:
    await deliver(database, 2, "failed", at=NOW)
    receiver = Receiver()
    for minutes in (0, 1, 30, 61):
        now = NOW + timedelta(minutes=minutes)
        await alerts.look(database, tenant_id=TENANT, targets=[SLACK], limits=Limits(), now=now)
        await alerts.send_due(database, receiver, targets=[SLACK], now=now)
    assert len(receiver.got) == 2
    assert "create booking" in json.loads(receiver.got[0][1])["text"]
    async with database.begin() as tx:
        await tx.execute("DELETE FROM dead_messages")
    await alerts.look(database, tenant_id=TENANT, targets=[SLACK], limits=Limits(), now=now)
    await alerts.send_due(database, receiver, targets=[SLACK], now=now)
    assert "This is over." in json.loads(receiver.got[-1][1])["text"]


async def test_a_held_tenant_and_an_old_review_are_told(database) -> None:
    await deliver(database, 4, "held", at=NOW)
    await deliver(database, 1, "review", at=NOW - timedelta(hours=30))
    found = await alerts.look(database, tenant_id=TENANT, targets=[], limits=Limits(), now=NOW + timedelta(minutes=1))
    assert {one.kind for one in found} == {"tenant_held", "review_late"}


async def told(database, receiver: Receiver, targets: list[Target], now) -> list[str]:
    """Look and send once; return who was told what, in the order of the targets."""
    before = len(receiver.got)
    await alerts.look(database, tenant_id=TENANT, targets=targets, limits=Limits(), now=now)
    await alerts.send_due(database, receiver, targets=targets, now=now)
    return sorted(url.split("//")[1].split(".")[0] for url, _, _ in receiver.got[before:])


async def test_each_address_has_its_own_cooldown_and_a_flicker_is_told_once(database) -> None:
    await deliver(database, 2, "failed", at=NOW)
    receiver, targets = Receiver(), [SLACK, msgspec.structs.replace(SIGNED, cooldown=timedelta(hours=4))]
    assert await told(database, receiver, targets, NOW) == ["chat", "ops"]
    assert await told(database, receiver, targets, NOW + timedelta(hours=2)) == ["chat"]
    async with database.begin() as tx:
        await tx.execute("UPDATE dead_messages SET tenant_id = tenant_id + 1")
    assert await told(database, receiver, targets, NOW + timedelta(hours=2, minutes=1)) == ["chat", "ops"]
    for minute in (2, 4):
        async with database.begin() as tx:
            await tx.execute("UPDATE dead_messages SET tenant_id = %s", [TENANT])
        assert await told(database, receiver, targets, NOW + timedelta(hours=2, minutes=minute)) == []
        async with database.begin() as tx:
            await tx.execute("UPDATE dead_messages SET tenant_id = tenant_id + 1")
        assert await told(database, receiver, targets, NOW + timedelta(hours=2, minutes=minute + 1)) == []


async def late(database, now) -> list[str]:
    found = await alerts.look(database, tenant_id=TENANT, targets=[], limits=Limits(), now=now)
    return [one.subject for one in found if one.kind == "work_late"]


async def test_work_is_late_by_its_age_though_it_is_tried_again_and_again(database) -> None:
    delivery_id = await deliver(database, 3, "working", at=NOW)
    assert await late(database, NOW + timedelta(minutes=10)) == []
    assert await late(database, NOW + timedelta(minutes=20)) == ["outbox"]
    now = NOW + timedelta(minutes=30)
    for change in ("state = 0, sends = 3, reason = 'server_error'", "state = 1, reason = ''"):
        async with database.begin() as tx:
            await tx.execute(f"UPDATE outbox SET due_at = %s, {change}", [now + timedelta(minutes=9)])
        assert await late(database, now) == ["outbox"], change
    async with database.begin() as tx:
        await tx.execute(
            "INSERT INTO delivery_queue (tenant_id, id, due_at, attempts) VALUES (%s, %s, %s, 2)",
            [TENANT, delivery_id, now + timedelta(minutes=5)],
        )
    assert await late(database, now) == ["queue", "outbox"]


@pytest.mark.parametrize(("scope", "name"), [("tenant", ""), ("source", "website"), ("lane", "party:7003")])
async def test_what_a_person_paused_is_not_late(database, scope: str, name: str) -> None:
    await deliver(database, 3, "working", at=NOW)
    async with database.begin() as tx:
        await tx.execute(
            "INSERT INTO pauses (tenant_id, scope, name, paused_at, by, reason) VALUES (%s, %s, %s, %s, 'a', 'b')",
            [TENANT, scope, name, NOW],
        )
    assert await late(database, NOW + timedelta(hours=2)) == []


async def test_a_failing_receiver_is_tried_again_with_the_same_id_and_a_true_signature(database) -> None:
    await deliver(database, 2, "failed", at=NOW)
    await alerts.look(database, tenant_id=TENANT, targets=[SIGNED], limits=Limits(), now=NOW)
    receiver = Receiver(503)
    await alerts.send_due(database, receiver, targets=[SIGNED], now=NOW)
    await alerts.send_due(database, receiver, targets=[SIGNED], now=NOW)
    assert len(receiver.got) == 1
    await alerts.send_due(database, receiver, targets=[SIGNED], now=NOW + timedelta(days=1))
    (_, _, first), (_, body, headers) = receiver.got
    assert first["webhook-id"] == headers["webhook-id"]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    assert (
        headers["webhook-signature"]
        == "v1," + base64.b64encode(hmac.new(b"k" * 24, signed, hashlib.sha256).digest()).decode()
    )


async def test_one_that_was_given_up_is_sent_again_by_hand(database) -> None:
    await deliver(database, 2, "failed", at=NOW)
    await alerts.look(database, tenant_id=TENANT, targets=[SLACK], limits=Limits(), now=NOW)
    receiver, days = Receiver(*[500] * alerts.GIVE_UP), 0
    while await alerts.send_due(database, receiver, targets=[SLACK], now=NOW + timedelta(days=days)):
        days += 1
    assert len(receiver.got) == alerts.GIVE_UP
    (seen,) = await outbox.alerts(database, TENANT)
    assert (seen.state, seen.detail) == ("dead", "answered 500")
    later = Act("ops@example.com", NOW + timedelta(days=days))
    again = [await alerts.retry(database, later, tenant_id=TENANT, message_id=seen.id) for _ in range(2)]
    assert [one.is_done for one in again] == [True, False]
    await alerts.send_due(database, receiver, targets=[SLACK], now=later.now)
    assert [one.state for one in await outbox.alerts(database, TENANT)] == ["sent"]


async def test_a_quiet_source_is_told_by_its_own_rhythm(database) -> None:
    """Two an hour for five weeks, then nothing: not yet after three hours (6 expected), but after four (8)."""
    async with database.begin() as tx:
        await tx.execute(
            "INSERT INTO deliveries (tenant_id, source_id, dedup_key, event_type, received_at, method, url, headers, body, verified_by, trace_id)"
            " SELECT %s, 'website', 'm' || n, 'form', %s - n * interval '30 minutes', 'POST', 'u', '[]', '', 'x', 't' FROM generate_series(1, 1680) n",
            [TENANT, NOW],
        )
    for hours, quiet in ((3, False), (4.5, True)):
        now = NOW + timedelta(hours=hours)
        await alerts.count_hours(database, tenant_id=TENANT, now=now)
        (row,) = await sources.sources(
            database, TENANT, ["website"], time_zone="America/Chicago", since=now - timedelta(hours=12), now=now
        )
        assert row.is_quiet is quiet, (hours, row)
