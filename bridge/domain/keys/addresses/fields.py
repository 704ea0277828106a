"""What was written into the wrong field put into its own: remarks for the driver, a whole address in the street, a state in the city."""

import re

from bridge.domain.keys.addresses.localities import CODES, STATES, city_key, find_zip, state_key
from bridge.domain.keys.addresses.units import UNIT_OR_LETTER, UNITS, looks_like_unit
from bridge.domain.keys.names import fold

MAX_CITY = 80
_REMARK = re.compile(
    r"\(([^()]*)\)|\b(?:gate|door|entry|access|lock ?box) ?(?:code|#)[\s:#]{0,3}(?:is )?\w{0,4}\d.*", re.IGNORECASE
)
_NUMBER_APART = re.compile(r"^\s*#?\s*(\d{1,6}[a-z]?)\s*,\s*(?=([^\W\d_]+))", re.IGNORECASE)
_SEPARATORS = re.compile(r"[,\n\r;|]+")
_COUNTRIES = frozenset(("usa", "us", "united states", "canada", "united states of america"))
_HOUSE_OR_UNIT = re.compile(r"\w*\d")
_HOUSE_AND_STREET = re.compile(r"\d{1,6}[a-z]? +[a-z]", re.IGNORECASE)
_NUMBER_AND_WORD = re.compile(r"\d+\s+\w")
_STATE_AT_END = re.compile(r"(?:,\s*([^\W\d_][^\d,]+?)|\s([A-Z]{2}))[\s.,]*$")


def sort_fields(street: str, unit: str, city: str, state: str, zip_code: str) -> tuple[str, str, str, str, str]:
    """Return street, unit, city, state and ZIP, each without what belongs to another; a field that was given wins."""
    if "(" in street or "#" in street or "code" in street.lower():
        street = _without_remark(street)
    if "," in street or "\n" in street or ";" in street or "|" in street:
        apart = _NUMBER_APART.match(street)
        if apart and apart[2].lower() not in UNITS:  # 2441, Lincoln Ave
            street = f"{apart[1]} {street[apart.end() :]}"
        parts = [part.strip() for part in _SEPARATORS.split(street) if part.strip()]
        city, state, zip_code = _take_locality(parts, city, state, zip_code)
        street, apartment = _street_and_unit(parts)
        unit = unit or apartment
    if city and (not state or "," in city or any(c.isdigit() for c in city)):
        city, state, zip_code = _split_city(city[:MAX_CITY], state, zip_code)
    return street, unit, city, state, zip_code


def _without_remark(text: str) -> str:
    """Return a street without what is said to whoever drives there: a gate's code, words in brackets that are no unit."""
    found = _REMARK.sub(lambda hit: f" {hit[1]} " if hit[1] and looks_like_unit(hit[1]) else " ", text)
    return found.rstrip(" -,;") or text


def _take_locality(parts: list[str], city: str, state: str, zip_code: str) -> tuple[str, str, str]:
    """Take country, ZIP, state and city from the end of an address's parts, and return city, state and ZIP."""
    if len(parts) > 1 and fold(parts[-1]) in _COUNTRIES:
        parts.pop()
    if len(parts) < 2:
        return city, state, zip_code
    last = fold(parts[-1])
    code, mail = state, zip_code
    found = find_zip(last)
    if found and not _NUMBER_AND_WORD.match(last):
        mail = mail or found[0]
        last = (last[: found.start()] + last[found.end() :]).strip()
    said = STATES.get(last, last)
    if said in CODES:
        code, last = code or said, ""
    else:
        head, _, tail = last.rpartition(" ")
        if tail in CODES and head and (found or not city):
            code, last = code or tail, head
    alone = not last and bool(len(parts) > 2 or code or mail)
    if alone:  # the part was state or ZIP and nothing else: the city is the one before
        parts.pop()
        last = parts[-1] if len(parts) > 1 and not looks_like_unit(parts[-1]) else ""
    if alone or (last and (found or code != state)):
        city, state, zip_code = city or last, code, mail
    if last and city and city_key(last) == city_key(city):
        parts.pop()
    return city, state, zip_code


def _street_and_unit(parts: list[str]) -> tuple[str, str]:
    """Return which of an address's parts is the street, and which the unit."""
    if not parts:
        return "", ""
    at = 0
    if len(parts) > 1:
        first, second = parts[:2]
        if not any(c.isdigit() for c in first) and _HOUSE_OR_UNIT.match(second) and not looks_like_unit(second):
            at = 1  # a name or `c/o` line before the street
        elif UNIT_OR_LETTER.fullmatch(first) and _HOUSE_AND_STREET.match(second):
            return second, first  # 401, 43 Hanna Ave
    return parts[at], next((part for part in parts[at + 1 :] if looks_like_unit(part)), "")


def _split_city(city: str, state: str, zip_code: str) -> tuple[str, str, str]:
    """Return a city's field with the state or ZIP that was written into it taken apart (`Tampa, FL 33602`)."""
    code = find_zip(city)
    rest = city[: code.start()].rstrip() if code else city
    tail = _STATE_AT_END.search(rest)
    said = state_key(tail[1] or tail[2]) if tail else ""
    if tail and said in CODES and rest[: tail.start()].strip():
        rest, state = rest[: tail.start()], state or said
    if code is None and rest == city:
        return city, state, zip_code
    return rest.strip(" ,."), state, zip_code or (code[0] if code else "")
