"""A connection for hot statements: prepared once, sent and read where the event loop says that the socket is ready.

A psycopg cursor costs 40 us of client CPU a statement and its waiting two system calls; parameters cost a Python call a value.
Here the caller hands over bytes in PostgreSQL's binary format and is called once with the result, within the callback of the
socket: the next statement leaves before anything else of the loop's turn. Statements may follow each other without waiting
(libpq's pipeline mode); each is a transaction of its own, and they are run in the order they were sent.
"""

import asyncio
import contextlib
import struct
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Self

import psycopg
from psycopg import AsyncConnection, pq
from psycopg.errors import error_from_result

from bridge.db.socket import GOOD, SYNC, Socket, connect

_BINARY: Final = 1
_ARRAY = struct.Struct(">5i").pack  # dimensions, has null, element type, length, lower bound

Answer = pq.abc.PGresult | psycopg.Error
"""What became of a statement: values in binary format, or what psycopg would raise."""
Then = Callable[[Answer], None]


def array(element_type: int, elements: Sequence[bytes]) -> bytes:
    """Return a one-dimensional array in binary format; each element carries its length in front, four bytes big-endian."""
    return b"".join((_ARRAY(1, 0, element_type, len(elements), 1), *elements))


class DirectConnection:
    """One connection in autocommit: `send` a prepared statement and be called, or `run` it and await its future."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._pgconn.enter_pipeline_mode()
        self._socket = Socket(self._pgconn, readable=self._readable, broken=self._fail)
        self._in_flight: deque[Then] = deque()
        self._result: pq.abc.PGresult | None = None
        self._formats: dict[str, tuple[bytes, list[int]]] = {}
        self._is_ended = False
        self._socket.watch()

    @classmethod
    async def open(cls, dsn: str, *, set_up: str, statements: Mapping[str, str]) -> Self:
        """Connect, run `set_up`, and prepare the statements; raises OperationalError."""
        opened = cls(await connect(dsn, set_up=set_up))
        try:
            for name, sql in statements.items():
                await opened.prepare(name, sql)
        except BaseException:
            opened.close()
            raise
        return opened

    @property
    def is_closed(self) -> bool:
        """Tell whether the server or we ended it."""
        return self._is_ended or self._connection.closed

    @property
    def pid(self) -> int:
        """The number of the server's process."""
        return self._pgconn.backend_pid

    async def prepare(self, name: str, sql: str) -> None:
        """Let the server parse a statement whose parameters are $1, $2, …, each with its type written out."""
        formats = [_BINARY] * sum(f"${place}::" in sql for place in range(1, 100))
        self._formats[name] = name.encode(), formats
        answer, then = self._future()
        with self._ending():
            self._pgconn.send_prepare(name.encode(), sql.encode())
            self._pgconn.pipeline_sync()
        self._sent(then)
        await answer

    def send(self, name: str, parameters: Sequence[bytes], then: Then) -> None:
        """Send a prepared statement and call `then`, which must not raise, once it is committed or has failed.

        Raises OperationalError where the connection is gone; `then` is not called after that.
        """
        known, formats = self._formats[name]
        with self._ending():
            self._pgconn.send_query_prepared(known, parameters, formats, _BINARY)
            self._pgconn.pipeline_sync()
        self._sent(then)

    def run(self, name: str, parameters: Sequence[bytes]) -> asyncio.Future[pq.abc.PGresult]:
        """Send a prepared statement and return the future of its result, which raises what psycopg would."""
        answer, then = self._future()
        self.send(name, parameters, then)
        return answer

    def _future(self) -> tuple[asyncio.Future[pq.abc.PGresult], Then]:
        future: asyncio.Future[pq.abc.PGresult] = asyncio.get_running_loop().create_future()

        def settle(answer: Answer) -> None:
            if future.done():
                return
            if isinstance(answer, psycopg.Error):
                future.set_exception(answer)
            else:
                future.set_result(answer)

        return future, settle

    def _sent(self, then: Then) -> None:
        self._in_flight.append(then)
        self._socket.flush()

    @contextlib.contextmanager
    def _ending(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            self._fail(error)
            raise

    def _readable(self) -> None:
        connection, in_flight = self._pgconn, self._in_flight
        try:
            connection.consume_input()
            is_between = False
            while in_flight and not connection.is_busy():
                result = connection.get_result()
                if result is None:
                    if (
                        is_between
                    ):  # nothing comes any more: the server has hung up, which this or the next reading tells
                        break
                    is_between = True
                    continue
                is_between = False
                if result.status != SYNC:
                    self._result = result
                    continue
                # Only now is it committed: rows and the word that they are complete may come before.
                said, self._result = self._result, None
                in_flight.popleft()(_answer(said))
            while connection.notifies():
                pass
            if connection.status == pq.ConnStatus.BAD:  # libpq has closed the socket, whether or not anybody waits
                self._fail(psycopg.OperationalError("the server ended the session"))
        except psycopg.Error as error:
            self._fail(error)

    def _fail(self, error: psycopg.Error) -> None:
        said, self._result = self._result, None
        if said is not None and said.status not in GOOD:
            error = error_from_result(said)
        self._end(error)

    def _end(self, error: psycopg.Error) -> None:
        if not self._is_ended:
            self._is_ended = True
            self._socket.release()
            self._pgconn.finish()
        while self._in_flight:
            self._in_flight.popleft()(error)

    def close(self) -> None:
        """End the connection; a statement in flight may or may not have been committed."""
        self._end(psycopg.OperationalError("the connection was closed"))


def _answer(said: pq.abc.PGresult | None) -> Answer:
    if said is None:
        return psycopg.OperationalError("the server gave no result")
    return said if said.status in GOOD else error_from_result(said)
