"""Cognito Forms: an entry by internal field names, posted on every save."""

from typing import Any

from bridge.connectors.base import About, SourceOptions
from bridge.connectors.dialect import SHARED
from bridge.connectors.extract import fields_of
from bridge.connectors.forms import FormSender, Submission
from bridge.connectors.payloads import dig, text
from bridge.domain.delivery import HookRequest


class Cognito(FormSender):
    """Entries of Cognito Forms."""

    kind = "cognito-forms"
    about = About(
        title="Cognito Forms", family="form", signature="none; a token in the URL",
        dedup="Id with Entry.DateUpdated", retries="unknown",
        setup=("Open the form › Settings › Post JSON Data to a Website.", "Submit Entry endpoint: the hook URL with `?token=<token>`."),
        paste="the token of the URL",
        notes=("A later save of the same entry is the same inquiry: it makes no second booking.",),
        guessed=("The shape of the body, from outlines of the documentation.",),
    )  # fmt: skip
    shared = SHARED
    handled = frozenset({"entry.submit", "entry.update"})
    ignored = frozenset({"entry.delete"})

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return the entry's action."""
        del request
        action = text(dig(payload, "Entry", "Action")).lower() or "submit"
        return f"entry.{action}"

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the entry's id with the time of its last change."""
        del request
        ident, changed = _ident(payload), text(dig(payload, "Entry", "DateUpdated"))
        return f"{ident}|{changed}" if ident and changed else ident

    def submission(self, payload: Any, options: SourceOptions) -> Submission:
        """Return every field that is not about the form or entry itself."""
        del options
        own = dict.fromkeys(
            ("$version", "$etag", "Form", "Entry", "Id", "Name.FirstAndLast", "Address.FullAddress"), "meta"
        )
        return Submission(
            fields=fields_of(payload, slots=own), ident=_ident(payload), at=dig(payload, "Entry", "DateSubmitted")
        )


def _ident(payload: dict[str, Any]) -> str:
    form, number = text(dig(payload, "Form", "Id")), text(dig(payload, "Entry", "Number"))
    return text(payload.get("Id")) or (f"{form}-{number}" if number else "")
