"""The statements of the outbox's owner: look, claim, intend, record, recover. Each takes its transaction; none commits.

All hot statements walk `(tenant_id, id)` for arrays of keys, so their plans do not depend on statistics.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from bridge.db.database import Tx
from bridge.domain.command import Command
from bridge.domain.ids import EffectId, EffectKey, TenantId
from bridge.sending.arrays import microseconds, numbers
from bridge.sending.backlog import Message
from bridge.sending.horizon import Snapshot

NOT_SETTLED, DONE, DEAD, CANCELLED = 0, 1, 2, 3  # attempts.settles

_decoder: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
_decode_ids = msgspec.json.Decoder(dict[str, int]).decode


class TenantRow(NamedTuple):
    """What stands about a tenant that sends."""

    tenant_id: TenantId
    shard: int
    version: int
    rate: float | None


class Loaded(NamedTuple):
    """The immutable part of a message."""

    key: EffectKey
    command: Command | None  # None where this version cannot read it


class Record(NamedTuple):
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


_LOOK = """
SELECT pg_current_snapshot()::text, (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM effect_ids)
"""

_TENANTS = "SELECT tenant_id, shard, version, rate FROM sending_tenants WHERE shard = ANY(%s)"

_CLAIM = """
SELECT o.tenant_id, o.id, o.created_at, o.due_at, o.sent_at, o.state, o.priority, o.sends, o.spent, o.kind, o.lane,
  o.source_id, o.waits_for, o.reason
FROM unnest(%s::bigint[], %s::bigint[], %s::int[]) AS w (tenant, low, room) CROSS JOIN LATERAL
  (SELECT * FROM outbox WHERE tenant_id = w.tenant AND id > w.low ORDER BY id LIMIT w.room) AS o
"""

_VERSIONS = "SELECT tenant_id, version FROM sending_tenants WHERE tenant_id = ANY(%s) ORDER BY tenant_id FOR SHARE"

# OFFSET 0 keeps each look-up a look-up by key, whatever the planner believes about the tables. The two times let the
# executor leave out the partitions that cannot hold the rows.
_LOAD = """
SELECT w.id, e.key::text, e.command::text
FROM unnest(%s::bigint[], %s::bigint[], %s::smallint[]) AS w (tenant, id, sends)
CROSS JOIN LATERAL
  (SELECT 1 FROM outbox WHERE tenant_id = w.tenant AND id = w.id AND sends = w.sends AND state = 0 OFFSET 0) AS o
CROSS JOIN LATERAL
  (SELECT key, command FROM effects WHERE tenant_id = w.tenant AND id = w.id AND created_at >= %s AND created_at <= %s
   OFFSET 0) AS e
"""

_LOAD_ANY = """
SELECT w.id, e.key::text, e.command::text
FROM unnest(%s::bigint[], %s::bigint[]) AS w (tenant, id) CROSS JOIN LATERAL
  (SELECT key, command FROM effects WHERE tenant_id = w.tenant AND id = w.id AND created_at >= %s AND created_at <= %s
   OFFSET 0) AS e
"""

_INTEND = """
INSERT INTO intents (tenant_id, id, shard, epoch, sent_at, effect_ids, sends)
SELECT w.tenant, w.id, w.shard, w.epoch, %(now)s, (%(effects)s::bigint[])[w.low:w.high], (%(sends)s::smallint[])[w.low:w.high]
FROM unnest(%(tenants)s::bigint[], %(ids)s::bigint[], %(shards)s::smallint[], %(epochs)s::bigint[], %(lows)s::int[],
  %(highs)s::int[]) AS w (tenant, id, shard, epoch, low, high)
ON CONFLICT DO NOTHING
"""

# The common end, in numbers only: done at the first answer, with one id or none.
_DONE = """
WITH moved AS (
  DELETE FROM outbox AS o USING unnest(%s::bigint[], %s::bigint[], %s::smallint[], %s::bigint[], %s::bigint[], %s::int[],
    %s::bigint[]) AS w (tenant, id, sends, epoch, sent, milliseconds, made)
  WHERE o.tenant_id = w.tenant AND o.id = w.id AND o.sends = w.sends RETURNING w.*
)
INSERT INTO attempts (tenant_id, effect_id, at, number, outcome, settles, epoch, sent_at, milliseconds, status, reason, created)
SELECT tenant, id, %s, sends + 1, 'succeeded', 1, epoch, 'epoch'::timestamptz + sent * interval '1 microsecond', milliseconds,
  200, 'ok', ('{"":' || made || '}')::json FROM moved
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

