"""Typeform: one event, answers by type, titles in the definition."""

from collections.abc import Iterator
from typing import Any

from bridge.connectors import payloads, schemes
from bridge.connectors.base import About, Normalized, SourceOptions
from bridge.connectors.dialect import Dialect, wish
from bridge.connectors.extract import Field
from bridge.connectors.payloads import dig, items, objects, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.values import moment


class Typeform(Dialect):
    """Form responses of Typeform."""

    kind = "typeform"
    about = About(
        title="Typeform", family="form",
        signature="Typeform-Signature: sha256=<base64 HMAC-SHA256 of the body>",
        dedup="event_id, else form_response.token",
        retries="404 and 410 disable at once; 429 and 503 for 10 h; others about 7 tries over 12 h",
        setup=("Open the form › Connect › Webhooks › Add a webhook.", "Paste the hook URL, then Edit › Secret and save.", "Switch it on."),
        paste="the secret you typed into the webhook",
        notes=("The header is only sent when a secret is set.", "Answers are awaited for 30 s."),
    )  # fmt: skip
    schemes = schemes.TYPEFORM
    handled = frozenset({"form_response"})
    ignored = frozenset({"form_response_partial"})

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return `event_type`."""
        del request
        return text(payload.get("event_type"))

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the event's id, which a retry repeats; test deliveries carry one too."""
        del request
        return text(payload.get("event_id")) or text(dig(payload, "form_response", "token"))

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return the response as one wish for service."""
        response = payload.get("form_response")
        response = response if isinstance(response, dict) else {}
        draft = self.draft(_fields(response), payload, delivery, options)
        token = text(response.get("token")) or delivery.dedup_key
        return wish(
            draft, delivery.event_type, key=token, record_id=token, occurred_at=moment(response.get("submitted_at"))
        )


def _fields(response: dict[str, Any]) -> Iterator[Field]:
    """Yield the hidden fields and the answers, each with the title of its question."""
    titles: dict[str, str] = {}
    for field in objects(dig(response, "definition", "fields")):
        for name in ("id", "ref"):
            titles.setdefault(text(field.get(name)), text(field.get("title")))
    hidden = response.get("hidden")
    for name, value in hidden.items() if isinstance(hidden, dict) else ():
        yield Field(f"form_response.hidden.{name}", name, value)
    for place, answer in enumerate(objects(response.get("answers"))):
        kind = text(answer.get("type"))
        ref, ident = text(dig(answer, "field", "ref")), text(dig(answer, "field", "id"))
        label = titles.get(ident) or titles.get(ref) or ref or kind
        field_type = text(dig(answer, "field", "type"))
        yield Field(
            f"form_response.answers.{place}",
            label,
            _value(answer, kind),
            kind=kind if kind in ("email", "phone_number") else field_type,
        )


def _value(answer: dict[str, Any], kind: str) -> Any:
    """Return an answer's value: it stands under the key its type names."""
    value = answer.get(kind)
    match kind:
        case "choice":
            return payloads.dig(value, "label") or payloads.dig(value, "other")
        case "choices":
            return [*items(payloads.dig(value, "labels")), *items(payloads.dig(value, "other"))]
        case "payment":
            return payloads.dig(value, "amount")
        case _:
            return value
