"""Rows into tables: the newer of two versions wins in whatever order they come, and a repeat changes nothing.

What is known already is left out before anything is written; what is new goes in by COPY, what changed by an upsert that
compares once more, since our own writes come in between.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from psycopg import errors

from bridge.db.database import Tx
from bridge.db.match_keys import listed
from bridge.domain.ids import TenantId
from bridge.mirror.shapes import UNDATED, Row, Shape

SETTLING = timedelta(minutes=2)
"""For so long a page may still show a record without our own write, whose answer told no `modifiedOn`."""

SAME_TICK = timedelta(minutes=10)
"""Two versions with one `modifiedOn` are compared whole while so young; older ones are repeats."""

FEW = 50
"""Up to so many changed rows are sent one by one, more by COPY into a temporary table."""

Rows = Iterable[Row]

Version = tuple[datetime, datetime | None, bool, int | None]
"""`modified_on`, `written_at`, `active` and the owner of a row that is there."""


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What a page did: how many rows it held, the ids of those that were new or newer, and whom moved ones belonged to."""

    seen: int
    changed: frozenset[int] = frozenset()
    left: frozenset[int] = frozenset()


def itself(row: Row) -> Row:
    """Return a row that is whole already."""
    return row


async def apply(
    tx: Tx,
    tenant_id: TenantId,
    shape: Shape,
    rows: Rows,
    *,
    asked_at: datetime,
    whole: Callable[[Row], Row] = itself,
    expect_new: bool = False,
) -> Applied:
    """Bring rows of one kind into the mirror and say which changed it.

    Of `rows` only id, active, modified_on and owner need to be there; `whole` gives the rest of those that are written.
    `expect_new` tries to write all without a look first. `asked_at` is when the page was asked for, by the database's
    clock. Raises psycopg.DataError for what no column takes.
    """
    newest = _newest(rows)
    if not newest:
        return Applied(seen=0)
    if expect_new and await _insert(tx, tenant_id, shape, [whole(row) for row in newest.values()]):
        return Applied(seen=len(newest), changed=frozenset(newest))
    known = await _known(tx, tenant_id, shape, newest)
    fresh = [whole(row) for row in newest.values() if row[0] not in known]
    newer = [
        whole(row) for row in newest.values() if row[0] in known and _may_replace(row, known[row[0]], asked_at=asked_at)
    ]
    changed = {row[0] for row in fresh}
    if not await _insert(tx, tenant_id, shape, fresh):
        newer += fresh  # our own write came in between
    if newer:
        changed |= await _upsert(tx, tenant_id, shape, newer, asked_at=asked_at)
    left = {known[row[0]][3] for row in newer if row[0] in known and shape.owner and known[row[0]][3] != row[3]}
    return Applied(
        seen=len(newest),
        changed=frozenset(changed),
        left=frozenset(owner for owner in left if owner is not None),
    )


def _newest(rows: Rows) -> dict[int, Row]:
    """Return the last version of each record by its id; a page seldom holds two."""
    listed = list(rows)
    newest = {row[0]: row for row in listed}
    if len(newest) != len(listed):
        for row in listed:
            if row[2] > newest[row[0]][2]:
                newest[row[0]] = row
    return newest


async def _insert(tx: Tx, tenant_id: TenantId, shape: Shape, rows: Sequence[Row]) -> bool:
    """Write rows that are not there yet; False, and nothing written, where one of them is."""
    if not rows:
        return True
    try:
        async with tx.transaction():
            await _copy(tx, tenant_id, shape, shape.table, rows)
    except errors.UniqueViolation:
        return False
    return True


def _may_replace(row: Row, known: Version, *, asked_at: datetime) -> bool:
    """Tell what the statement below decides for good, as far as three columns tell it."""
    modified_on, written_at, active, _ = known
    if row[2] > modified_on:
        return True
    return row[2] == modified_on and (
        written_at is not None or active != row[1] or row[2] == UNDATED or asked_at - row[2] < SAME_TICK
    )


