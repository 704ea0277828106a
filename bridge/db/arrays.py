"""Array literals for hot statements: psycopg escapes lists element by element, which cost half of an owner's CPU."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def integers(values: Iterable[int]) -> str:
    """Return a literal of integers, none of which is NULL."""
    return "{" + ",".join(map(str, values)) + "}"


def numbers(values: Iterable[int | None]) -> str:
    """Return a literal of integers; None is NULL."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def texts(values: Iterable[str | None]) -> str:
    """Return a literal of texts; None is NULL."""
    return (
        "{"
        + ",".join(
            [
                "NULL" if value is None else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
                for value in values
            ]
        )
        + "}"
    )


def microseconds(value: datetime | None) -> int | None:
    """Return a time as microseconds since 1970, which PostgreSQL turns back exactly."""
    return None if value is None else (value - _EPOCH) // _MICROSECOND
