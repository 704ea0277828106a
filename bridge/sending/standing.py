"""What stands in the tables beside the hot path: evidence, what messages wait for, pauses, breakers."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from bridge.db.database import Tx
from bridge.domain.ids import EffectId, EffectKey, TenantId
from bridge.sending.message import Message
from bridge.sending.outbox import references
from bridge.sending.store import Loaded

_decode_ids = msgspec.json.Decoder(dict[str, int]).decode

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

# The times of looks are no sends: only what began and has no outcome counts, and of that the last.
_DOUBTED = """
SELECT w.id, a.begun_at, a.late FROM unnest(%s::bigint[], %s::bigint[]) AS w (tenant, id) CROSS JOIN LATERAL
  (SELECT (array_agg(sent_at ORDER BY number DESC) FILTER (WHERE outcome IN ('in_doubt', 'crashed')))[1] AS begun_at,
     (array_agg(coalesce(created::text, '{}')) FILTER (WHERE is_late AND outcome = 'succeeded'))[1] AS late
   FROM attempts WHERE tenant_id = w.tenant AND effect_id = w.id OFFSET 0) AS a
"""


class Doubted(NamedTuple):
    """What is known of a send in doubt: when its intent was committed, and what a late outcome says it created, by part."""

    begun_at: datetime | None
    late: dict[str, int] | None


async def created_by(
    tx: Tx, keys: Sequence[tuple[TenantId, EffectKey]]
) -> dict[tuple[TenantId, EffectKey], dict[str, int]]:
    """Return the ids that done effects created, by part."""
    rows = await tx.execute(_CREATED, [[t for t, _ in keys], [k for _, k in keys]])
    return {
        (TenantId(t), EffectKey(k.replace("-", ""))): _decode_ids(created) for t, k, created in await rows.fetchall()
    }


async def refs_of(
    tx: Tx, messages: Sequence[Message], loaded: Mapping[EffectId, Loaded]
) -> dict[EffectKey, dict[str, int]]:
    """Return the ids that the commands of the messages refer to, by the effect that created them and by part."""
    keys = [
        (message.tenant_id, key)
        for message in messages
        if message.waits_for and (found := loaded.get(message.id)) is not None and found.command is not None
        for key in references(found.command)
    ]
    if not keys:
        return {}
    # An effect key is unique over all tenants: the tenant is part of what it is made of.
    return {key: ids for (_, key), ids in (await created_by(tx, keys)).items()}


async def standing(tx: Tx, effects: Sequence[tuple[TenantId, int]]) -> dict[int, bool | None]:
    """Return for each effect: None while it waits, True when it is done, False when it was given up."""
    rows = await tx.execute(_STANDING, [[t for t, _ in effects], [e for _, e in effects]])
    return {e: None if waits else done for e, waits, done in await rows.fetchall()}


async def doubted(tx: Tx, messages: Sequence[Message]) -> dict[EffectId, Doubted]:
    """Return what history tells of messages in doubt."""
    rows = await tx.execute(_DOUBTED, [[m.tenant_id for m in messages], [m.id for m in messages]])
    return {
        EffectId(i): Doubted(begun, _decode_ids(late) if late else None) for i, begun, late in await rows.fetchall()
    }


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


async def keep_limit(tx: Tx, tenant_id: TenantId, *, until: datetime, rate: float) -> None:
    """Write down what a 429 left of a tenant's budget, for whoever owns its shard next; the longest wait stands."""
    await tx.execute(
        "UPDATE sending_tenants SET spent_until = greatest(spent_until, %s), lowered_to = %s WHERE tenant_id = %s",
        [until, rate, tenant_id],
    )


async def keep_breaker(tx: Tx, row: BreakerRow) -> None:
    """Write down the state of a breaker; an operator's override is left alone."""
    await tx.execute(
        "INSERT INTO breakers (tenant_id, family, error_class, state, failures, opened_at, probe_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (tenant_id, family, error_class) DO UPDATE SET"
        " state = EXCLUDED.state, failures = EXCLUDED.failures, opened_at = EXCLUDED.opened_at,"
        " probe_at = EXCLUDED.probe_at",
        list(row[:7]),
    )
