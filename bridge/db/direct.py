"""A connection for one hot statement: prepared once, sent and read where the event loop says that the socket is ready.

A psycopg cursor costs 40 us of client CPU a statement and its waiting two system calls; parameters cost a Python call a value.
Here the caller hands over bytes in PostgreSQL's binary format and is woken once. One statement is in flight at a time.
"""

import asyncio
import struct
from collections.abc import Mapping, Sequence
from typing import Final, Self

import psycopg
from psycopg import AsyncConnection, pq
from psycopg.errors import error_from_result

_BINARY: Final = 1
_GOOD: Final = frozenset({pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK})
_ARRAY = struct.Struct(">5i").pack  # dimensions, has null, element type, length, lower bound


def array(element_type: int, elements: Sequence[bytes]) -> bytes:
    """Return a one-dimensional array in binary format; each element carries its length in front, four bytes big-endian."""
    return b"".join((_ARRAY(1, 0, element_type, len(elements), 1), *elements))


class DirectConnection:
    """One connection in autocommit; `run` a prepared statement, await its future, then run the next."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._loop = asyncio.get_running_loop()
        self._socket = self._pgconn.socket
        self._answer: asyncio.Future[pq.abc.PGresult] | None = None
        self._result: pq.abc.PGresult | None = None
        self._formats: dict[str, list[int]] = {}
        self._is_writing = False
        self._loop.add_reader(self._socket, self._readable)

    @classmethod
    async def open(cls, dsn: str, *, set_up: str, statements: Mapping[str, str]) -> Self:
        """Connect, run `set_up`, and prepare the statements; raises OperationalError."""
        connection = await AsyncConnection.connect(dsn, autocommit=True, connect_timeout=3)
        try:
            await connection.execute(set_up)
        except BaseException:
            await connection.close()
            raise
        opened = cls(connection)
        try:
            for name, sql in statements.items():
                await opened.prepare(name, sql)
        except BaseException:
            await opened.close()
            raise
        return opened

    @property
    def is_closed(self) -> bool:
        """Tell whether the server or we ended it."""
        return self._connection.closed

    async def prepare(self, name: str, sql: str) -> None:
        """Let the server parse a statement whose parameters are $1, $2, …, each with its type written out."""
        self._formats[name] = [_BINARY] * sum(f"${place}::" in sql for place in range(1, 100))
        self._pgconn.send_prepare(name.encode(), sql.encode())
        await self._sent()

    def run(self, name: str, parameters: Sequence[bytes]) -> asyncio.Future[pq.abc.PGresult]:
        """Send a prepared statement and return the future of its result: values in binary format.

        The future raises what psycopg would: OperationalError where the connection is gone, DataError for a value refused.
        """
        self._pgconn.send_query_prepared(name.encode(), parameters, self._formats[name], _BINARY)
        return self._sent()

    def _sent(self) -> asyncio.Future[pq.abc.PGresult]:
        self._answer = answer = self._loop.create_future()
        if self._pgconn.flush():
            self._is_writing = True
            self._loop.add_writer(self._socket, self._writable)
        return answer

    def _writable(self) -> None:
        try:
            is_left = self._pgconn.flush()
        except psycopg.Error as error:
            self._fail(error)
            return
        if not is_left:
            self._is_writing = False
            self._loop.remove_writer(self._socket)

    def _readable(self) -> None:
        connection = self._pgconn
        try:
            connection.consume_input()
            while self._answer is not None and not connection.is_busy():
                result = connection.get_result()
                if result is None:  # only now is it committed: rows and the word that they are complete may come before
                    self._settle(self._answer)
                else:
                    self._result = result
            while connection.notifies():
                pass
        except psycopg.Error as error:
            self._fail(error)

    def _settle(self, answer: asyncio.Future[pq.abc.PGresult]) -> None:
        result, self._answer, self._result = self._result, None, None
        if answer.done():
            return
        if result is None:
            answer.set_exception(psycopg.OperationalError("the server gave no result"))
        elif result.status in _GOOD:
            answer.set_result(result)
        else:
            answer.set_exception(error_from_result(result))

    def _fail(self, error: Exception) -> None:
        answer, self._answer, said = self._answer, None, self._result
        self._forget_socket()
        self._pgconn.finish()
        if answer is not None and not answer.done():
            answer.set_exception(error_from_result(said) if said and said.status not in _GOOD else error)

    def _forget_socket(self) -> None:
        self._loop.remove_reader(self._socket)
        if self._is_writing:
            self._is_writing = False
            self._loop.remove_writer(self._socket)

    async def close(self) -> None:
        """End the connection; a statement in flight may or may not have been committed."""
        if not self._connection.closed:
            self._forget_socket()
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(psycopg.OperationalError("the connection was closed"))
        await self._connection.close()
