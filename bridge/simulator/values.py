"""Single values of the contract: how text and JSON become stored form, and times become ServiceTitan's text."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

MAX_INT64 = 2**63 - 1
MAX_INT32 = 2**31 - 1

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z")


class Nulls(StrEnum):
    """What an explicit null does to a member that the contract does not call nullable; the real answer is unknown."""

    STRICT = "strict"
    IGNORE = "ignore"
    CLEAR = "clear"


class Errors(dict[str, list[str]]):
    """Validation errors by the path of the member, as `errors` of the problem body shows them."""

    def __init__(self, *, refuse_unknown: bool = False) -> None:
        super().__init__()
        self.refuse_unknown = refuse_unknown

    def add(self, path: str, message: str) -> None:
        """Keep a message under the member's path; a trailing dot is dropped."""
        self.setdefault(path.removesuffix(".") or "$", []).append(message)


def pascal(name: str) -> str:
    """Return the member's name as ServiceTitan's validation spells it: first letter upper case."""
    return name[:1].upper() + name[1:]


def stamp(moment: datetime) -> str:
    """Write a time as ServiceTitan does: UTC with seven fractional digits, so that text order is time order."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "0Z"


def read_time(text: str) -> str:
    """Read any ISO-8601 date or date-time (UTC where no zone is given) into the stored form; ValueError if it is none."""
    if _STAMP.fullmatch(text):
        datetime.fromisoformat(text)
        return text
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return stamp(moment)
    except OverflowError as error:
        raise ValueError(text) from error


def _int(limit: int) -> Callable[[Any, str, Errors, Nulls], Any]:
    def read(value: Any, path: str, errors: Errors, nulls: Nulls) -> Any:
        del nulls
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not -limit - 1 <= value <= limit:
            errors.add(path, "The JSON value could not be converted to an integer.")
            return 0
        return value

    return read


def _str(value: Any, path: str, errors: Errors, nulls: Nulls) -> Any:
    del nulls
    if not isinstance(value, str):
        errors.add(path, "The JSON value could not be converted to a string.")
        return ""
    return value


def _bool(value: Any, path: str, errors: Errors, nulls: Nulls) -> Any:
    del nulls
    if not isinstance(value, bool):
        errors.add(path, "The JSON value could not be converted to a boolean.")
        return False
    return value


def _num(value: Any, path: str, errors: Errors, nulls: Nulls) -> Any:
    del nulls
    if isinstance(value, bool) or not isinstance(value, int | float):
        errors.add(path, "The JSON value could not be converted to a number.")
        return 0
    return value


def _dt(value: Any, path: str, errors: Errors, nulls: Nulls) -> Any:
    del nulls
    try:
        return read_time(value)
    except (TypeError, ValueError):
        errors.add(path, "The JSON value could not be converted to a date-time.")
        return ""


def _guid(value: Any, path: str, errors: Errors, nulls: Nulls) -> Any:
    del nulls
    try:
        return str(UUID(value))
    except (TypeError, ValueError, AttributeError):
        errors.add(path, "The JSON value could not be converted to a GUID.")
        return ""


def _color(value: Any, path: str, errors: Errors, nulls: Nulls) -> Any:
    if not isinstance(value, str) or not re.fullmatch(r"#[0-9A-Fa-f]{6}", value):
        errors.add(path, "The value must be a color such as #1A2B3C.")
    return _str(value, path, errors, nulls)


def _any(value: Any, path: str, errors: Errors, nulls: Nulls) -> Any:
    del path, errors, nulls
    return value


READERS: dict[str, Callable[[Any, str, Errors, Nulls], Any]] = {
    "i64": _int(MAX_INT64),
    "i32": _int(MAX_INT32),
    "str": _str,
    "str~color": _color,
    "bool": _bool,
    "num": _num,
    "dt": _dt,
    "guid": _guid,
    "map": _any,
    "any": _any,
}


def read_enum(members: tuple[str, ...]) -> Callable[[Any, str, Errors, Nulls], Any]:
    """Return the reader of an enumeration: names without regard to case, as .NET reads them."""
    by_name = {member.lower(): member for member in members}

    def read(value: Any, path: str, errors: Errors, nulls: Nulls) -> Any:
        del nulls
        found = by_name.get(value.lower()) if isinstance(value, str) else None
        if found is None:
            errors.add(path, f"The value '{value}' is not one of {', '.join(members)}.")
            return members[0]
        return found

    return read


def read_query(kind: str, text: str) -> Any:
    """Read one query or path value of a plain kind; ValueError if it does not fit."""
    match kind:
        case "i64" | "i32":
            limit = MAX_INT64 if kind == "i64" else MAX_INT32
            if not re.fullmatch(r"[+-]?[0-9]{1,19}", text) or not -limit - 1 <= int(text) <= limit:
                raise ValueError(text)
            return int(text)
        case "num":
            return float(text)
        case "bool":
            if text.lower() not in {"true", "false"}:
                raise ValueError(text)
            return text.lower() == "true"
        case "dt":
            return read_time(text)
        case "guid":
            return str(UUID(text))
        case _:
            return text
