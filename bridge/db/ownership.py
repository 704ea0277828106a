"""Who may write for which tenants: shards held by lease and epoch, every write fenced by the epoch.

A live owner renews every second from a thread of its own, so a busy event loop loses nothing. A taker raises the epoch
under a lock that waits for the owner's open commits; after that the old owner's fence finds another epoch and fails.
"""

import asyncio
import logging
import threading
import zlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from time import monotonic
from types import MappingProxyType

import psycopg

from bridge.db.database import DATABASE_AWAY, Tx
from bridge.domain.ids import TenantId

SHARDS = 64
WORKERS_LOCK = 72_707_12  # class of the advisory locks that say "this worker's session lives"

log = logging.getLogger(__name__)


class LeaseLost(Exception):
    """Another worker owns the shard now: nothing of this transaction may count."""


def shard_of(tenant_id: TenantId) -> int:
    """Return the shard of a tenant, 0 to 63: the same in every version and on every machine (CRC-32 of its digits)."""
    return zlib.crc32(str(tenant_id).encode()) % SHARDS


async def fence(tx: Tx, *, shard: int, epoch: int) -> None:
    """Lock the shard's row against a taker until this transaction ends.

    Raises LeaseLost where the epoch moved on. An expired lease that nobody took is still the holder's: a taker must
    raise the epoch, and waits for this lock first.
    """
    await fence_all(tx, {shard: epoch})


# FOR KEY SHARE lets renewals pass (they lock FOR NO KEY UPDATE) and stops takers (FOR UPDATE). Rows are locked in one
# order, so two commits never wait for each other in a circle.
HELD = """
SELECT shard FROM shard_leases
WHERE shard = ANY(%(shards)s::smallint[]) AND worker_id IS NOT NULL
  AND epoch = (%(epochs)s::bigint[])[array_position(%(shards)s::smallint[], shard)]
ORDER BY shard FOR KEY SHARE
"""


def fences(epochs: Mapping[int, int]) -> dict[str, object]:
    """Return the parameters of HELD, for a statement that brings its own fence: it counts what is held, `fenced` in all."""
    shards = sorted(epochs)
    return {
        "shards": "{" + ",".join(map(str, shards)) + "}",
        "epochs": "{" + ",".join([str(epochs[shard]) for shard in shards]) + "}",
        "fenced": len(shards),
    }


async def fence_all(tx: Tx, epochs: Mapping[int, int]) -> None:
    """Do what `fence` does for several shards in one statement; raises LeaseLost if any of them moved on."""
    held = await tx.execute(HELD, fences(epochs), prepare=True)
    if held.rowcount != len(epochs):
        kept = {row[0] for row in await held.fetchall()}
        raise LeaseLost(f"shards {sorted(epochs.keys() - kept)} belong to another worker now")


async def join(tx: Tx, *, name: str, now: datetime) -> int:
    """Enter a worker into the list and return its id; it owns nothing yet."""
    row = await (
        await tx.execute(
            "INSERT INTO workers (name, started_at, seen_at) VALUES (%s, %s, %s) RETURNING id", [name, now, now]
        )
    ).fetchone()
    return int(row[0]) if row else 0


async def renew(tx: Tx, *, worker_id: int, now: datetime, lease: timedelta) -> dict[int, int]:
    """Prolong every lease of the worker and return shard → epoch of what it still holds."""
    await tx.execute("UPDATE workers SET seen_at = %s WHERE id = %s", [now, worker_id])
    rows = await tx.execute(
        "UPDATE shard_leases SET expires_at = %s, renewed_at = %s WHERE worker_id = %s RETURNING shard, epoch",
        [now + lease, now, worker_id],
    )
    return dict(await rows.fetchall())


async def count_alive(tx: Tx, *, now: datetime, within: timedelta, but: frozenset[int] = frozenset()) -> int:
    """Return how many workers were seen within the time, `but` those."""
    row = await (
        await tx.execute(
            "SELECT count(*) FROM workers WHERE left_at IS NULL AND seen_at > %s AND id <> ALL(%s)",
            [now - within, list(but)],
        )
    ).fetchone()
    return int(row[0]) if row else 0


