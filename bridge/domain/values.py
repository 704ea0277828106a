"""Reading what people type: phone numbers, e-mail addresses, dates and postal addresses, as comparable text."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bridge.domain.inquiry import PostalAddress

STATES = {
    "alabama": "AL", "alaska": "AK", "arizona": "AZ", "arkansas": "AR", "california": "CA", "colorado": "CO",
    "connecticut": "CT", "delaware": "DE", "district of columbia": "DC", "florida": "FL", "georgia": "GA",
    "hawaii": "HI", "idaho": "ID", "illinois": "IL", "indiana": "IN", "iowa": "IA", "kansas": "KS", "kentucky": "KY",
    "louisiana": "LA", "maine": "ME", "maryland": "MD", "massachusetts": "MA", "michigan": "MI", "minnesota": "MN",
    "mississippi": "MS", "missouri": "MO", "montana": "MT", "nebraska": "NE", "nevada": "NV", "new hampshire": "NH",
    "new jersey": "NJ", "new mexico": "NM", "new york": "NY", "north carolina": "NC", "north dakota": "ND",
    "ohio": "OH", "oklahoma": "OK", "oregon": "OR", "pennsylvania": "PA", "puerto rico": "PR", "rhode island": "RI",
    "south carolina": "SC", "south dakota": "SD", "tennessee": "TN", "texas": "TX", "utah": "UT", "vermont": "VT",
    "virginia": "VA", "washington": "WA", "west virginia": "WV", "wisconsin": "WI", "wyoming": "WY",
    "alberta": "AB", "british columbia": "BC", "manitoba": "MB", "new brunswick": "NB", "nova scotia": "NS",
    "newfoundland and labrador": "NL", "ontario": "ON", "prince edward island": "PE", "quebec": "QC",
    "saskatchewan": "SK",
}  # fmt: skip
_CODES = frozenset(STATES.values())


_AMERICAN = frozenset(("US", "CA"))
_PLAIN_PHONE = re.compile(
    r"(?:\+1[-. ]?)?(?:([2-9][0-9]{2})[-. ]?|\(([2-9][0-9]{2})\) ?)([2-9][0-9]{2})[-. ]?([0-9]{4})"
)
"""As nearly everybody there writes it: the library takes 20 us for what these say by themselves."""


@lru_cache(maxsize=4096)
def phone_e164(text: str, country: str = "US") -> str:
    """Return the E.164 form of a phone number a person wrote, empty where it is none; an extension is dropped.

    Any number that could be dialed is spelled; whether it can speak for a person is what `keys.phone_keys` tells.
    """
    if country in _AMERICAN and (plain := _PLAIN_PHONE.fullmatch(text)):
        return "+1" + "".join(filter(None, plain.groups()))
    from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, is_possible_number, parse  # noqa: PLC0415 - 40 ms to import

    try:
        number = parse(text[:64], country)
    except NumberParseException:
        return ""
    return str(format_number(number, PhoneNumberFormat.E164)) if is_possible_number(number) else ""


_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)


def email_address(text: str) -> str:
    """Return the e-mail address in a text such as `Dana <dana@example.com>`, lower case; empty for others."""
    text = text.strip()[:320].removeprefix("mailto:")
    if text.endswith(">"):
        text = text.rpartition("<")[2][:-1].strip()
    return text.lower() if _EMAIL.fullmatch(text) else ""


_NO_DIGITS = re.compile(r"[^0-9]+")
_PHONE = re.compile(r"\+?[\d\s().x/-]{7,25}")
_EXTENSION = re.compile(r"[\s,;]*\(?(?:extension|ext|x|#)[.:\s]*\d{1,6}\)?$", re.IGNORECASE)


def without_extension(text: str) -> str:
    """Return a phone number as written, without its extension."""
    return _EXTENSION.sub("", text.strip()[:80])


def looks_like_phone(text: str) -> bool:
    """Tell whether a text is written as a phone number: 7 to 15 digits and nothing but their usual company and extension."""
    if len(text) > 60:
        return False
    number = without_extension(text)
    return bool(_PHONE.fullmatch(number)) and 7 <= len(digits_of(number)) <= 15


def digits_of(text: str) -> str:
    """Return the digits of a text alone."""
    return _NO_DIGITS.sub("", text)


_DIGIT = re.compile(r"\d")
_FORMATS = (
    "%m/%d/%Y %I:%M %p", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M", "%m/%d/%Y", "%m-%d-%Y", "%m/%d/%y",
    "%B %d, %Y %I:%M %p", "%B %d, %Y", "%b %d, %Y", "%B %d %Y", "%d %B %Y", "%d %b %Y", "%Y/%m/%d", "%Y/%m/%d %H:%M",
    "%Y-%m-%d %H:%M", "%Y-%m-%d %I:%M %p", "%Y-%m-%d %I:%M %p %z", "%A, %B %d, %Y", "%A, %B %d, %Y %I:%M %p", "%I:%M %p, %m/%d/%Y", "%Y-%m-%d %H:%M:%S %Z",
)  # fmt: skip
_LOOKS = {
    **dict.fromkeys(("%m", "%d", "%y", "%I", "%H", "%M", "%S"), r" ?\d\d?"), "%Y": r"\d{4}",
    **dict.fromkeys(("%B", "%b", "%A"), r"[^\W\d_]+"), "%p": "[AP]M", "%z": r"\S+", "%Z": r"\S+", " ": r"\s+",
}  # fmt: skip
_SHAPES = tuple(
    (re.compile(re.sub(r"%\w|\s", lambda hit: _LOOKS[hit[0]], written), re.IGNORECASE), written) for written in _FORMATS
)
"""The formats with what they look like: strptime costs ten times as much to say no."""


def moment(value: object, *, time_zone: str = "UTC", written: str = "") -> datetime | None:
    """Return the moment a value names, aware: ISO, epoch seconds or ms, HTTP date or an American date; None for others.

    A time without zone is read in `time_zone`. `written` is a strptime format to be tried first.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _from_epoch(value)
    text = str(value).strip()[:80]
    if re.fullmatch(r"[0-9]{10}(?:[0-9]{3}|[0-9]{6})?", text):
        return _from_epoch(int(text))
    found = _attempt(lambda: datetime.strptime(text, written)) if written else None  # noqa: DTZ007 - see _aware
    if found is None and not _DIGIT.search(text):
        return None  # which no form of a date is without: to ask each of them takes 6 us
    found = found or _attempt(lambda: datetime.fromisoformat(text))
    if found is None and re.match(r"[A-Za-z]{3}, +\d", text):
        found = _attempt(lambda: parsedate_to_datetime(text))
    found = found or _american(text)
    return _aware(found, time_zone) if found else None


