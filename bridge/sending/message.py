"""A message of the outbox as its owner knows it: the row that changes, without the command, which never does."""

from datetime import datetime

import msgspec

from bridge.domain.ids import EffectId, TenantId
from bridge.sending.retry import POLICIES, UNKNOWN, Policy


class Message(msgspec.Struct, frozen=True, gc=False):
    """A row of the hot table, in the order the claim selects it."""

    tenant_id: TenantId
    id: EffectId
    created_at: datetime
    due_at: datetime
    sent_at: datetime | None
    state: int
    priority: int
    sends: int
    spent: int
    kind: str
    lane: str
    source_id: str
    waits_for: list[int] | None
    reason: str

    @property
    def policy(self) -> Policy:
        """How its kind is retried."""
        return POLICIES.get(self.kind, UNKNOWN)
