"""Rows into tables: the newer of two versions wins in whatever order they come, and a repeat changes nothing.

What is known already is left out before anything is written; what is new goes in by COPY, what changed by an upsert that
compares once more, since our own writes come in between.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from psycopg import errors

from bridge.db.database import Tx
from bridge.db.match_keys import listed
from bridge.domain.ids import TenantId
from bridge.mirror.shapes import UNDATED, Row, Shape

SETTLING = timedelta(minutes=2)
"""For so long a page may still show a record without our own write, whose answer told no `modifiedOn`."""

SAME_TICK = timedelta(minutes=10)
"""Two versions with one `modifiedOn` are compared whole while so young; older ones are repeats."""

FEW = 8
"""Up to so many changed rows are sent one by one (0.15 ms each), more by COPY into a temporary table (1 ms in all)."""

Rows = Iterable[Row]


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What a page did: how many rows it held, the ids of those that were new or newer, and whom moved ones belonged to.

    `found_by` are those of them that may be found by something else now: a new balance or remark is none.
    """

    seen: int
    changed: frozenset[int] = frozenset()
    found_by: frozenset[int] = frozenset()
    left: frozenset[int] = frozenset()


class Versions(NamedTuple):
    """The last version of each record by its id, and what the database is asked about them, written as arrays."""

    newest: Mapping[int, Row]
    ids: str
    active: str
    told: str


def versions_of(rows: Rows) -> Versions:
    """Return rows as `apply` asks about them: 1 µs a row that need not be spent while the database waits."""
    newest = _newest(rows)
    each = newest.values()
    told = (round((row[2] - UNDATED).total_seconds() * 1_000_000) for row in each)
    return Versions(newest, listed(newest), listed(row[1] for row in each), listed(told))


def nothing() -> None:
    """There is nothing else to do."""


def itself(row: Row) -> Row:
    """Return a row that is whole already."""
    return row


async def apply(
    tx: Tx,
    tenant_id: TenantId,
    shape: Shape,
    rows: Rows | Versions,
    *,
    asked_at: datetime,
    whole: Callable[[Row], Row] = itself,
    expect_new: bool = False,
    meanwhile: Callable[[], None] = nothing,
) -> Applied:
    """Bring rows of one kind into the mirror and say which changed it.

    Of `rows` only id, active, modified_on and owner need to be there; `whole` gives the rest of those that are written.
    `expect_new` tries to write all without a look first. `asked_at` is when the page was asked for, by the database's
    clock. `meanwhile` is called when the database gets its longest task. Raises psycopg.DataError for what no column takes.
    """
    newest = rows.newest if isinstance(rows, Versions) else _newest(rows)
    if not newest:
        return Applied(seen=0)
    if expect_new:
        meanwhile()
    if expect_new and await insert(tx, shape, [(tenant_id, whole(row)) for row in newest.values()]):
        return Applied(seen=len(newest), changed=frozenset(newest), found_by=frozenset(newest))
    versions = rows if isinstance(rows, Versions) else versions_of(newest.values())
    news = await _news(tx, tenant_id, shape, versions, asked_at=asked_at, meanwhile=meanwhile)
    fresh = [(tenant_id, whole(newest[one.id])) for one in news if not one.is_known]
    newer = [whole(newest[one.id]) for one in news if one.is_known]
    changed = {row[0] for _, row in fresh}
    same: frozenset[int] = frozenset()
    if not await insert(tx, shape, fresh):
        newer += [row for _, row in fresh]  # our own write came in between
    if newer:
        if shape.keyed:
            same = await _same(tx, tenant_id, shape, newer)
        changed |= await _upsert(tx, tenant_id, shape, newer, asked_at=asked_at)
    left = {one.owner for one in news if one.is_known and shape.owner and one.owner != newest[one.id][3]}
    return Applied(
        seen=len(newest),
        changed=frozenset(changed),
        found_by=frozenset(changed - same),
        left=frozenset(owner for owner in left if owner is not None),
    )


def _newest(rows: Iterable[Row]) -> dict[int, Row]:
    """Return the last version of each record by its id; a page seldom holds two."""
    listed = list(rows)
    newest = {row[0]: row for row in listed}
    if len(newest) != len(listed):
        for row in listed:
            if row[2] > newest[row[0]][2]:
                newest[row[0]] = row
    return newest