async def take(
    tx: Tx, *, worker_id: int, limit: int, now: datetime, lease: timedelta, dead_workers: frozenset[int] = frozenset()
) -> dict[int, int]:
    """Take up to `limit` shards that are free, expired or of a worker known dead; return shard → new epoch.

    SKIP LOCKED leaves out a shard whose old owner is amid a commit; it is taken at the next try.
    """
    if limit <= 0:
        return {}
    rows = await tx.execute(
        "SELECT shard FROM shard_leases WHERE worker_id IS NULL OR expires_at <= %s OR worker_id = ANY(%s)"
        " ORDER BY shard LIMIT %s FOR UPDATE SKIP LOCKED",
        [now, list(dead_workers), limit],
    )
    shards = [row[0] for row in await rows.fetchall()]
    if not shards:
        return {}
    taken = await tx.execute(
        "UPDATE shard_leases SET worker_id = %s, epoch = epoch + 1, expires_at = %s, renewed_at = %s"
        " WHERE shard = ANY(%s) RETURNING shard, epoch",
        [worker_id, now + lease, now, shards],
    )
    return dict(await taken.fetchall())


async def release(tx: Tx, *, worker_id: int, shards: Mapping[int, int] | None = None, now: datetime) -> None:
    """Give up shards (all of the worker's where None), so that others take them at once."""
    await tx.execute(
        "UPDATE shard_leases SET worker_id = NULL, expires_at = %s"
        " WHERE worker_id = %s AND (%s::smallint[] IS NULL OR shard = ANY(%s::smallint[]))",
        [now, worker_id, *([None if shards is None else list(shards)] * 2)],
    )


async def leave(tx: Tx, *, worker_id: int, now: datetime) -> None:
    """Give up everything and say goodbye."""
    await release(tx, worker_id=worker_id, now=now)
    await tx.execute("UPDATE workers SET left_at = %s WHERE id = %s", [now, worker_id])


async def silent_workers(tx: Tx, *, worker_id: int, now: datetime, silence: timedelta) -> frozenset[int]:
    """Return workers whose session is gone and who did not renew for a while: killed, not merely slow.

    A killed process loses its connection at once, and with it the advisory lock that stands for it. It is told by its leases,
    which need no row of the worker, and by its row, when its leases are gone.
    """
    rows = await tx.execute(
        "SELECT DISTINCT w.id FROM (SELECT worker_id, renewed_at FROM shard_leases WHERE worker_id IS NOT NULL"
        " UNION ALL SELECT id, seen_at FROM workers WHERE left_at IS NULL) AS w (id, at)"
        " WHERE w.id <> %s AND w.at < %s AND w.at > %s AND NOT EXISTS (SELECT 1 FROM pg_locks k"
        " WHERE k.locktype = 'advisory' AND k.classid = %s AND k.objid = (w.id %% 2147483648)::oid AND k.granted"
        " AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
        [worker_id, now - silence, now - timedelta(days=1), WORKERS_LOCK],
    )
    return frozenset(row[0] for row in await rows.fetchall())


