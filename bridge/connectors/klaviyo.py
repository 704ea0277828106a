"""Klaviyo: system webhooks in batches by topic; consent changes and texts received are what concerns us."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

from bridge.connectors import schemes
from bridge.connectors.base import (
    About,
    Normalized,
    PayloadMalformed,
    Secret,
    SignatureInvalid,
    Skipped,
    SourceOptions,
    Strength,
    Verified,
)
from bridge.connectors.dialect import SHARED, Dialect, wish
from bridge.connectors.extract import Field, fields_of
from bridge.connectors.payloads import dig, objects, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import ActivityKind, Channel, Inquiry, PreferenceChange
from bridge.domain.reasons import Reason
from bridge.domain.values import moment

_PREFIX = "event:klaviyo."
_CONSENT = {
    "unsubscribed_from_email": (Channel.EMAIL, False), "marked_email_as_spam": (Channel.EMAIL, False),
    "unsubscribed_from_email_marketing": (Channel.EMAIL, False), "subscribed_to_email_marketing": (Channel.EMAIL, True),
    "unsubscribed_from_sms": (Channel.SMS, False), "unsubscribed_from_sms_marketing": (Channel.SMS, False),
    "subscribed_to_sms": (Channel.SMS, True), "subscribed_to_sms_marketing": (Channel.SMS, True),
    "consented_to_receive_sms": (Channel.SMS, True),
}  # fmt: skip
_QUIET = (
    "sent_sms", "delivered_sms", "failed_to_deliver_sms", "clicked_sms", "opened_email", "clicked_email", "received_email",
    "bounced_email", "dropped_email", "subscribed_to_list", "unsubscribed_from_list", "received_automated_response_sms", "active_on_site",
)  # fmt: skip
_FLOW = "flow"


class Klaviyo(Dialect):
    """Consent changes and texts of Klaviyo."""

    kind = "klaviyo"
    about = About(
        title="Klaviyo", family="marketing", signature="Klaviyo-Signature: hex HMAC-SHA256 of body and Klaviyo-Timestamp, 300 s both ways",
        dedup="external_id of every entry", retries="unknown",
        setup=("POST /api/webhooks with endpoint_url = hook URL, a secret_key of 16 letters or more, topics of consent and received_sms.",),
        paste="the secret_key", notes=("A flow's webhook action is unsigned: give it a header; its fields are read like a form's.",),
        guessed=("Names of the consent topics; flow webhooks.",),
    )  # fmt: skip
    schemes = schemes.KLAVIYO
    shared = SHARED
    handled = frozenset({*(f"{_PREFIX}{name}" for name in (*_CONSENT, "received_sms")), _FLOW, "batch"})
    ignored = frozenset(f"{_PREFIX}{name}" for name in _QUIET)

    def verify(
        self, request: HookRequest, *, secrets: tuple[Secret, ...], options: SourceOptions, now: datetime
    ) -> Verified:
        """Prove the body; the webhook that the header names must be the one that the signed body names."""
        found = super().verify(request, secrets=secrets, options=options, now=now)
        named = request.header("klaviyo-webhook-id")
        if named and found.strength is Strength.VERIFIED:
            with suppress(PayloadMalformed):
                signed = text(dig(self.read(request), "meta", "klaviyo_webhook_id"))
                if signed and signed != named.strip():
                    raise SignatureInvalid(Reason.SIGNATURE_MISMATCH, "klaviyo-webhook-id")
        return found

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return the one topic, `batch` for several, `flow` for a body that the user shaped."""
        del request
        topics = {text(row.get("topic")) for row in objects(payload.get("data"))} - {""}
        return _FLOW if not topics else min(topics) if len(topics) == 1 else "batch"

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the external ids of all entries."""
        del request
        idents = [text(row.get("external_id")) for row in objects(payload.get("data"))]
        return "|".join(idents) if 0 < len(idents) <= 8 and all(idents) else ""

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return consent changes as such, a received text as an activity, a flow's body as a wish."""
        if delivery.event_type == _FLOW:
            draft = self.draft(fields_of(payload), payload, delivery, options)
            return wish(draft, _FLOW, key=delivery.dedup_key)
        inquiries: list[Inquiry] = []
        rest: list[Skipped] = []
        for row in objects(payload.get("data")):
            topic, ident = text(row.get("topic")), text(row.get("external_id")) or delivery.dedup_key
            if topic == "batch" or self.standing(topic) is not Reason.PROCESSED:
                rest.append(Skipped(event_type=topic, reason=self.standing(topic), key=ident))
                continue
            draft = self.draft(list(_fields(row)), row, delivery, options)
            profile = text(dig(row, "payload", "data", "relationships", "profile", "data", "id"))
            at = moment(dig(row, "payload", "data", "attributes", "datetime"))
            if topic == f"{_PREFIX}received_sms":
                said = text(dig(row, "payload", "data", "attributes", "event_properties", "Message Body"))
                inquiries.append(
                    draft.activity(ActivityKind.MESSAGE, key=ident, record_id=profile, occurred_at=at, said=said)
                )
                continue
            channel, opted_in = _CONSENT[topic.removeprefix(_PREFIX)]
            inquiries.append(
                PreferenceChange(
                    key=ident, record_id=profile, person=draft.person(), occurred_at=at, origins=draft.origins,
                    channel=channel, opted_in=opted_in, note=topic,
                )
            )  # fmt: skip
        return Normalized(inquiries=tuple(inquiries), skipped=tuple(rest))


def _fields(row: dict[str, Any]) -> Iterator[Field]:
    profile = next(
        (part for part in objects(dig(row, "payload", "included")) if text(part.get("type")) == "profile"), {}
    )
    for name, slot in (
        ("first_name", "given_name"),
        ("last_name", "surname"),
        ("email", "email"),
        ("phone_number", "phone"),
        ("organization", "company"),
    ):
        yield Field(f"included.profile.{name}", name, dig(profile, "attributes", name), slot)
    for name, slot in (
        ("address1", "street"),
        ("address2", "unit"),
        ("city", "city"),
        ("region", "state"),
        ("zip", "zip"),
        ("country", "country"),
    ):
        yield Field(f"included.profile.location.{name}", name, dig(profile, "attributes", "location", name), slot)
