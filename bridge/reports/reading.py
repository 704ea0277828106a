"""A read-only transaction with the planner as PostgreSQL ships it, and rows as structs."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from psycopg import sql
from psycopg.rows import dict_row, kwargs_row

from bridge.db.database import Database, Tx

Row = TypeVar("Row")

# One moment for all statements of a report, and for the processes that share its work.
_ONE_MOMENT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
# The queues' connections forbid plans that age badly; a report is asked once and may hash and scan. 8 s bounds a bad question.
_SETTINGS = """
SELECT set_config('statement_timeout', '8s', true), set_config('enable_seqscan', 'on', true),
  set_config('enable_hashjoin', 'on', true), set_config('enable_mergejoin', 'on', true)
"""


@asynccontextmanager
async def reading(database: Database, *, moment: str = "") -> AsyncIterator[Tx]:
    """Lend a transaction that cannot write and sees one moment; with a name from `shared_moment`, the moment of that one."""
    async with database.begin() as tx:
        await tx.execute(_ONE_MOMENT)
        if moment:
            await tx.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(moment)))
        await tx.execute(_SETTINGS)
        yield tx


async def shared_moment(tx: Tx) -> str:
    """Return a name by which other transactions see what this one sees, as long as it lasts."""
    return str(await value_of(tx, "SELECT pg_export_snapshot()"))


async def rows_as(tx: Tx, kind: type[Row], query: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
    """Return the rows of a query as structs whose fields are named like its columns."""
    async with tx.cursor(row_factory=kwargs_row(kind)) as cursor:
        await cursor.execute(query, values)
        return await cursor.fetchall()


async def rows_of(tx: Tx, query: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[dict[str, Any]]:
    """Return the rows of a query as dicts."""
    async with tx.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, values)
        return await cursor.fetchall()


async def value_of(tx: Tx, query: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Any:
    """Return the first column of the first row, None where there is none."""
    row = await (await tx.execute(query, values)).fetchone()
    return row[0] if row else None
