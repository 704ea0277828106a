"""Hears what NOTIFY says, on one connection for all channels of a process: PostgreSQL wakes every listener for every channel.

psycopg's own loop over notifications costs 60 us of CPU for each on a busy machine, twice what the rest of being woken does.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Final

import psycopg
from psycopg import AsyncConnection, pq

from bridge.db.database import DATABASE_AWAY
from bridge.db.socket import Socket, connect

PAUSE: Final = 0.2  # seconds between tries while the database is away

Handlers = Mapping[str, Callable[[], None]]


async def hear(dsn: str, handlers: Handlers) -> None:
    """Call each channel's handler when something was said there, and all of them after a silence in which nobody listened.

    Ends only by being cancelled: what is said while the database is away is a hint lost, for which every hearer polls.
    """
    listen = "; ".join(f"LISTEN {channel}" for channel in handlers)
    while True:
        with contextlib.suppress(*DATABASE_AWAY, OSError):
            async with await connect(dsn, set_up=listen) as connection:
                for handle in handlers.values():
                    handle()
                ear = _Ear(connection, handlers)
                try:
                    await ear.ended
                finally:
                    ear.release()
        await asyncio.sleep(PAUSE)


class _Ear:
    """Watches a connection that does nothing but listen; `ended` raises OperationalError when it is gone."""

    def __init__(self, connection: AsyncConnection, handlers: Handlers) -> None:
        self._pgconn = connection.pgconn
        self._handlers = {channel.encode(): handle for channel, handle in handlers.items()}
        self._socket = Socket(connection.pgconn, readable=self._readable, broken=self._end)
        self._socket.watch()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.release = self._socket.release

    def _readable(self) -> None:
        try:
            self._pgconn.consume_input()
            said = set()
            while note := self._pgconn.notifies():
                said.add(note.relname)
        except psycopg.Error as error:
            self._end(error)
            return
        for channel in said:
            self._handlers[channel]()
        if self._pgconn.status == pq.ConnStatus.BAD:  # libpq has closed the socket
            self._end(psycopg.OperationalError("the server ended the session"))

    def _end(self, error: psycopg.Error) -> None:
        self._socket.release()
        if not self.ended.done():
            self.ended.set_exception(error)
