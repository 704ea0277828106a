"""Elementor Pro forms: urlencoded, simple (label=value) or advanced (fields[id][…]); anything but 200 fails the visitor's form."""

from collections.abc import Iterator
from typing import Any

from bridge.connectors.base import About, Identity, Reply, SourceOptions
from bridge.connectors.dialect import SHARED
from bridge.connectors.extract import Field
from bridge.connectors.forms import FormSender, Submission
from bridge.connectors.payloads import ANY_FORM, dig, text

_META = {
    "Date": "meta", "Time": "meta", "User Agent": "meta", "Remote IP": "meta", "Powered by": "meta",
    "form_id": "meta", "form_name": "meta", "Page URL": "landing_page",
}  # fmt: skip


class Elementor(FormSender):
    """Form submissions of Elementor Pro on WordPress."""

    kind = "elementor"
    about = About(
        title="Elementor Pro", family="form", signature="none; a token in the URL",
        dedup="none: the body's hash, for 10 minutes", retries="none; it waits while the visitor does", answer="200 exactly",
        setup=("Edit the form › Actions After Submit › Webhook.", "Paste the hook URL with `?token=<token>`; switch Advanced Data on."),
        paste="the token of the URL", notes=("201 or 202 count as an error and the visitor sees a failure.",),
    )  # fmt: skip
    content_types = ANY_FORM
    shared = SHARED
    dedup_window_seconds = 600

    def reply(self, identity: Identity, *, redelivered: bool, options: SourceOptions) -> Reply:
        """Return 200: the plugin compares the status with exactly that."""
        del identity, redelivered, options
        return Reply(status=200, body=b"ok")

    def submission(self, payload: Any, options: SourceOptions) -> Submission:
        """Return the fields of either mode; the page's address gives campaign parameters."""
        del options
        fields = list(_advanced(payload)) if isinstance(payload.get("fields"), dict) else list(_simple(payload))
        return Submission(fields=fields)


def _advanced(payload: dict[str, Any]) -> Iterator[Field]:
    for ident, field in payload["fields"].items():
        if isinstance(field, dict):
            label = text(field.get("title")) or ident
            yield Field(
                f"fields.{ident}", label, field.get("value") or field.get("raw_value"), kind=text(field.get("type"))
            )
    yield Field("meta.page_url", "Page URL", dig(payload, "meta", "page_url", "value"), "landing_page")


def _simple(payload: dict[str, Any]) -> Iterator[Field]:
    for name, value in payload.items():
        yield Field(name, name.removeprefix("No Label "), value, _META.get(name, ""))
