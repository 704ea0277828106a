"""ServiceTitan's own webhooks: what is sent, signed how, tried again when."""

import hashlib
import hmac
import json
from typing import Any

import pytest

from bridge.simulator import operator
from bridge.simulator.hooks import Subscription
from bridge.simulator.state import Simulator
from bridge.simulator.switches import Switches

KEY = "0123456789abcdef0123456789abcdef"


class Receiver:
    """Takes deliveries and answers what it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, dict[str, str]]] = []
        self.answers: list[int] = []

    async def __call__(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        assert url == "http://bridge.example.com/st"
        self.got.append((body, headers))
        return self.answers.pop(0) if self.answers else 200

    @property
    def events(self) -> list[dict]:
        return [json.loads(body) for body, _ in self.got]


@pytest.fixture
def receiver(simulator: Simulator) -> Receiver:
    simulator.webhooks.subscriptions.append(Subscription(tenant=1000001, url="http://bridge.example.com/st", key=KEY))
    return Receiver()


async def send(simulator: Simulator, receiver: Receiver) -> int:
    hooks = simulator.webhooks
    return await hooks.send_due(receiver, now=simulator.now(), guid=simulator.new_guid, switches=simulator.switches)


async def test_a_changed_booking_is_announced_signed_and_a_new_one_is_not(
    far: Any, simulator: Simulator, receiver: Receiver
) -> None:
    made = await far.book("e1")
    assert await send(simulator, receiver) == 0
    await far.patch(f"/booking-provider/501/bookings/{made['id']}", {"summary": "changed"})
    assert await send(simulator, receiver) == 1
    body, headers = receiver.got[0]
    assert headers["x-servicetitan-signature"] == hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
    (event,) = receiver.events
    assert (event["specversion"], event["type"]) == ("1.0", "tn.crm.booking-updated")
    assert event["data"]["tenantId"] == 1000001
    assert event["data"]["booking"]["externalId"] == "e1"
    assert event["data"]["booking"]["active"] is True
    assert "summary" not in event["data"]["booking"]


async def test_a_failed_attempt_comes_again_four_times(
    far: Any, simulator: Simulator, receiver: Receiver, time: Any
) -> None:
    await far.post("/leads", {"campaignId": 601, "summary": "Quote", "followUpDate": "2026-03-05"})
    receiver.answers = [500, 0, 404, 503, 500]
    assert await send(simulator, receiver) == 1
    for seconds in (10, 30, 60, 300):
        time.pass_seconds(seconds - 1)
        assert await send(simulator, receiver) == 0
        time.pass_seconds(1)
        assert await send(simulator, receiver) == 1
    time.pass_seconds(10_000)
    assert await send(simulator, receiver) == 0
    assert simulator.webhooks.deliveries[0].state == "failed"
    assert len({event["id"] for event in receiver.events}) == 5
    assert len({event["userassignedid"] for event in receiver.events}) == 1


async def test_a_repeat_keeps_the_occurrence_and_changes_the_id(
    far: Any, simulator: Simulator, receiver: Receiver
) -> None:
    made = await far.post("/leads", {"campaignId": 601, "summary": "Quote", "callReasonId": 901})
    await far.patch(f"/leads/{made['id']}", {"leadPhone": "512-555-0105"})
    await send(simulator, receiver)
    assert [event["type"] for event in receiver.events] == ["tn.crm.lead-created", "tn.crm.lead-updated"]
    assert receiver.events[1]["data"]["lead"]["phone"] == "512-555-0105"
    simulator.webhooks.repeat(receiver.events[0]["userassignedid"], at=simulator.now())
    await send(simulator, receiver)
    first, _, again = receiver.events
    assert first["userassignedid"] == again["userassignedid"]
    assert first["id"] != again["id"]


async def test_header_and_encoding_are_switches(far: Any, simulator: Simulator, receiver: Receiver) -> None:
    simulator.switches = Switches(webhook_header="X-ST-Signature", webhook_encoding="base64")
    made = await far.book("e1")
    operator.accept_booking(simulator.operator(1000001), booking_id=made["id"])
    await send(simulator, receiver)
    assert receiver.got[0][1]["X-ST-Signature"].endswith("=")
    assert receiver.events[0]["data"]["booking"]["status"] == "Accepted"


async def test_events_of_another_tenant_or_kind_are_not_sent(far: Any, simulator: Simulator) -> None:
    hooks = simulator.webhooks
    hooks.subscriptions.append(Subscription(tenant=5, url="http://x.example.com"))
    hooks.subscriptions.append(
        Subscription(tenant=1000001, url="http://x.example.com", events=("tn.crm.lead-updated",))
    )
    await far.post("/leads", {"campaignId": 601, "summary": "Quote", "callReasonId": 901})
    assert hooks.deliveries == []
