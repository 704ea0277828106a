"""Google Forms through our Apps Script (`docs/connectors/google-forms.gs`), or another script that posts namedValues."""

from collections.abc import Iterator
from typing import Any

from bridge.connectors import schemes
from bridge.connectors.base import About, SourceOptions
from bridge.connectors.extract import Field, fields_of
from bridge.connectors.forms import FormSender, Submission
from bridge.connectors.payloads import objects, text
from bridge.domain.delivery import HookRequest


class GoogleForms(FormSender):
    """Responses of Google Forms, sent by a script in the form or its sheet."""

    kind = "google-forms-apps-script"
    about = About(
        title="Google Forms", family="form", signature="Standard Webhooks headers by our script; or X-Signature: hex HMAC-SHA256",
        dedup="webhook-id, else responseId", retries="3 by our script, with the same webhook-id",
        setup=(
            "Open the form (or its sheet) › Extensions › Apps Script; paste `docs/connectors/google-forms.gs`.",
            "Set HOOK_URL and SECRET under Project Settings › Script Properties.",
            "Triggers › Add trigger › onFormSubmit.",
        ),
        paste="`whsec_…` of at least 24 random bytes in base64",
    )  # fmt: skip
    schemes = schemes.APPS_SCRIPT

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the script's id of the response."""
        return text(request.header("webhook-id")) or text(payload.get("responseId"))

    def submission(self, payload: Any, options: SourceOptions) -> Submission:
        """Return the questions and answers."""
        del options
        ident = text(payload.get("responseId"))
        return Submission(fields=list(_fields(payload)), ident=ident, at=payload.get("timestamp"))


def _fields(payload: dict[str, Any]) -> Iterator[Field]:
    named = payload.get("namedValues")
    if isinstance(named, dict):
        for name, value in named.items():
            yield Field(f"namedValues.{name}", name, value, "meta" if name in ("Timestamp", "Marca temporal") else "")
    for place, answer in enumerate(objects(payload.get("items"))):
        yield Field(f"items.{place}", text(answer.get("title")), answer.get("response"), kind=text(answer.get("type")))
    if not isinstance(named, dict) and "items" not in payload:
        own = dict.fromkeys(("formId", "responseId", "timestamp", "formTitle"), "meta")
        yield from fields_of(payload, slots=own)
