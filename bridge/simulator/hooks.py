"""ServiceTitan's own webhooks: CloudEvents, signed, tried again after 10, 30, 60 and 300 s, then given up."""

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from bridge.simulator.account import Account
from bridge.simulator.switches import Switches
from bridge.simulator.tables import Row
from bridge.simulator.values import stamp

KINDS = ("tn.crm.booking-updated", "tn.crm.lead-created", "tn.crm.lead-updated")

BOOKING_FIELDS = [
    "id",
    "source",
    "createdOn",
    "name",
    "address",
    "customerType",
    "start",
    "campaignId",
    "businessUnitId",
    "isFirstTimeClient",
    "uploadedImages",
    "isSendConfirmationEmail",
    "status",
    "dismissingReasonId",
    "jobId",
    "externalId",
    "priority",
    "jobTypeId",
    "bookingProviderId",
    "modifiedOn",
    "active",
]
LEAD_FIELDS = [
    "id",
    "status",
    "priority",
    "customerId",
    "locationId",
    "businessUnitId",
    "jobTypeId",
    "campaignId",
    "followUpDate",
    "createdById",
    "createdOn",
    "modifiedOn",
    "tagTypeIds",
    "dismissingReasonId",
    "projectId",
    "estimateId",
]


class Subscription(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Where a tenant's events go, and the key they are signed with; an empty key sends no signature."""

    tenant: int
    url: str
    key: str = ""
    events: tuple[str, ...] = KINDS


class Delivery(msgspec.Struct, kw_only=True, rename="camel"):
    """One event on its way to one URL."""

    subscription: Subscription
    kind: str
    occurrence: str
    entity: dict[str, Any]
    tenant_name: str
    occurred_at: datetime
    due_at: datetime
    attempts: int = 0
    state: str = "pending"
    answers: list[int] = msgspec.field(default_factory=list)


ADDRESS_FIELDS = ("street", "unit", "city", "state", "zip", "country")

Post = Callable[[str, bytes, dict[str, str]], Awaitable[int]]
"""Send these bytes with these headers to this URL and return the status, 0 if there was no answer."""


class Webhooks:
    """Subscriptions and deliveries; whoever owns the loop calls `send_due`."""

    def __init__(self) -> None:
        self.subscriptions: list[Subscription] = []
        self.deliveries: list[Delivery] = []
        self.on_queued: Callable[[], None] = lambda: None

    def emit(
        self, account: Account, kind: str, row: Row, *, at: datetime, guid: Callable[[], str], switches: Switches
    ) -> int:
        """Queue an event for every subscription to its kind and return how many there were."""
        del switches
        matching = [s for s in self.subscriptions if s.tenant == account.id and kind in s.events]
        if not matching:
            return 0
        occurrence = guid()
        self.deliveries += [
            Delivery(
                subscription=subscription,
                kind=kind,
                occurrence=occurrence,
                entity=entity_of(kind, row),
                tenant_name=account.name,
                occurred_at=at,
                due_at=at,
            )
            for subscription in matching
        ]
        self.on_queued()
        return len(matching)

    def repeat(self, occurrence: str, *, at: datetime) -> int:
        """Queue an event again, as the portal's replay does, and return how many deliveries that makes."""
        found = [one for one in self.deliveries if one.occurrence == occurrence]
        fields = ("subscription", "kind", "occurrence", "entity", "tenant_name", "occurred_at")
        again = [Delivery(due_at=at, **{name: getattr(one, name) for name in fields}) for one in found]
        self.deliveries += again
        self.on_queued()
        return len(again)

    def next_due(self) -> datetime | None:
        """Return when the next attempt is due."""
        return min((one.due_at for one in self.deliveries if one.state == "pending"), default=None)

    async def send_due(self, post: Post, *, now: datetime, guid: Callable[[], str], switches: Switches) -> int:
        """Send what is due and return how many attempts were made; a non-2xx answer is tried again later."""
        due = [one for one in self.deliveries if one.state == "pending" and one.due_at <= now]
        for one in due:
            body = cloud_event(one, guid())
            headers = {"content-type": "application/cloudevents+json; charset=utf-8"}
            if one.subscription.key:
                headers[switches.webhook_header] = sign(body, one.subscription.key, encoding=switches.webhook_encoding)
            status = await post(one.subscription.url, body, headers)
            one.attempts += 1
            one.answers.append(status)
            waits = switches.webhook_retry_seconds
            if 200 <= status < 300:
                one.state = "delivered"
            elif one.attempts > len(waits):
                one.state = "failed"
            else:
                one.due_at = now + timedelta(seconds=waits[one.attempts - 1])
        return len(due)


def entity_of(kind: str, row: Row) -> dict[str, Any]:
    """Return the record as the event of its kind shows it."""
    if kind == "tn.crm.booking-updated":
        return {"booking": {name: row.get(name) for name in BOOKING_FIELDS}}
    lead = {name: row.get(name) for name in LEAD_FIELDS}
    lead |= {"customerName": row.get("leadCustomerName"), "phone": row.get("leadPhone"), "email": row.get("leadEmail")}
    given = {name: row.get(f"lead{name.capitalize()}") for name in ADDRESS_FIELDS}
    parts = {name: value if value is not None or name == "unit" else "" for name, value in given.items()}
    return {"lead": {**lead, "address": parts if any(given.values()) else None}}


def cloud_event(delivery: Delivery, delivery_id: str) -> bytes:
    """Return the body of one attempt: the occurrence stays, the id is new each time."""
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": delivery_id,
            "type": delivery.kind,
            "time": stamp(delivery.occurred_at),
            "source": "https://webhooks.servicetitan.io",
            "userassignedid": delivery.occurrence,
            "datacontenttype": "application/json",
            "data": {**delivery.entity, "tenantId": delivery.subscription.tenant, "tenantName": delivery.tenant_name},
        }
    )


def sign(body: bytes, key: str, *, encoding: str) -> str:
    """Return HMAC-SHA256 over the body, as hex or base64."""
    digest = hmac.new(key.encode(), body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode() if encoding == "base64" else digest.hex()
