"""WhatConverts: leads of every kind (calls, forms, chats) with their attribution, told new and on every update."""

from collections.abc import Iterator
from typing import Any

from bridge.connectors.base import About, Normalized, SourceOptions
from bridge.connectors.dialect import SHARED, Dialect, skipped, wish
from bridge.connectors.extract import Field
from bridge.connectors.payloads import dig, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import ActivityKind
from bridge.domain.reasons import Reason
from bridge.domain.values import moment

_SLOTS = {
    "contact_name": "name", "contact_company_name": "company", "contact_phone_number": "phone", "phone_number": "phone",
    "caller_number": "phone", "caller_name": "name", "contact_email_address": "email", "email_address": "email",
    "address": "street", "city": "city", "state": "state", "zip": "zip", "country": "country",
    "lead_source": "utm_source", "lead_medium": "utm_medium", "lead_campaign": "utm_campaign", "lead_content": "utm_content",
    "lead_keyword": "utm_term", "gclid": "gclid", "msclkid": "msclkid", "facebook_click_id": "fbclid", "fbclid": "fbclid",
    "landing_url": "landing_page", "referring_url": "referrer", "tracking_number": "campaign",
}  # fmt: skip
_FLAG = frozenset({"true", "yes", "1", "spam"})


class WhatConverts(Dialect):
    """Leads tracked by WhatConverts."""

    options_known = frozenset({"calls"})
    kind = "whatconverts"
    about = About(
        title="WhatConverts", family="calls", signature="not confirmed; a token in the URL or header",
        dedup="lead_id with trigger and last_updated", retries="unknown",
        setup=("Profile › Integrations › Webhooks › Add: hook URL with `?token=<token>`, triggers New Lead and Lead Updated.",),
        paste="the token of the URL",
        notes=(
            "Calls are activities unless `options.calls: booking`; forms and chats are wishes.",
            "Spam is ignored. An update is the same inquiry and makes no second booking.",
        ),
        guessed=("Whether a signature is sent.",),
    )  # fmt: skip
    shared = SHARED
    handled = frozenset({"new", "update"})
    ignored = frozenset({"delete"})

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return the trigger."""
        del request
        return text(payload.get("trigger")) or ("new" if "lead_id" in payload else "unknown")

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the lead with its trigger and the time of its last change."""
        del request
        ident = text(payload.get("lead_id"))
        return "|".join((ident, text(payload.get("trigger")), text(payload.get("last_updated")))) if ident else ""

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return a call as an activity, anything else as a wish."""
        ident = text(payload.get("lead_id")) or delivery.dedup_key
        if text(payload.get("spam")).lower() in _FLAG:
            return skipped(delivery.event_type, Reason.EVENT_IGNORED, ident)
        draft = self.draft(list(_fields(payload)), payload, delivery, options)
        at = moment(payload.get("date_created"))
        kind = text(payload.get("lead_type")).lower()
        if "call" in kind and options.options.get("calls") != "booking":
            seconds = text(payload.get("call_duration_seconds"))
            call = draft.activity(
                ActivityKind.CALL, key=ident, record_id=ident, occurred_at=at,
                duration_seconds=int(seconds) if seconds.isdigit() else None, recording_url=text(payload.get("recording")),
            )  # fmt: skip
            return Normalized(inquiries=(call,))
        channel = "call" if "call" in kind else "message" if kind in ("chat", "text message", "email") else "form"
        return wish(draft, delivery.event_type, key=ident, record_id=ident, occurred_at=at, channel=channel)


def _fields(payload: dict[str, Any]) -> Iterator[Field]:
    for name, slot in _SLOTS.items():
        yield Field(name, name, payload.get(name), slot)
    mapped = payload.get("field_mappings") or payload.get("additional_fields")
    for name, value in mapped.items() if isinstance(mapped, dict) else ():
        yield Field(f"field_mappings.{name}", name, value)
    yield Field("notes", "Message", payload.get("notes"), "message")
    yield Field("lead_analysis.Lead Summary", "Lead summary", dig(payload, "lead_analysis", "Lead Summary"))
    yield Field("lead_type", "Lead type", payload.get("lead_type"))
