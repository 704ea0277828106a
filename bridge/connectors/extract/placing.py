"""From fields to a draft: placed by the connector's word, field type, label, loose label, look; the rest are answers."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from bridge.connectors.base import SourceOptions
from bridge.connectors.extract.draft import Draft
from bridge.connectors.extract.fields import Field
from bridge.connectors.extract.labels import BY_TYPE, exact_slot, loose_slot, normal_label
from bridge.connectors.payloads import text
from bridge.domain.values import digits_of, email_address, is_whole_address, looks_like_phone, moment

_UNTITLED = re.compile(r"(?:no label|your answer|field|question|answer|input|untitled|text|[ \d])*")
_WRITTEN_PHONE = re.compile(r"[()+.\s-]")
_BARE_PHONE = re.compile(r"(?:\+?1)?[2-9]\d{2}[2-9]\d{6}")


def draft_from(fields: Iterable[Field], *, options: SourceOptions, context: Mapping[str, Any] | None = None) -> Draft:
    """Return what the fields come to; `context` is what `map:` expressions may read (payload, query, event, fetched)."""
    draft = Draft(options)
    waiting: list[list[tuple[int, str, Field]]] = [[], [], [], []]
    left: dict[int, Field] = {}
    for place, field in enumerate(fields):
        rank, slot = _rank(field)
        if rank < 4:
            waiting[rank].append((place, slot, field))
        else:
            left[place] = field
    for rank, group in enumerate(waiting):
        if group:
            left |= {place: field for place, slot, field in group if not draft.place(slot, field, sure=rank < 3)}
    for place, field in list(left.items()):
        if field.slot != "answer" and isinstance(field.value, str) and _by_value(draft, field):
            del left[place]
    for place in sorted(left):
        draft.answer(left[place].label, left[place].value, left[place].path)
    if context is not None:
        draft.apply_config(context)
    return draft


def _rank(field: Field) -> tuple[int, str]:
    """Return how surely a field's slot is known (0 best, 4 not at all) and the slot."""
    if field.slot:
        return (0, field.slot) if field.slot != "answer" else (5, "")
    if slot := BY_TYPE.get(field.kind.lower(), ""):
        return (1, slot) if slot != "message" else (2, exact_slot(field.label) or slot)
    if slot := exact_slot(field.label):
        return 2, slot
    if isinstance(field.value, dict):
        return 2, ""
    return (3, slot) if (slot := loose_slot(field.label)) else (4, "")


def _by_value(draft: Draft, field: Field) -> bool:
    """Take an e-mail address or phone number under a label that told nothing, where none is known yet."""
    value = field.value
    if not draft.emails and "@" in value and email_address(value):
        return draft.place("email", field, sure=True)
    if not draft.values.keys() & {"address", "street", "city", "zip"} and is_whole_address(value):
        return draft.place("address", field, sure=True)
    if not draft.phones and _UNTITLED.fullmatch(normal_label(field.label)) and _BARE_PHONE.fullmatch(text(value)):
        return draft.place("phone", field, sure=True)
    if draft.phones or len(value) > 25 or value[:1] not in "+(0123456789":
        return False
    value = text(value)
    has_form = bool(_WRITTEN_PHONE.search(value)) and len(digits_of(value)) >= 10
    if has_form and looks_like_phone(value) and moment(value) is None:
        return draft.place("phone", field, sure=False)
    return False
