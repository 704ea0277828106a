"""What makes histories cheap: connections that wait in C, and requests that go straight to the simulator's door.

A history is one thing at a time, so nothing is gained by an event loop that watches sockets; half of a history's time went
there. What is tested is above: the statements, the transactions and the bytes are the real ones.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import psycopg
from psycopg import waiting
from psycopg._queries import PostgresQuery
from psycopg.adapt import Transformer

from bridge.db.database import Database, Tx
from bridge.simulator.door import Door, Request

SETTINGS = (
    "SELECT set_config('enable_seqscan', 'off', false), set_config('enable_hashjoin', 'off', false),"
    " set_config('enable_mergejoin', 'off', false), set_config('TimeZone', 'UTC', false),"
    " set_config('jit', 'off', false), set_config('lock_timeout', '10s', false),"
    " set_config('plan_cache_mode', 'force_generic_plan', false)"
)

_GOOD = frozenset({psycopg.pq.ExecStatus.TUPLES_OK, psycopg.pq.ExecStatus.COMMAND_OK})

PATIENCE = 20.0  # seconds, the client's


class Answer:
    """What a statement answered, read at once."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: list[tuple[Any, ...]], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    async def fetchall(self) -> list[tuple[Any, ...]]:
        rows, self._rows = self._rows, []
        return rows

    async def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows.pop(0) if self._rows else None


class Stepped(psycopg.AsyncConnection[Any]):
    """A connection whose waits are the C ones and block the process: nobody else has anything to do meanwhile.

    `execute` dumps and loads as psycopg does and leaves out its cursor, its generators and its guesses at what to prepare:
    they cost three times what the statement itself does here.
    """

    prepared: dict[tuple[bytes, tuple[int, ...]], bytes]
    transformer: Transformer

    async def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        return waiting.wait(gen, self.pgconn.socket, interval, timeout)

    @asynccontextmanager
    async def pipeline(self) -> AsyncIterator[Any]:
        """Statements wait for their answers here: only the order of a pipeline is kept."""
        yield None

    async def execute(
        self, query: Any, params: Any = None, *, prepare: bool | None = None, binary: bool = False
    ) -> Any:
        asked = PostgresQuery(self.transformer)
        asked.convert(query, params)
        name = self.prepared.get((asked.query, asked.types))
        if name is None:
            name = b"s%d" % len(self.prepared)
            _good(self.pgconn.prepare(name, asked.query, asked.types))
            self.prepared[asked.query, asked.types] = name
        result = _good(self.pgconn.exec_prepared(name, asked.params, asked.formats, int(binary)))
        if not result.nfields:
            return Answer([], result.command_tuples or 0)
        self.transformer.set_pgresult(result)
        return Answer(self.transformer.load_rows(0, result.ntuples, tuple), result.ntuples)


def _good(result: Any) -> Any:
    if result.status not in _GOOD:
        raise psycopg.errors.error_from_result(result)
    return result


class Stage(Database):
    """The door to the database with connections of that kind, the one used last first."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.cut = ""  # "before" or "after" the commit that comes next but `spared` the connection is lost, once
        self.spared = 0
        self._idle: list[Stepped] = []

    async def connect(self) -> Stepped:
        """Return a new connection, set up as the pool's are."""
        connection = await Stepped.connect(self.dsn, autocommit=True)
        connection.prepared, connection.transformer = {}, Transformer(connection)
        await connection.execute(SETTINGS)
        return connection

    async def open(self, *, wait: bool = True) -> None:
        self._idle.append(await self.connect())

    async def close(self) -> None:
        for connection in self._idle:
            await connection.close()
        self._idle.clear()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[psycopg.AsyncConnection]:
        connection = await self.lend()
        try:
            yield connection
        finally:
            if not connection.closed:
                self.take_back(connection)

    statements = in_order = connection
    """Their statements may sort here: a history's tables are small."""

    async def lend(self) -> Stepped:
        """Take a connection out for a transaction that stays open; `take_back` ends what is not committed."""
        return self._idle.pop() if self._idle else await self.connect()

    def take_back(self, connection: Stepped) -> None:
        """Put a lent connection back, rolled back where it was left amid a transaction."""
        if connection.info.transaction_status is not psycopg.pq.TransactionStatus.IDLE:
            _command(connection, b"ROLLBACK")
        self._idle.append(connection)

    def _cut(self) -> str:
        if self.cut and self.spared:
            self.spared -= 1
            return ""
        cut, self.cut = self.cut, ""
        return cut

    @asynccontextmanager
    async def begin(self, *, piped: bool = False) -> AsyncIterator[Tx]:
        async with self.connection() as connection:
            _command(connection, b"BEGIN")
            try:
                yield connection
            except BaseException:
                if not connection.closed:
                    _command(connection, b"ROLLBACK")
                raise
            cut = self._cut()
            # To the server a connection lost before its commit is a rollback; the caller never gets this one back.
            _command(connection, b"ROLLBACK" if cut == "before" else b"COMMIT")
            if cut:
                raise psycopg.OperationalError(f"the connection was lost {cut} the commit was done")


def _command(connection: psycopg.AsyncConnection, command: bytes) -> None:
    """Run a command without psycopg's ceremony, which costs more than the command."""
    _good(connection.pgconn.exec_(command))


class DoorHttp(httpx.AsyncClient):
    """The client's way to the simulator: one call, with the errors a network gives."""

    def __init__(self, door: Door, gates: Any, *, on_stale: Callable[[Any, str, bytes], None]) -> None:
        super().__init__(transport=httpx.MockTransport(lambda _: httpx.Response(500)))
        self._door = door
        self._gates = gates
        self._on_stale = on_stale

    async def request(self, method: str, url: Any, **parts: Any) -> httpx.Response:
        headers: Mapping[str, str] = parts.get("headers") or {}
        content: bytes = parts.get("content") or b""
        if parts.get("data"):
            content = str(httpx.QueryParams(parts["data"])).encode()
        path, _, query = url.removeprefix("http://simulator").partition("?")
        request = Request(method, path, query, {name.lower(): value for name, value in headers.items()}, content)
        if path == "/connect/token":
            return self._serve(request)
        await self._gates.before()
        answer = self._serve_or_fail(request)
        await self._gates.after()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _serve_or_fail(self, request: Request) -> httpx.Response | Exception:
        try:
            return self._serve(request)
        except httpx.TransportError as error:
            return error

    def _serve(self, request: Request) -> httpx.Response:
        reply = self._door.serve(request)
        log = self._door.simulator.log
        if log and log[-1].fault == "stale_reads" and reply.status == 200:
            self._on_stale(log[-1].tenant, request.path, reply.body)
        match reply.fate:
            case "timeout":
                raise httpx.ReadTimeout("the simulator did not answer in time")
            case "drop":
                raise httpx.ReadError("the simulator dropped the connection")
            case "refuse":
                raise httpx.ConnectError("the simulator refused the connection")
            case "answer" | "slow" if reply.wait > PATIENCE:
                raise httpx.ReadTimeout("the answer took too long")
            case _:
                return httpx.Response(reply.status, headers=reply.headers, content=reply.body)
