"""The short way from a decision to its sending: what may go at once has its intent committed with the decision itself.

The owner decides and sends in one process, so nothing has to be read back, and a commit is left out: one for the decision with
the intents, one for the outcomes. A crash after the first leaves the effect in doubt, as it does after any intent.

What may go is chosen from memory while the transaction is open. The intents' statement then looks whether memory is right: the
tenant's version under a lock, and that nothing waits beyond what was read. Where it is not, nothing of the tenant goes this way.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from bridge.db.arrays import integers
from bridge.db.database import Tx
from bridge.domain.ids import EffectId, TenantId
from bridge.sending import store
from bridge.sending.landing import Flight, Intent
from bridge.sending.message import Message
from bridge.sending.outbox import READY, Fresh
from bridge.sending.store import Loaded
from bridge.sending.tenant import Tenant

# The fence is the decision's own. Last in its transaction, and it waits for nobody: where somebody is changing the tenant's
# settings right now, the usual way waits for him. OFFSET 0 keeps the look at the outbox one walk of its key per tenant.
_INTEND = """
WITH current AS MATERIALIZED (
  SELECT tenant_id FROM sending_tenants
  WHERE tenant_id = ANY(%(tenants)s::bigint[])
    AND version = (%(versions)s::bigint[])[array_position(%(tenants)s::bigint[], tenant_id)]
  ORDER BY tenant_id FOR SHARE SKIP LOCKED
)
INSERT INTO intents (tenant_id, id, shard, epoch, sent_at, effect_ids, sends)
SELECT w.tenant, w.id, w.shard, w.epoch, %(now)s, (%(going)s::bigint[])[w.low:w.high],
  array_fill(0::smallint, ARRAY[w.high - w.low + 1])
FROM unnest(%(tenants)s::bigint[], %(intents)s::bigint[], %(shards)s::smallint[], %(epochs)s::bigint[], %(lows)s::int[],
  %(highs)s::int[], %(positions)s::bigint[], %(from)s::int[], %(to)s::int[])
  AS w (tenant, id, shard, epoch, low, high, position, known_from, known_to)
WHERE w.tenant = ANY(ARRAY(SELECT tenant_id FROM current)) AND NOT EXISTS (
  SELECT 1 FROM outbox AS o
  WHERE o.tenant_id = w.tenant AND o.id > w.position AND o.id <> ALL((%(known)s::bigint[])[w.known_from:w.known_to]) OFFSET 0)
RETURNING tenant_id
"""


class _Part(NamedTuple):
    """One tenant's part: what is put, and what of it goes; `position` is up to where its rows were read before."""

    tenant: Tenant
    position: int
    intent: Intent
    put: Sequence[Message]
    going: Sequence[Message]
    known: Sequence[int]


class HandOver:
    """What one transaction of decisions hands over to the sender of the same process."""

    def __init__(
        self,
        *,
        tenant_of: Callable[[TenantId], Tenant | None],
        next_intent: Callable[[TenantId], Intent],
        clock: Callable[[], datetime],
    ) -> None:
        self.left: set[TenantId] = set()
        """Tenants whose messages go the usual way."""
        self._tenant_of = tenant_of
        self._next_intent = next_intent
        self._clock = clock
        self._sent_at = clock()
        self._parts: list[_Part] = []
        self._loaded: dict[EffectId, Loaded] = {}
        self._rows: Any = None

    @property
    def intents(self) -> list[Intent]:
        """What is about to be committed, or may have been."""
        return [part.intent for part in self._parts]

    async def intend(self, tx: Tx, fresh: Sequence[Fresh], *, born: datetime) -> None:
        """Choose what goes at once of what this transaction put at `born`, and write the intents; its last statement."""
        now = self._sent_at = self._clock()
        by_tenant: dict[TenantId, list[Fresh]] = {}
        for one in fresh:
            by_tenant.setdefault(one.tenant_id, []).append(one)
        for tenant_id, own in by_tenant.items():
            tenant = self._tenant_of(tenant_id)
            put = [_message(one, born=born) for one in own if one.state == READY]
            going = tenant.begin(put, now=now) if tenant is not None else []
            if tenant is None or not going:
                self.left.add(tenant_id)
                continue
            known = [*tenant.backlog.known_beyond(), *(one.id for one in own)]
            intent = self._next_intent(tenant_id)
            intent.left = len(going)
            self._parts.append(_Part(tenant, tenant.backlog.position, intent, put, going, known))
            names = {message.id for message in going}
            self._loaded |= {one.id: Loaded(one.key, store.read(one.command)) for one in own if one.id in names}
        if self._parts:
            self._rows = await tx.execute(_INTEND, self._values(now), prepare=True)

    def _values(self, now: datetime) -> dict[str, object]:
        intents = self.intents
        going, known = [part.going for part in self._parts], [part.known for part in self._parts]
        lows, highs = _slices(going)
        known_from, known_to = _slices(known)
        return {
            "now": now,
            "tenants": integers(intent.tenant_id for intent in intents),
            "versions": integers(part.tenant.backlog.version for part in self._parts),
            "intents": integers(intent.id for intent in intents),
            "shards": integers(intent.shard for intent in intents),
            "epochs": integers(intent.epoch for intent in intents),
            "lows": integers(lows),
            "highs": integers(highs),
            "going": integers(message.id for part in self._parts for message in part.going),
            "positions": integers(part.position for part in self._parts),
            "from": integers(known_from),
            "to": integers(known_to),
            "known": integers(id_ for ids in known for id_ in ids),
        }

    async def committed(self, *, now: datetime) -> list[Flight]:
        """Let memory follow what was committed, and return what may be sent."""
        flights: list[Flight] = []
        written = {row[0] for row in await self._rows.fetchall()} if self._rows is not None else set()
        for part in self._parts:
            backlog = part.tenant.backlog
            if part.tenant.id not in written:
                self._drop(part, now=now)  # memory was not right
                continue
            for message in part.put:
                backlog.add(message, now=now)
            if backlog.position == part.position:  # else it is being read anew, for a reason that is not ours to know
                backlog.position = part.known[-1]
            flights += [Flight(one, self._loaded[one.id], {}, part.intent, self._sent_at) for one in part.going]
            if backlog.unresolved:
                self.left.add(part.tenant.id)
        return flights

    def undone(self, *, now: datetime) -> None:
        """Let nothing go by it: nothing was committed, or nobody knows."""
        for part in self._parts:
            self._drop(part, now=now)

    def _drop(self, part: _Part, *, now: datetime) -> None:
        for message in part.going:
            part.tenant.unsend(message)
            part.tenant.backlog.drop(message, now=now)
        self.left.add(part.tenant.id)


def _message(one: Fresh, *, born: datetime) -> Message:
    return Message(
        one.tenant_id,
        one.id,
        born,
        born,
        None,
        one.state,
        one.priority,
        0,
        0,
        one.kind,
        one.lane,
        one.source_id,
        one.waits_for,
        one.reason,
    )


def _slices(groups: Sequence[Sequence[object]]) -> tuple[list[int], list[int]]:
    """Return where each group begins and ends in the array of all, counted from one."""
    lows, highs, end = [], [], 0
    for group in groups:
        lows.append(end + 1)
        end += len(group)
        highs.append(end)
    return lows, highs
