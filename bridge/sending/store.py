"""The statements of the outbox's owner before it sends: look, claim, intend, load, recover. None commits.

All hot statements walk `(tenant_id, id)`, once a tenant, for arrays of keys: their plans do not depend on statistics, that of the
claim on a connection of `Database.in_order`.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from bridge.db.arrays import integers
from bridge.db.database import Tx
from bridge.db.ownership import HELD, fences
from bridge.domain.command import Command
from bridge.domain.ids import EffectId, EffectKey, TenantId
from bridge.sending.horizon import Snapshot
from bridge.sending.message import Message

_decoder: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)


class TenantRow(NamedTuple):
    """What stands about a tenant that sends."""

    tenant_id: TenantId
    shard: int
    version: int
    rate: float | None
    spent_until: datetime | None = None
    lowered_to: float | None = None


class Loaded(msgspec.Struct, frozen=True, gc=False):
    """The immutable part of a message."""

    key: EffectKey
    command: Command | None  # None where this version cannot read it


_TENANTS = """
SELECT tenant_id, shard, version, rate, spent_until, lowered_to FROM sending_tenants WHERE shard = ANY(%s::smallint[])
"""

# One round trip, a quarter of a millisecond of what each message waits.
_LOOK = f"""
WITH seen AS MATERIALIZED (
  SELECT pg_current_snapshot()::text, (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM effect_ids),
    age('3'::xid)::bigint + 3 -- the next xid, since 3 is the first
)
SELECT * FROM seen LEFT JOIN LATERAL ({_TENANTS}) AS t ON true
"""

_CLAIM = """
SELECT o.tenant_id, o.id, o.created_at, o.due_at, o.sent_at, o.state, o.priority, o.sends, o.spent, o.kind, o.lane,
  o.source_id, o.waits_for, o.reason
FROM unnest(%s::bigint[], %s::bigint[], %s::int[]) AS w (tenant, low, room) CROSS JOIN LATERAL
  (SELECT * FROM outbox WHERE tenant_id = w.tenant AND id > w.low ORDER BY id LIMIT w.room) AS o
"""

# OFFSET 0 keeps each look-up a look-up by key, whatever the planner believes about the tables. The two times let the
# executor leave out the partitions that cannot hold the rows.
_LOAD = """
SELECT w.id, e.key::text, e.command::text
FROM unnest(%s::bigint[], %s::bigint[]) AS w (tenant, id) CROSS JOIN LATERAL
  (SELECT key, command FROM effects WHERE tenant_id = w.tenant AND id = w.id AND created_at >= %s AND created_at <= %s
   OFFSET 0) AS e
"""

# One statement, so that one round trip commits what is about to be sent. Locks come first: the shards against a taker, the
# tenants' versions against operators; with both unchanged the rows are as they were claimed, and they are looked at anyhow.
# A row comes out for what is held, for each tenant that is as it was read, and for each message that may go.
_INTEND = f"""
WITH held AS MATERIALIZED ({HELD}), current AS MATERIALIZED (
  SELECT tenant_id FROM sending_tenants
  WHERE (SELECT count(*) FROM held) = %(fenced)s AND tenant_id = ANY(%(tenants)s::bigint[])
    AND version = (%(versions)s::bigint[])[array_position(%(tenants)s::bigint[], tenant_id)]
  ORDER BY tenant_id FOR SHARE
), kept AS (
  INSERT INTO intents (tenant_id, id, shard, epoch, sent_at, effect_ids, sends)
  SELECT w.tenant, w.id, w.shard, w.epoch, %(now)s, (%(ids)s::bigint[])[w.low:w.high], (%(sends)s::smallint[])[w.low:w.high]
  FROM unnest(%(tenants)s::bigint[], %(intents)s::bigint[], %(shard_of)s::smallint[], %(epoch_of)s::bigint[], %(lows)s::int[],
    %(highs)s::int[]) AS w (tenant, id, shard, epoch, low, high)
  WHERE w.tenant = ANY(ARRAY(SELECT tenant_id FROM current))
  ON CONFLICT DO NOTHING
)
SELECT 0::smallint, (SELECT count(*) FROM held), NULL, NULL
UNION ALL SELECT 1::smallint, tenant_id, NULL, NULL FROM current
UNION ALL SELECT 2::smallint, e.id, e.key::text, e.command::text
FROM unnest(%(of)s::bigint[], %(sent)s::smallint[], %(from)s::int[], %(to)s::int[]) AS w (tenant, sends, low, high)
CROSS JOIN LATERAL (
  SELECT id FROM outbox
  WHERE tenant_id = w.tenant AND id = ANY((%(ids)s::bigint[])[w.low:w.high]) AND sends = w.sends AND state = 0 OFFSET 0) AS o
