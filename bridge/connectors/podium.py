"""Podium: messages, calls and contacts in one envelope."""

from typing import Any

from bridge.connectors import schemes
from bridge.connectors.base import About, Normalized, SourceOptions
from bridge.connectors.dialect import Dialect, wish
from bridge.connectors.extract import Field
from bridge.connectors.payloads import dig, objects, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import ActivityKind
from bridge.domain.values import moment


class Podium(Dialect):
    """Messages, calls and contacts of Podium."""

    options_known = frozenset({"messages"})
    kind = "podium"
    about = About(
        title="Podium", family="calls", signature="podium-signature: HMAC-SHA256 of podium-timestamp.body, 300 s both ways",
        dedup="the record's uid with event type and time, else the body's hash",
        retries="about 15 over 8 h, deliveries paused meanwhile, then disabled",
        setup=("Create the webhook through Podium's API with a `secret`; events message.received, contact.created, contact.updated.",),
        paste="the `secret` you gave", notes=("`options.messages: booking` makes wishes of messages.",),
        guessed=("The signature is hex; some say base64, so both are read.",),
    )  # fmt: skip
    schemes = schemes.PODIUM
    handled = frozenset(
        {
            "message.received",
            "call.completed",
            "call.missed",
            "call.voicemail",
            "contact.created",
            "contact.updated",
            "contact.deleted",
        }
    )
    ignored = frozenset(
        {
            "message.sent",
            "message.failed",
            "message.delivered",
            "review.created",
            "review.updated",
            "review.response_created",
        }
        | {
            "review_invite.created",
            "payment.created",
            "conversation.assigned",
            "conversation.updated",
            "call.started",
            "contact.merged",
        }
    )

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return `metadata.eventType`."""
        del request
        return text(dig(payload, "metadata", "eventType"))

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the event's own uid where there is one, else the record with its time."""
        if uid := text(dig(payload, "metadata", "eventUid")):
            return uid
        ident, at = (
            text(dig(payload, "data", "uid")),
            text(dig(payload, "data", "updatedAt")) or text(dig(payload, "data", "createdAt")),
        )
        return f"{self.event_of(payload, request)}|{ident}|{at}" if ident else ""

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return messages and calls as activities, contacts as updates."""
        data = payload.get("data")
        data = data if isinstance(data, dict) else {}
        person = data.get("contact") if isinstance(data.get("contact"), dict) else data
        fields = [
            Field("data.contact.name", "name", dig(person, "name") or dig(person, "contactName"), "name"),
            *(
                Field(f"data.contact.{name}", name, dig(person, name), slot)
                for name, slot in (
                    ("phoneNumber", "phone"),
                    ("from", "phone"),
                    ("phoneNumbers", "phone"),
                    ("email", "email"),
                    ("emails", "email"),
                    ("address", "address"),
                )
            ),
            Field("data.body", "Message", data.get("body"), "message"),
        ]
        channel = dig(data, "conversation", "channel")
        if not isinstance(channel, str):
            fields.append(Field("data.conversation.channel.identifier", "phone", dig(channel, "identifier"), "phone"))
        draft = self.draft(fields, payload, delivery, options)
        uid = text(data.get("uid"))
        at = moment(data.get("updatedAt") or data.get("createdAt"))
        key = uid or delivery.dedup_key
        kind, _, what = delivery.event_type.partition(".")
        if kind == "contact":
            version = text(data.get("updatedAt")) or delivery.dedup_key
            update = draft.contact_update(
                key=f"{key}|{version}", record_id=uid, version=version, occurred_at=at,
                is_new=what == "created", is_deleted=what == "deleted",
                fields={name: value for name, value in data.items() if isinstance(value, str | int | bool)},
                tags_added=[text(tag.get("label") or tag.get("name")) for tag in objects(data.get("tags"))],
            )  # fmt: skip
            return Normalized(inquiries=(update,))
        if kind == "message" and options.options.get("messages") == "booking":
            return wish(draft, delivery.event_type, key=key, record_id=uid, occurred_at=at, channel="message")
        activity = ActivityKind.MESSAGE if kind == "message" else ActivityKind.CALL
        said = "" if kind == "message" else f"Call {what}"
        return Normalized(inquiries=(draft.activity(activity, key=key, record_id=uid, occurred_at=at, said=said),))
