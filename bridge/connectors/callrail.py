"""CallRail: calls, texts and forms, one URL per event type; never redelivered."""

from typing import Any

from bridge.connectors import schemes
from bridge.connectors.base import About, Normalized, SourceOptions
from bridge.connectors.dialect import Dialect, body_hash, wish
from bridge.connectors.extract import Field, fields_of
from bridge.connectors.payloads import sub_path, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import ActivityKind
from bridge.domain.values import moment

_EVENTS = {
    "pre-call": "pre_call", "precall": "pre_call", "call-routing-complete": "call_routing_complete",
    "routing-complete": "call_routing_complete", "routing": "call_routing_complete", "call-routing": "call_routing_complete", "post-call": "post_call", "postcall": "post_call",
    "call-modified": "call_modified", "outbound-post-call": "outbound_post_call",
    "outbound-call-modified": "outbound_call_modified", "text-received": "text_received", "text-message-received": "text_received",
    "text-sent": "text_sent", "text-message-sent": "text_sent", "form-submission": "form_submission", "form": "form_submission",
    "convert-assist-complete": "convert_assist_complete", "convert-assist": "convert_assist_complete",
}  # fmt: skip
"""The last part of the hook URL, as our page tells people to write it, and what it means."""

_CALL_SLOTS = {
    "customer_name": "name", "customer_phone_number": "phone", "customer_email": "email", "callernum": "phone", "callername": "name",
    "customer_city": "city", "customer_state": "state", "customer_country": "country", "landing_page_url": "landing_page",
    "landing_page": "landing_page", "referrer": "referrer", "utm_source": "utm_source", "utm_medium": "utm_medium",
    "utm_campaign": "utm_campaign", "utm_term": "utm_term", "utm_content": "utm_content", "gclid": "gclid", "msclkid": "msclkid",
    "fbclid": "fbclid", "campaign": "campaign", "source_name": "campaign", "ga": "ga_client_id", "utma": "meta",
}  # fmt: skip


class CallRail(Dialect):
    """Calls, text messages and form submissions tracked by CallRail."""

    options_known = frozenset({"calls", "texts"})
    kind = "callrail"
    about = About(
        title="CallRail", family="calls",
        signature="Signature: <base64 HMAC-SHA1 of the body>",
        dedup="resource_id or id, with the event type (and for changes the timestamp)",
        retries="none; repeated failures disable the hook",
        answer="always 2xx once believed",
        setup=(
            "Settings › Integrations › Webhooks.",
            "Paste the hook URL with the event appended: …/post-call, …/text-received, …/form-submission, …/call-modified.",
            "Copy the signing key of the company from the same page.",
        ),
        paste="the company's signing key",
        notes=("`options.calls: booking` makes a booking of every first answered call; by default a call is an activity.",),
    )  # fmt: skip
    schemes = schemes.CALLRAIL
    handled = frozenset(
        {
            "post_call",
            "outbound_post_call",
            "text_received",
            "form_submission",
            "call_modified",
            "outbound_call_modified",
        }
    )
    ignored = frozenset({"pre_call", "call_routing_complete", "text_sent", "convert_assist_complete"})

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return the event the URL names, else what the shape of the payload tells."""
        for part in reversed(sub_path(request)):
            if found := _EVENTS.get(part.lower().replace("_", "-")):
                return found
        if "form_data" in payload or "form_url" in payload:
            return "form_submission"
        if "content" in payload and ("source_number" in payload or "conversation_id" in payload):
            return "text_sent" if text(payload.get("direction")) == "outbound" else "text_received"
        outbound = text(payload.get("direction")) == "outbound"
        if payload.get("changes"):
            return "outbound_call_modified" if outbound else "call_modified"
        if "duration" in payload or "answered" in payload or "call_type" in payload:
            return "outbound_post_call" if outbound else "post_call"
        return "pre_call" if "customer_phone_number" in payload or "callernum" in payload else "unknown"

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the record's id with the event: a call is told before, after and on every change of it."""
        event, ident = self.event_of(payload, request), text(payload.get("resource_id")) or text(payload.get("id"))
        if not ident:
            return ""
        version = ""
        if event.endswith("_modified"):  # every change of a call is news, and none is sent twice
            version = text(payload.get("timestamp")) or body_hash(request)
        return "|".join(filter(None, (event, ident, version)))

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return a form as a wish, a call or text as an activity (or a wish where the config wants it)."""
        ident = text(payload.get("resource_id")) or text(payload.get("id")) or delivery.dedup_key
        at = moment(
            payload.get("start_time")
            or payload.get("timestamp")
            or payload.get("submitted_at")
            or payload.get("created_at"),
            time_zone=text(payload.get("company_time_zone")) or options.time_zone,
        )
        match delivery.event_type:
            case "form_submission":
                fields = [*fields_of(payload.get("form_data") or {}, path="form_data"), *_known(payload)]
                draft = self.draft(fields, payload, delivery, options)
                return wish(draft, delivery.event_type, key=ident, record_id=ident, occurred_at=at)
            case "text_received":
                fields = [
                    Field(
                        "source_number",
                        "Phone",
                        payload.get("source_number") or payload.get("customer_phone_number"),
                        "phone",
                    ),
                    Field("customer_name", "Name", payload.get("customer_name"), "name"),
                    Field("content", "Message", payload.get("content"), "message"),
                ]
                draft = self.draft(fields, payload, delivery, options)
                if options.options.get("texts") == "booking":
                    return wish(
                        draft, delivery.event_type, key=ident, record_id=ident, occurred_at=at, channel="message"
                    )
                message = draft.activity(ActivityKind.MESSAGE, key=ident, record_id=ident, occurred_at=at)
                return Normalized(inquiries=(message,))
            case event:
                return self._call(payload, delivery, options, ident=ident, event=event, at=at)

    def _call(
        self, payload: dict[str, Any], delivery: Delivery, options: SourceOptions, *, ident: str, event: str, at: Any
    ) -> Normalized:
        draft = self.draft(_known(payload), payload, delivery, options)
        inbound = not event.startswith("outbound")
        wanted = (
            options.options.get("calls") == "booking" and event == "post_call" and payload.get("answered") is not False
        )
        said = text(payload.get("call_summary")) or text(payload.get("note")) or text(payload.get("transcription"))
        if wanted:
            draft.put("message", said, "call_summary")
            return wish(draft, event, key=ident, record_id=ident, occurred_at=at, channel="call")
        seconds = text(payload.get("duration"))
        key = (
            ident
            if not event.endswith("_modified")
            else f"{ident}|{text(payload.get('timestamp')) or delivery.dedup_key}"
        )
        call = draft.activity(
            ActivityKind.CALL, key=key, record_id=ident, occurred_at=at, said=said, inbound=inbound,
            duration_seconds=int(seconds) if seconds.isdigit() else None,
            recording_url=text(payload.get("recording_player")) or text(payload.get("recording")),
        )  # fmt: skip
        return Normalized(inquiries=(call,))


def _known(payload: dict[str, Any]) -> list[Field]:
    """Return the fields of a call that are worth keeping, by the names CallRail gives them."""
    found = [Field(name, name, payload.get(name), slot) for name, slot in _CALL_SLOTS.items() if payload.get(name)]
    return [*found, *(Field(name, name, payload[name], slot) for name, slot in _UNTAGGED if payload.get(name))]


_UNTAGGED = (("keywords", "utm_term"), ("medium", "utm_medium"), ("source", "utm_source"))
"""What CallRail found out itself where the page's address held no utm parameters: these come after those."""