class Ownership:
    """The shards this process owns, renewed by a thread with an event loop and a connection of its own.

    Durations are in seconds. `owned` is replaced whole at each change; read it once per step. A shard in `leaving` is
    wanted by another worker: send nothing new for it and call `let_go` when nothing of it is in flight.
    """

    def __init__(
        self, dsn: str, *, name: str, lease: float = 30.0, renew_every: float = 1.0, silence: float = 3.0
    ) -> None:
        if renew_every * 3 > lease:
            raise ValueError(f"a lease of {lease} s must outlive three renewals of {renew_every} s")
        self.owned: Mapping[int, int] = MappingProxyType({})
        self.leaving: frozenset[int] = frozenset()
        self.worker_id = 0
        self._dsn = dsn
        self._name = name
        self._lease = lease
        self._every = renew_every
        self._silence = silence
        self._renewed = float("-inf")
        self._free_to_go: set[int] = set()
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._suspects: dict[int, float] = {}
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to take and renew in the background."""
        self._thread = threading.Thread(target=self._run, name="ownership", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Give up every shard at once and end the thread."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        self.owned = MappingProxyType({})

    def holds(self, shard: int, epoch: int) -> bool:
        """Tell whether the shard is surely still ours: the epoch is ours, and nobody may take us for dead yet.

        Others take from a worker whose session is gone once it was silent for `silence`, long before the lease is over. Cut off
        from the database we cannot know what they see, so we go by our own clock: no byte leaves after that.
        """
        return self.owned.get(shard) == epoch and monotonic() < self._renewed + min(self._silence, self._lease)

    def let_go(self, shard: int) -> None:
        """Say that nothing of a leaving shard is in flight any more."""
        self._free_to_go.add(shard)

    def _run(self) -> None:
        asyncio.run(self._keep())

    async def _keep(self) -> None:
        connection: psycopg.AsyncConnection | None = None
        while not self._stop.is_set():
            try:
                if connection is None:
                    connection = await self._connect()
                await self._tick(connection)
            except DATABASE_AWAY as error:
                log.warning("ownership.interrupted", extra={"error": error})
                if connection is not None:
                    await connection.close()
                connection = None
                if monotonic() > self._renewed + self._lease:
                    self.owned = MappingProxyType({})
            await asyncio.to_thread(self._stop.wait, self._every)
        if connection is None:
            return
        try:
            async with connection.transaction():
                await leave(connection, worker_id=self.worker_id, now=await _now(connection))
        except DATABASE_AWAY:
            log.warning("ownership.left_silently")  # the leases run out by themselves
        await connection.close()

    async def _connect(self) -> psycopg.AsyncConnection:
        connection = await psycopg.AsyncConnection.connect(
            self._dsn, autocommit=True, keepalives_idle=5, keepalives_interval=2, keepalives_count=3, connect_timeout=3
        )
        # A renewal that waits is a lease that dies: better to fail fast and try again. The keepalives are the server's: where
        # a machine is gone without a word, its session ends after 11 s instead of two hours, and its shards are free.
        await connection.execute(
            "SELECT set_config('statement_timeout', '3s', false), set_config('TimeZone', 'UTC', false),"
            " set_config('tcp_keepalives_idle', '5', false), set_config('tcp_keepalives_interval', '2', false),"
            " set_config('tcp_keepalives_count', '3', false)"
        )
        if self.worker_id == 0:
            self.worker_id = await join(connection, name=self._name, now=await _now(connection))
        await connection.execute("SELECT pg_advisory_lock(%s, %s)", [WORKERS_LOCK, self.worker_id % 2**31])
        self._suspects.clear()
        return connection

    async def _tick(self, connection: psycopg.AsyncConnection) -> None:
        started = monotonic()
        lease = timedelta(seconds=self._lease)
        async with connection.transaction():
            now = await _now(connection)
            gone = self._free_to_go & self.leaving
            if gone:
                await release(connection, worker_id=self.worker_id, shards=dict.fromkeys(gone, 0), now=now)
            owned = await renew(connection, worker_id=self.worker_id, now=now, lease=lease)
            dead = await self._dead(connection, now=now)  # counted as alive they would keep their share from others
            within = timedelta(seconds=3 * self._every + self._silence)
            alive = await count_alive(connection, now=now, within=within, but=dead)
            fair = -(-SHARDS // max(alive, 1))
            if len(owned) < fair:
                owned |= await take(
                    connection,
                    worker_id=self.worker_id,
                    limit=fair - len(owned),
                    now=now,
                    lease=lease,
                    dead_workers=dead,
                )
        self._renewed = started  # counted from before the statement: never longer than the database thinks
        self._free_to_go -= gone
        surplus = max(len(owned) - fair, 0)
        staying = self.leaving & owned.keys()
        self.leaving = frozenset((sorted(staying) + sorted(owned.keys() - staying, reverse=True))[:surplus])
        if owned != self.owned:
            self.owned = MappingProxyType(owned)
            with self._changed:
                self._changed.notify_all()

    async def _dead(self, connection: psycopg.AsyncConnection, *, now: datetime) -> frozenset[int]:
        """Return workers that were silent at every look for the whole silence.

        After a restart of PostgreSQL every session is new for a moment; one look would call all others dead.
        """
        silent = await silent_workers(
            connection, worker_id=self.worker_id, now=now, silence=timedelta(seconds=self._silence)
        )
        seen = monotonic()
        self._suspects = {worker: self._suspects.get(worker, seen) for worker in silent}
        return frozenset(worker for worker, since in self._suspects.items() if seen - since >= self._silence / 2)


async def _now(connection: psycopg.AsyncConnection) -> datetime:
    row = await (await connection.execute("SELECT clock_timestamp()")).fetchone()
    if row is None:
        raise psycopg.OperationalError("the database did not tell its time")
    now: datetime = row[0]
    return now
