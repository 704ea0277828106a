"""Putting effects into the outbox, each once for ever."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from bridge.db.arrays import integers, numbers, texts
from bridge.db.database import Tx
from bridge.db.ownership import shard_of
from bridge.domain.command import Command, CreatedBy, kind_of
from bridge.domain.ids import DecisionId, DeliveryId, EffectId, EffectKey, SourceId, TenantId
from bridge.domain.plan import Effect
from bridge.domain.reasons import Reason

READY, IN_DOUBT, HELD = 0, 1, 2  # outbox.state

_encode = msgspec.json.Encoder().encode


class Wanted(NamedTuple):
    """The effects one decision wants."""

    tenant_id: TenantId
    source_id: SourceId
    delivery_id: DeliveryId
    decision_id: DecisionId
    effects: Sequence[Effect]


class Fresh(NamedTuple):
    """A message as it was just put, with its command as stored."""

    tenant_id: TenantId
    id: EffectId
    key: EffectKey
    command: bytes
    kind: str
    lane: str
    source_id: SourceId
    priority: int
    waits_for: list[int] | None
    reason: str

    @property
    def state(self) -> int:
        """What it is put as: one whose effect needs another that nobody knows waits for a person."""
        return HELD if self.reason else READY


class PutResult(NamedTuple):
    """What became of effects: new ones with their ids, those known before, and those whose key named another command."""

    created: dict[EffectKey, EffectId]
    known: dict[EffectKey, EffectId]
    conflicts: tuple[EffectKey, ...]
    fresh: Sequence[Fresh] = ()


# CASE is evaluated in order: the transaction has its id before it draws an effect's. The late-commit watch of the claim
# rests on this (bridge/sending/horizon.py).
_KEYS = """
INSERT INTO effect_keys (tenant_id, key, effect_id, fingerprint)
SELECT t, k, CASE WHEN pg_current_xact_id() IS NOT NULL THEN nextval('effect_ids') END, f
FROM unnest(%s::bigint[], %s::uuid[], %s::bigint[]) AS w (t, k, f)
ON CONFLICT DO NOTHING RETURNING tenant_id, key::text, effect_id
"""

_KNOWN = """
SELECT k.tenant_id, k.key::text, k.effect_id, k.fingerprint
FROM unnest(%s::bigint[], %s::uuid[]) AS w (t, k) CROSS JOIN LATERAL
  (SELECT * FROM effect_keys WHERE tenant_id = w.t AND key = w.k OFFSET 0) AS k
"""

# ON CONFLICT alone would wait for whoever is changing the tenant's settings right now.
_ROWS = """
WITH fresh AS MATERIALIZED (
  SELECT * FROM unnest(%(tenant)s::bigint[], %(id)s::bigint[], %(key)s::uuid[], %(kind)s::text[], %(lane)s::text[],
    %(source)s::text[], %(delivery)s::bigint[], %(decision)s::bigint[], %(rule)s::text[], %(priority)s::smallint[],
    %(waits)s::text[], %(state)s::smallint[], %(reason)s::text[], %(command)s::text[])
  AS f (tenant, id, key, kind, lane, source, delivery, decision, rule, priority, waits, state, reason, command)
), kept AS (
  INSERT INTO effects (tenant_id, id, created_at, key, kind, lane, source_id, delivery_id, decision_id, rule, priority,
    waits_for, command)
  SELECT tenant, id, %(now)s, key, kind, lane, source, delivery, decision, rule, priority, waits::bigint[], command::json
  FROM fresh
), seen AS (
  INSERT INTO sending_tenants (tenant_id, shard)
  SELECT * FROM unnest(%(tenants)s::bigint[], %(shards)s::smallint[]) AS t (tenant, shard)
  WHERE NOT EXISTS (SELECT FROM sending_tenants WHERE tenant_id = t.tenant)
  ON CONFLICT DO NOTHING
)
INSERT INTO outbox (tenant_id, id, created_at, due_at, state, priority, kind, lane, source_id, waits_for, reason)
SELECT tenant, id, %(now)s, %(now)s, state, priority, kind, lane, source, waits::bigint[],
  reason FROM fresh
