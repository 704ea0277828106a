"""The one word for a delivery: few, exclusive, each saying whether a person is needed."""

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from bridge.domain.reasons import Reason


class Status(StrEnum):
    """What became of a delivery."""

    RECEIVED = "received"
    WORKING = "working"
    RETRYING = "retrying"
    HELD = "held"
    REVIEW = "review"
    FAILED = "failed"
    BOOKED = "booked"
    UPDATED = "updated"
    FILTERED = "filtered"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


NEEDS_A_PERSON = frozenset({Status.REVIEW, Status.FAILED})
FINAL = frozenset({Status.BOOKED, Status.UPDATED, Status.FILTERED, Status.DUPLICATE, Status.FAILED, Status.REJECTED})

# Waits that end by themselves or by the far side: the message stays ready and says why it is not sent.
SHUT = frozenset(
    {"credentials_refused", "unauthorized", "forbidden", "maintenance", "paused", "breaker_open", "tenant_paused"}
)


class EffectState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where one effect stands: `state` is ready, in_doubt, held, dead, cancelled or done."""

    effect_id: int
    delivery_id: int
    kind: str
    state: str
    source_id: str = ""
    lane: str = ""
    reason: str = ""
    sends: int = 0
    due_at: datetime | None = None

    @property
    def waits(self) -> bool:
        """Tell whether it is still to be sent."""
        return self.state in {"ready", "in_doubt", "held"}


def status_of(state: str, reason: str, effects: Sequence[EffectState], *, is_paused: bool = False) -> Status:
    """Return the word for a delivery from its state (empty for not yet decided) and those of its effects."""
    if state != "processed":
        return {"held": Status.REVIEW, "ignored": Status.FILTERED, "failed": Status.FAILED}.get(state, Status.RECEIVED)
    states = {effect.state for effect in effects}
    if "dead" in states:
        return Status.FAILED
    waiting = [effect for effect in effects if effect.waits]
    if waiting:
        if is_paused or any(effect.state == "held" or effect.reason in SHUT for effect in waiting):
            return Status.HELD
        return Status.RETRYING if any(effect.sends for effect in waiting) else Status.WORKING
    if reason == Reason.DUPLICATE_ASK:
        return Status.DUPLICATE
    done = {effect.kind for effect in effects if effect.state == "done"}
    if "create_booking" in done:
        return Status.BOOKED
    return Status.UPDATED if done else Status.FILTERED


# NULL in every look-up means that the message left the outbox: it is done unless an attempt says it was cancelled.
EFFECTS_OF = """
SELECT e.id AS effect_id, e.delivery_id, e.kind, e.source_id, e.lane,
  CASE WHEN o.id IS NOT NULL THEN (ARRAY['ready', 'in_doubt', 'held'])[o.state + 1]
       WHEN m.effect_id IS NOT NULL THEN 'dead'
       WHEN a.settles = 3 THEN 'cancelled' ELSE 'done' END AS state,
  coalesce(o.reason, m.reason, '') AS reason, coalesce(o.sends, 0)::int AS sends, o.due_at
FROM unnest(%(ids)s::bigint[]) AS w (id)
CROSS JOIN LATERAL (SELECT * FROM effects WHERE tenant_id = %(tenant)s AND delivery_id = w.id OFFSET 0) AS e
LEFT JOIN LATERAL (SELECT * FROM outbox WHERE tenant_id = %(tenant)s AND id = e.id OFFSET 0) AS o ON true
LEFT JOIN LATERAL (SELECT * FROM dead_messages WHERE tenant_id = %(tenant)s AND effect_id = e.id OFFSET 0) AS m ON true
LEFT JOIN LATERAL (SELECT settles FROM attempts WHERE tenant_id = %(tenant)s AND effect_id = e.id AND settles <> 0
  ORDER BY at DESC LIMIT 1) AS a ON o.id IS NULL AND m.effect_id IS NULL
ORDER BY e.id
"""


def is_open(pauses: Collection[tuple[str, str]], effect: EffectState) -> bool:
    """Tell whether an operator's pause (scope, name) covers an effect's source or lane."""
    covering = {("tenant", ""), ("source", effect.source_id), ("lane", effect.lane)}
    return not covering.isdisjoint(pauses)
