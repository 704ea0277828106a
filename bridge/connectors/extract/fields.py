"""Fields: every question and value of a payload with the place it stands at."""

from collections.abc import Iterator
from typing import Any

import msgspec

MAX_FIELDS = 2_000
"""Fields read of one payload: a form has tens; the rest of a hostile one is only counted."""


class Field(msgspec.Struct, frozen=True):
    """One answer: where it stands, what was asked, what was said.

    `slot` is what the connector knows the field to hold; `kind` is the sender's own field type.
    """

    path: str
    label: str
    value: Any
    slot: str = ""
    kind: str = ""


def fields_of(data: Any, *, path: str = "", slots: dict[str, str] | None = None) -> list[Field]:
    """Return the leaves of plain data as fields; a leaf's label is its own key, its path all keys.

    `slots` names what the value at a path (relative to `data`) is known to hold; `meta` leaves it out.
    """
    known = slots or {}
    return [field for field, _ in zip(_walk(data, path, "", known), range(MAX_FIELDS), strict=False)]


_COMPOUND = frozenset(
    {"first", "last", "full", "addr_line1", "line1", "street", "area", "street1", "address1", "fullname"}
)


def _walk(data: Any, path: str, inner: str, known: dict[str, str], label: str = "") -> Iterator[Field]:
    slot = known.get(inner, "")
    if slot == "meta":
        return
    if isinstance(data, dict) and not (inner and _is_compound(data)):
        for key, value in data.items():
            yield from _walk(value, _join(path, key), _join(inner, key), known, key)
    elif isinstance(data, list) and any(isinstance(item, dict | list) for item in data):
        for place, value in enumerate(data):
            yield from _walk(value, _join(path, str(place)), _join(inner, str(place)), known, label)
    else:
        yield Field(path, label, data, slot)


def _is_compound(data: dict[str, Any]) -> bool:
    """Tell whether an object is one answer in parts, as name, phone and address questions give it."""
    return any(key.lower() in _COMPOUND for key in data) and all(
        not isinstance(item, dict | list) for item in data.values()
    )


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
