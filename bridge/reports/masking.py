"""Personal data, hidden: shapes instead of values, until a person asks to see them and is written down for it. Pure."""

import re
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from bridge.reports.deliveries import DeliveryRow

EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+")
PHONE = re.compile(r"(?<![\w.-])\+?\(?\d{1,4}[\s().-]*\d{2,4}(?:[\s().-]*\d{2,4}){1,3}(?![\w-])")
_OUR_ID = re.compile(r"\b(?:customer|location|contact|booking|lead|job|campaign|message|delivery) #?\Z", re.IGNORECASE)
SAFE = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ][\d:.+Z-]+)?|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|https?://[\w.-]+/?|[a-z][a-z0-9]*(?:[_.][a-z0-9]+)+|true|false|"
)
KINDS = frozenset(
    {
        "type",
        "event",
        "event_type",
        "status",
        "kind",
        "object",
        "method",
        "source",
        "field_type",
        "id",
        "form_id",
        "ref",
        "tag",
    }
)
_PERSONAL = frozenset(
    {
        "name", "given_name", "surname", "company", "phones", "emails", "phone", "email", "street", "unit", "raw", "city", "zip",
        "message", "note", "text", "summary", "append_summary", "memo", "value", "ours", "theirs", "customer_name", "address",
        "answers", "fields", "contact_value", "base", "location_name", "recording_url", "label", "landing_page", "referrer",
        "phone_number", "title_detail",
    }
)  # fmt: skip

Thing = TypeVar("Thing")


def name(text: str) -> str:
    """Return a name as initials and dots, each word as long as it is."""
    return " ".join(word[:1].upper() + "•" * max(len(word) - 1, 1) for word in text.split())


def phone(text: str) -> str:
    """Return a phone number with its last four digits alone."""
    digits = re.sub(r"\D", "", text)
    return f"••• {digits[-4:]}" if len(digits) >= 7 else "•" * len(text)


def email(text: str) -> str:
    """Return an e-mail address as its first letter and its domain."""
    local, _, domain = text.partition("@")
    return f"{local[:1]}•••@{domain}"


def shape(text: str) -> str:
    """Return the shape of a text: first letters of words and lengths, long texts as their length alone."""
    if EMAIL.fullmatch(text.strip()):
        return email(text.strip())
    if PHONE.fullmatch(text.strip()) and len(re.sub(r"\D", "", text)) >= 7:
        return phone(text)
    if len(text) > 60:
        return f"••• ({len(text)} characters)"
    return re.sub(
        r"[^\W_]+", lambda word: (word[0][:1] if word[0][:1].isalpha() else "•") + "•" * (len(word[0]) - 1), text
    )


def prose(text: str, known: Iterable[str] = ()) -> str:
    """Return a sentence of ours without the personal values known, and without anything that looks like a phone or e-mail."""
    for value in sorted({value for value in known if len(value) > 2}, key=len, reverse=True):
        text = re.sub(re.escape(value), lambda hit: shape(hit[0]), text, flags=re.IGNORECASE)
    text = EMAIL.sub(lambda hit: email(hit[0]), text)
    return PHONE.sub(lambda hit: phone(hit[0]) if _may_be_phone(hit) else hit[0], text)


def _may_be_phone(hit: re.Match[str]) -> bool:
    """Tell whether digits of a sentence may be somebody's: "customer 10000001" is an id, unless it is as long as a phone number."""
    digits = re.sub(r"\D", "", hit[0])
    is_id = hit[0].isdecimal() and len(digits) not in {10, 11} and _OUR_ID.search(hit.string[: hit.start()]) is not None
    return 7 <= len(digits) <= 15 and not is_id


def tree(value: Any, known: Iterable[str] = (), *, key: str = "") -> Any:
    """Return decoded data of ours with every personal member hidden; other text loses the known values."""
    if isinstance(value, str):
        return shape(value) if key in _PERSONAL else prose(value, known)
    if isinstance(value, dict):
        return {
            name_: tree(item, known, key=key if key in {"fields", "origins"} else str(name_))
            for name_, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [tree(item, known, key=key) for item in value]
    return value


def struct(value: Thing, known: Iterable[str] = ()) -> Thing:
    """Return a struct of ours with every personal member hidden."""
    return msgspec.convert(tree(msgspec.to_builtins(value), known), type(value))


def payload(value: Any, *, key: str = "") -> Any:
    """Return a stranger's payload with every text and long number hidden but times, ids and names of kinds."""
    if isinstance(value, str):
        is_safe = SAFE.fullmatch(value) is not None or (key.lower() in KINDS and re.fullmatch(r"[\w.-]{0,64}", value))
        return value if is_safe else shape(value)
    if isinstance(value, dict):
        return {name_: payload(item, key=str(name_)) for name_, item in value.items()}
    if isinstance(value, list):
        return [payload(item, key=key) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1_000_000 and key.lower() not in KINDS:
        return shape(str(value))
    return value


def row(line: DeliveryRow) -> DeliveryRow:
    """Return a line of the list with its person hidden."""
    known = (line.name, *line.phones, *line.emails)
    return msgspec.structs.replace(
        line,
        name=name(line.name),
        phones=tuple(phone(one) for one in line.phones),
        emails=tuple(email(one) for one in line.emails),
        sentence=prose(line.sentence, known),
    )