# What an owner that is gone had begun and not recorded. A message whose `sends` moved on since was recorded. Its last byte
# may have left when both times were over: the one a flight may wait and the one its requests may take together.
_RECOVER = """
WITH flown AS MATERIALIZED (
  SELECT i.tenant_id AS tenant, u.id, u.sends, i.sent_at, i.epoch
  FROM intents AS i CROSS JOIN LATERAL unnest(i.effect_ids, i.sends) AS u (id, sends)
  WHERE i.tenant_id = ANY(%(tenants)s)
), moved AS (
  UPDATE outbox AS o SET state = 1, sends = o.sends + 1, sent_at = least(%(now)s, f.sent_at + %(flown)s),
    due_at = %(now)s, reason = %(reason)s
  FROM flown AS f WHERE o.tenant_id = f.tenant AND o.id = f.id AND o.sends = f.sends AND o.state = 0
  RETURNING f.*
)
INSERT INTO attempts (tenant_id, effect_id, at, number, outcome, epoch, sent_at, reason)
SELECT tenant, id, %(now)s, sends + 1, 'crashed', epoch, sent_at, %(reason)s FROM moved
"""

_CREATED = """
SELECT w.t, k.key::text, a.created::text
FROM unnest(%s::bigint[], %s::uuid[]) AS w (t, k) CROSS JOIN LATERAL
  (SELECT key, effect_id FROM effect_keys WHERE tenant_id = w.t AND key = w.k OFFSET 0) AS k CROSS JOIN LATERAL
  (SELECT created FROM attempts WHERE tenant_id = w.t AND effect_id = k.effect_id AND created IS NOT NULL LIMIT 1) AS a
"""

_STANDING = """
SELECT w.id, (SELECT 1 FROM outbox WHERE tenant_id = w.tenant AND id = w.id) IS NOT NULL,
  (SELECT max(settles) FILTER (WHERE settles = 1) FROM attempts WHERE tenant_id = w.tenant AND effect_id = w.id) IS NOT NULL
FROM unnest(%s::bigint[], %s::bigint[]) AS w (tenant, id)
"""

_EVIDENCE = """
SELECT w.id, a.created::text
FROM unnest(%s::bigint[], %s::bigint[]) AS w (tenant, id) CROSS JOIN LATERAL
  (SELECT created FROM attempts WHERE tenant_id = w.tenant AND effect_id = w.id AND is_late AND outcome = 'succeeded'
   LIMIT 1) AS a
"""


async def look(tx: Tx) -> Snapshot:
    """Return what the horizon needs to know before rows are read."""
    row = await (await tx.execute(_LOOK)).fetchone()
    return Snapshot.parse(*row) if row else Snapshot(0, frozenset(), 0)


async def tenants_of(tx: Tx, shards: Iterable[int]) -> list[TenantRow]:
    """Return the tenants of the shards that ever sent."""
    rows = await tx.execute(_TENANTS, [list(shards)])
    return [TenantRow(*row) for row in await rows.fetchall()]


async def claim(tx: Tx, wanted: Sequence[tuple[TenantId, int, int]]) -> list[Message]:
    """Return waiting rows of each tenant above its id, at most so many each; nothing is locked or written."""
    if not wanted:
        return []
    tenants, lows, rooms = zip(*wanted, strict=True)
    rows = await tx.execute(_CLAIM, [numbers(tenants), numbers(lows), numbers(rooms)], binary=True, prepare=True)
    return [Message._make(row) for row in await rows.fetchall()]


async def lock_versions(tx: Tx, tenants: Iterable[TenantId]) -> dict[TenantId, int]:
    """Return the version of each tenant's settings and keep operators from changing them until the commit."""
    rows = await tx.execute(_VERSIONS, [list(tenants)], prepare=True)
    return {TenantId(tenant): version for tenant, version in await rows.fetchall()}


