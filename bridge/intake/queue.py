"""Deliveries that wait to be processed: read in ranges by the owner of their tenant, gone with the commit of the decision."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from bridge.db.arrays import integers
from bridge.db.database import Tx
from bridge.db.ownership import HELD, LeaseLost, fences, shard_of
from bridge.domain.delivery import Delivery, Fetched, HookRequest
from bridge.domain.ids import DeliveryId, SourceId, TenantId

CHANNEL = "bridge_deliveries"
"""Where the database says to every worker that deliveries wait."""

_DELIVERY = """
d.id, d.source_id, d.dedup_key, d.event_type, d.received_at, d.method, d.url, d.headers, d.body, d.verified_by, d.trace_id,
EXISTS (SELECT FROM fetched AS f WHERE f.tenant_id = d.tenant_id AND f.delivery_id = d.id)
"""

# Where statistics were taken when the queue was empty PostgreSQL walks all of it for a join: OFFSET 0 keeps look-ups by key what
# they are. On a connection of `Database.in_order`, an ORDER BY says which key: the one of arrival looked as good for an id.

# Each tenant gives at most its share, so one with a hundred thousand waiting delays another by one batch. Where many wait, what
# a batch holds is spread over them: each is sent at its own rate, and who comes last would be sent alone when all else is done.
_CLAIM = f"""
SELECT {_DELIVERY}, d.tenant_id, q.attempts, q.nonce, q.by
FROM (
    SELECT *, count(*) OVER () AS waiting FROM (
        SELECT t.tenant_id, t.turn FROM unnest(%(tenants)s::int8[]) WITH ORDINALITY AS t (tenant_id, turn)
        WHERE EXISTS (SELECT FROM delivery_queue WHERE tenant_id = t.tenant_id AND due_at <= %(now)s ORDER BY id OFFSET 0)
        ORDER BY turn LIMIT %(most)s
    ) AS t
) AS t CROSS JOIN LATERAL (
    SELECT * FROM delivery_queue WHERE tenant_id = t.tenant_id AND due_at <= %(now)s ORDER BY id
    LIMIT least(%(share)s, greatest(%(most)s / t.waiting, %(least)s))
) AS q CROSS JOIN LATERAL (
    SELECT * FROM deliveries WHERE tenant_id = q.tenant_id AND id >= q.id AND id <= q.id ORDER BY id LIMIT 1
) AS d
ORDER BY t.turn, q.id LIMIT %(most)s
"""

_LOAD = f"""
SELECT {_DELIVERY}, d.tenant_id
FROM unnest(%s::int8[], %s::int8[]) AS w (tenant, number) CROSS JOIN LATERAL
  (SELECT * FROM deliveries WHERE tenant_id = w.tenant AND id = w.number OFFSET 0) AS d