CROSS JOIN LATERAL (
  SELECT id, key, command FROM effects
  WHERE tenant_id = w.tenant AND id = o.id AND created_at >= %(oldest)s AND created_at <= %(youngest)s OFFSET 0) AS e
WHERE w.tenant = ANY(ARRAY(SELECT tenant_id FROM current))
"""

# What an owner that is gone had begun and not recorded. A message whose `sends` moved on since was recorded. Its last byte
# may have left when both times were over: the one a flight may wait and the one its requests may take together. The rows are
# named twice: where statistics were taken when all had been deleted, the join alone was seen to walk the whole outbox.
# Of two intents for a message the last counts (their ids rise): nothing is sent by one whose commit nobody heard of, and the message
# goes again by the next. By the first, absence would count while what the second sent is still under way.
_RECOVER = """
WITH flown AS MATERIALIZED (
  SELECT i.tenant_id AS tenant, u.id, u.sends, i.sent_at, i.epoch
  FROM intents AS i CROSS JOIN LATERAL unnest(i.effect_ids, i.sends) AS u (id, sends)
  WHERE i.tenant_id = ANY(%(tenants)s) AND NOT EXISTS (
    SELECT FROM intents WHERE tenant_id = i.tenant_id AND id > i.id AND u.id = ANY(effect_ids) OFFSET 0)
), moved AS (
  UPDATE outbox AS o SET state = 1, sends = o.sends + 1, sent_at = least(%(now)s, f.sent_at + %(flown)s),
    due_at = %(now)s, reason = %(reason)s
  FROM flown AS f WHERE o.tenant_id = f.tenant AND o.id = f.id AND o.sends = f.sends AND o.state = 0
    AND o.tenant_id = ANY(%(tenants)s) AND o.id = ANY(ARRAY(SELECT id FROM flown))
  RETURNING f.*
)
INSERT INTO attempts (tenant_id, effect_id, at, number, outcome, epoch, sent_at, reason)
SELECT tenant, id, %(now)s, sends + 1, 'crashed', epoch, sent_at, %(reason)s FROM moved
"""


async def look(tx: Tx, shards: Iterable[int]) -> tuple[Snapshot, list[TenantRow]]:
    """Return what the horizon needs to know before rows are read, and the tenants of the shards that ever sent."""
    rows = await (await tx.execute(_LOOK, [integers(shards)], prepare=True)).fetchall()
    return Snapshot.parse(*rows[0][:3]), [TenantRow(*row[3:]) for row in rows if row[3] is not None]


async def tenants_of(tx: Tx, shards: Iterable[int]) -> list[TenantRow]:
    """Return the tenants of the shards that ever sent."""
    rows = await tx.execute(_TENANTS, [integers(shards)])
    return [TenantRow(*row) for row in await rows.fetchall()]


async def claim(tx: Tx, wanted: Sequence[tuple[TenantId, int, int]]) -> list[Message]:
    """Return waiting rows of each tenant above its id, at most so many each; nothing is locked or written."""
    if not wanted:
        return []
    tenants, lows, rooms = zip(*wanted, strict=True)
    rows = await tx.execute(_CLAIM, [integers(tenants), integers(lows), integers(rooms)], binary=True, prepare=True)
    return [Message(*row) for row in await rows.fetchall()]


async def load(tx: Tx, messages: Sequence[Message]) -> dict[EffectId, Loaded]:
    """Return key and command of the messages, whatever their state."""
    born = [m.created_at for m in messages]
    parameters = [integers(m.tenant_id for m in messages), integers(m.id for m in messages), min(born), max(born)]
    rows = await tx.execute(_LOAD, parameters)
    return {EffectId(i): Loaded(EffectKey(k.replace("-", "")), read(c)) for i, k, c in await rows.fetchall()}


def read(command: str | bytes) -> Command | None:
    """Return a command as it is stored; None where this version cannot read it."""
    try:
        return _decoder.decode(command)
    except msgspec.ValidationError:
        return None


class Part(NamedTuple):
    """One tenant's part of a batch that is about to be sent; `version` is of the settings it was chosen under."""

    tenant_id: TenantId
    version: int
    intent_id: int
    shard: int
    epoch: int
    messages: Sequence[Message]


