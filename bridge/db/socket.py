"""A libpq connection on the event loop, for those who speak to libpq without psycopg's cursors."""

import asyncio
from collections.abc import Callable
from typing import Final

import psycopg
from psycopg import AsyncConnection, pq

GOOD: Final = frozenset({pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK})
SYNC: Final = pq.ExecStatus.PIPELINE_SYNC

LOOK_SECONDS = 1.0


async def connect(dsn: str, *, set_up: str) -> AsyncConnection:
    """Connect in autocommit and run `set_up`; raises OperationalError."""
    connection = await AsyncConnection.connect(dsn, autocommit=True, connect_timeout=3, keepalives_idle=5)
    try:
        await connection.execute(set_up)
    except BaseException:
        await connection.close()
        raise
    return connection


class Socket:
    """Calls `readable` when something may have come, and `broken` where writing fails; watched from `watch` to `release`.

    `readable` is also called once a second. A server that quits with statements of ours unread leaves an error on the socket;
    libuv reports that with the server's last words and then polls no more, so its end would never be heard of: a worker's
    tenant was seen to wait for ever. (psycopg's own waits look ten times a second.)
    """

    def __init__(
        self, pgconn: pq.abc.PGconn, *, readable: Callable[[], None], broken: Callable[[psycopg.Error], None]
    ) -> None:
        self._pgconn = pgconn
        self._number = pgconn.socket  # libpq forgets it as soon as the server is gone
        self._readable = readable
        self._broken = broken
        self._loop = asyncio.get_running_loop()
        self._next_look: asyncio.TimerHandle | None = None
        self._is_writing = False

    def watch(self) -> None:
        """Begin to call."""
        self._loop.add_reader(self._number, self._readable)
        self._next_look = self._loop.call_later(LOOK_SECONDS, self._look)

    def flush(self) -> None:
        """Let what libpq holds leave, what does not fit as soon as it does."""
        try:
            is_left = bool(self._pgconn.flush())
        except psycopg.Error as error:
            self._broken(error)
            return
        if is_left and not self._is_writing:
            self._loop.add_writer(self._number, self.flush)
        elif not is_left and self._is_writing:
            self._loop.remove_writer(self._number)
        self._is_writing = is_left

    def release(self) -> None:
        """Stop, in the turn in which libpq closes the socket: whoever connects next has its number. More than once is harmless."""
        if self._next_look is None:
            return
        self._next_look.cancel()
        self._next_look = None
        self._loop.remove_reader(self._number)
        if self._is_writing:
            self._is_writing = False
            self._loop.remove_writer(self._number)

    def _look(self) -> None:
        self._next_look = self._loop.call_later(LOOK_SECONDS, self._look)
        self._readable()
