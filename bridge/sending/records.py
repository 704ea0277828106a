"""What came of sending, written down: one attempt each, and what the message becomes.

A plain success, which is nearly every outcome, goes through one statement that brings its own fence.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter

import msgspec

from bridge.db.arrays import integers, microseconds
from bridge.db.database import Tx
from bridge.db.ownership import HELD, LeaseLost, fences
from bridge.domain.ids import TenantId

NOT_SETTLED, DONE, DEAD, CANCELLED = 0, 1, 2, 3  # attempts.settles


class Record(msgspec.Struct, frozen=True, gc=False):
    """One attempt to write down, with what the message becomes; the order is that of the statements' arrays."""

    tenant_id: int
    effect_id: int
    sends: int  # as it stood when the attempt began: another number means that somebody else moved it
    outcome: str
    settles: int
    epoch: int
    sent_at: datetime | None
    milliseconds: int | None
    status: int | None
    reason: str
    detail: str
    created: str | None
    problem: str | None
    state: int = 0
    spent: int = 0
    due_at: datetime | None = None
    made: int | None = None  # the one id a plain success made, 0 for none; None where it is no plain success


# The common end: done at the first answer, with one id or none. Rows are found by one walk of the key per tenant; what
# belongs to each (its time, the id it made) stands at the place of its id among the sorted ones. The statement sees
# nothing unless every shard is held, and what it holds stays held until its commit.
_DONE = f"""
WITH held AS MATERIALIZED ({HELD}), moved AS MATERIALIZED (
  DELETE FROM outbox AS o USING unnest(%(tenants)s::bigint[], %(sends)s::smallint[], %(by)s::bigint[], %(sent)s::bigint[],
    %(lows)s::int[], %(highs)s::int[]) AS w (tenant, sends, epoch, sent, low, high)
  WHERE (SELECT count(*) FROM held) = %(fenced)s
    AND o.tenant_id = w.tenant AND o.id = ANY((%(ids)s::bigint[])[w.low:w.high]) AND o.sends = w.sends
  RETURNING w.tenant, o.id, w.sends, w.epoch, w.sent
), kept AS (
  INSERT INTO attempts (tenant_id, effect_id, at, number, outcome, settles, epoch, sent_at, milliseconds, status, reason, created)
  SELECT tenant, id, %(now)s, sends + 1, 'succeeded', 1, epoch, 'epoch'::timestamptz + sent * interval '1 microsecond',
    (%(milliseconds)s::int[])[at], 200, 'ok', ('{{"":' || nullif((%(made)s::bigint[])[at], 0) || '}}')::json
  FROM (SELECT *, width_bucket(id, %(sorted)s::bigint[]) AS at FROM moved OFFSET 0) AS m
), forgotten AS (
  DELETE FROM intents AS i USING unnest(%(over_tenants)s::bigint[], %(over_ids)s::bigint[]) AS w (tenant, id)
  WHERE (SELECT count(*) FROM held) = %(fenced)s AND i.tenant_id = w.tenant AND i.id = w.id
)
SELECT (SELECT count(*) FROM held), (SELECT count(*) FROM moved)
"""

_ARRAYS = """unnest(%s::bigint[], %s::bigint[], %s::smallint[], %s::text[], %s::smallint[], %s::bigint[],
    %s::timestamptz[], %s::int[], %s::smallint[], %s::text[], %s::text[], %s::text[], %s::text[]"""
_NAMES = (
    """tenant, id, sends, outcome, settles, epoch, sent_at, milliseconds, status, reason, detail, created, problem"""
)
_ATTEMPT = """INSERT INTO attempts (tenant_id, effect_id, at, number, outcome, settles, epoch, sent_at, milliseconds, status,
    reason, detail, created, problem)
  SELECT tenant, id, %s, sends + 1, outcome, settles, epoch, sent_at, milliseconds, status, reason, detail, created::json,
    problem::json FROM moved"""

_END = f"""
WITH moved AS (
  DELETE FROM outbox AS o USING {_ARRAYS}) AS w ({_NAMES})
  WHERE o.tenant_id = w.tenant AND o.id = w.id AND o.sends = w.sends
  RETURNING w.*, o.created_at AS born, o.kind, o.lane, o.source_id
), buried AS (
  INSERT INTO dead_messages (tenant_id, effect_id, created_at, died_at, kind, lane, source_id, sends, reason, detail)
  SELECT tenant, id, born, %s, kind, lane, source_id, sends + 1, reason, detail FROM moved WHERE settles = 2
  ON CONFLICT DO NOTHING
)
{_ATTEMPT}
"""

