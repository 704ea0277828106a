"""Phones to E.164 by region, the extension kept apart, junk refused."""

import re
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple


class PhoneWorth(StrEnum):
    """How far a number can speak for a person."""

    PERSONAL = "personal"
    TOLL_FREE = "toll_free"
    """Companies, call tracking and relays answer on these; no household does."""
    FICTIONAL = "fictional"
    """555-0100 to 555-0199 is reserved for fiction: a hint, never an identity."""


class PhoneKey(NamedTuple):
    """A usable number: E.164, its extension (digits, or empty) and its worth."""

    e164: str
    extension: str
    worth: PhoneWorth


MAX_PHONES = 12
"""Numbers read from one text; a field with fifty is an import gone wrong, and the first dozen identify as well."""

_MAX_TEXT = 600
_LONG = 40
_NANP_REGIONS = frozenset(("US", "CA", "PR", "JM", "BS", "BB", "TT", "DO", "VI", "GU", "AG", "BM", "KY", ""))
_NANP = re.compile(
    r"\s*(?:tel:|phone:)?\s*(?:\+?\s?1[\s.\-/]{0,3})?\(?\s?([2-9]\d{2})\s?\)?[\s.\-/]{0,3}([2-9]\d{2})[\s.\-/]{0,3}(\d{4})"
    r"(?:[\s,;]{0,3}(?:x|ext|extension|#)[\s.:]{0,3}(\d{1,7}))?\s*",
    re.IGNORECASE,
)
_INSIDE = re.compile(r"(?<!\d)" + _NANP.pattern + r"(?!\d)", re.IGNORECASE)
_OTHER = re.compile(r"\+?\d[\d\s().\-/]{5,22}\d(?:\s{0,2}(?:x|ext)[\s.:]{0,3}\d{1,7})?", re.IGNORECASE)
_TOLL_FREE = frozenset(("800", "888", "877", "866", "855", "844", "833", "822"))
_RUNS = frozenset(("2345678901", "9876543210", "8765432109", "2341234567", "2222222222"))


@lru_cache(maxsize=1)
def _area_codes() -> frozenset[str]:
    """Return the area codes that phonenumbers' tables know as given out; 800 look-ups, once, about 20 ms."""
    import phonenumbers  # noqa: PLC0415  # 40 ms of tables that most commands never need

    return frozenset(
        str(code)
        for code in range(200, 1000)
        if phonenumbers.is_valid_number(
            phonenumbers.PhoneNumber(country_code=1, national_number=code * 10**7 + 2345678)
        )
    )


def read_tables() -> None:
    """Read what phone numbers are judged by, so that no inquiry waits for it: 60 ms once."""
    _area_codes()


def _is_junk(area: str, exchange: str, line: str) -> bool:
    """Tell whether nobody can be reached there: not given out, one digit repeated, a run, a service code."""
    return (
        area not in _area_codes()
        or exchange[1:] == "11"
        or (exchange == "555" and line == "1212")
        or (line == exchange[0] * 4 and exchange == exchange[0] * 3)
        or (line == "0000" and exchange in ("000", "555") and area not in _TOLL_FREE)
        or area + exchange + line in _RUNS
    )


@lru_cache(maxsize=1024)
def _nanp(area: str, exchange: str, line: str, extension: str) -> PhoneKey | None:
    """Return the key of a North American number, None for junk."""
    if _is_junk(area, exchange, line):
        return None
    worth = PhoneWorth.PERSONAL
    if exchange == "555" and line[:2] == "01":
        worth = PhoneWorth.FICTIONAL
    elif area in _TOLL_FREE:
        worth = PhoneWorth.TOLL_FREE
    return PhoneKey(f"+1{area}{exchange}{line}", extension, worth)


def _by_library(text: str, region: str) -> PhoneKey | None:
    """Return the key of one number in any country's writing, None where phonenumbers finds none or junk."""
    import phonenumbers  # noqa: PLC0415  # see _area_codes

    try:
        number = phonenumbers.parse(text[:60], region or "US")
    except phonenumbers.NumberParseException:
        return None
    national = str(number.national_number)
    if number.country_code == 1:
        if len(national) != 10 or national[0] in "01" or national[3] in "01":
            return None
        return _nanp(national[:3], national[3:6], national[6:], number.extension or "")
    if len(set(national[-7:])) == 1 or not phonenumbers.is_valid_number(number):
        return None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return PhoneKey(e164, number.extension or "", PhoneWorth.PERSONAL)


def phone_keys(raw: str, region: str = "US") -> tuple[PhoneKey, ...]:
    """Return the usable numbers of a text in their order, each once: `A/B`, `A cell` and `A x12` are all read."""
    if len(raw) > _LONG:  # the patterns take cubic time over blanks: 600 of them cost six seconds
        raw = " ".join(raw[:_MAX_TEXT].split())
    if region in _NANP_REGIONS:
        whole = _NANP.fullmatch(raw)
        if whole is not None and raw.isascii():
            key = _nanp(whole[1], whole[2], whole[3], whole[4] or "")
            return () if key is None else (key,)
    return _slowly(raw, region)


def _slowly(raw: str, region: str) -> tuple[PhoneKey, ...]:
    """Return the numbers of a text that is not just one North American number."""
    text = raw[:_MAX_TEXT]
    if not text.isascii():
        plain = "".join(str(int(c)) if c.isdecimal() else c if c.isascii() else " " for c in text)
        text = " ".join(plain.split())
    found: dict[str, PhoneKey] = {}
    if region in _NANP_REGIONS:
        for hit in _INSIDE.finditer(text):
            if text[: hit.start()].endswith("+") and not hit[0].startswith("1"):
                continue  # the tail of a number of another country
            key = _nanp(hit[1], hit[2], hit[3], hit[4] or "")
            if key is not None:
                found.setdefault(key.e164, key)
            if len(found) >= MAX_PHONES:
                break
    if not found:
        for index, hit in enumerate(_OTHER.finditer(text)):
            key = _by_library(hit[0], region)
            if key is not None:
                found.setdefault(key.e164, key)
            if index >= MAX_PHONES:
                break
    return tuple(found.values())
