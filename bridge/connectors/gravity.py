"""Gravity Forms: the raw entry under numeric keys, or keys the feed's author chose."""

import re
from collections.abc import Iterator
from typing import Any

from bridge.connectors.base import About, SourceOptions
from bridge.connectors.dialect import SHARED
from bridge.connectors.extract import Field, fields_of
from bridge.connectors.forms import FormSender, Submission
from bridge.connectors.payloads import ANY_FORM, JSON_TYPES, text
from bridge.domain.values import email_address, looks_like_phone

_META = [
    "id",
    "form_id",
    "post_id",
    "date_created",
    "date_updated",
    "is_starred",
    "is_read",
    "ip",
    "user_agent",
    "currency",
    "payment_status",
    "payment_date",
    "payment_amount",
    "payment_method",
    "transaction_id",
    "is_fulfilled",
    "created_by",
    "transaction_type",
    "status",
    "source_id",
    "submission_speeds",
]
_NAME = {"3": "given_name", "6": "surname"}
_NAME_INPUTS = frozenset({"2", "3", "4", "6", "8"})
_ADDRESS = {"1": "street", "2": "unit", "3": "city", "4": "state", "5": "zip", "6": "country"}
_NUMBERED = re.compile(r"(\d{1,4})(?:\.(\d{1,2}))?")


class GravityForms(FormSender):
    """Entries of the Gravity Forms Webhooks add-on."""

    options_known = frozenset({"fields"})
    kind = "gravity-forms"
    about = About(
        title="Gravity Forms", family="form", signature="none; a request header of the feed, or a token in the URL",
        dedup="id of the entry, else the body's hash for 10 minutes", retries="none",
        setup=(
            "Open the form › Settings › Webhooks › Add New; method POST, format JSON, body All Fields.",
            "Request Headers: `X-Webhook-Token: <token>`. URL: the hook URL.",
        ),
        paste="the token of the header",
        notes=('Name the numeric fields under `options.fields`: {"2": email, "5": message}; unnamed ones are told by their look.',),
        guessed=("The inputs of name (.3, .6) and address (.1 to .6) fields.",),
    )  # fmt: skip
    content_types = JSON_TYPES | ANY_FORM
    methods = frozenset({"POST", "PUT", "PATCH", "GET", "DELETE"})
    shared = SHARED
    dedup_window_seconds = 600

    def submission(self, payload: Any, options: SourceOptions) -> Submission:
        """Return the named fields of an entry, or the leaves of a body the author shaped."""
        slots = options.options.get("fields")
        ident = (
            f"{text(payload.get('form_id'))}-{text(payload.get('id'))}"
            if payload.get("id") and payload.get("form_id")
            else ""
        )
        if not any(_NUMBERED.fullmatch(name) for name in payload):
            return Submission(fields=fields_of(payload), ident=ident)
        named = {str(name): str(slot) for name, slot in slots.items()} if isinstance(slots, dict) else {}
        return Submission(fields=list(_entry(payload, named)), ident=ident, at=payload.get("date_created"))


def _entry(payload: dict[str, Any], named: dict[str, str]) -> Iterator[Field]:
    """Yield the entry's fields; a name has inputs .3 and .6, an address .1 to .6 with a number in it, boxes just count."""
    groups: dict[str, set[str]] = {}
    for name in payload:
        if (found := _NUMBERED.fullmatch(name)) and found[2]:
            groups.setdefault(found[1], set()).add(found[2])
    longest = _longest_text(payload, named)

    def parts_of(number: str) -> dict[str, str]:
        inputs = groups.get(number, set())
        if inputs <= _NAME_INPUTS and inputs & {"3", "6"}:
            return _NAME
        said = text(payload.get(f"{number}.1")) + text(payload.get(f"{number}.5"))
        is_address = inputs <= set(_ADDRESS) and (inputs & {"5", "6"} or {"3", "4"} <= inputs)
        return _ADDRESS if is_address and re.search(r"\d", said) else {}

    for name, value in payload.items():
        found = _NUMBERED.fullmatch(name)
        if not found:
            slot = "landing_page" if name == "source_url" else "meta" if name in _META else ""
            yield Field(name, name, value, slot)
            continue
        inputs, parts = groups.get(found[1], set()), parts_of(found[1])
        if found[2] and not parts and found[1] not in named and name not in named:
            if found[2] == min(inputs, key=int):  # the boxes of one question
                ticked = [payload[f"{found[1]}.{box}"] for box in sorted(inputs, key=int)]
                yield Field(found[1], f"Field {found[1]}", [said for said in ticked if said])
            continue
        slot = named.get(name) or named.get(found[1], "") or (parts.get(found[2], "") if found[2] else "")
        yield Field(name, f"Field {name}", value, slot or ("message" if name == longest else ""))


def _longest_text(payload: dict[str, Any], named: dict[str, str]) -> str:
    """Return the key of the longest free text of an entry whose message nobody named."""
    if "message" in named.values():
        return ""
    texts = {
        name: said
        for name, value in payload.items()
        if name.isdigit()
        and name not in named
        and " " in (said := text(value))
        and not looks_like_phone(said)
        and not email_address(said)
    }
    return max(texts, key=lambda name: len(texts[name]), default="")
