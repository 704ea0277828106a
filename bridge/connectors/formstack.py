"""Formstack: labels as keys, compound answers as `Name (First)`; urlencoded unless switched to JSON."""

import re
from collections.abc import Iterator
from typing import Any

from bridge.connectors import schemes
from bridge.connectors.base import About, SourceOptions
from bridge.connectors.extract import Field
from bridge.connectors.extract.labels import exact_slot
from bridge.connectors.forms import FormSender, Submission
from bridge.connectors.payloads import ANY_FORM, JSON_TYPES, text

_OWN = {"FormID", "UniqueID", "HandshakeKey"}
_COMPOUND = re.compile(r"^(.*\S)\s*\(([^()]+)\)$")

_PART = re.compile(r"^(\w+) = (.*)$", re.MULTILINE)
"""A compound answer in one text: `first = Dana`, `last = Reyes`."""


class Formstack(FormSender):
    """Form submissions of Formstack."""

    kind = "formstack"
    about = About(
        title="Formstack", family="form", signature="X-FS-Signature: sha256=<hex HMAC-SHA256 of the body>",
        dedup="UniqueID", retries="unknown",
        setup=("Open the form › Settings › Emails & Actions › Add Webhook.", "Paste the hook URL, set an HMAC key, send by field label."),
        paste="the HMAC key of the webhook",
        notes=("Of two fields with one label only the last arrives.",), guessed=("Whether it retries.",),
    )  # fmt: skip
    content_types = JSON_TYPES | ANY_FORM
    schemes = schemes.FORMSTACK

    def submission(self, payload: Any, options: SourceOptions) -> Submission:
        """Return every key but Formstack's own as a field."""
        del options
        return Submission(
            fields=list(_fields(payload)), ident=text(payload.get("UniqueID")), at=payload.get("SubmissionTimestamp")
        )


def _fields(payload: dict[str, Any]) -> Iterator[Field]:
    for name, value in payload.items():
        if name in _OWN:
            continue
        if isinstance(value, dict) and "value" in value:
            yield Field(
                f"{name}.value", text(value.get("label")) or name, value["value"], kind=text(value.get("field_type"))
            )
            continue
        if isinstance(value, str) and (parts := _PART.findall(value)) and len(parts) == value.strip().count("\n") + 1:
            yield Field(name, name, dict(parts))
            continue
        compound = _COMPOUND.match(name)
        inner = compound[2] if compound else ""
        yield Field(name, inner if inner and exact_slot(inner) else name, value)