"""


async def put(
    tx: Tx,
    *,
    tenant_id: TenantId,
    source_id: SourceId,
    delivery_id: DeliveryId,
    decision_id: DecisionId,
    effects: Sequence[Effect],
    now: datetime,
) -> PutResult:
    """Put the effects of one decision into the outbox; what is known already is left as it is."""
    return await put_many(tx, [Wanted(tenant_id, source_id, delivery_id, decision_id, effects)], now=now)


class Named(NamedTuple):
    """Effects under their keys, each once, with their commands as stored; `ids` are of those that are new."""

    commands: dict[tuple[TenantId, EffectKey], bytes]
    ids: dict[tuple[int, str], EffectId]


async def name_many(tx: Tx, effects: Iterable[tuple[TenantId, Effect]]) -> Named:
    """Enter the keys of effects, in the order given: the first half of `put_many`, which needs no decision yet."""
    commands: dict[tuple[TenantId, EffectKey], bytes] = {}
    for tenant_id, effect in effects:
        if (tenant_id, effect.key) not in commands:
            commands[tenant_id, effect.key] = _encode(effect.command)
    if not commands:
        return Named({}, {})
    # The order of the ids is the order of the lanes.
    rows = await tx.execute(
        _KEYS,
        [
            numbers(tenant for tenant, _ in commands),
            texts(key for _, key in commands),
            numbers(map(fingerprint, commands.values())),
        ],
        prepare=True,
    )
    return Named(commands, {(t, k.replace("-", "")): EffectId(i) for t, k, i in await rows.fetchall()})


async def put_many(tx: Tx, wanted: Sequence[Wanted], *, now: datetime, named: Named | None = None) -> PutResult:
    """Put the effects of many decisions into the outbox with one set of statements, in the order given.

    `named` is what `name_many` returned for the very same effects.
    """
    if named is None:
        named = await name_many(tx, ((w.tenant_id, effect) for w in wanted for effect in w.effects))
    commands, ids = named
    if not commands:
        return PutResult({}, {}, ())
    first = {(w.tenant_id, effect.key): (w, effect) for w in reversed(wanted) for effect in reversed(w.effects)}
    ordered = [(*first[name], command) for name, command in commands.items()]
    fresh = [row for row in ordered if (row[0].tenant_id, row[1].key) in ids]
    known: dict[EffectKey, EffectId] = {}
    conflicts: list[EffectKey] = []
    if len(fresh) < len(ordered):
        old = [row for row in ordered if (row[0].tenant_id, row[1].key) not in ids]
        known, conflicts = await _settle_known(tx, old, now=now)
    put = await _insert(tx, fresh, ids, now=now) if fresh else []
    return PutResult({EffectKey(key): effect_id for (_, key), effect_id in ids.items()}, known, tuple(conflicts), put)


async def enter(tx: Tx, tenants: Iterable[TenantId]) -> None:
    """Enter tenants among those that send; who is there stays as it is.

    A worker does this at its start, in a transaction of its own: two that enter the same tenant wait for each other, and a
    tenant's first effect, in a transaction that stays open, would hold up all its others.
    """
    ordered = sorted(set(tenants))
    await tx.execute(
        "INSERT INTO sending_tenants (tenant_id, shard) SELECT * FROM unnest(%s::bigint[], %s::smallint[])"
        " ON CONFLICT DO NOTHING",
        [ordered, [shard_of(tenant) for tenant in ordered]],
    )


async def look_up_keys(
    tx: Tx, keys: Iterable[tuple[TenantId, EffectKey]]
) -> dict[tuple[TenantId, EffectKey], tuple[EffectId, int]]:
    """Return the effect id and the command's fingerprint of each key that is known."""
    pairs = list(keys)
    rows = await tx.execute(_KNOWN, [[t for t, _ in pairs], [k for _, k in pairs]])
    return {(TenantId(t), EffectKey(k.replace("-", ""))): (EffectId(i), f) for t, k, i, f in await rows.fetchall()}


