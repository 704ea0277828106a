"""A folded street line taken into house number, unit and street."""

import re

from bridge.domain.keys.addresses.key import AddressKey, AddressStatus
from bridge.domain.keys.addresses.localities import Place, is_canadian
from bridge.domain.keys.addresses.roads import numbered_road
from bridge.domain.keys.addresses.streets import street_name
from bridge.domain.keys.addresses.suffixes import SUFFIXES
from bridge.domain.keys.addresses.units import UNITS, without_unit
from bridge.domain.keys.addresses.words import DIRECTIONS, WORD

MAX_TOKENS = 14
_PLAIN = re.compile(r"(\d{1,6})((?: [a-z]{2,20}){1,6})", re.ASCII)
"""A house number and plain words, as most streets are written: nothing in it but a unit's word needs the long way."""
_UNIT_AND_HOUSE = re.compile(r"^\s*(?:#\s*)?(\w{1,6})\s*[-–]\s*(\d{1,6}[a-z]?)\b(?=\s+\S)", re.IGNORECASE)
_GRID = re.compile(r"^[nsew]\d+(?:[nsew]\d+)?$")
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th)")
_FRACTION = re.compile(r"\d/\d")


def line_key(line: str, number: str, unit: str, place: Place) -> AddressKey:
    """Return the address of a folded street line; `number` and `unit` are what came in fields of their own."""
    plain = None if number else _PLAIN.fullmatch(line)
    if plain is not None:
        words = plain[2].split()
        if UNITS.isdisjoint(words):
            return _key(plain[1], *street_name(words), unit, place)
    if "-" in line or "–" in line:
        pair = _UNIT_AND_HOUSE.match(line)
        if pair and is_canadian(place):  # 401-43 Hanna Ave
            unit, line = unit or pair[1], f"{pair[2]} {line[pair.end() :]}"
    tokens = WORD.findall(line)[:MAX_TOKENS]
    if any(c.isdigit() for c in "".join(tokens[1:] or tokens)):
        road = numbered_road(" ".join(tokens))
        if road is not None:
            house, name, direction, inner = road
            return _key(number or house, direction, name, "", "", unit or inner, place)
    tokens, inner = without_unit(tokens)
    unit = unit or inner
    if not number:
        number, tokens = _house(tokens)
    before, name, suffix, after = street_name(tokens)
    if number and not any(c.isdigit() for c in number):
        name, number = f"{number} {name}".strip(), ""
    return _key(number, before, name, suffix, after, unit, place)


def _key(number: str, before: str, name: str, suffix: str, after: str, unit: str, place: Place) -> AddressKey:
    """Return the address of these parts with how far it was understood; a street of one letter is none without a suffix."""
    if number and (len(name) > 1 or (suffix and name)):
        status = AddressStatus.PARSED
    else:
        status = AddressStatus.PARTIAL if number or name else AddressStatus.UNPARSED
    return AddressKey(status, number, before, name, suffix, after, unit, *place)


def _house(tokens: list[str]) -> tuple[str, list[str]]:
    """Return the house number with its letter, without its fraction, and the tokens after it."""
    if not tokens:
        return "", tokens
    first, more = tokens[0], len(tokens) - 1
    if not first[0].isdigit():
        grid = more and len(first) > 2 and _GRID.match(first)  # W180N8085 Town Hall Rd
        return (first, tokens[1:]) if grid else ("", tokens)
    if not more:
        return (first, []) if first.isdigit() else ("", tokens)
    if _ORDINAL.fullmatch(first) and tokens[1] in SUFFIXES:
        return "", tokens  # 5th Avenue without a number
    if more > 1 and _FRACTION.fullmatch(tokens[1]):
        return first, tokens[2:]
    if (
        more > 2
        and len(tokens[1]) == 1
        and tokens[1].isalpha()
        and tokens[1] not in DIRECTIONS
        and tokens[2] not in SUFFIXES
    ):
        return first + tokens[1], tokens[2:]
    return first, tokens[1:]
