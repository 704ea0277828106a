"""Read what ServiceTitan answers: exactly where it keeps its contract, leniently where it does not.

Its contract says non-null where nulls come, names where numbers come, and zones where none come (one long-lived public
reader of this API ended with "everything nullable except primary keys, enums as plain strings"). So each field of an
answer but the primary key may be missing, and a body that does not fit is mended value by value before it is given up.
"""

import re
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import inspect

WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}")


class Reader:
    """Decodes the answers of one type; the slow, mending path runs only after the strict one has failed."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self._decoder = msgspec.json.Decoder(answer)
        self._type = inspect.type_info(answer)

    @property
    def takes_null(self) -> bool:
        """Return whether an empty body or a null is a documented answer."""
        return isinstance(self._type, inspect.UnionType) and self._type.includes_none

    def read(self, content: bytes | msgspec.Raw) -> Any:
        """Return the decoded body. Raises msgspec.DecodeError where even mending leaves no usable record."""
        try:
            return self._decoder.decode(content)
        except msgspec.ValidationError:
            data = msgspec.json.decode(content)
            return msgspec.convert(mend(data, self._type), self._answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            legible = legible_text(bytes(content))
            if legible == content:
                raise
            return self.read(legible)


_ESCAPE = re.compile(
    rb"\\(?:u(?P<alone>[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})|[c-fC-F][0-9a-fA-F]{2}))"
    rb"|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|.)",
    re.DOTALL,
)


def legible_text(content: bytes) -> bytes:
    """Return JSON with the replacement character for what is no letter: bytes that are no UTF-8, half a surrogate pair."""
    text = content.decode(errors="replace").encode()
    return _ESCAPE.sub(lambda hit: rb"\ufffd" if hit["alone"] else hit[0], text)


def mend(value: Any, wanted: inspect.Type) -> Any:  # noqa: PLR0911 - one return per kind of JSON value
    """Return the value made to fit the wanted type where nothing is lost; what cannot fit an optional field is None."""
    match wanted:
        case inspect.UnionType():
            if value is None:
                return None
            inner = next(member for member in wanted.types if not isinstance(member, inspect.NoneType))
            mended = mend(value, inner)
            return mended if _fits(mended, inner) else None
        case inspect.StructType() if isinstance(value, dict):
            return {
                field.encode_name: mend(value[field.encode_name], field.type)
                for field in wanted.fields
                if field.encode_name in value
                # A null where a default stands (an empty list) is that default.
                and not (value[field.encode_name] is None and not field.required and not _takes_none(field.type))
            }
        case inspect.RawType():
            return msgspec.Raw(msgspec.json.encode(value))
        case inspect.ListType() | inspect.VarTupleType() if isinstance(value, list):
            return [mend(item, wanted.item_type) for item in value if item is not None]
        case inspect.StrType() if isinstance(value, int | float):  # an enum sent as its number: kept as text
            return str(value)
        case inspect.IntType() if isinstance(value, str):
            return int(value) if WHOLE_NUMBER.fullmatch(value) else value
        case inspect.IntType() if isinstance(value, float) and value.is_integer():
            return int(value)
        case inspect.FloatType() if isinstance(value, str):
            return _number(value)
        case inspect.BoolType() if isinstance(value, str) and value.lower() in {"true", "false"}:
            return value.lower() == "true"
        case inspect.DateTimeType() if isinstance(value, str):
            return _moment(value)
        case _:
            return value


def _takes_none(wanted: inspect.Type) -> bool:
    return isinstance(wanted, inspect.UnionType) and wanted.includes_none


def _fits(value: Any, wanted: inspect.Type) -> bool:
    match wanted:
        case inspect.StructType():
            return isinstance(value, dict)
        case inspect.ListType() | inspect.VarTupleType():
            return isinstance(value, list)
        case inspect.StrType():
            return isinstance(value, str)
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.IntType():
            return isinstance(value, int) and not isinstance(value, bool)
        case inspect.FloatType():
            return isinstance(value, int | float) and not isinstance(value, bool)
        case inspect.DateTimeType():
            return isinstance(value, datetime)
        case _:
            return True


def _number(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value


def _moment(value: str) -> datetime | str:
    try:
        moment = msgspec.convert(value, datetime)
    except msgspec.ValidationError:
        return value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
