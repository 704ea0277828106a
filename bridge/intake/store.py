"""Group commit: requests that arrive together are stored by one statement and answered after its one commit.

One writer connection reaches 85 % of single-row pgbench at a tenth of an ORM's CPU per event, and stays level on a slow disk,
where a pool of writers falls to an eighth. One bad row must not fail its neighbours; the queue is bounded.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import psycopg

from bridge.db.database import UNREACHABLE
from bridge.db.direct import Answer, DirectConnection
from bridge.domain.ids import DeliveryId
from bridge.domain.reasons import Reason
from bridge.intake import rows
from bridge.intake.doorbell import RING, Doorbell
from bridge.intake.gate import Refused
from bridge.intake.rows import Arrival, Row

_INSERT = """
WITH stored AS (
    INSERT INTO deliveries (tenant_id, source_id, dedup_key, event_type, received_at, method, url, headers, body,
                            verified_by, trace_id)
    SELECT tenant_id, source_id, dedup_key, event_type, received_at, method, url, headers::jsonb, body, verified_by, trace_id
    FROM unnest($1::int8[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::text[],
                $9::bytea[], $10::text[], $11::text[])
         AS t (tenant_id, source_id, dedup_key, event_type, received_at, method, url, headers, body, verified_by, trace_id)
    ON CONFLICT (tenant_id, source_id, dedup_key) DO NOTHING
    RETURNING tenant_id, id
), queued AS (
    INSERT INTO delivery_queue (tenant_id, id) SELECT tenant_id, id FROM stored
)
SELECT id FROM stored
"""

# After the insert: a conflict with a row of another server has waited for that server's commit, so it is visible now. The first
# row from the key on, in the order of the unique index: with few rows, or none when statistics were taken, an equality was seen
# to walk another index over everything the tenant has.
_FIND = """
SELECT d.tenant_id, d.source_id, d.dedup_key, d.id
FROM unnest($1::int8[], $2::text[], $3::text[]) AS t (tenant_id, source_id, dedup_key)
CROSS JOIN LATERAL (
    SELECT * FROM deliveries AS d
    WHERE (d.tenant_id, d.source_id, d.dedup_key) >= (t.tenant_id, t.source_id, t.dedup_key)
    ORDER BY d.tenant_id, d.source_id, d.dedup_key LIMIT 1
) AS d
WHERE d.tenant_id = t.tenant_id AND d.source_id = t.source_id AND d.dedup_key = t.dedup_key
"""

_SET_UP = """
SELECT set_config('synchronous_commit', 'on', false), set_config('enable_seqscan', 'off', false),
       set_config('statement_timeout', '9s', false)
"""
_FLUSH_SECONDS = 10.0
_MOST_IN_FLIGHT = 2  # one that PostgreSQL works on while the other is at its senders
_FEWEST = 12  # rows that leave amid a turn, or while others are under way: a batch costs PostgreSQL as much as eight rows of it
# What says that one row cannot be kept, so that its neighbours can. All else may pass (a full disk, a standby that was asked).
_FAULTS_OF_A_ROW = (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded)


class Stored(msgspec.Struct, frozen=True):
    """Committed: its id, and whether the sender had sent it before."""

    delivery_id: DeliveryId
    is_redelivery: bool


FULL = Refused(reason=Reason.INTAKE_FULL)
"""More requests wait than the bound allows: the sender must try again."""
UNREACHED = Refused(reason=Reason.DATABASE_UNREACHABLE)
"""The commit did not come back: the sender must try again; if it was made all the same, that is a redelivery."""
UNFIT = Refused(reason=Reason.PAYLOAD_MALFORMED, detail="an id or header holds a character no text may hold")
"""PostgreSQL cannot keep a text of this request (a NUL character); its neighbours are stored."""

Outcome = Stored | Refused
Tell = Callable[[Outcome], None]
_Waiting = tuple[Row, Tell]
_Batch = Sequence[_Waiting]


class DeliveryStore:
    """Stores arrivals in the order they came; run `run()` as a task for as long as requests come in.

    All but the opening of a connection happens in callbacks: what came in one turn of the loop leaves by its end, and when a
    batch is committed the next one leaves before the senders are told. Beside a batch that is under way another leaves once
    it holds half of all that is here: the two take turns, one in PostgreSQL and one at its senders. Where each turn of the
    loop sent what it had read, batches were half as large and PostgreSQL took a fifth more CPU a row.
    """

    def __init__(self, dsn: str, *, max_waiting: int = 4096, max_batch: int = 256) -> None:
        self._dsn = dsn
        self._max_waiting = max_waiting
        self._max_batch = max_batch
        self._waiting: deque[_Waiting] = deque()
        self._again: deque[_Batch] = deque()  # parts of a batch that failed for a row in it
        self._sent_at: deque[float] = deque()  # of each batch in flight
        self._under_way = 0  # rows in these batches
        self._is_due = False
        self._watch: asyncio.TimerHandle | None = None
        self._called = asyncio.Event()
        self._connection: DirectConnection | None = None
        self._is_closing = False
        self._doorbell = Doorbell(lambda: self._connection)

    def put(self, arrival: Arrival, tell: Tell) -> None:
        """Call `tell`, which must not raise, once the arrival is committed with synchronous_commit on, or why it is not.

        A callback and no future: the loop is spared a turn and a task for each request.
        """
        if len(self._waiting) >= self._max_waiting:
            tell(FULL)
            return
        try:
            row = rows.row_of(arrival)
        except UnicodeEncodeError:
            tell(UNFIT)
            return
        self._waiting.append((row, tell))
        if len(self._sent_at) < _MOST_IN_FLIGHT:
            if len(self._waiting) >= self._share():
                self._send()
            elif not self._is_due:
                self._is_due = True
                asyncio.get_running_loop().call_soon(self._send)

    async def run(self) -> None:
        """Keep a connection open for as long as anything is to be stored, until `close` is called and nothing is."""
        while True:
            if (self._waiting or self._again) and not self._is_open:
                await self._open()
            elif self._is_closing and not (self._waiting or self._again or self._sent_at):
                break
            else:
                self._called.clear()
                await self._called.wait()
        if self._watch is not None:
            self._watch.cancel()
        await self._doorbell.close()
        self._disconnect()

    def close(self) -> None:
        """Let `run` end once everything that waits is stored."""
        self._is_closing = True
        self._called.set()

    @property
    def _is_open(self) -> bool:
        return self._connection is not None and not self._connection.is_closed

    async def _open(self) -> None:
        """Open a connection and send what waits; where none can be had, those that wait are told so."""
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                self._connection = await DirectConnection.open(
                    self._dsn, set_up=_SET_UP, statements={"insert": _INSERT, "find": _FIND, "ring": RING}
                )
        except (*UNREACHABLE, TimeoutError, OSError):
            _tell_all(self._next(), UNREACHED)
        else:
            self._send()

    def _share(self) -> int:
        """Return how many rows are worth a batch beside another."""
        return max(_FEWEST, -(-(len(self._waiting) + self._under_way) // _MOST_IN_FLIGHT))

    def _next(self) -> _Batch:
        if self._again:
            return self._again.popleft()
        waiting = self._waiting
        return [waiting.popleft() for _ in range(min(len(waiting), self._share(), self._max_batch))]

    def _send(self) -> None:
        """Put what waits on its way; beside a batch that is under way only what is worth one, the rest when that is committed."""
        self._is_due = False
        while (self._waiting or self._again) and len(self._sent_at) < _MOST_IN_FLIGHT:
            if self._sent_at and not self._again and len(self._waiting) < min(self._share(), self._max_batch):
                return
            connection = self._connection
            if connection is None or connection.is_closed:
                self._called.set()
                return
            batch = self._next()
            self._sent_at.append(time.monotonic())
            self._under_way += len(batch)
            try:
                connection.send(
                    "insert", rows.columns_of([row for row, _ in batch]), partial(self._landed, connection, batch)
                )
            except psycopg.Error as error:
                self._failed(batch, error)
            else:
                self._doorbell.ring_behind(len(batch))
            if self._watch is None:
                self._watch = asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self._look)

    def _look(self) -> None:
        """Hang up on a server that does not answer; one timer looks after all batches."""
        self._watch = None
        if self._sent_at:
            left = self._sent_at[0] + _FLUSH_SECONDS - time.monotonic()
            if left > 0:
                self._watch = asyncio.get_running_loop().call_later(left, self._look)
            else:
                self._disconnect()

    def _landed(self, connection: DirectConnection, batch: _Batch, answer: Answer) -> None:
        if isinstance(answer, psycopg.Error):
            self._failed(batch, answer)
            return
        ids = rows.ids_in(answer)
        if len(ids) == len(batch):  # each was new: they come back in order
            self._over(batch)
            for (_, tell), delivery_id in zip(batch, ids, strict=True):
                tell(Stored(delivery_id, False))
            return
        try:
            connection.send("find", rows.keys_of([row for row, _ in batch]), partial(self._found, batch, set(ids)))
        except psycopg.Error as error:
            self._failed(batch, error)

    def _found(self, batch: _Batch, new: set[DeliveryId], answer: Answer) -> None:
        if isinstance(answer, psycopg.Error):
            self._failed(batch, answer)
            return
        self._over(batch)
        ids = rows.ids_by_key(answer)
        for row, tell in batch:
            delivery_id = ids[row.key]
            tell(Stored(delivery_id, delivery_id not in new))
            new.discard(delivery_id)  # the same delivery twice in a batch

    def _failed(self, batch: _Batch, error: psycopg.Error) -> None:
        """Take a batch apart where one of its rows is at fault; else every sender shall try again."""
        if not isinstance(error, _FAULTS_OF_A_ROW):
            self._disconnect()
            self._over(batch)
            _tell_all(batch, UNREACHED)
        elif len(batch) == 1:
            self._over(batch)
            _tell_all(batch, UNFIT)
        else:
            middle = len(batch) // 2
            self._again.extend((batch[:middle], batch[middle:]))
            self._over(batch)

    def _over(self, batch: _Batch) -> None:
        """Count a batch as ended and send the next."""
        self._sent_at.popleft()
        self._under_way -= len(batch)
        self._send()
        if self._is_closing:
            self._called.set()

    def _disconnect(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()


def _tell_all(batch: _Batch, outcome: Outcome) -> None:
    for _, tell in batch:
        tell(outcome)