def _attempt(parse: Callable[[], datetime]) -> datetime | None:
    try:
        return parse()
    except (ValueError, OverflowError):
        return None


def _american(text: str) -> datetime | None:
    text = re.sub(r"(?<=\d)(st|nd|rd|th)\b", "", text)
    text = re.sub(r"\b([ap])\.?m\.?(?=$|\s|,)", lambda hit: hit[0].replace(".", "").upper(), text, flags=re.IGNORECASE)
    text = re.sub(r"(?<=\d)(AM|PM)\b", r" \1", text, flags=re.IGNORECASE)
    for shape, written in _SHAPES:
        if not shape.fullmatch(text):
            continue
        try:
            return datetime.strptime(text, written)  # noqa: DTZ007 - the zone is set by the caller
        except ValueError:
            continue
    return None


def _from_epoch(number: float) -> datetime | None:
    """Read an epoch in seconds, milliseconds or microseconds by its size; numbers outside 2001 to 2286 are no times."""
    for unit in (1, 1_000, 1_000_000):
        if 1_000_000_000 <= number / unit < 10_000_000_000:
            return datetime.fromtimestamp(number / unit, UTC)
    return None


def _aware(found: datetime, time_zone: str) -> datetime:
    if found.tzinfo is not None:
        return found
    try:
        return found.replace(tzinfo=ZoneInfo(time_zone))
    except (ZoneInfoNotFoundError, ValueError):
        return found.replace(tzinfo=UTC)


def is_date_only(text: str) -> bool:
    """Tell whether a text names a day and no time of day."""
    return ":" not in text and not re.search(r"\d\s*[ap]\.?m", text, re.IGNORECASE)