class Intended(NamedTuple):
    """What may go: of the tenants that are `current`, what was `loaded`; nothing where the fence did not hold."""

    is_fenced: bool
    current: frozenset[int]
    loaded: dict[EffectId, Loaded]


async def intend(tx: Tx, parts: Sequence[Part], *, now: datetime) -> Intended:
    """Write down what is about to be sent, under the fence and the tenants' versions, and load what still stands so."""
    flat: list[Message] = []
    lows, highs = [], []
    groups: list[tuple[int, int, int, int]] = []  # tenant, sends, low, high
    for part in parts:
        lows.append(len(flat) + 1)
        by_sends: dict[int, list[Message]] = {}
        for message in part.messages:
            by_sends.setdefault(message.sends, []).append(message)
        for sends, messages in by_sends.items():
            groups.append((part.tenant_id, sends, len(flat) + 1, len(flat) + len(messages)))
            flat += messages
        highs.append(len(flat))
    born = [message.created_at for message in flat]
    fence = fences({part.shard: part.epoch for part in parts})
    rows = await tx.execute(
        _INTEND,
        {
            **fence,
            "now": now,
            "tenants": integers(part.tenant_id for part in parts),
            "versions": integers(part.version for part in parts),
            "intents": integers(part.intent_id for part in parts),
            "shard_of": integers(part.shard for part in parts),
            "epoch_of": integers(part.epoch for part in parts),
            "lows": integers(lows),
            "highs": integers(highs),
            "ids": integers([message.id for message in flat]),
            "sends": integers([message.sends for message in flat]),
            "of": integers(group[0] for group in groups),
            "sent": integers(group[1] for group in groups),
            "from": integers(group[2] for group in groups),
            "to": integers(group[3] for group in groups),
            "oldest": min(born),
            "youngest": max(born),
        },
        prepare=True,
    )
    held = 0
    current: set[int] = set()
    loaded: dict[EffectId, Loaded] = {}
    for what, id_, key, command in await rows.fetchall():
        if what == 2:
            loaded[id_] = Loaded(key.replace("-", ""), read(command))
        elif what == 1:
            current.add(id_)
        else:
            held = id_
    return Intended(held == fence["fenced"], frozenset(current), loaded)


async def recover(tx: Tx, *, tenants: Sequence[TenantId], flown: timedelta, reason: str, now: datetime) -> int:
    """Put into doubt what earlier owners of the tenants had begun and not recorded; return how many.

    `flown` is how long after its intent the last byte of a flight may leave.
    """
    if not tenants:
        return 0
    moved = await tx.execute(_RECOVER, {"tenants": list(tenants), "now": now, "flown": flown, "reason": reason})
    await tx.execute("DELETE FROM intents WHERE tenant_id = ANY(%s)", [list(tenants)])
    return moved.rowcount