async def _known(tx: Tx, tenant_id: TenantId, shape: Shape, ids: Iterable[int]) -> dict[int, Version]:
    fixed = "".join(f" AND t.{name} = '{value}'" for name, value in shape.fixed.items())
    cursor = tx.cursor(binary=True)
    # One by one: asked for a list at once, a planner without statistics walks all rows of the tenant.
    await cursor.execute(
        f"SELECT found.* FROM unnest(%s::bigint[]) AS wanted (id) CROSS JOIN LATERAL ("
        f"SELECT t.id, modified_on, written_at, active, {shape.owner or 'NULL::bigint'} FROM {shape.table} t"
        f" WHERE t.tenant_id = %s{fixed} AND t.id = wanted.id OFFSET 0) AS found",
        [listed(ids), tenant_id],
    )
    return {
        key: (modified, written, active, owner) for key, modified, written, active, owner in await cursor.fetchall()
    }


async def _copy(tx: Tx, tenant_id: TenantId, shape: Shape, table: str, rows: Sequence[Row]) -> None:
    head = (tenant_id, *shape.fixed.values())
    names = ", ".join(f'"{name}"' for name in shape.names)
    async with tx.cursor().copy(f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(shape.types)
        write = copy.write_row
        for row in rows:
            await write(head + row)


@cache
def _statements(shape: Shape) -> tuple[str, str]:
    """Return the upsert of a shape from a list of values, and from its temporary table."""
    names = ", ".join(f'"{name}"' for name in shape.names)
    own = [name for name in shape.columns if name != "id"]
    sets = ", ".join(f'"{name}" = EXCLUDED."{name}"' for name in own)
    mine = ", ".join(f't."{name}"' for name in own)
    theirs = ", ".join(f'EXCLUDED."{name}"' for name in own)
    # `written_at` says that the record holds a write of ours whose answer told no `modifiedOn` or only a part of it: a page
    # asked for before that, and modified before that, may not show it yet. An equal `modified_on` fills what is missing.
    conflict = f"""
        ON CONFLICT ({", ".join(shape.key)}) DO UPDATE SET {sets}, written_at = NULL
        WHERE (EXCLUDED.modified_on > t.modified_on
               OR (EXCLUDED.modified_on = t.modified_on AND ({mine}) IS DISTINCT FROM ({theirs})))
          AND (t.written_at IS NULL OR EXCLUDED.modified_on >= t.written_at OR %s > t.written_at)
        RETURNING t.id
    """
    values = ", ".join(f"%s::{kind}" for kind in shape.types)
    return (
        f"INSERT INTO {shape.table} AS t ({names}) VALUES ({values}) {conflict}",
        f"INSERT INTO {shape.table} AS t ({names}) SELECT {names} FROM {incoming(shape)} ORDER BY id {conflict}",
    )


def incoming(shape: Shape) -> str:
    """Return the name of a shape's temporary table."""
    return f"incoming_{shape.table}"


async def _upsert(
    tx: Tx, tenant_id: TenantId, shape: Shape, rows: Sequence[Row], *, asked_at: datetime
) -> frozenset[int]:
    one, many = _statements(shape)
    settled = asked_at - SETTLING
    changed: set[int] = set()
    if len(rows) <= FEW:
        head = (tenant_id, *shape.fixed.values())
        # One order for all writers, so that two of them never wait for each other in a circle.
        for row in sorted(rows, key=lambda row: int(row[0])):
            cursor = await tx.execute(one, [*head, *row, settled])
            changed.update(found[0] for found in await cursor.fetchall())
        return frozenset(changed)
    table = incoming(shape)
    await tx.execute(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {table} (LIKE {shape.table} INCLUDING DEFAULTS) ON COMMIT DELETE ROWS"
    )
    await tx.execute(f"DELETE FROM {table}")
    await _copy(tx, tenant_id, shape, table, rows)
    cursor = await tx.execute(many, [settled])
    return frozenset(found[0] for found in await cursor.fetchall())


def without_nul(row: Row) -> Row:
    """Return a row without the one character that PostgreSQL's text cannot hold."""
    return tuple(_cleaned(value) for value in row)


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return value.replace("\x00", "")
        case list():
            return [_cleaned(item) for item in value]
        case _:
            return value
