"""Fillout: questions nested under `submission`, URL parameters beside them; users may also shape a flat body."""

from collections.abc import Iterator
from typing import Any

from bridge.connectors.base import About, SourceOptions
from bridge.connectors.dialect import SHARED
from bridge.connectors.extract import Field, fields_of
from bridge.connectors.forms import FormSender, Submission
from bridge.connectors.payloads import objects, text


class Fillout(FormSender):
    """Form submissions of Fillout."""

    kind = "fillout"
    about = About(
        title="Fillout", family="form", signature="none; a header or bearer token of your choice",
        dedup="submission.submissionId", retries="unknown",
        setup=("Open the form › Integrate › Webhook.", "Paste the hook URL; under Advanced add `Authorization: Bearer <token>`."),
        paste="the token you chose", guessed=("That submissionId stays the same over retries.",),
    )  # fmt: skip
    shared = SHARED

    def submission(self, payload: Any, options: SourceOptions) -> Submission:
        """Return questions and URL parameters, or the leaves of a body the user shaped."""
        del options
        inner = payload.get("submission")
        inner = inner if isinstance(inner, dict) else payload
        ident = text(inner.get("submissionId"))
        at = inner.get("submissionTime") or inner.get("lastUpdatedAt")
        if not isinstance(inner.get("questions"), list):
            return Submission(
                fields=fields_of(payload, slots={"formId": "meta", "formName": "meta"}), ident=ident, at=at
            )
        return Submission(fields=list(_fields(inner)), ident=ident, at=at)


def _fields(inner: dict[str, Any]) -> Iterator[Field]:
    for group in ("questions", "urlParameters", "scheduling"):
        for place, field in enumerate(objects(inner.get(group))):
            value = field.get("value")
            label = text(field.get("name")) or text(field.get("id"))
            if group == "scheduling" and isinstance(value, dict):
                yield Field(f"submission.{group}.{place}", label, value.get("eventStartTime"), "preferred_time")
                continue
            yield Field(f"submission.{group}.{place}", label, value, kind=text(field.get("type")).lower())
