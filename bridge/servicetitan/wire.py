"""The shapes all records share on the wire: camelCase names, pages, export pages, times."""

from datetime import datetime
from typing import Annotated, Generic, TypeVar

import msgspec

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with its zone; one that comes without is mended to UTC, one that would go out without is refused."""

Record = TypeVar("Record")


class Request(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What may be sent: a member left at UNSET is not sent, and None only goes where the contract allows null."""


class Answer(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """What was answered: unknown members are ignored, missing ones are None."""


class Page(msgspec.Struct, Generic[Record], frozen=True, kw_only=True, rename="camel"):
    """One page of a list; pages count from 1."""

    data: list[Record]
    page: int | None = None
    page_size: int | None = None
    has_more: bool = False
    total_count: int | None = None


class Export(msgspec.Struct, Generic[Record], frozen=True, kw_only=True, rename="camel"):
    """One page of an export feed; `continue_from` is opaque, and comes on the last page too."""

    data: list[Record]
    has_more: bool
    continue_from: str
