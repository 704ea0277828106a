"""One bad record of a page is left out, counted and told of; the others of the page are kept and the feed goes on.

A page of which most is bad is no page with a bad record but an answer nobody understands: that stops the feed.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import psycopg
from psycopg import errors

from bridge.db.database import Tx
from bridge.domain.ids import TenantId
from bridge.mirror import rows
from bridge.mirror.rows import Applied
from bridge.mirror.shapes import Row, Shape
from bridge.servicetitan.classify import UNREADABLE

FEW = 10
"""So many bad records of a page are never taken for garbage: a quiet feed's page holds one or two in all."""

STRETCH = 250
"""Records read before the database's answers are looked at again: 1 ms of work."""

BAD = (*UNREADABLE, psycopg.DataError, OverflowError, errors.ProgramLimitExceeded)
"""What is raised for a record that is none, or that no column or index takes."""


class Skipped(msgspec.Struct, frozen=True):
    """A record that was left out: its id where it has a readable one, and what is wrong with it."""

    record_id: int | None
    detail: str


class Garbage(Exception):
    """Most of a page cannot be read: it is not kept."""


class _Id(msgspec.Struct):
    id: int | None = None


def weigh(skipped: Sequence[Skipped], *, of: int) -> None:
    """Raise Garbage where more than a few, and more than half, of a page's records are bad."""
    if len(skipped) > max(FEW, of // 2):
        raise Garbage(f"{len(skipped)} of {of} records cannot be read; the first: {skipped[0].detail}")


async def read_each(
    records: Sequence[msgspec.Raw], read: Callable[[msgspec.Raw], Row | None]
) -> tuple[list[Row], list[Skipped]]:
    """Return the rows of a page that `read` gives, and the records that are none. Raises Garbage."""
    found: list[Row] = []
    skipped: list[Skipped] = []
    for start in range(0, len(records), STRETCH):
        some = records[start : start + STRETCH]
        try:
            found += [row for record in some if (row := read(record)) is not None]
        except BAD:
            for record in some:
                try:
                    if (row := read(record)) is not None:
                        found.append(row)
                except BAD as error:
                    skipped.append(Skipped(_id_of(record), str(error)))
            weigh(skipped, of=len(records))
        await asyncio.sleep(0)
    return found, skipped


def _id_of(record: msgspec.Raw) -> int | None:
    try:
        return msgspec.json.decode(record, type=_Id).id
    except UNREADABLE:
        return None


async def apply(
    tx: Tx,
    tenant_id: TenantId,
    shape: Shape,
    found: Sequence[Row],
    *,
    asked_at: datetime,
    whole: Callable[[Row], Row],
    expect_new: bool,
    meanwhile: Callable[[], None],
    versions: rows.Versions | None = None,
) -> tuple[Applied, list[Skipped]]:
    """Bring rows into the mirror as `rows.apply` does, but for those that cannot be: halves are tried until they stand alone.

    Raises Garbage.
    """
    page = _Page(
        tx=tx,
        tenant_id=tenant_id,
        shape=shape,
        asked_at=asked_at,
        whole=whole,
        expect_new=expect_new,
        meanwhile=meanwhile,
    )
    done = await page.attempt(found if versions is None else versions, whole)
    if isinstance(done, Applied):
        return done, []
    skipped: list[Skipped] = []
    return await page.divide(found, skipped, of=len(found)), skipped


@dataclass(frozen=True, kw_only=True)
class _Page:
    """How a page is brought in. No closures: one that calls itself keeps a page's rows until the collector comes by."""

    tx: Tx
    tenant_id: TenantId
    shape: Shape
    asked_at: datetime
    whole: Callable[[Row], Row]
    expect_new: bool
    meanwhile: Callable[[], None]

    async def attempt(self, some: Sequence[Row] | rows.Versions, read: Callable[[Row], Row]) -> Applied | Exception:
        """Bring rows in, or return why the database takes none of them."""
        try:
            async with self.tx.transaction():
                return await rows.apply(
                    self.tx,
                    self.tenant_id,
                    self.shape,
                    some,
                    asked_at=self.asked_at,
                    whole=read,
                    expect_new=self.expect_new,
                    meanwhile=self.meanwhile,
                )
        except BAD as error:
            return error

    async def divide(self, some: Sequence[Row], skipped: list[Skipped], *, of: int) -> Applied:
        """Bring in what can be, half by half, and add the rest to `skipped`. Raises Garbage."""
        done = await self.attempt(some, self._clean)
        if isinstance(done, Applied):
            return done
        if len(some) == 1:
            skipped.append(Skipped(some[0][0], str(done).partition("\n")[0]))
            weigh(skipped, of=of)
            return Applied(seen=0)
        middle = len(some) // 2
        left = await self.divide(some[:middle], skipped, of=of)
        right = await self.divide(some[middle:], skipped, of=of)
        return Applied(
            seen=left.seen + right.seen,
            changed=left.changed | right.changed,
            found_by=left.found_by | right.found_by,
            left=left.left | right.left,
        )

    def _clean(self, row: Row) -> Row:
        return rows.without_nul(self.whole(row))
