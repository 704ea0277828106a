"""ActiveCampaign: urlencoded with bracket keys; unsigned, never redelivered."""

from collections.abc import Iterator
from typing import Any

from bridge.connectors.base import About, Normalized, SourceOptions
from bridge.connectors.dialect import SHARED, Dialect
from bridge.connectors.extract import Field
from bridge.connectors.payloads import ANY_FORM, JSON_TYPES, dig, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import Channel, PreferenceChange
from bridge.domain.values import moment

_TAGS = {"contact_tag_added": "tags_added", "contact_tag_removed": "tags_removed"}


class ActiveCampaign(Dialect):
    """Contacts of ActiveCampaign."""

    kind = "activecampaign"
    about = About(
        title="ActiveCampaign", family="marketing", signature="none; a token in the URL",
        dedup="type, contact[id] and date_time", retries="none; 410 deactivates",
        setup=(
            "Settings › Developer › Manage Webhooks › Add: hook URL with `?token=<token>`.",
            "Events: Subscribes, Unsubscribes, Contact updated, Tag added.",
        ),
        paste="the token of the URL", notes=("Bulk imports send nothing.",),
    )  # fmt: skip
    content_types = ANY_FORM | JSON_TYPES
    shared = SHARED
    handled = frozenset({"subscribe", "unsubscribe", "update", "contact_add", *_TAGS})
    ignored = frozenset(
        {
            "open",
            "click",
            "sent",
            "reply",
            "bounce",
            "forward",
            "share",
            "contact_task_add",
            "deal_add",
            "deal_update",
            "deal_note_add",
        }
        | {
            "deal_task_add",
            "deal_task_complete",
            "deal_pipeline_add",
            "deal_stage_add",
            "list_add",
            "subscriber_note",
            "sms_sent",
            "sms_reply",
        }
        | {"contact_task_complete", "contact_note", "account_add", "account_update", "event"}
    )

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return `type`."""
        del request
        return text(payload.get("type"))

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the event with the contact and its time."""
        del request
        parts = (text(payload.get("type")), text(dig(payload, "contact", "id")), text(payload.get("date_time")))
        tag = text(payload.get("tag"))
        return "|".join(filter(None, (*parts, tag))) if all(parts) else ""

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return a contact's update, or its opt-out of e-mail."""
        contact = payload.get("contact")
        contact = contact if isinstance(contact, dict) else {}
        draft = self.draft(list(_fields(contact)), payload, delivery, options)
        ident, stamp = text(contact.get("id")), text(payload.get("date_time"))
        at, key = moment(stamp), delivery.dedup_key
        if delivery.event_type == "unsubscribe":
            change = PreferenceChange(
                key=key, record_id=ident, person=draft.person(), occurred_at=at, origins=draft.origins, channel=Channel.EMAIL,
                opted_in=False, note=text(dig(payload, "unsubscribe", "reason")) or "unsubscribed",
            )  # fmt: skip
            return Normalized(inquiries=(change,))
        custom = contact.get("fields")
        fields = {f"field.{name}": value for name, value in custom.items()} if isinstance(custom, dict) else {}
        tag = text(payload.get("tag"))
        tags = [tag] if tag else text(contact.get("tags")).split(",") if delivery.event_type not in _TAGS else []
        added = tags if delivery.event_type != "contact_tag_removed" else []
        removed = tags if delivery.event_type == "contact_tag_removed" else []
        update = draft.contact_update(
            key=key, record_id=ident, version=stamp or key, occurred_at=at, fields=fields, tags_added=[tag.strip() for tag in added],
            tags_removed=removed, is_new=delivery.event_type == "contact_add",
        )  # fmt: skip
        return Normalized(inquiries=(update,))


def _fields(contact: dict[str, Any]) -> Iterator[Field]:
    for name, slot in (
        ("first_name", "given_name"), ("last_name", "surname"), ("email", "email"), ("phone", "phone"),
        ("orgname", "company"), ("customer_acct_name", "company"),
    ):  # fmt: skip
        yield Field(f"contact.{name}", name, contact.get(name), slot)
