"""Cal.com: bookings made, moved and cancelled; its form templates may come urlencoded."""

from collections.abc import Iterator
from typing import Any

from bridge.connectors import schemes
from bridge.connectors.base import About, Normalized, SourceOptions
from bridge.connectors.dialect import Dialect, wish
from bridge.connectors.extract import Field, fields_of
from bridge.connectors.payloads import ANY_FORM, JSON_TYPES, dig, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import BookingChange, ChangeKind
from bridge.domain.values import moment

_MADE = frozenset({"BOOKING_CREATED", "BOOKING_REQUESTED"})
_OFF = frozenset({"BOOKING_CANCELLED", "BOOKING_REJECTED"})
_KNOWN = {
    "name": "name", "email": "email", "attendeePhoneNumber": "phone", "smsReminderNumber": "phone", "notes": "message",
    "location": "meta", "guests": "answer", "title": "meta", "rescheduleReason": "meta",
}  # fmt: skip


_TEMPLATE = {
    **dict.fromkeys(("triggerEvent", "createdAt", "uid", "bookingId", "startTime", "endTime", "organizer", "rescheduleUid"), "meta"),
    "type": "service", "title": "service", "additionalNotes": "message",
}  # fmt: skip
"""Cal.com's own names in a payload that the integrator shaped, where every other one is the integrator's."""


class CalCom(Dialect):
    """Appointments made through Cal.com."""

    options_known = frozenset({"reschedule_uid"})
    kind = "cal-com"
    about = About(
        title="Cal.com", family="scheduler", signature="X-Cal-Signature-256: hex HMAC-SHA256 of the body",
        dedup="payload.uid with triggerEvent and createdAt", retries="newer versions: 3 tries, 30 s to 10 min",
        setup=("Settings › Developer › Webhooks › New: hook URL, a secret, events Booking Created, Rescheduled, Cancelled.",),
        paste="the secret you typed",
        notes=(
            "Without a secret the header says `no-secret-provided`: never believed.",
            "A reschedule names the earlier booking in rescheduleUid; `options.reschedule_uid: new` reads it the other way round.",
        ),
    )  # fmt: skip
    content_types = JSON_TYPES | ANY_FORM
    schemes = schemes.CAL_COM
    handled = _MADE | _OFF | {"BOOKING_RESCHEDULED", "FORM_SUBMITTED", "FORM_SUBMITTED_NO_EVENT"}
    ignored = frozenset(
        {
            "PING",
            "MEETING_STARTED",
            "MEETING_ENDED",
            "RECORDING_READY",
            "BOOKING_PAID",
            "BOOKING_PAYMENT_INITIATED",
            "BOOKING_NO_SHOW_UPDATED",
        }
        | {
            "INSTANT_MEETING",
            "OOO_CREATED",
            "RECORDING_TRANSCRIPTION_GENERATED",
            "AFTER_HOSTS_CAL_VIDEO_NO_SHOW",
            "AFTER_GUESTS_CAL_VIDEO_NO_SHOW",
        }
    )

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return `triggerEvent`."""
        del request
        return text(payload.get("triggerEvent"))

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the booking with the event and its time."""
        del request
        uid = text(_inner(payload).get("uid"))
        return "|".join((uid, text(payload.get("triggerEvent")), text(payload.get("createdAt")))) if uid else ""

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return a booking as a wish, its move and its end as changes."""
        inner, event = _inner(payload), delivery.event_type
        uid, at = text(inner.get("uid")), moment(payload.get("createdAt"))
        start = inner.get("startTime")
        fields = _fields(inner) if inner is not payload else fields_of(payload, slots=_TEMPLATE)
        draft = self.draft(list(fields), payload, delivery, options)
        if event in _MADE or event.startswith("FORM_"):
            channel = "form" if event.startswith("FORM_") else "scheduler"
            key = uid or text(inner.get("formResponseId") or inner.get("submissionId")) or delivery.dedup_key
            draft.starts(start, "payload.startTime")
            return wish(draft, event, key=key, record_id=uid, occurred_at=at, channel=channel)
        moved = event == "BOOKING_RESCHEDULED"
        other = text(inner.get("rescheduleUid"))
        original, new = (other or uid, uid) if options.options.get("reschedule_uid") != "new" else (uid, other or uid)
        if moved:
            draft.origins["new_start"] = "payload.startTime"
        change = BookingChange(
            key=f"{uid}|{event}|{text(payload.get('createdAt'))}", record_id=new if moved else uid, person=draft.person(),
            occurred_at=at, origins=draft.origins, refers_to=original if moved else uid,
            change=ChangeKind.RESCHEDULE if moved else ChangeKind.CANCEL,
            new_start=moment(start) if moved else None, message=draft.values.get("message", ""), answers=draft.told(),
            note=text(inner.get("cancellationReason") or inner.get("rejectionReason") or _moved_because(inner)),
        )  # fmt: skip
        return Normalized(inquiries=(change,))


def _moved_because(inner: dict[str, Any]) -> Any:
    return dig(inner, "responses", "rescheduleReason", "value")


def _inner(payload: dict[str, Any]) -> dict[str, Any]:
    inner = payload.get("payload")
    return inner if isinstance(inner, dict) else payload


def _fields(inner: dict[str, Any]) -> Iterator[Field]:
    responses = inner.get("responses") or inner.get("data")
    if not responses and "uid" not in inner:  # older routing forms put their answers side by side
        responses = {name: row for name, row in inner.items() if isinstance(row, dict) and "value" in row}
    for name, row in responses.items() if isinstance(responses, dict) else ():
        value = row.get("value") if isinstance(row, dict) else row
        value = (
            {"first": value.get("firstName"), "last": value.get("lastName")}
            if isinstance(value, dict) and "firstName" in value
            else value
        )
        label = text(row.get("label")) if isinstance(row, dict) else ""
        yield Field(
            f"payload.responses.{name}",
            label if label and not label.endswith("_name") else name,
            value,
            _KNOWN.get(name, ""),
        )
    for name, slot in (("name", "name"), ("email", "email"), ("phoneNumber", "phone")):
        yield Field(f"payload.attendees.0.{name}", name, dig(inner, "attendees", 0, name), slot)
    yield Field("payload.additionalNotes", "Message", inner.get("additionalNotes"), "message")
    yield Field("payload.type", "Service", inner.get("eventTitle") or inner.get("type"), "service")
    location = "" if (place := text(inner.get("location"))).startswith("integrations:") else place
    at_theirs = text(dig(responses, "location", "value", "value")) == "attendeeInPerson"
    yield Field("payload.location", "Location", location, "address" if location and at_theirs else "")
