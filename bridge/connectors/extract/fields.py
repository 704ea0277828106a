"""Fields: every question and value of a payload with the place it stands at."""

from functools import lru_cache
from typing import Any

import msgspec

from bridge.connectors.extract.labels import normal_label
from bridge.connectors.extract.reading import DATE_PARTS, PARTS, UNTOLD_PARTS, WHOLE_PARTS

MAX_FIELDS = 2_000
"""Fields read of one payload: a form has tens; the rest of a hostile one is only counted."""


class Field(msgspec.Struct, frozen=True):
    """One answer: where it stands, what was asked, what was said.

    `slot` is what the connector knows the field to hold (`meta`: nothing of use, `answer`: a text and no more);
    `kind` is the sender's own field type.
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
    found: list[Field] = []
    _walk(found, data, path, "", slots or {})
    return found


_COMPOUND = frozenset(
    {
        "first",
        "last",
        "full",
        "addr_line1",
        "line1",
        "street",
        "area",
        "street1",
        "address1",
        "fullname",
        "month",
        "timeinput",
    }
)


_OF_ONE_ANSWER = (
    PARTS.keys()
    | DATE_PARTS
    | WHOLE_PARTS
    | UNTOLD_PARTS
    | {"area", "phone", "prefix", "middle", "suffix", "ext", "extension"}
)
"""An object with any other member is a record of several answers."""


def _walk(found: list[Field], data: Any, path: str, inner: str, known: dict[str, str], label: str = "") -> None:
    slot = known.get(inner, "")
    if slot == "meta" or len(found) >= MAX_FIELDS:
        return
    if isinstance(data, dict) and not (inner and _is_compound(data)):
        prefix = _prefix(label)
        for key, value in data.items():
            _walk(found, value, _join(path, key), _join(inner, key), known, prefix + key)
    elif isinstance(data, list) and any(isinstance(item, dict | list) for item in data):
        for place, value in enumerate(data):
            _walk(found, value, _join(path, str(place)), _join(inner, str(place)), known, label)
    else:
        found.append(Field(path, label, data, slot or ("answer" if _is_of_another(label) else "")))


_NAMING = frozenset({"utm", "company", "organization", "campaign", "form", "page"})
_ANOTHER = frozenset(
    {"agent", "assigned to", "assigned user", "assignee", "sales rep", "technician", "employee", "organizer", "office"}
    | {"store", "dealer", "franchise", "vendor", "workflow", "calendar", "team", "created by"}
)
"""Objects that hold names and numbers of somebody else than the person who asks."""


@lru_cache(maxsize=2048)
def _prefix(label: str) -> str:
    """Return what an object's own name adds to the labels in it: the `name` of a company is no person's."""
    normal = normal_label(label)
    return f"{label} " if normal in _NAMING or normal in _ANOTHER else ""


@lru_cache(maxsize=2048)
def _is_of_another(label: str) -> bool:
    """Tell whether a label was prefixed with the name of somebody else."""
    normal = normal_label(label)
    return " " in normal and any(normal.startswith(f"{name} ") for name in _ANOTHER)


def _is_compound(data: dict[str, Any]) -> bool:
    """Tell whether an object is one answer in parts, as name, phone and address questions give it."""
    return (
        any(key.lower() in _COMPOUND for key in data)
        and not any(isinstance(item, dict | list) for item in data.values())
        and all(key.lower().replace(" ", "_") in _OF_ONE_ANSWER for key in data)
    )


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
