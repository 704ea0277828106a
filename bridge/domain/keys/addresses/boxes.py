"""Addresses that are no street: post office boxes, and boxes on a rural route."""

import re

from bridge.domain.keys.addresses.key import AddressKey, AddressStatus
from bridge.domain.keys.addresses.localities import Place

_BOX = re.compile(
    r"\b(?:p\s*\.?\s*o\s*\.?\s*(?:box|bx|drawer)|post\s*office\s*box|pobox|pob|casier\s*postal)\s*#?\s*(\w{0,10})",
    re.IGNORECASE,
)
_BOX_ONLY = re.compile(r"^\s*box\s+#?(\d{1,7})\s*$", re.IGNORECASE)
_ROUTE = re.compile(
    r"\b(?:r\.?\s?r\.?|rural\s+(?:route|rt)|hc|hcr)\s*#?\s*(\d+)[\s,]+(?:box|bx)\s*#?\s*(\w+)", re.IGNORECASE
)
_HOUSE = re.compile(r"\s*\d+\s+\w")


def plain_route(text: str) -> str:
    """Return an address whose box on a rural route is written without commas and `#`, which part the fields of others."""
    if "x" not in text and "X" not in text:
        return text
    route = _ROUTE.search(text)
    return f"rr {route[1]} box {route[2]}{text[route.end() :]}" if route else text


def box_key(line: str, place: Place) -> AddressKey | None:
    """Return the address of a folded line that is a box, None where there is none or the word stands in a street's name."""
    if not ("box" in line or "drawer" in line or "postal" in line or "pob" in line):
        return None
    route = _ROUTE.search(line)
    if route:
        return AddressKey(AddressStatus.PARSED, route[2], "", f"rr {route[1]}", "", "", "", *place)
    box = _BOX.search(line) or _BOX_ONLY.match(line)
    if box and not _HOUSE.match(line):
        return AddressKey(AddressStatus.PO_BOX, box[1], "", "", "", "", "", *place)
    return None
