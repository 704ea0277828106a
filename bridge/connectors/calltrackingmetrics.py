"""CallTrackingMetrics: the activity as its API shows it; which moment of the call it is stands in the URL."""

from typing import Any

from bridge.connectors import schemes
from bridge.connectors.base import About, Normalized, SourceOptions
from bridge.connectors.dialect import Dialect, wish
from bridge.connectors.extract import Field
from bridge.connectors.payloads import ANY_FORM, JSON_TYPES, dig, objects, read_object, sub_path, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import ActivityKind
from bridge.domain.values import moment

_SLOTS = {
    "name": "name", "caller_name": "name", "cnam": "name", "caller_number": "phone", "caller_number_complete": "phone", "email": "email",
    "street": "street", "city": "city", "state": "state", "postal_code": "zip", "country": "country", "source": "campaign",
    "referrer": "referrer", "location": "landing_page", "last_location": "landing_page", "gclid": "gclid", "fbclid": "fbclid",
    "msclkid": "msclkid", "keyword": "utm_term", "campaign": "utm_campaign", "medium": "utm_medium",
}  # fmt: skip
_MOMENTS = {
    "start": "start",
    "ringing": "start",
    "answer": "answer",
    "end": "end",
    "complete": "end",
    "hangup": "end",
    "post-call": "end",
}


class CallTrackingMetrics(Dialect):
    """Calls, texts and forms tracked by CallTrackingMetrics."""

    options_known = frozenset({"calls"})
    kind = "calltrackingmetrics"
    about = About(
        title="CallTrackingMetrics", family="calls", signature="X-CTM-Signature: base64 HMAC-SHA1 of X-CTM-Time and body, 300 s both ways",
        dedup="sid or id, with the moment of the call", retries="unknown",
        setup=(
            "Flows › Triggers › New: run at the End of a call (append /end to the hook URL; /start for its beginning).",
            "Action: Webhook, POST, JSON, the whole activity.",
        ),
        paste="the account's secret key (API settings)",
        guessed=("The names in the body. One user reports unsigned deliveries: then `unsigned: true` with a URL token.",),
    )  # fmt: skip
    content_types = JSON_TYPES | ANY_FORM
    schemes = schemes.CALL_TRACKING_METRICS
    handled = frozenset({"end", "text", "form"})
    ignored = frozenset({"start", "answer"})

    def read(self, request: HookRequest) -> Any:
        """Return the activity; some triggers wrap it."""
        data = read_object(request)
        inner = data.get("call") or data.get("activity")
        return inner if isinstance(inner, dict) else data

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return the moment the URL names, else what the activity is."""
        for part in reversed(sub_path(request)):
            if found := _MOMENTS.get(part.lower()):
                return found
        if dig(payload, "form") or text(payload.get("direction")) == "form":
            return "form"
        if "message_body" in payload or text(payload.get("direction")).startswith("msg"):
            return "text"
        return "start" if text(payload.get("status")) in ("in progress", "ringing") else "end"

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the activity's id with its moment."""
        ident = text(payload.get("sid")) or text(payload.get("id"))
        return f"{self.event_of(payload, request)}|{ident}" if ident else ""

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return a form as a wish, calls and texts as activities."""
        fields = [Field(name, name, payload.get(name), slot) for name, slot in _SLOTS.items()]
        form = dig(payload, "form", "fields") or dig(payload, "form", "custom") or dig(payload, "form")
        for name, value in form.items() if isinstance(form, dict) else ():
            fields.append(Field(f"form.{name}", name, value))
        for row in objects(form) if isinstance(form, list) else ():
            label = text(row.get("label")) or text(row.get("name"))
            fields.append(Field(f"form.{label}", label, row.get("value")))
        fields.append(Field("message_body", "Message", payload.get("message_body"), "message"))
        draft = self.draft(fields, payload, delivery, options)
        ident = text(payload.get("sid")) or text(payload.get("id")) or delivery.dedup_key
        at = moment(payload.get("unix_time") or payload.get("called_at") or payload.get("start_time"))
        if delivery.event_type == "form" or options.options.get("calls") == "booking":
            channel = "form" if delivery.event_type == "form" else "call"
            return wish(draft, delivery.event_type, key=ident, record_id=ident, occurred_at=at, channel=channel)
        seconds = text(payload.get("talk_time")) or text(payload.get("duration"))
        kind = ActivityKind.MESSAGE if delivery.event_type == "text" else ActivityKind.CALL
        said = text(payload.get("message_body")) or text(payload.get("summary")) or text(payload.get("notes"))
        activity = draft.activity(
            kind, key=ident, record_id=ident, occurred_at=at, said=said, inbound="outbound" not in text(payload.get("direction")),
            duration_seconds=int(seconds) if seconds.isdigit() else None, recording_url=text(payload.get("audio")),
        )  # fmt: skip
        return Normalized(inquiries=(activity,))