async def load_ready(tx: Tx, messages: Sequence[Message]) -> dict[EffectId, Loaded]:
    """Return key and command of the messages that still stand in the table as they were claimed."""
    if not messages:
        return {}
    born = [m.created_at for m in messages]
    parameters = [numbers(m.tenant_id for m in messages), numbers(m.id for m in messages)]
    parameters.append(numbers(m.sends for m in messages))
    rows = await tx.execute(_LOAD, [*parameters, min(born), max(born)], prepare=True)
    return {EffectId(i): Loaded(EffectKey(k.replace("-", "")), _read(c)) for i, k, c in await rows.fetchall()}


async def load(tx: Tx, messages: Sequence[Message]) -> dict[EffectId, Loaded]:
    """Return key and command of the messages, whatever their state."""
    born = [m.created_at for m in messages]
    parameters = [numbers(m.tenant_id for m in messages), numbers(m.id for m in messages), min(born), max(born)]
    rows = await tx.execute(_LOAD_ANY, parameters)
    return {EffectId(i): Loaded(EffectKey(k.replace("-", "")), _read(c)) for i, k, c in await rows.fetchall()}


def _read(command: str) -> Command | None:
    try:
        return _decoder.decode(command)
    except msgspec.ValidationError:
        return None


class Intended(NamedTuple):
    """One tenant's part of a batch that is about to be sent."""

    tenant_id: TenantId
    intent_id: int
    shard: int
    epoch: int
    messages: Sequence[Message]


async def intend(tx: Tx, parts: Sequence[Intended], *, now: datetime) -> None:
    """Write down that these are about to be sent."""
    if not parts:
        return
    lows, at = [], 1
    for part in parts:
        lows.append(at)
        at += len(part.messages)
    flat = [message for part in parts for message in part.messages]
    await tx.execute(
        _INTEND,
        {
            "now": now,
            "effects": numbers(m.id for m in flat),
            "sends": numbers(m.sends for m in flat),
            "tenants": numbers(part.tenant_id for part in parts),
            "ids": numbers(part.intent_id for part in parts),
            "shards": numbers(part.shard for part in parts),
            "epochs": numbers(part.epoch for part in parts),
            "lows": numbers(lows),
            "highs": numbers(low + len(part.messages) - 1 for low, part in zip(lows, parts, strict=True)),
        },
        prepare=True,
    )


async def forget_intents(tx: Tx, intents: Sequence[tuple[TenantId, int]]) -> None:
    """Remove intents all of whose outcomes are recorded."""
    if intents:
        tenants, ids = zip(*intents, strict=True)
        await tx.execute(
            "DELETE FROM intents AS i USING unnest(%s::bigint[], %s::bigint[]) AS w (tenant, id)"
            " WHERE i.tenant_id = w.tenant AND i.id = w.id",
            [list(tenants), list(ids)],
        )


async def end(tx: Tx, records: Sequence[Record], *, now: datetime) -> int:
    """Take ended messages out of the outbox into history; return how many still stood as the records say."""
    plain = [r for r in records if r.made is not None]
    other = [r for r in records if r.made is None]
    stood = 0
    if plain:
        columns = [numbers(column) for column in list(zip(*plain, strict=True))[:3]]
        columns.append(numbers(r.epoch for r in plain))
        columns.append(numbers(microseconds(r.sent_at) for r in plain))
        columns.append(numbers(r.milliseconds for r in plain))
        columns.append(numbers(r.made or None for r in plain))
        stood = (await tx.execute(_DONE, [*columns, now], prepare=True)).rowcount
    if other:
        stood += (await tx.execute(_END, [*_columns(other, 13), now, now])).rowcount
    return stood


async def move(tx: Tx, records: Sequence[Record], *, now: datetime) -> int:
    """Write new states of messages that stay, with their attempts; return how many still stood as the records say."""
    if not records:
        return 0
    return (await tx.execute(_MOVE, [*_columns(records, 16), now])).rowcount


