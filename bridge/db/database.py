"""The one door to the database: a pool, transactions, and the database's clock."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import cast

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from bridge.db.piped import Piped

log = logging.getLogger(__name__)

Tx = AsyncConnection
"""A connection inside a transaction. Stages take one and never commit; only `Database.begin` does."""

UNREACHABLE = (psycopg.OperationalError, PoolTimeout)
"""What is raised when the database cannot be reached or went away."""

DATABASE_AWAY = (*UNREACHABLE, psycopg.InterfaceError)
"""The same, where a connection that is kept or lent may have been closed before it was used."""

_ANCHOR_SECONDS = 30.0
_CONNECT_SECONDS = 3
_PIPED_AT_ONCE = 8
"""Connections beside the pool's, each opened when it is first needed."""
# A pool doubles the pause between its tries; past this it gives up, and the next request for a connection tries at once.
# With the library's 300 s a database that was away for two minutes stayed unused for up to two more.
_RECONNECT_SECONDS = 3.0


# Queue tables go from nothing to millions of rows between two ANALYZEs; with these off a plan made for an empty
# table still walks the index (a bad plan cost 158 of 206 us per event).
_SET_UP = (
    "SELECT set_config('enable_seqscan', 'off', false), set_config('enable_hashjoin', 'off', false),"
    " set_config('enable_mergejoin', 'off', false), set_config('TimeZone', 'UTC', false),"
    " set_config('idle_in_transaction_session_timeout', '60s', false), set_config('jit', 'off', false)"
)
# Arrays of one element look cheaper than arrays of unknown length, so PostgreSQL planned anew for each lone event: 2.7 ms of
# its CPU for the ten statements of one, 2.1 ms with plans that are made once.
_SET_UP_PIPED = f"{_SET_UP}, set_config('plan_cache_mode', 'force_generic_plan', false)"


# Who claims reads the first few of what waits, in order. Where PostgreSQL takes thousands for one (statistics of a table that
# was empty), reading and sorting all of them looks as cheap as walking the key.
_SET_UP_IN_ORDER = (
    f"{_SET_UP_PIPED}, set_config('enable_sort', 'off', false), set_config('enable_bitmapscan', 'off', false)"
)
_IN_ORDER_AT_ONCE = 4


# It goes on while the machine sleeps: who wakes must not believe that no time has passed. macOS's only one does too.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def _steady() -> float:
    """Return seconds of a clock that nobody sets."""
    return time.clock_gettime(_STEADY)


async def _configure(connection: AsyncConnection) -> None:
    await connection.set_autocommit(True)
    await connection.execute(_SET_UP)


class _Pipes:
    """Piped connections of one kind, each opened when it is first needed.

    The one used last is lent first: in turns, as a pool lends them, each server process finds its caches cold.
    """

    def __init__(self, dsn: str, *, set_up: str, at_once: int) -> None:
        self._dsn = dsn
        self._set_up = set_up
        self._at_once = asyncio.Semaphore(at_once)
        self._resting: list[Piped] = []

    @asynccontextmanager
    async def lend(self, *, whole: bool) -> AsyncIterator[Tx]:
        async with self._at_once:
            tx = self._resting.pop() if self._resting else await Piped.open(self._dsn, set_up=self._set_up)
            try:
                tx.begin(whole=whole)
                yield cast(Tx, tx)
                await tx.commit()
            except BaseException as error:
                await tx.abandon()
                if isinstance(error, psycopg.OperationalError):
                    await self.hang_up()  # those that rest are of the same server
                raise
            self._resting.append(tx)

    async def hang_up(self) -> None:
        resting, self._resting = self._resting, []
        for tx in resting:
            await tx.close()


class Database:
    """A pool of connections to one PostgreSQL; sizes count connections, timeouts are in seconds."""

    def __init__(self, dsn: str, *, min_size: int = 1, max_size: int = 8, timeout: float = 5.0) -> None:
        self.dsn = dsn
        self._pool = AsyncConnectionPool(
            dsn, min_size=min_size, max_size=max_size, configure=_configure, timeout=timeout,
            reconnect_timeout=_RECONNECT_SECONDS, open=False,
        )  # fmt: skip
        self._anchor: tuple[float, datetime] | None = None
        self._piped = _Pipes(dsn, set_up=_SET_UP_PIPED, at_once=_PIPED_AT_ONCE)
        self._in_order = _Pipes(dsn, set_up=_SET_UP_IN_ORDER, at_once=_IN_ORDER_AT_ONCE)

    async def open(self, *, wait: bool = True) -> None:
        """Open the pool; raises OperationalError with the server's own words where `wait` and it does not answer."""
        if wait:
            probe = await psycopg.AsyncConnection.connect(self.dsn, connect_timeout=_CONNECT_SECONDS)
            await probe.close()
        await self._pool.open(wait=wait)

    async def open_before(self, stop: asyncio.Event) -> bool:
        """Open the pool as soon as the database answers; returns false where `stop` is set before that."""
        told = False
        while not stop.is_set():
            try:
                await self.open()
            except psycopg.OperationalError as error:
                if not told:
                    log.warning("database.away", extra={"error": error})
                told = True
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), timeout=1.0)
            else:
                return True
        return False

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()
        await self._piped.hang_up()
        await self._in_order.hang_up()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection in autocommit mode: each statement is its own transaction."""
        async with self._pool.connection() as connection:
            yield connection

    @asynccontextmanager
    async def statements(self) -> AsyncIterator[Tx]:
        """Lend a connection as `connection` does, for what runs many times a second: at a third of its CPU, but with no cursors or COPY."""
        async with self._piped.lend(whole=False) as connection:
            yield connection

    @asynccontextmanager
    async def in_order(self) -> AsyncIterator[Tx]:
        """Lend a connection as `statements` does whose statements walk an index rather than sort."""
        async with self._in_order.lend(whole=False) as connection:
            yield connection

    @asynccontextmanager
    async def begin(self, *, piped: bool = False) -> AsyncIterator[Tx]:
        """Lend a connection inside one transaction: committed at the end, rolled back when anything is raised.

        `piped` lends one that sends its statements without waiting for answers that nobody reads (`bridge/db/piped.py`): a
        round trip costs as much as a statement. It has no savepoints, no cursors and no COPY.
        """
        if not piped:
            async with self._pool.connection() as connection, connection.transaction():
                yield connection
            return
        async with self._piped.lend(whole=True) as tx:
            yield tx

    async def now(self) -> datetime:
        """Return the database's time, so that replicas agree; asked every 30 s and carried on by the local clock."""
        if self._anchor is None or _steady() - self._anchor[0] > _ANCHOR_SECONDS:
            async with self.connection() as connection:
                before = _steady()
                row = await (await connection.execute("SELECT clock_timestamp()")).fetchone()
                after = _steady()
            if row is None:
                raise psycopg.OperationalError("the database did not tell its time")
            self._anchor = ((before + after) / 2, row[0].astimezone(UTC))
        return self.time()

    def time(self) -> datetime:
        """Return the database's time as `now` was told it last, carried on by the local clock; before that, this machine's."""
        if self._anchor is None:
            return datetime.now(UTC)
        then, told = self._anchor
        return told + timedelta(seconds=_steady() - then)


class Rehearsal(Database):
    """A database whose transactions all end in a roll-back: what is asked of it answers truly and leaves nothing."""

    @asynccontextmanager
    async def begin(self, *, piped: bool = False) -> AsyncIterator[Tx]:  # noqa: ARG002  nothing waits for its speed
        """Lend a connection inside one transaction that is rolled back at its end."""
        async with self.connection() as connection, connection.transaction(force_rollback=True):
            yield connection