def fingerprint(command: bytes) -> int:
    """Return 64 bits of SHA-256 of an encoded command, signed as PostgreSQL's bigint."""
    return int.from_bytes(hashlib.sha256(command).digest()[:8], "big", signed=True)


def references(command: Command) -> tuple[EffectKey, ...]:
    """Return the keys of the effects whose ids the command needs."""
    found = (getattr(command, name, None) for name in ("booking", "customer", "target", "lead"))
    return tuple(value.effect_key for value in found if isinstance(value, CreatedBy))


async def _settle_known(
    tx: Tx, old: Sequence[tuple[Wanted, Effect, bytes]], *, now: datetime
) -> tuple[dict[EffectKey, EffectId], list[EffectKey]]:
    known = await look_up_keys(tx, ((w.tenant_id, effect.key) for w, effect, _ in old))
    conflicts = []
    for w, effect, command in old:
        effect_id, print_before = known[w.tenant_id, effect.key]
        if print_before != fingerprint(command):
            conflicts.append(effect.key)
            await tx.execute(
                "INSERT INTO effect_conflicts (tenant_id, effect_id, delivery_id, decision_id, found_at, command)"
                " VALUES (%s, %s, %s, %s, %s, %s::text::json)",
                [w.tenant_id, effect_id, w.delivery_id, w.decision_id, now, command.decode()],
            )
    return {key: effect_id for (_, key), (effect_id, _) in known.items()}, conflicts


async def _insert(
    tx: Tx, fresh: Sequence[tuple[Wanted, Effect, bytes]], ids: dict[tuple[int, str], EffectId], *, now: datetime
) -> list[Fresh]:
    needed = [tuple(dict.fromkeys((*effect.waits_for, *references(effect.command)))) for _, effect, _ in fresh]
    elsewhere = {
        (w.tenant_id, key)
        for (w, _, _), keys in zip(fresh, needed, strict=True)
        for key in keys
        if (w.tenant_id, key) not in ids
    }
    earlier = await look_up_keys(tx, elsewhere) if elsewhere else {}
    put: list[Fresh] = []
    for (w, effect, command), keys in zip(fresh, needed, strict=True):
        found = [ids.get((w.tenant_id, key)) or earlier.get((w.tenant_id, key), (None,))[0] for key in keys]
        put.append(
            Fresh(
                w.tenant_id,
                ids[w.tenant_id, effect.key],
                effect.key,
                command,
                kind_of(effect.command),
                effect.lane,
                w.source_id,
                effect.priority,
                [i for i in found if i is not None] if keys else None,
                Reason.REFERENCE_UNKNOWN.value if None in found else "",
            )
        )
    tenants = sorted({w.tenant_id for w, _, _ in fresh})
    await tx.execute(
        _ROWS,
        {
            "tenant": numbers(one.tenant_id for one in put),
            "id": numbers(one.id for one in put),
            "key": texts(one.key for one in put),
            "kind": texts(one.kind for one in put),
            "lane": texts(one.lane for one in put),
            "source": texts(one.source_id for one in put),
            "delivery": numbers(w.delivery_id for w, _, _ in fresh),
            "decision": numbers(w.decision_id for w, _, _ in fresh),
            "rule": texts(effect.rule for _, effect, _ in fresh),
            "priority": numbers(one.priority for one in put),
            "waits": texts(None if one.waits_for is None else integers(one.waits_for) for one in put),
            "state": numbers(one.state for one in put),
            "reason": texts(one.reason for one in put),
            "command": texts(one.command.decode() for one in put),
            "tenants": numbers(tenants),
            "shards": numbers(shard_of(tenant) for tenant in tenants),
            "now": now,
        },
        prepare=True,
    )
    return put
