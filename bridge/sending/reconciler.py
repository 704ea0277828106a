"""The look: ask the far side about what is in doubt before anything is sent again, and settle it by the answer."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from bridge.db.database import Database
from bridge.db.ownership import LeaseLost, fence_all
from bridge.domain.outcome import Deferred
from bridge.domain.reasons import Reason
from bridge.sending import holds, records, standing, store
from bridge.sending.effects.wire import Refs
from bridge.sending.far_side import FarSide
from bridge.sending.findings import Finding, Found, LookFailed, Unknowable, record_of_look
from bridge.sending.landing import moved
from bridge.sending.message import Message
from bridge.sending.outbox import READY
from bridge.sending.owner import Owner
from bridge.sending.records import Record
from bridge.sending.standing import Doubted
from bridge.sending.store import Loaded
from bridge.sending.tenant import Tenant
from bridge.sending.wakeups import WakeUps

log = logging.getLogger(__name__)


class Reconciler:
    """Looks after what is in doubt; each look is a request within the tenant's budget."""

    def __init__(
        self,
        database: Database,
        owner: Owner,
        far_side: FarSide,
        wake_ups: WakeUps,
        *,
        clock: Callable[[], datetime],
        on_record: Callable[[Record], None] | None,
    ) -> None:
        self._database = database
        self._owner = owner
        self._far_side = far_side
        self._wake_ups = wake_ups
        self._clock = clock
        self._on_record = on_record
        self._looking: set[int] = set()

    async def reconcile_due(self) -> int:
        """Look up what is in doubt and due, write down what was found, and return how many were looked at."""
        now = self._clock()
        due = [
            (tenant, doubt) for tenant in self._owner.busy() for doubt in tenant.choose_looks(self._looking, now=now)
        ]
        if not due:
            return 0
        messages = [doubt.message for _, doubt in due]
        self._looking.update(message.id for message in messages)
        try:
            async with self._database.connection() as connection:
                loaded = await holds.overruled(connection, messages, await store.load(connection, messages))
                refs = await standing.refs_of(connection, messages, loaded)
                doubted = await standing.doubted(connection, messages)
            findings = await asyncio.gather(
                *(self._find(message, loaded.get(message.id), refs, doubted[message.id]) for message in messages)
            )
            for (tenant, doubt), finding in zip(due, findings, strict=True):
                await self._settle(tenant, doubt.message, finding, looks=doubt.looks, asked_at=now)
        finally:
            self._looking.difference_update(message.id for message in messages)
        return len(due)

    async def _find(self, message: Message, loaded: Loaded | None, refs: Refs, doubted: Doubted) -> Finding:
        if doubted.late is not None:
            return Found(ids=doubted.late)
        if loaded is None or loaded.command is None:
            return Unknowable(detail="the command cannot be read")
        # The message's own time is of when its last byte may have left, minutes later where the process stood still: a look
        # for what was created since then would miss what the first byte created.
        sent_at = doubted.begun_at or message.sent_at or message.due_at
        try:
            return await self._far_side.look_up(message, loaded, refs, sent_at=sent_at)
        except Exception as error:
            log.exception("look.broken", extra={"effect_id": message.id, "tenant_id": message.tenant_id})
            return LookFailed(outcome=Deferred(reason=Reason.WORKER_CRASHED, detail=str(error)[:300]))

    async def _settle(
        self, tenant: Tenant, message: Message, finding: Finding, *, looks: int, asked_at: datetime
    ) -> None:
        now, owner = self._clock(), self._owner
        epoch = owner.epochs.get(tenant.shard)
        if epoch is None or owner.tenants.get(tenant.id) is not tenant:
            return
        if not isinstance(finding, Unknowable):
            failed = finding.outcome if isinstance(finding, LookFailed) else None
            await owner.keep_limits(tenant.take_note_of_look(failed, now=now))
        record = record_of_look(message, finding, looks=looks, epoch=epoch, asked_at=asked_at, now=now)
        if not isinstance(record, Record):
            if message.id in tenant.backlog.doubts:
                tenant.backlog.doubt(message, due_at=record.due_at, looks=looks + 1, now=now)
            return
        try:
            async with self._database.begin() as tx:
                await fence_all(tx, {tenant.shard: epoch})
                stood = await (records.end if record.settles else records.move)(tx, [record], now=now)
                await holds.opened(tx, [holds.asked(record)] if holds.is_asked(record) else [], now=now)
        except LeaseLost:
            return
        if message.id not in tenant.backlog.doubts:
            return  # an operator changed something meanwhile and all is read anew
        if not stood:  # an earlier look was written down and nobody heard of it
            tenant.backlog.read_anew()
        elif record.state == READY and not record.settles:
            tenant.backlog.sleep(moved(message, record), now=now)
        else:
            tenant.backlog.end(message.id, now=now)
        if self._on_record is not None:
            self._on_record(record)
        self._wake_ups.wake()
