"""Tally: fields by type; choices come as ids of options that the same payload names."""

from collections.abc import Iterator
from typing import Any

from bridge.connectors import schemes
from bridge.connectors.base import About, SourceOptions
from bridge.connectors.extract import Field
from bridge.connectors.forms import FormSender, Submission
from bridge.connectors.payloads import dig, items, objects, text
from bridge.domain.delivery import HookRequest


class Tally(FormSender):
    """Form responses of Tally."""

    kind = "tally"
    about = About(
        title="Tally", family="form", signature="Tally-Signature: base64 HMAC-SHA256 of the body",
        dedup="eventId", retries="after 5 min, 30 min, 1 h, 6 h, 1 day",
        setup=("Open the form › Integrations › Webhooks › Connect.", "Paste the hook URL, click Add signing secret, copy it."),
        paste="the signing secret", guessed=("The retry schedule.",),
    )  # fmt: skip
    schemes = schemes.TALLY
    handled = frozenset({"FORM_RESPONSE"})

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return `eventType`."""
        del request
        return text(payload.get("eventType"))

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the event's id, which a retry repeats."""
        del request
        return text(payload.get("eventId"))

    def submission(self, payload: Any, options: SourceOptions) -> Submission:
        """Return the fields with their choices resolved."""
        del options
        ident = text(dig(payload, "data", "responseId")) or text(dig(payload, "data", "submissionId"))
        at = dig(payload, "data", "createdAt") or payload.get("createdAt")
        return Submission(fields=list(_fields(payload)), ident=ident, at=at)


def _fields(payload: dict[str, Any]) -> Iterator[Field]:
    for place, field in enumerate(objects(dig(payload, "data", "fields"))):
        kind, value = text(field.get("type")), field.get("value")
        if kind == "CHECKBOXES" and isinstance(value, bool):
            continue  # each box is repeated as a boolean of its own beside the list of the chosen
        names = {text(option.get("id")): text(option.get("text")) for option in objects(field.get("options"))}
        if names:
            value = [names.get(text(choice), text(choice)) for choice in items(value)]
        if kind == "MATRIX" and isinstance(value, dict):
            rows, columns = (
                {text(one.get("id")): text(one.get("text")) for one in objects(field.get(part))}
                for part in ("rows", "columns")
            )
            value = {
                rows.get(row, row): [columns.get(text(one), text(one)) for one in items(said)]
                for row, said in value.items()
            }
        if kind == "FILE_UPLOAD":
            value = [dig(upload, "url") for upload in items(value)]
        label = text(field.get("label")) or text(field.get("key"))
        yield Field(f"data.fields.{place}", label, value, kind="" if kind == "HIDDEN_FIELDS" else kind.lower())
