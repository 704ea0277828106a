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
    """One attempt to write down, with what the message becomes."""

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


# Where a table was emptied when its statistics were taken, PostgreSQL believes for a minute that it holds nothing, and walks it
# whole for a join (5,000,000 comparisons for 100 of 50,000 rows). So nothing here is joined to the outbox: rows are named by
# look-ups that OFFSET 0 keeps apart, and moved by the places where these found them. Nobody changes a row without raising
# `sends`: one that was changed meanwhile is not named, and stays.

# The common end: done at the first answer, with one id or none. Rows are found by one walk of the key per tenant; what
# belongs to each (its time, the id it made) stands at the place of its id among the sorted ones. The statement sees
# nothing unless every shard is held, and what it holds stays held until its commit.
_DONE = f"""
WITH held AS MATERIALIZED ({HELD}), moved AS MATERIALIZED (
  DELETE FROM outbox WHERE ctid = ANY(ARRAY(
    SELECT o.ctid FROM unnest(%(tenants)s::bigint[], %(sends)s::smallint[], %(lows)s::int[], %(highs)s::int[])
      AS w (tenant, sends, low, high) CROSS JOIN LATERAL (
      SELECT ctid FROM outbox
      WHERE tenant_id = w.tenant AND id = ANY((%(ids)s::bigint[])[w.low:w.high]) AND sends = w.sends OFFSET 0) AS o
    WHERE (SELECT count(*) FROM held) = %(fenced)s))
  RETURNING tenant_id, id, sends
), kept AS (
  INSERT INTO attempts (tenant_id, effect_id, at, number, outcome, settles, epoch, sent_at, milliseconds, status, reason, created)
  SELECT tenant_id, id, %(now)s, sends + 1, 'succeeded', 1, (%(by)s::bigint[])[at],
    'epoch'::timestamptz + (%(sent)s::bigint[])[at] * interval '1 microsecond',
    (%(milliseconds)s::int[])[at], 200, 'ok', ('{{"":' || nullif((%(made)s::bigint[])[at], 0) || '}}')::json
  FROM (SELECT *, width_bucket(id, %(sorted)s::bigint[]) AS at FROM moved OFFSET 0) AS m
), forgotten AS (
  DELETE FROM intents WHERE ctid = ANY(ARRAY(
    SELECT i.ctid FROM unnest(%(over_tenants)s::bigint[], %(over_ids)s::bigint[]) AS w (tenant, id) CROSS JOIN LATERAL
      (SELECT ctid FROM intents WHERE tenant_id = w.tenant AND id = w.id OFFSET 0) AS i
    WHERE (SELECT count(*) FROM held) = %(fenced)s))
)
SELECT (SELECT count(*) FROM held), (SELECT count(*) FROM moved)
"""

_ARRAYS = """unnest(%(tenant_id)s::bigint[], %(effect_id)s::bigint[], %(sends)s::smallint[], %(outcome)s::text[],
    %(settles)s::smallint[], %(epoch)s::bigint[], %(sent_at)s::timestamptz[], %(milliseconds)s::int[], %(status)s::smallint[],
    %(reason)s::text[], %(detail)s::text[], %(created)s::text[], %(problem)s::text[])
    AS w (tenant, id, sends, outcome, settles, epoch, sent_at, milliseconds, status, reason, detail, created, problem)"""
# Locked as they are named: what is named is what goes.
_NAMED = f"""
  SELECT w.*, o.* FROM {_ARRAYS} CROSS JOIN LATERAL (
    SELECT ctid AS place, created_at AS born, kind, lane, source_id FROM outbox
    WHERE tenant_id = w.tenant AND id = w.id AND sends = w.sends OFFSET 0 FOR UPDATE) AS o
"""
_ATTEMPT = """INSERT INTO attempts (tenant_id, effect_id, at, number, outcome, settles, epoch, sent_at, milliseconds, status,
    reason, detail, created, problem)
  SELECT tenant, id, %(now)s, sends + 1, outcome, settles, epoch, sent_at, milliseconds, status, reason, detail, created::json,
    problem::json FROM named"""

_END = f"""
WITH named AS MATERIALIZED ({_NAMED}), gone AS (
  DELETE FROM outbox WHERE ctid = ANY(ARRAY(SELECT place FROM named))
), buried AS (
  INSERT INTO dead_messages (tenant_id, effect_id, created_at, died_at, kind, lane, source_id, sends, reason, detail)
  SELECT tenant, id, born, %(now)s, kind, lane, source_id, sends + 1, reason, detail FROM named WHERE settles = 2
  ON CONFLICT DO NOTHING
)
{_ATTEMPT}
"""

# Each value stands at the place of its row's id: the arrays are in the order of the ids.
_AT = "[width_bucket(id, %(effect_id)s::bigint[])]"
_MOVE = f"""
WITH named AS MATERIALIZED ({_NAMED}), moved AS (
  UPDATE outbox SET sends = sends + 1, state = (%(state)s::smallint[]){_AT}, spent = (%(spent)s::smallint[]){_AT},
    due_at = (%(due_at)s::timestamptz[]){_AT}, reason = (%(reason)s::text[]){_AT},
    sent_at = (%(sent_at)s::timestamptz[]){_AT}
      + coalesce((%(milliseconds)s::int[]){_AT}, 0) * interval '1 millisecond'
  WHERE ctid = ANY(ARRAY(SELECT place FROM named))
)
{_ATTEMPT}
"""

_LATE = f"""
INSERT INTO attempts (tenant_id, effect_id, at, number, outcome, settles, is_late, epoch, sent_at, milliseconds, status,
  reason, detail, created, problem)
SELECT tenant, id, %(now)s, sends + 1, outcome, 0, true, epoch, sent_at, milliseconds, status, reason, detail, created::json,
  problem::json FROM {_ARRAYS}
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
    groups: dict[tuple[int, int], list[int]] = {}
    for record in ordered:
        key = (record.tenant_id, record.sends)
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
            "lows": integers(lows),
            "highs": integers(highs),
            "ids": integers(ids),
            "sorted": integers([record.effect_id for record in ordered]),
            "by": integers([record.epoch for record in ordered]),
            "sent": integers([microseconds(record.sent_at) or 0 for record in ordered]),
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
    return (await tx.execute(_END, _columns(records, now=now))).rowcount


async def move(tx: Tx, records: Sequence[Record], *, now: datetime) -> int:
    """Write new states of messages that stay, with their attempts; return how many still stood as the records say."""
    if not records:
        return 0
    return (await tx.execute(_MOVE, _columns(records, now=now))).rowcount


async def keep_late(tx: Tx, records: Iterable[Record], *, now: datetime) -> None:
    """Keep outcomes of a worker that no longer owns the tenants: evidence that moves nothing by itself."""
    whole = [msgspec.structs.replace(r, created=f'{{"":{r.made}}}') if r.made else r for r in records]
    await tx.execute(_LATE, _columns(whole, now=now))


def _columns(records: Sequence[Record], *, now: datetime) -> dict[str, object]:
    """Return the fields of the records as arrays, in the order of the ids."""
    ordered = sorted(records, key=attrgetter("effect_id"))
    columns = zip(*map(msgspec.structs.astuple, ordered), strict=True)
    return {**dict(zip(Record.__struct_fields__, map(list, columns), strict=True)), "now": now}