async def insert(tx: Tx, shape: Shape, rows: Sequence[tuple[TenantId, Row]]) -> bool:
    """Write rows of any tenants that are not there yet; False, and nothing written, where one of them is.

    On a connection that is in no transaction it is one of its own.
    """
    if not rows:
        return True
    try:
        async with tx.transaction():
            await _copy(tx, shape, shape.table, rows)
    except errors.UniqueViolation:
        return False
    return True


class _News(NamedTuple):
    """A row that the mirror lacks or may hold an older version of, and whose it was."""

    id: int
    is_known: bool
    owner: int | None


@cache
def _question(shape: Shape) -> str:
    """Return what asks which of some rows are news: it decides what the upsert decides for good, as far as three columns tell.

    A row that is none comes no further than its index entry: of 5,000 rows with 50 changed only those are sent back.
    """
    fixed = "".join(f" AND t.{name} = '{value}'" for name, value in shape.fixed.items())
    # One by one: asked for a list at once, a planner without statistics walks all rows of the tenant.
    return f"""
        SELECT w.id, t.id IS NOT NULL, t.owner
        FROM (SELECT id, active, timestamptz 'epoch' + told * interval '1 microsecond' AS modified_on
              FROM unnest(%(ids)s::bigint[], %(active)s::bool[], %(told)s::bigint[]) AS w (id, active, told)) w
        LEFT JOIN LATERAL (
            SELECT t.id, modified_on, written_at, active, {shape.owner or "NULL::bigint"} AS owner FROM {shape.table} t
            WHERE t.tenant_id = %(tenant)s{fixed} AND t.id = w.id OFFSET 0
        ) t ON true
        WHERE t.id IS NULL OR w.modified_on > t.modified_on
           OR w.modified_on = t.modified_on AND (
                t.written_at IS NOT NULL OR w.active <> t.active OR w.modified_on = 'epoch' OR w.modified_on > %(young)s)
    """


async def _news(
    tx: Tx,
    tenant_id: TenantId,
    shape: Shape,
    versions: Versions,
    *,
    asked_at: datetime,
    meanwhile: Callable[[], None],
) -> list[_News]:
    cursor = tx.cursor(binary=True)
    asked = {
        "ids": versions.ids,
        "active": versions.active,
        "told": versions.told,
        "tenant": tenant_id,
        "young": asked_at - SAME_TICK,
    }
    meanwhile()
    await cursor.execute(_question(shape), asked)
    return [_News._make(found) for found in await cursor.fetchall()]


async def _copy(tx: Tx, shape: Shape, table: str, rows: Sequence[tuple[TenantId, Row]]) -> None:
    fixed = tuple(shape.fixed.values())
    names = ", ".join(f'"{name}"' for name in shape.names)
    async with tx.cursor().copy(f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(shape.types)
        write = copy.write_row
        for tenant_id, row in rows:
            await write((tenant_id, *fixed, *row))


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


async def _same(tx: Tx, tenant_id: TenantId, shape: Shape, rows: Sequence[Row]) -> frozenset[int]:
    """Return the rows that are found by what they were found by, and lock them all: what is compared is what is replaced."""
    names = ", ".join(f't."{name}"' for name in shape.found_by)
    fixed = "".join(f" AND t.{name} = '{value}'" for name, value in shape.fixed.items())
    cursor = tx.cursor(binary=True)
    await cursor.execute(
        f"SELECT t.id, {names} FROM {shape.table} t WHERE t.tenant_id = %s{fixed}"
        " AND t.id = ANY(%s::bigint[]) ORDER BY t.id FOR UPDATE",
        [tenant_id, listed(row[0] for row in rows)],
    )
    before = {found[0]: found[1:] for found in await cursor.fetchall()}
    return frozenset(row[0] for row in rows if row[0] in before and not shape.is_news_to_keys(before[row[0]], row))


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
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {table} (LIKE {shape.table} INCLUDING DEFAULTS) ON COMMIT DELETE ROWS;"
        f" DELETE FROM {table}"
    )
    await _copy(tx, shape, table, [(tenant_id, row) for row in rows])
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
