"""The webhooks the demo sends: what three senders would send, signed as they sign, and what each must come to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bridge.connectors import get_connector
from bridge.connectors.base import Secret, SourceOptions
from bridge.domain.delivery import HookRequest


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One request of a sender with the effect it must have: booking | joins | duplicate."""

    title: str
    source: str
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes
    expect: str
    customer: int | None = None
    """Whom it must be matched to, where it must be anybody."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """A customer whom the mirror holds."""

    customer: int
    name: str
    phone: str
    street: str
    city: str
    state: str
    zip: str


def samples(secrets: Mapping[str, str], *, run: str, now: int) -> list[Sample]:
    """Return the demo's requests; `run` makes their ids new, `now` is seconds since the epoch."""
    website = signed_website(
        secrets["website"],
        f"msg_{run}_1",
        now,
        {
            "type": "lead.created",
            "name": "Maria Lopez",
            "phone": "(512) 555-0142",
            "email": "maria.lopez@example.com",
            "address": {"street": "1200 Barton Springs Rd", "city": "Austin", "state": "TX", "zip": "78704"},
            "message": "The AC runs but does not cool. Two small children at home.",
            "service": "AC Repair",
            "utm_source": "google",
            "utm_campaign": "spring-tune-up",
            "gclid": "demo-click-1",
        },
    )
    return [
        Sample(title="Website form", source="website", headers=website[0], body=website[1], expect="booking"),
        Sample(
            title="the same request again", source="website", headers=website[0], body=website[1], expect="duplicate"
        ),
        _typeform(secrets["typeform"], f"tf_{run}_1", "Grace Okafor", "+15125550177", "grace@example.com", "booking"),
        _callrail(secrets["callrail"], f"cr_{run}_1"),
        _typeform(
            secrets["typeform"], f"tf_{run}_2", "Maria Lopez", "+15125550142", "maria.lopez@example.com", "joins"
        ),
    ]


def from_known(secret: str, known: Known, *, run: str, now: int) -> Sample:
    """Return the request of somebody whom ServiceTitan knows already."""
    headers, body = signed_website(
        secret,
        f"msg_{run}_0",
        now,
        {
            "name": known.name,
            "phone": known.phone,
            "address": {"street": known.street, "city": known.city, "state": known.state, "zip": known.zip},
            "message": "You serviced our furnace last fall. Time for the next visit.",
        },
    )
    return Sample(
        title="Website form, a known customer", source="website", headers=headers, body=body, expect="booking"
    )


def signed_website(secret: str, ident: str, now: int, payload: Mapping[str, Any]) -> tuple[dict[str, str], bytes]:
    """Return headers and body of a Standard Webhooks request."""
    body = json.dumps(payload).encode()
    return _signed("standard-webhooks", secret, body, now=now, ident={"webhook-id": ident}), body


def _signed(
    connector: str, secret: str, body: bytes, *, now: int = 0, ident: Mapping[str, str] | None = None
) -> dict[str, str]:
    headers = (("content-type", "application/json"), *(ident or {}).items())
    request = HookRequest(method="POST", url="", headers=headers, body=body)
    proved = get_connector(connector).prove(
        request, secret=Secret("current", secret), options=SourceOptions(), now=datetime.fromtimestamp(now, UTC)
    )
    return dict(proved.headers)


def _typeform(secret: str, ident: str, name: str, phone: str, email: str, expect: str) -> Sample:
    questions = [
        ("f1", "What is your name?", "short_text", {"type": "text", "text": name}),
        ("f2", "Phone number", "phone_number", {"type": "phone_number", "phone_number": phone}),
        ("f3", "Email", "email", {"type": "email", "email": email}),
        ("f4", "How can we help?", "long_text", {"type": "text", "text": "Please quote a new water heater."}),
        ("f5", "How old is your system?", "short_text", {"type": "text", "text": "about 12 years"}),
    ]
    body = json.dumps(
        {
            "event_id": ident,
            "event_type": "form_response",
            "form_response": {
                "form_id": "demoForm",
                "token": ident,
                "submitted_at": "2026-07-08T14:04:47Z",
                "hidden": {"utm_source": "newsletter"},
                "definition": {
                    "id": "demoForm",
                    "title": "Free estimate",
                    "fields": [
                        {"id": key, "title": title, "type": kind, "ref": key} for key, title, kind, _ in questions
                    ],
                },
                "answers": [
                    {**answer, "field": {"id": key, "type": kind, "ref": key}} for key, _, kind, answer in questions
                ],
            },
        }
    ).encode()
    headers = _signed("typeform", secret, body)
    return Sample(title=f"Typeform, {name}", source="typeform", headers=headers, body=body, expect=expect)


def _callrail(secret: str, ident: str) -> Sample:
    body = json.dumps(
        {
            "resource_id": ident,
            "form_data": {
                "Your Name": "Samuel Whitaker",
                "Phone": "512-555-0119",
                "Message": "Breaker trips whenever the dryer starts",
            },
            "form_url": "https://contractor.example.com/contact",
            "landing_page_url": "https://contractor.example.com/electrical",
            "source": "Google Ads",
            "utm_source": "google",
            "submitted_at": "2026-07-08T14:10:00Z",
        }
    ).encode()
    headers = _signed("callrail", secret, body)
    return Sample(
        title="CallRail form", source="callrail", path="/form-submission", headers=headers, body=body, expect="booking"
    )