"""

_FETCHED = """
SELECT delivery_id, name, status, body, fetched_at
FROM unnest(%s::int8[], %s::int8[]) AS w (tenant, number) JOIN fetched ON tenant_id = w.tenant AND delivery_id = w.number
"""

_FINISH = f"""
WITH held AS MATERIALIZED ({HELD}), gone AS (
    DELETE FROM delivery_queue WHERE ctid = ANY(ARRAY(
        SELECT q.ctid FROM unnest(%(tenants)s::int8[], %(ids)s::int8[]) AS w (tenant, number) CROSS JOIN LATERAL
          (SELECT ctid FROM delivery_queue WHERE tenant_id = w.tenant AND id = w.number OFFSET 0) AS q
        WHERE (SELECT count(*) FROM held) = %(fenced)s))
    RETURNING id
)
SELECT count(*), NULL FROM held UNION ALL SELECT NULL, id FROM gone
"""


async def tell(tx: Tx) -> None:
    """Wake the workers with the commit of this transaction."""
    await tx.execute("SELECT pg_notify(%s, '')", [CHANNEL])


class Queued(msgspec.Struct, frozen=True):
    """A row of the queue; `nonce` and `by` are set by a replay that a person asked for."""

    tenant_id: TenantId
    delivery_id: DeliveryId
    attempts: int = 0
    nonce: str = ""
    by: str = ""


class Claimed(NamedTuple):
    """A delivery that waits, and how it stands in the queue."""

    queued: Queued
    delivery: Delivery


async def claim(
    connection: Tx,
    tenant_ids: Sequence[TenantId],
    *,
    now: datetime,
    share: int,
    least: int | None = None,
    most: int | None = None,
) -> list[Claimed]:
    """Return up to `share` due deliveries of each tenant in the order they came, at most `most` in all; nothing is locked.

    The first tenants give first. Where more of them have something than fit with their shares, each gives less, but `least`.
    """
    values = {
        "tenants": integers(tenant_ids),
        "now": now,
        "share": share,
        "least": share if least is None else least,
        "most": most,
    }
    cursor = await connection.execute(_CLAIM, values, binary=True, prepare=True)
    rows = await cursor.fetchall()
    found = await _deliveries(connection, rows)
    return [
        Claimed(Queued(TenantId(row[12]), DeliveryId(row[0]), *row[13:]), delivery)
        for row, delivery in zip(rows, found, strict=True)
    ]


async def load(connection: Tx, wanted: Iterable[tuple[TenantId, DeliveryId]]) -> dict[DeliveryId, Delivery]:
    """Return deliveries with what hydration stored beside them."""
    cursor = await connection.execute(_LOAD, _pairs(wanted), binary=True, prepare=True)
    return {one.id: one for one in await _deliveries(connection, await cursor.fetchall())}


async def _deliveries(connection: Tx, rows: Sequence[tuple[Any, ...]]) -> list[Delivery]:
    """Return deliveries of rows that begin as _DELIVERY says, with what hydration stored beside them."""
    fetched = await _fetched(connection, [(row[12], row[0]) for row in rows if row[11]])
    return [
        Delivery(
            id=DeliveryId(row[0]),
            tenant_id=TenantId(row[12]),
            source_id=SourceId(row[1]),
            dedup_key=row[2],
            event_type=row[3],
            received_at=row[4],
            request=HookRequest(
                method=row[5],
                url=row[6],
                headers=tuple((name, value) for name, value in row[7]),
                body=bytes(row[8]),
            ),
            verified_by=row[9],
            trace_id=row[10],
            fetched=tuple(fetched.get(row[0], ())),
        )
        for row in rows
    ]


def _pairs(wanted: Iterable[tuple[TenantId, DeliveryId]]) -> list[str]:
    pairs = list(wanted)
    return [integers(tenant for tenant, _ in pairs), integers(number for _, number in pairs)]


async def _fetched(connection: Tx, pairs: Sequence[tuple[TenantId, DeliveryId]]) -> dict[int, list[Fetched]]:
    """Return what was fetched for deliveries that are known to have something."""
    fetched: dict[int, list[Fetched]] = {}
    if pairs:
        known = await connection.execute(_FETCHED, _pairs(pairs), prepare=True)
        for delivery_id, name, status, body, fetched_at in await known.fetchall():
            answer = Fetched(name=name, status=status, body=bytes(body), fetched_at=fetched_at)
            fetched.setdefault(delivery_id, []).append(answer)
    return fetched


async def keep_fetched(tx: Tx, tenant_id: TenantId, delivery_id: DeliveryId, answers: Sequence[Fetched]) -> None:
    """Store what hydration brought; a second answer of one name replaces the first."""
    for answer in answers:
        await tx.execute(
            "INSERT INTO fetched (tenant_id, delivery_id, name, status, body, fetched_at) VALUES (%s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (tenant_id, delivery_id, name) DO UPDATE SET status = excluded.status, body = excluded.body,"
            " fetched_at = excluded.fetched_at",
            [tenant_id, delivery_id, answer.name, answer.status, answer.body, answer.fetched_at],
        )


async def postpone(tx: Tx, tenant_id: TenantId, delivery_id: DeliveryId, *, until: datetime, spend: bool) -> None:
    """Let a delivery wait until a time; `spend` counts an attempt against its bound."""
    await tx.execute(
        "UPDATE delivery_queue SET due_at = %s, attempts = attempts + %s WHERE tenant_id = %s AND id = %s",
        [until, int(spend), tenant_id, delivery_id],
    )


async def postpone_many(tx: Tx, tenant_id: TenantId, ids: Sequence[DeliveryId], *, until: datetime) -> None:
    """Let several deliveries of one tenant wait until a time; none of their attempts is spent."""
    if ids:
        await tx.execute(
            "UPDATE delivery_queue SET due_at = %s WHERE tenant_id = %s AND id = ANY(%s)", [until, tenant_id, list(ids)]
        )


async def finish(
    tx: Tx, wanted: Sequence[tuple[TenantId, DeliveryId]], *, epochs: Mapping[int, int]
) -> set[DeliveryId]:
    """Take deliveries out of the queue and return those that were still in it; others were processed meanwhile.

    It brings the fence of the transaction: raises LeaseLost, with nothing done, where another worker owns one of the
    tenants now. `epochs` has those of their shards.
    """
    fenced = {shard: epochs[shard] for shard in {shard_of(tenant) for tenant, _ in wanted}}
    tenants, ids = _pairs(wanted)
    values = {**fences(fenced), "tenants": tenants, "ids": ids}
    rows = await (await tx.execute(_FINISH, values, prepare=True)).fetchall()
    if not any(held == values["fenced"] for held, _ in rows):
        raise LeaseLost(f"of the shards {sorted(fenced)} one belongs to another worker now")
    return {DeliveryId(taken) for _, taken in rows if taken is not None}


async def replay(tx: Tx, tenant_id: TenantId, delivery_id: DeliveryId, *, by: str, nonce: str = "") -> None:
    """Queue a stored delivery again: same effect keys, so work that is done is a no-op, unless a nonce names new ones."""
    await tx.execute(
        "INSERT INTO delivery_queue (tenant_id, id, nonce, by) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (tenant_id, id) DO UPDATE SET due_at = now(), nonce = excluded.nonce, by = excluded.by",
        [tenant_id, delivery_id, nonce, by],
    )