_MOVE = f"""
WITH moved AS (
  UPDATE outbox AS o SET state = w.state, sends = o.sends + 1, spent = w.spent, due_at = w.due_at,
    sent_at = w.sent_at + coalesce(w.milliseconds, 0) * interval '1 millisecond', reason = w.reason
  FROM {_ARRAYS}, %s::smallint[], %s::smallint[], %s::timestamptz[]) AS w ({_NAMES}, state, spent, due_at)
  WHERE o.tenant_id = w.tenant AND o.id = w.id AND o.sends = w.sends
  RETURNING w.*
)
{_ATTEMPT}
"""

_LATE = f"""
INSERT INTO attempts (tenant_id, effect_id, at, number, outcome, settles, is_late, epoch, sent_at, milliseconds, status,
  reason, detail, created, problem)
SELECT tenant, id, %s, sends + 1, outcome, 0, true, epoch, sent_at, milliseconds, status, reason, detail, created::json,
  problem::json FROM {_ARRAYS}) AS w ({_NAMES})
"""


async def done(
    tx: Tx,
    records: Sequence[Record],
    *,
    epochs: Mapping[int, int],
    over: Sequence[tuple[TenantId, int]] = (),
    now: datetime,
) -> int:
    """Take plain successes out of the outbox into history and forget intents that are `over`, under a fence of its own.

    Returns how many still stood as the records say; raises LeaseLost, with nothing written, where a shard moved on.
    """
    ordered = sorted(records, key=attrgetter("effect_id"))
    groups: dict[tuple[int, int, int, datetime | None], list[int]] = {}
    for record in ordered:
        key = (record.tenant_id, record.sends, record.epoch, record.sent_at)
        if key in groups:
            groups[key].append(record.effect_id)
        else:
            groups[key] = [record.effect_id]
    ids: list[int] = []
    lows, highs = [], []
    for group in groups.values():
        lows.append(len(ids) + 1)
        ids += group
        highs.append(len(ids))
    fence = fences(epochs)
    rows = await tx.execute(
        _DONE,
        {
            **fence,
            "tenants": integers(key[0] for key in groups),
            "sends": integers(key[1] for key in groups),
            "by": integers(key[2] for key in groups),
            "sent": integers(microseconds(key[3]) or 0 for key in groups),
            "lows": integers(lows),
            "highs": integers(highs),
            "ids": integers(ids),
            "sorted": integers([record.effect_id for record in ordered]),
            "milliseconds": integers([record.milliseconds or 0 for record in ordered]),
            "made": integers([record.made or 0 for record in ordered]),
            "over_tenants": integers(tenant for tenant, _ in over),
            "over_ids": integers(id_ for _, id_ in over),
            "now": now,
        },
        prepare=True,
    )
    held, stood = await rows.fetchone() or (0, 0)
    if held != fence["fenced"]:
        raise LeaseLost(f"of the shards {sorted(epochs)} only {held} are still held")
    return int(stood)


async def end(tx: Tx, records: Sequence[Record], *, now: datetime) -> int:
    """Take ended messages out of the outbox into history; return how many still stood as the records say."""
    if not records:
        return 0
    return (await tx.execute(_END, [*_columns(records, 13), now, now])).rowcount


async def move(tx: Tx, records: Sequence[Record], *, now: datetime) -> int:
    """Write new states of messages that stay, with their attempts; return how many still stood as the records say."""
    if not records:
        return 0
    return (await tx.execute(_MOVE, [*_columns(records, 16), now])).rowcount


async def keep_late(tx: Tx, records: Iterable[Record], *, now: datetime) -> None:
    """Keep outcomes of a worker that no longer owns the tenants: evidence that moves nothing by itself."""
    whole = [msgspec.structs.replace(r, created=f'{{"":{r.made}}}') if r.made else r for r in records]
    await tx.execute(_LATE, [now, *_columns(whole, 13)])


def _columns(records: Sequence[Record], count: int) -> list[list[object]]:
    return [list(column) for column in list(zip(*map(msgspec.structs.astuple, records), strict=True))[:count]]
