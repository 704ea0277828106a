"""A transaction whose statements go out together: one wait for each answer that somebody reads, and one for the commit.

psycopg's pipeline asks the socket and the event loop anew around every statement: 37 waits and 2 ms of CPU for a transaction
of ten. Here a statement is put into libpq's buffer, and one reader settles answers as they come.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import psycopg
from psycopg import AsyncConnection, pq
from psycopg._queries import PostgresQuery, PostgresRawQuery
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result

from bridge.db.socket import GOOD, SYNC, Socket, connect

_Result = pq.abc.PGresult
_Name = tuple[bytes, tuple[int, ...]]


class Answer:
    """What a statement will answer: its rows are waited for when they are asked for."""

    __slots__ = ("_future", "_piped", "_rows")

    def __init__(self, piped: "Piped", future: "asyncio.Future[_Result]") -> None:
        self._piped = piped
        self._future = future
        self._rows: list[tuple[Any, ...]] | None = None

    async def fetchall(self) -> list[tuple[Any, ...]]:
        """Return the rows that are left."""
        rows = await self._read()
        left, rows[:] = rows[:], []
        return left

    async def fetchone(self) -> tuple[Any, ...] | None:
        """Return the next row."""
        rows = await self._read()
        return rows.pop(0) if rows else None

    async def _read(self) -> list[tuple[Any, ...]]:
        if self._rows is None:
            if not self._future.done():
                self._piped.ask()
            self._rows = self._piped.rows_of(await self._future)
        return self._rows


class Piped:
    """A connection for one transaction after another: `begin`, `execute`, then `commit` or `abandon`.

    Begun `whole`, all that is executed is one transaction; else each statement is one of its own, and `commit` waits for those
    whose rows nobody read. It stands in for a psycopg connection where statements are executed and their rows read; there are
    no savepoints, no cursors and no COPY. An error is raised where the rows are read, or else by `commit`.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._socket = Socket(connection.pgconn, readable=self._readable, broken=self._fail)
        self._transformer = Transformer(connection)
        self._names: dict[_Name, bytes] = {}
        self._expected: deque[tuple[asyncio.Future[_Result], _Name | None]] = deque()
        self._result: _Result | None = None
        self._error: Exception | None = None
        self._is_asking = False
        self._is_whole = True
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def open(cls, dsn: str, *, set_up: str) -> Self:
        """Connect and run `set_up`; raises OperationalError."""
        return cls(await connect(dsn, set_up=set_up))

    def begin(self, *, whole: bool = True) -> None:
        """Begin a transaction, or several of a statement each; raises OperationalError where the connection is gone."""
        self._error = None
        self._is_whole = whole
        self._socket.watch()
        self._pgconn.enter_pipeline_mode()
        if whole:
            self._send(b"BEGIN")

    async def execute(
        self,
        query: Any,
        params: Sequence[Any] | Mapping[str, Any] | None = None,
        *,
        prepare: bool | None = None,  # noqa: ARG002  everything is prepared
        binary: bool = False,
    ) -> Answer:
        """Put a statement in line, one in bytes with its parameters as $1, $2, …; `binary` asks for values in binary format."""
        asked = (PostgresRawQuery if isinstance(query, bytes) else PostgresQuery)(self._transformer)
        asked.convert(query, params)
        name = (asked.query, asked.types)
        known = self._names.get(name)
        with self._failing():
            if known is None:
                known = self._names[name] = b"p%d" % len(self._names)
                self._pgconn.send_prepare(known, asked.query, asked.types)
                self._expect(name)
            self._pgconn.send_query_prepared(known, asked.params, asked.formats, int(binary))
            answer = Answer(self, self._expect())
            if not self._is_whole:
                self._sync()
        return answer

    async def commit(self) -> None:
        """Commit, and raise what any of the statements broke on: then nothing of a whole transaction was done."""
        if self._is_whole:
            self._send(b"COMMIT")
            self._sync()
        self._is_asking = False
        if self._expected:
            last, _ = self._expected[-1]
            self._socket.flush()
            await last
        if self._error is not None:
            raise self._error
        self._pgconn.exit_pipeline_mode()
        self._socket.release()

    async def abandon(self) -> None:
        """End connection and transaction: the server rolls back what was not committed, and stops what still runs."""
        if self._expected and not self._connection.closed:
            with contextlib.suppress(psycopg.Error, TimeoutError):
                await self._connection.cancel_safe(timeout=1)
        self._fail(psycopg.OperationalError("the transaction was given up"))
        await self._connection.close()

    async def close(self) -> None:
        """Hang up between two transactions."""
        await self._connection.close()

    def ask(self) -> None:
        """Let the server answer what is in line once everybody who is ready to run has put his statements there."""
        if not self._is_asking:
            self._is_asking = True
            self._loop.call_soon(self._push)

    def _push(self) -> None:
        if not self._is_asking:
            return
        self._is_asking = False
        try:
            self._pgconn.send_flush_request()
        except psycopg.Error as error:  # nobody else hears of it in a callback: who waits would wait for ever
            self._fail(error)
        else:
            self._socket.flush()

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """Let go of the socket in the moment in which libpq closes it.

        Whoever connects next has its number: who stopped reading it only when the transaction is given up, some turns later,
        was seen to stop the other's reading, and a worker's tenant waited for ever.
        """
        try:
            yield
        except psycopg.Error as error:
            self._fail(error)
            raise

    def rows_of(self, result: _Result) -> list[tuple[Any, ...]]:
        """Return the rows of a result as Python values."""
        self._transformer.set_pgresult(result)
        return self._transformer.load_rows(0, result.ntuples, tuple)

    def _send(self, command: bytes) -> None:
        with self._failing():
            self._pgconn.send_query_params(command, None)
        self._expect()

    def _sync(self) -> None:
        """End a transaction: the server commits what was sent since the last end, and answers."""
        self._pgconn.pipeline_sync()
        self._expect()

    def _expect(self, name: _Name | None = None) -> "asyncio.Future[_Result]":
        future: asyncio.Future[_Result] = self._loop.create_future()
        self._expected.append((future, name))
        return future

    def _readable(self) -> None:
        connection = self._pgconn
        try:
            connection.consume_input()
            while self._expected and not connection.is_busy():
                result = connection.get_result()
                if result is not None and result.status != SYNC:
                    self._result = result
                elif result is not None:
                    self._settle(result)
                elif self._result is not None:  # the end of what one statement answers
                    self._settle(self._result)
                else:  # libpq forgot what it was asked, and would say so for ever: the session is over
                    self._fail(psycopg.OperationalError("the server ended the session amid a transaction"))
            if (
                self._expected and connection.status == pq.ConnStatus.BAD
            ):  # its socket is closed: no reading comes any more
                self._fail(psycopg.OperationalError("the server ended the session amid a transaction"))
        except psycopg.Error as error:
            self._fail(error)

    def _settle(self, result: _Result) -> None:
        self._result = None
        future, name = self._expected.popleft()
        if result.status in GOOD or result.status == SYNC:
            if not future.done():
                future.set_result(result)
            return
        if name is not None:
            del self._names[name]
        # What came after the statement that broke was not done: it is told with what that one broke on.
        self._refuse(future, self._error or error_from_result(result))

    def _refuse(self, future: "asyncio.Future[_Result]", error: Exception) -> None:
        self._error = self._error or error
        if not future.done():
            future.set_exception(error)
            future.exception()  # seen, even where nobody reads the rows: `commit` tells

    def _fail(self, error: Exception) -> None:
        self._socket.release()
        self._is_asking = False
        self._pgconn.finish()
        while self._expected:
            self._refuse(self._expected.popleft()[0], error)
