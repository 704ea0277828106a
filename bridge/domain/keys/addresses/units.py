"""Units of a house: apartments, suites, floors, and how they are written before and behind a street."""

import re

from bridge.domain.keys.addresses.suffixes import SUFFIXES
from bridge.domain.keys.addresses.words import WORD
from bridge.domain.keys.names import fold

_ALONE = {"ph": "ph", "penthouse": "ph", "bsmt": "bsmt", "basement": "bsmt", "uppr": "uppr", "upper": "uppr", "lowr": "lowr",
          "lower": "lowr", "rear": "rear", "front": "front"}  # fmt: skip
"""Designators that are a unit without a number after them."""
_NUMBERED = """
# apt apartment app appt unit ste suite rm room lot spc space trlr trailer fl floor bldg building no num number dept hangar slip pier
flat bureau local
"""
UNITS = frozenset((*_NUMBERED.split(), *_ALONE))
"""Designators of a unit."""
UNIT_OR_LETTER = re.compile(r"\d{1,5}[a-z]?|[a-z]\d{1,4}")
"""What may be a unit without a designator."""


def unit_key(raw: str) -> str:
    """Return what tells one unit from another in a house: designators dropped, `12-B` and `12 b` the same."""
    tokens = WORD.findall(fold(raw[:60]))
    told = _told(tokens)
    if told in UNITS:  # n:o
        tokens, told = [told], ""
    return told or "".join(_ALONE[token] for token in tokens if token in _ALONE)


def _told(tokens: list[str]) -> str:
    """Return a unit's tokens without designators as one word."""
    return "".join(token for token in tokens if token not in UNITS).replace("-", "").replace("/", "")


def looks_like_unit(text: str) -> bool:
    """Tell whether a part between commas is a unit: `Apt 4`, `#4`, `12B`."""
    tokens = WORD.findall(fold(text[:60]))
    return bool(tokens) and (
        tokens[0] in UNITS or (len(tokens) == 1 and len(tokens[0]) <= 4 and tokens[0][0].isdigit())
    )


def without_unit(tokens: list[str]) -> tuple[list[str], str]:
    """Return a street line's tokens without a unit at their end or start, and the unit."""
    for index in range(1, len(tokens)):
        token = tokens[index]
        if token == "#" or (token in UNITS and index >= 2):
            told = _told(tokens[index + 1 :])
            if told or token in _ALONE:
                return tokens[:index], told or _ALONE[token]
    if tokens and tokens[0] == "#" and len(tokens) > 2:
        if tokens[2][0].isdigit() and len(tokens) > 3:
            return tokens[2:], tokens[1].replace("-", "")
        return without_unit(tokens[1:])  # #2441 Lincoln Ave is a house
    if len(tokens) > 3:
        if tokens[0] in UNITS and any(c.isdigit() for c in tokens[1]):
            return tokens[2:], tokens[1].replace("-", "")
        if UNIT_OR_LETTER.fullmatch(tokens[-1]) and SUFFIXES.get(tokens[-2], "hwy") != "hwy":
            return tokens[:-1], tokens[-1]
    return tokens, ""
