"""Twilio: texts (STOP among them) and calls; the signature covers the public URL and the sorted form."""

from typing import Any

import msgspec

from bridge.connectors import schemes
from bridge.connectors.base import About, Identity, Normalized, Reply, Skipped, SourceOptions
from bridge.connectors.dialect import Dialect, skipped, wish
from bridge.connectors.extract import Field
from bridge.connectors.payloads import FORM, JSON_TYPES, objects, read, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import ActivityKind, Channel, Inquiry, PreferenceChange
from bridge.domain.reasons import Reason
from bridge.domain.values import moment

_STOP = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT", "ALTO", "BAJA"})
_START = frozenset({"START", "YES", "UNSTOP", "OPTIN"})
_ENDED = frozenset({"call.completed", "call.no-answer", "call.busy", "call.failed", "call.canceled"})
_RUNNING = frozenset({"call.queued", "call.initiated", "call.ringing", "call.in-progress"})
_STATUS = frozenset(
    f"message.{status}"
    for status in ("accepted", "queued", "sending", "sent", "delivered", "undelivered", "failed", "read", "scheduled")
)


_EVENTS = "events"
"""Where the list of an Event Stream stands."""
_STREAMED = "com.twilio.messaging.inbound-message.received"


class Twilio(Dialect):
    """Calls and text messages of Twilio numbers."""

    options_known = frozenset({"texts", "twiml"})
    kind = "twilio"
    about = About(
        title="Twilio", family="calls", signature="X-Twilio-Signature: base64 HMAC-SHA1 of public URL and sorted form; JSON by bodySHA256",
        dedup="MessageSid; CallSid with CallStatus", retries="one more try, by the fallback URL", answer="200 TwiML <Response/>",
        setup=(
            "Phone number › Messaging › A message comes in: Webhook, hook URL, HTTP POST.",
            "Phone number › Voice › Call status changes: the hook URL (not A call comes in: an empty answer would hang up).",
        ),
        paste="the account's auth token",
        notes=(
            "`STOP` and its kin, and Twilio's own OptOutType, become an opt-out.", "`options.texts: booking` makes wishes of texts.",
            "Event Streams: a webhook sink with the hook URL; texts that come in are read, its other events are shown as unsupported.",
        ),
        guessed=("The retry behaviour.",),
    )  # fmt: skip
    content_types = JSON_TYPES | {FORM}
    methods = frozenset({"POST", "GET"})
    schemes = schemes.TWILIO
    handled = _ENDED | {"message.received", _STREAMED, "batch"}
    ignored = _RUNNING | _STATUS | {"recording.completed", "recording.in-progress", "recording.absent"}

    def read(self, request: HookRequest) -> Any:
        """Return the parameters; of a repeated one the first. Event Streams post a JSON list."""
        data = read(request)
        return data if isinstance(data, dict) else {_EVENTS: objects(data)}

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return what happened: message.received, message.<status>, call.<status>."""
        del request
        if _EVENTS in payload:
            kinds = {text(event.get("type")) for event in payload[_EVENTS]}
            return min(kinds) if len(kinds) == 1 else "batch" if kinds else "unknown"
        if payload.get("RecordingSid"):
            return f"recording.{_one(payload, 'RecordingStatus') or 'completed'}"
        if _sid(payload).startswith(("SM", "MM")) or "MessageSid" in payload or "SmsSid" in payload:
            status = _one(payload, "MessageStatus") or _one(payload, "SmsStatus") or "received"
            return f"message.{'received' if status in ('received', 'receiving') else status}"
        if status := _one(payload, "CallStatus"):
            return f"call.{status}"
        return "call.in-progress" if "CallSid" in payload else "unknown"

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the message's or call's id with what happened to it."""
        if _EVENTS in payload:
            idents = [text(event.get("id")) for event in payload[_EVENTS]]
            return "|".join(idents) if len(idents) <= 5 and all(idents) else ""
        sid = _sid(payload)
        return f"{sid}|{self.event_of(payload, request)}" if sid else ""

    def reply(self, identity: Identity, *, redelivered: bool, options: SourceOptions) -> Reply:
        """Return empty TwiML, or for calls the TwiML of the config: an empty one ends a call that just comes in."""
        del redelivered
        twiml = text(options.options.get("twiml")) if identity.event_type.startswith("call.") else ""
        return Reply(body=(twiml or "<Response/>").encode(), media_type="text/xml")

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return a text as an activity or an opt-out, an ended call as an activity; of Event Streams the texts that came in."""
        if _EVENTS not in payload:
            return self._one(payload, delivery, options)
        inquiries: list[Inquiry] = []
        rest: list[Skipped] = []
        for event in payload[_EVENTS]:
            kind, ident = text(event.get("type")), text(event.get("id"))
            if kind == "batch" or self.standing(kind) is not Reason.PROCESSED:
                rest.append(Skipped(event_type=kind, reason=self.standing(kind), key=ident))
                continue
            one = msgspec.structs.replace(
                delivery, event_type="message.received", dedup_key=ident or delivery.dedup_key
            )
            found = self._one(_parameters(event), one, options)
            inquiries += found.inquiries
            rest += found.skipped
        return Normalized(inquiries=tuple(inquiries), skipped=tuple(rest))

    def _one(self, payload: dict[str, Any], delivery: Delivery, options: SourceOptions) -> Normalized:
        inbound = not _one(payload, "Direction").startswith("outbound")
        side, sid = ("From" if inbound else "To"), _sid(payload) or delivery.dedup_key
        fields = [
            Field(side, side, _one(payload, side), "phone"),
            Field("CallerName", "Name", _one(payload, "CallerName") or _one(payload, "ProfileName"), "name"),
        ]
        for part, slot in (("City", "city"), ("State", "state"), ("Zip", "zip"), ("Country", "country")):
            fields.append(Field(side + part, part, _one(payload, side + part), slot))
        if "{" in (number := _one(payload, side)) or number.lower() in ("anonymous", "+266696687", "restricted"):
            fields = fields[1:]
        body = _one(payload, "Body")
        fields.append(Field("Body", "Message", body, "message"))
        draft = self.draft(fields, payload, delivery, options)
        at = moment(_one(payload, "Timestamp"))
        if delivery.event_type != "message.received":
            seconds = _one(payload, "CallDuration") or _one(payload, "Duration")
            call = draft.activity(
                ActivityKind.CALL, key=sid, record_id=sid, occurred_at=at, inbound=inbound,
                said="" if delivery.event_type == "call.completed" else f"Call {delivery.event_type.removeprefix('call.')}",
                duration_seconds=int(seconds) if seconds.isdigit() else None, recording_url=_one(payload, "RecordingUrl"),
            )  # fmt: skip
            return Normalized(inquiries=(call,))
        word = _one(payload, "OptOutType").upper() or body.strip(" .!\"'").upper()
        if word in _STOP | _START and (word != "YES" or payload.get("OptOutType")):
            change = PreferenceChange(
                key=sid, record_id=sid, person=draft.person(), occurred_at=at, origins=draft.origins,
                channel=Channel.SMS, opted_in=word in _START, note=f"texted {word}",
            )  # fmt: skip
            return Normalized(inquiries=(change,))
        if word == "HELP" and payload.get("OptOutType"):
            return skipped(delivery.event_type, Reason.EVENT_IGNORED, sid)
        for place in range(min(10, int(_one(payload, "NumMedia") or 0) if _one(payload, "NumMedia").isdigit() else 0)):
            draft.answer("Picture", _one(payload, f"MediaUrl{place}"), f"MediaUrl{place}")
        if options.options.get("texts") == "booking":
            return wish(draft, delivery.event_type, key=sid, record_id=sid, occurred_at=at, channel="message")
        return Normalized(inquiries=(draft.activity(ActivityKind.MESSAGE, key=sid, record_id=sid, occurred_at=at),))


def _one(payload: dict[str, Any], name: str) -> str:
    value = payload.get(name)
    return text(value[0]) if isinstance(value, list) and value else text(value)


def _parameters(event: dict[str, Any]) -> dict[str, Any]:
    """Return a streamed text under the names that its webhook has; a stream writes them small and may omit some."""
    data = event.get("data")
    known = {name.lower(): value for name, value in data.items()} if isinstance(data, dict) else {}
    names = (
        "MessageSid",
        "From",
        "To",
        "Body",
        "NumMedia",
        "FromCity",
        "FromState",
        "FromZip",
        "FromCountry",
        "OptOutType",
    )
    told = {name: known[name.lower()] for name in names if known.get(name.lower()) is not None}
    return told | {"Timestamp": known.get("timestamp") or event.get("time")}


def _sid(payload: dict[str, Any]) -> str:
    return next(
        (
            found
            for name in ("MessageSid", "SmsMessageSid", "SmsSid", "CallSid", "Sid")
            if (found := _one(payload, name))
        ),
        "",
    )
