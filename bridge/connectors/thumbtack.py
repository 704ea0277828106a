"""Thumbtack: negotiations (leads) and messages; a lead and its first message share the negotiation's id."""

from collections.abc import Iterator
from typing import Any

from bridge.connectors.base import About, Normalized, SourceOptions
from bridge.connectors.dialect import SHARED, Dialect, skipped, wish
from bridge.connectors.extract import Field
from bridge.connectors.payloads import dig, objects, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import ActivityKind
from bridge.domain.reasons import Reason
from bridge.domain.values import digits_of, moment

_TEST_PHONE = "1234567890"
_TEST_BUSINESS = "Test Business for Webhooks"
_LEADS = frozenset({"NegotiationCreatedV4", "NegotiationCreatedV3", "NegotiationCreated", "lead"})
_MESSAGES = frozenset({"MessageCreatedV4", "MessageCreatedV3", "MessageCreated", "message"})


class Thumbtack(Dialect):
    """Leads and messages of Thumbtack."""

    options_known = frozenset({"messages"})
    kind = "thumbtack"
    about = About(
        title="Thumbtack", family="marketplace", signature="none; HTTP Basic of your choice",
        dedup="negotiationID of a lead, messageID of a message", retries="some; policy unknown",
        setup=("Thumbtack › Settings › Webhooks › Add: hook URL, events Leads and Messages.", "Choose Basic authentication."),
        paste="user:password you chose",
        notes=("Messages of the business itself are ignored.", "`options.messages: booking` makes wishes of messages."),
        guessed=("Retry policy; the older flat partner shape.",),
    )  # fmt: skip
    shared = SHARED
    handled = _LEADS | _MESSAGES
    ignored = frozenset({"ReviewCreatedV4", "ReviewCreated", "NegotiationUpdatedV4", "IncentiveUpdatedV4"})

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return the event's type; the flat partner shape has none."""
        del request
        flat = "message" if "messageID" in payload else "lead" if "leadID" in payload else "unknown"
        return text(dig(payload, "event", "eventType")) or flat

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the event type with the id of what it is about; no id of the delivery itself is sent."""
        event, ident = self.event_of(payload, request), _ident(_data(payload))
        return f"{event}|{ident}" if ident else ""

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return a negotiation as a wish, a customer's message as an activity."""
        data = _data(payload)
        draft = self.draft(list(_fields(data)), payload, delivery, options)
        draft.is_test = draft.is_test or _is_test(data)
        record = text(data.get("negotiationID")) or text(data.get("leadID"))
        key = _ident(data) or delivery.dedup_key
        if delivery.event_type in _LEADS:
            at = moment(data.get("createdAt") or data.get("leadCreatedAt") or data.get("createTimestamp"))
            draft.starts(dig(data, "request", "proposedTimes", 0, "start"), "request.proposedTimes.0.start")
            return wish(
                draft,
                delivery.event_type,
                key=key,
                record_id=record,
                occurred_at=at,
                channel="marketplace",
            )
        if text(data.get("from")) == "Business":
            return skipped(delivery.event_type, Reason.EVENT_IGNORED, key)
        at = moment(data.get("sentAt"))
        if options.options.get("messages") == "booking":
            return wish(draft, delivery.event_type, key=key, record_id=record, occurred_at=at, channel="message")
        return Normalized(inquiries=(draft.activity(ActivityKind.MESSAGE, key=key, record_id=record, occurred_at=at),))


def _data(payload: dict[str, Any]) -> dict[str, Any]:
    data = payload.get("data")
    return data if isinstance(data, dict) else payload


def _ident(data: dict[str, Any]) -> str:
    return text(data.get("messageID")) or text(data.get("negotiationID")) or text(data.get("leadID"))


def _is_test(data: dict[str, Any]) -> bool:
    names = {text(dig(data, "business", "name")), text(dig(data, "business", "displayName"))}
    return digits_of(text(dig(data, "customer", "phone"))) == _TEST_PHONE or _TEST_BUSINESS in names


def _fields(data: dict[str, Any]) -> Iterator[Field]:
    for path, slot in (
        ("customer.firstName", "given_name"), ("customer.lastName", "surname"), ("customer.name", "name"),
        ("customer.displayName", "name"), ("customer.phone", "phone"), ("customer.email", "email"),
        ("request.location.address1", "street"), ("request.location.address2", "unit"), ("request.location.city", "city"),
        ("request.location.state", "state"), ("request.location.zipCode", "zip"), ("request.description", "message"),
        ("text", "message"), ("message.text", "message"), ("request.category.name", "service"), ("request.title", "service"),
        ("request.schedule", "preferred_time"),
    ):  # fmt: skip
        value = dig(data, *path.split("."))
        if value is not None:
            yield Field(path, path, value, slot)
    category = dig(data, "request", "category")
    if isinstance(category, str):
        yield Field("request.category", "Category", category, "service")
    for place, row in enumerate(objects(dig(data, "request", "details"))):
        yield Field(f"request.details.{place}", text(row.get("question")), row.get("answer"))
    for place, row in enumerate(objects(dig(data, "request", "proposedTimes"))):
        yield Field(f"request.proposedTimes.{place}", "Proposed", f"{text(row.get('start'))} to {text(row.get('end'))}")
    for place, row in enumerate(objects(dig(data, "request", "attachments"))):
        yield Field(f"request.attachments.{place}", "Attachment", row.get("url"))
    yield Field("leadPrice", "Lead price", data.get("leadPrice"))
    yield Field("estimate.total", "Estimate", dig(data, "estimate", "total"))
