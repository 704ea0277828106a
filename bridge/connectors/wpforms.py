"""WPForms: the signed add-on for n8n and the plain Webhooks add-on, whose keys the author maps."""

from collections.abc import Iterator
from typing import Any

from bridge.connectors import schemes
from bridge.connectors.base import About, SourceOptions
from bridge.connectors.dialect import SHARED
from bridge.connectors.extract import Field, fields_of
from bridge.connectors.forms import FormSender, Submission
from bridge.connectors.payloads import ANY_FORM, JSON_TYPES, dig, text


class WPForms(FormSender):
    """Entries of WPForms."""

    kind = "wpforms"
    about = About(
        title="WPForms", family="form", signature="X-WPForms-Signature: hex HMAC-SHA256 of the body; else a shared value",
        dedup="entry.id, else the body's hash", retries="unknown",
        setup=("Open the form › Settings › Webhooks; paste the hook URL and a secret.", "Map the fields: name, email, phone, message."),
        paste="the secret of the webhook",
        notes=("The timestamp header is not signed and so not judged.",),
        guessed=("Where the plain add-on puts its secret: any header or parameter is accepted.",),
    )  # fmt: skip
    content_types = JSON_TYPES | ANY_FORM
    schemes = schemes.WPFORMS
    shared = SHARED

    def submission(self, payload: Any, options: SourceOptions) -> Submission:
        """Return the add-on's list of fields, or the leaves of a body the author shaped."""
        del options
        entry = text(dig(payload, "entry", "id")) or text(payload.get("entry_id"))
        form = text(dig(payload, "form", "id")) or text(payload.get("form_id"))
        ident = f"{form}-{entry}" if entry else ""
        fields = payload.get("fields")
        if not isinstance(fields, list | dict):
            return Submission(fields=fields_of(payload), ident=ident)
        page = Field("meta.page_url", "page url", dig(payload, "meta", "page_url"), "landing_page")
        return Submission(fields=[*_fields(fields), page], ident=ident, at=dig(payload, "entry", "date"))


def _fields(fields: Any) -> Iterator[Field]:
    pairs = fields.items() if isinstance(fields, dict) else enumerate(fields)
    for name, field in pairs:
        if not isinstance(field, dict):
            yield Field(f"fields.{name}", str(name), field)
            continue
        label = text(field.get("name")) or text(field.get("label")) or f"Field {name}"
        first, last = text(field.get("first")), text(field.get("last"))
        value = {"first": first, "last": last} if first or last else field.get("value")
        yield Field(f"fields.{name}", label, value, kind=text(field.get("type")))
