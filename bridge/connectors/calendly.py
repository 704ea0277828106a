"""Calendly: invitees created and canceled; a reschedule is both, the new invitee naming the old one."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from bridge.connectors import schemes
from bridge.connectors.base import About, Fetch, Normalized, SourceOptions
from bridge.connectors.dialect import Dialect, fetched_json, skipped, wish
from bridge.connectors.extract import Field
from bridge.connectors.payloads import dig, objects, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import BookingChange, ChangeKind
from bridge.domain.reasons import Reason
from bridge.domain.values import moment

_CREATED, _CANCELED, _ROUTED = "invitee.created", "invitee.canceled", "routing_form_submission.created"
_MEETING = "scheduled_event"
_START = "payload.scheduled_event.start_time"


class Calendly(Dialect):
    """Appointments made through Calendly."""

    kind = "calendly"
    about = About(
        title="Calendly", family="scheduler", signature="Calendly-Webhook-Signature: t=,v1=<hex HMAC-SHA256 of t.body>, 300 s both ways",
        dedup="payload.uri with the event", retries="for 24 h, then disabled",
        hydration="with a `hydrate:` token: GET the scheduled event, where it is not embedded",
        setup=(
            "POST https://api.calendly.com/webhook_subscriptions with url = hook URL, events invitee.created and invitee.canceled,",
            "scope organization, and a `signing_key` of your own.",
        ),
        paste="the signing key", guessed=("no-show and routing form events; the retry schedule.",),
    )  # fmt: skip
    schemes = schemes.CALENDLY
    handled = frozenset({_CREATED, _CANCELED, _ROUTED})
    ignored = frozenset({"invitee_no_show.created", "invitee_no_show.deleted"})
    hosts = frozenset({"api.calendly.com"})

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return `event`."""
        del request
        return text(payload.get("event"))

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the invitee with the event."""
        del request
        uri = text(dig(payload, "payload", "uri"))
        return f"{uri}|{text(payload.get('event'))}" if uri else ""

    def fetches(self, delivery: Delivery, *, options: SourceOptions) -> tuple[Fetch, ...]:
        """Describe the scheduled event, where only its address is sent."""
        payload = self.read(delivery.request)
        url = text(dig(payload, "payload", "event"))
        embedded = dig(payload, "payload", "scheduled_event", "start_time")
        if (
            options.hydrate is None
            or embedded
            or urlsplit(url).hostname not in self.hosts
            or delivery.event_type != _CREATED
        ):
            return ()
        return (Fetch(name=_MEETING, url=url, auth=options.hydrate.auth),)

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return a new invitee as a wish, a rebooked one as a reschedule, a canceled one as a cancel."""
        inner = payload.get("payload")
        inner = inner if isinstance(inner, dict) else {}
        uri = text(inner.get("uri"))
        key = f"{uri}|{delivery.event_type}" if uri else delivery.dedup_key
        at = moment(payload.get("created_at"))
        answer = fetched_json(delivery, _MEETING)
        meeting = dig(answer[1], "resource") if answer and answer[0] == 200 else None
        start = moment(dig(inner, "scheduled_event", "start_time") or dig(meeting, "start_time"))
        draft = self.draft(list(_fields(inner)), payload, delivery, options)
        old = text(inner.get("old_invitee"))
        if delivery.event_type == _CANCELED:
            if inner.get("rescheduled") is True or inner.get("new_invitee"):
                return skipped(delivery.event_type, Reason.EVENT_IGNORED, key)
            change, note, refers = ChangeKind.CANCEL, text(dig(inner, "cancellation", "reason")), uri
            start = None
        elif old:
            change, note, refers = ChangeKind.RESCHEDULE, "", old
        else:
            kind = text(dig(inner, "scheduled_event", "name") or dig(meeting, "name"))
            if kind and not draft.values.get("service"):
                draft.put("service", kind, "payload.scheduled_event.name")
            draft.starts(start, _START)
            return wish(draft, delivery.event_type, key=key, record_id=uri, occurred_at=at, channel="scheduler")
        if start:
            draft.origins["new_start"] = _START
        said = BookingChange(
            key=key, record_id=uri, person=draft.person(), occurred_at=at, origins=draft.origins, change=change, refers_to=refers,
            new_start=start, note=note, message=draft.values.get("message", ""), answers=draft.told(),
        )  # fmt: skip
        return Normalized(inquiries=(said,))


def _fields(inner: dict[str, Any]) -> Iterator[Field]:
    for name, slot in (
        ("name", "name"), ("first_name", "given_name"), ("last_name", "surname"), ("email", "email"),
        ("text_reminder_number", "phone"),
    ):  # fmt: skip
        yield Field(f"payload.{name}", name, inner.get(name), slot)
    tracking = inner.get("tracking")
    for name, value in tracking.items() if isinstance(tracking, dict) else ():
        yield Field(f"payload.tracking.{name}", name, value, "" if name != "salesforce_uuid" else "meta")
    for place, row in enumerate(objects(inner.get("questions_and_answers"))):
        yield Field(f"payload.questions_and_answers.{place}", text(row.get("question")), row.get("answer"))
    location = dig(inner, "scheduled_event", "location", "location")
    yield Field("payload.scheduled_event.location", "Location", location)
