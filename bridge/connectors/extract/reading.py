"""Reading a value of a form: any answer as text, days and times in parts, several numbers in one field."""

import re
from collections.abc import Mapping
from typing import Any

from bridge.connectors.payloads import text
from bridge.domain.values import digits_of, without_extension

PARTS = {
    "first": "given_name", "given": "given_name", "firstname": "given_name", "first_name": "given_name",
    "last": "surname", "family": "surname", "lastname": "surname", "last_name": "surname", "surname": "surname",
    "addr_line1": "street", "line1": "street", "address1": "street", "street1": "street", "street": "street", "address": "street",
    "addr_line2": "unit", "line2": "unit", "address2": "unit", "street2": "unit", "unit": "unit", "suite": "unit",
    "city": "city", "state": "state", "province": "state", "region": "state", "state_province": "state",
    "postal": "zip", "postalcode": "zip", "postal_code": "zip", "zip": "zip", "zipcode": "zip", "zip_code": "zip",
    "country": "country",
}  # fmt: skip
"""What the parts of a compound answer hold, as Jotform, Cognito, Fillout and Wufoo name them."""

WHOLE_PARTS = frozenset(
    {"full", "fullname", "firstandlast", "fulladdress", "full_address", "formatted", "formatted_address"}
)
"""Parts that say again what the others say."""
UNTOLD_PARTS = frozenset(
    {
        "type",
        "countrycode",
        "country_code",
        "latitude",
        "longitude",
        "lat",
        "lng",
        "timezone",
        "duration",
        "implementation",
    }
)
"""Parts that no person wrote."""

SEVERAL = re.compile(r"\s*(?:[,;|\n]|\s/\s|\bor\b|\band\b|\by\b|\bo\b)\s*", re.IGNORECASE)
URI_SCHEMES = ("tel:", "sms:", "whatsapp:", "callto:")
PHONE_INSIDE = re.compile(
    r"(?<![\w.])(?:\+\d[\d ().-]{8,18}\d|(?:1[ .-]?)?\(?[2-9]\d{2}\)?[ .-]{0,2}\d{3}[ .-]?\d{4}(?:,? ?(?:ext|x)\.? ?\d{1,6})?)(?![\w-])",
    re.IGNORECASE,
)
"""A number within a sentence, written out in full."""


def last_digits(phone: str) -> str:
    """Return what makes two spellings one number: the last ten digits before an extension."""
    return digits_of(without_extension(phone))[-10:]


def text_of(value: Any) -> str:
    """Return any answer as text: lists joined, objects as `key: value` pairs."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list):
        return ", ".join(filter(None, (text_of(item) for item in value[:100])))
    if isinstance(value, dict):
        pairs = ((key, text_of(item)) for key, item in list(value.items())[:50])
        return ", ".join(f"{key}: {said}" for key, said in pairs if said)
    return text(value)


DATE_PARTS = frozenset(
    {"date", "datetime", "year", "month", "day", "hour", "min", "minutes", "time", "timeinput", "ampm", "timezone"}
    | {"duration", "implementation"}
)
PART_OF_DATE = re.compile(r"\d{0,4}|[ap]\.?m\.?", re.IGNORECASE)
"""What a day or time in parts is made of; anything longer says more than `date_of` reads."""


def date_of(parts: Mapping[str, str]) -> str:
    """Return a day and time that a question gives in parts, as Jotform and Wufoo do; empty where it is no date."""
    day = parts.get("date") or parts.get("datetime") or ""
    if not day and parts.get("month") and parts.get("day") and parts.get("year"):
        day = f"{parts['month']}/{parts['day']}/{parts['year']}"
    hour = parts.get("timeinput") or parts.get("time") or ""
    if not hour and parts.get("hour") and (parts.get("min") or parts.get("minutes")):
        hour = f"{parts['hour']}:{parts.get('min') or parts.get('minutes')}"
    return " ".join(filter(None, (day, hour, hour and parts.get("ampm", ""))))