def title_case(text: str) -> str:
    """Return a name with capitals as people write it, where it came all lower or all upper case; others are left."""
    if text not in (text.lower(), text.upper()):
        return text
    return re.sub(r"[^\W\d_]+", lambda hit: hit[0].capitalize() if not _is_ending(hit) else hit[0].lower(), text)


def _is_ending(hit: re.Match[str]) -> bool:
    """Tell whether letters after an apostrophe are an English ending (`dana's`) and no name (`o'brien`)."""
    return hit.start() > 0 and hit.string[hit.start() - 1] in "'’" and len(hit[0]) == 1


def state_code(text: str) -> str:
    """Return the two-letter code of a state or province, or the text as it came."""
    bare = text.strip().rstrip(".")
    return bare.upper() if bare.upper() in _CODES else STATES.get(bare.lower(), text.strip())


_TAIL = re.compile(
    r"^(?P<front>.+?)[,\s]+(?P<state>[A-Z]{2}|" + "|".join(STATES) + r")\.?[,\s]+"
    r"(?P<zip>\d{5}(?:-\d{4})?|[A-Za-z]\d[A-Za-z][ -]?\d[A-Za-z]\d)"
    r"(?:[,\s]+(?P<country>USA?|U\.S\.A?\.?|United States(?: of America)?|Canada))?$",
    re.IGNORECASE,
)
_UNIT = re.compile(r"^(?:apt|apartment|unit|suite|ste|bldg|building|floor|fl|rm|room|lot|#)[.\s]*\S+$", re.IGNORECASE)
_STREET_END = re.compile(
    r"^(?P<street>.*\b(?:st|street|ave|avenue|rd|road|dr|drive|ln|lane|ct|court|blvd|boulevard|way|pl|place|cir|circle"
    r"|ter|terrace|pkwy|parkway|hwy|highway|trl|trail|loop|sq|square)\b\.?(?:\s+[NSEW]{1,2}\b)?"
    r"(?:\s+(?:apt|unit|suite|ste|#)\.?\s*\S+)?)\s+(?P<city>[A-Za-z][A-Za-z .'-]+)$",
    re.IGNORECASE,
)


def is_whole_address(text: str) -> bool:
    """Tell whether a text is an address that nobody could take for anything else: number, street, state and ZIP."""
    if len(text) > 200 or not text.lstrip()[:1].isdigit():
        return False
    flat = " ".join(text.split())
    return _TAIL.match(flat) is not None and " " in flat


def postal_address(text: str) -> PostalAddress:
    """Return the parts of an address written in one text; what cannot be told apart stays in `street`."""
    raw = text.strip()[:500]
    if not raw:
        return PostalAddress()
    flat = ", ".join(part.strip(" ,") for part in re.split(r"[\r\n]+", raw) if part.strip(" ,"))
    found = _TAIL.match(flat)
    if found is None:
        return _without_tail(flat, raw)
    front = [part.strip() for part in found["front"].split(",") if part.strip()]
    city = ""
    if len(front) > 1:
        city = front.pop()
    elif ended := _STREET_END.match(front[0] if front else ""):
        front, city = [ended["street"].strip()], ended["city"].strip()
    unit = front.pop() if len(front) > 1 and _UNIT.match(front[-1]) else ""
    return PostalAddress(
        street=", ".join(front), unit=unit, city=city, state=state_code(found["state"]), zip=found["zip"].upper(),
        country=found["country"] or "", raw=raw,
    )  # fmt: skip


def _without_tail(flat: str, raw: str) -> PostalAddress:
    """Read `street, city, state` or a lone ZIP; anything else is kept as the street."""
    if re.fullmatch(r"\d{5}(?:-\d{4})?", flat):
        return PostalAddress(zip=flat, raw=raw)
    parts = [part.strip() for part in flat.split(",") if part.strip()]
    if len(parts) >= 3 and state_code(parts[-1]) in _CODES:
        return PostalAddress(street=", ".join(parts[:-2]), city=parts[-2], state=state_code(parts[-1]), raw=raw)
    return PostalAddress(street=flat, raw=raw)