async def keep_late(tx: Tx, records: Sequence[Record], *, now: datetime) -> None:
    """Keep outcomes of a worker that no longer owns the tenants: evidence that moves nothing by itself."""
    whole = [r._replace(created=f'{{"":{r.made}}}') if r.made else r for r in records]
    await tx.execute(_LATE, [now, *_columns(whole, 13)])


def _columns(records: Sequence[Record], count: int) -> list[list[object]]:
    return [list(column) for column in list(zip(*records, strict=True))[:count]]


async def recover(tx: Tx, *, tenants: Sequence[TenantId], flown: timedelta, reason: str, now: datetime) -> int:
    """Put into doubt what earlier owners of the tenants had begun and not recorded; return how many.

    `flown` is how long after its intent the last byte of a flight may leave.
    """
    if not tenants:
        return 0
    moved = await tx.execute(_RECOVER, {"tenants": list(tenants), "now": now, "flown": flown, "reason": reason})
    await tx.execute("DELETE FROM intents WHERE tenant_id = ANY(%s)", [list(tenants)])
    return moved.rowcount


async def created_by(
    tx: Tx, keys: Sequence[tuple[TenantId, EffectKey]]
) -> dict[tuple[TenantId, EffectKey], dict[str, int]]:
    """Return the ids that done effects created, by part."""
    rows = await tx.execute(_CREATED, [[t for t, _ in keys], [k for _, k in keys]])
    return {
        (TenantId(t), EffectKey(k.replace("-", ""))): _decode_ids(created) for t, k, created in await rows.fetchall()
    }


async def standing(tx: Tx, effects: Sequence[tuple[TenantId, int]]) -> dict[int, bool | None]:
    """Return for each effect: None while it waits, True when it is done, False when it was given up."""
    rows = await tx.execute(_STANDING, [[t for t, _ in effects], [e for _, e in effects]])
    return {e: None if waits else done for e, waits, done in await rows.fetchall()}


async def late_evidence(tx: Tx, messages: Sequence[Message]) -> dict[EffectId, dict[str, int]]:
    """Return the ids created according to outcomes that came late, for messages in doubt."""
    rows = await tx.execute(_EVIDENCE, [[m.tenant_id for m in messages], [m.id for m in messages]])
    return {EffectId(i): _decode_ids(created) if created else {} for i, created in await rows.fetchall()}


async def paused(tx: Tx, tenants: Sequence[TenantId]) -> Mapping[TenantId, dict[str, set[str]]]:
    """Return what is paused of each tenant: scope → names."""
    rows = await tx.execute("SELECT tenant_id, scope, name FROM pauses WHERE tenant_id = ANY(%s)", [list(tenants)])
    found: dict[TenantId, dict[str, set[str]]] = {}
    for tenant, scope, name in await rows.fetchall():
        found.setdefault(TenantId(tenant), {}).setdefault(scope, set()).add(name)
    return found


class BreakerRow(NamedTuple):
    """A breaker as it was written down."""

    tenant_id: TenantId
    family: str
    error_class: str
    state: str
    failures: int
    opened_at: datetime | None
    probe_at: datetime | None
    override: str


async def breakers_of(tx: Tx, tenants: Sequence[TenantId]) -> list[BreakerRow]:
    """Return the breakers of the tenants as they were written down."""
    rows = await tx.execute(
        "SELECT tenant_id, family, error_class, state, failures, opened_at, probe_at, override FROM breakers"
        " WHERE tenant_id = ANY(%s)",
        [list(tenants)],
    )
    return [BreakerRow(*row) for row in await rows.fetchall()]


async def keep_breaker(tx: Tx, row: BreakerRow) -> None:
    """Write down the state of a breaker; an operator's override is left alone."""
    await tx.execute(
        "INSERT INTO breakers (tenant_id, family, error_class, state, failures, opened_at, probe_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (tenant_id, family, error_class) DO UPDATE SET"
        " state = EXCLUDED.state, failures = EXCLUDED.failures, opened_at = EXCLUDED.opened_at,"
        " probe_at = EXCLUDED.probe_at",
        list(row[:7]),
    )
