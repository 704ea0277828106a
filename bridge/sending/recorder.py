"""The outcome: write down what came of flights, and let memory follow what was committed."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import datetime

from bridge.db.database import DATABASE_AWAY, Database
from bridge.db.ownership import LeaseLost
from bridge.domain.ids import TenantId
from bridge.sending import holds, records
from bridge.sending.landing import Intent, Landed, moved, record_of
from bridge.sending.message import Message
from bridge.sending.outbox import HELD, IN_DOUBT, READY
from bridge.sending.owner import Owner
from bridge.sending.records import DEAD, DONE, Record
from bridge.sending.standing import BreakerRow
from bridge.sending.tenant import Tenant
from bridge.sending.wakeups import WakeUps

log = logging.getLogger(__name__)


class Recorder:
    """Keeps what has landed until it is written down; what was lost to another owner by then is late evidence."""

    def __init__(
        self,
        database: Database,
        owner: Owner,
        wake_ups: WakeUps,
        *,
        clock: Callable[[], datetime],
        on_record: Callable[[Record], None] | None,
    ) -> None:
        self.landed: list[Landed] = []
        self.has_landed = asyncio.Event()
        self._database = database
        self._owner = owner
        self._wake_ups = wake_ups
        self._clock = clock
        self._on_record = on_record
        self._stale: list[tuple[TenantId, int]] = []

    def land(self, landed: Landed) -> None:
        """Keep what came of a flight for the next record."""
        self.landed.append(landed)
        self.has_landed.set()

    def forget(self, intents: Iterable[Intent]) -> None:
        """Take intents that may be committed, and of which nothing will land, out of the table with the next record."""
        self._stale += [(TenantId(intent.tenant_id), intent.id) for intent in intents]

    async def record_outcomes(self) -> int:
        """Write down every outcome there is, in one transaction, and return how many."""
        landed, self.landed = self.landed, []
        self.has_landed.clear()
        if not landed:
            return 0
        now = self._clock()
        written = [record_of(one, now=now) for one in landed]
        try:
            all_stood = await self._write(landed, written, now=now)
        except LeaseLost:
            await self._separate(landed, now=now)
            return 0
        except DATABASE_AWAY:
            self.landed = landed + self.landed  # what is written already is left alone by the second try
            raise
        await self._follow_records(landed, written, all_stood=all_stood, now=now)
        return len(landed)

    async def _write(self, landed: list[Landed], written: list[Record], *, now: datetime) -> bool:
        """Write records, and tell whether every message still stood as they say."""
        epochs: dict[int, int] = {}
        last: dict[Intent, int] = {}
        for one in landed:
            intent = one.flight.intent
            last[intent] = last.get(intent, 0) + 1
        for intent in last:
            if epochs.setdefault(intent.shard, intent.epoch) != intent.epoch:
                raise LeaseLost("one of two epochs of a shard is over")
        over = [(TenantId(intent.tenant_id), intent.id) for intent, count in last.items() if intent.left == count]
        stale, self._stale = self._stale, []
        plain = [record for record in written if record.made is not None]
        other = [record for record in written if record.made is None]
        try:
            async with self._database.begin() if other else self._database.statements() as tx:
                stood = await records.done(tx, plain, epochs=epochs, over=over + stale, now=now)
                stood += await records.end(tx, [record for record in other if record.settles], now=now)
                stood += await records.move(tx, [record for record in other if not record.settles], now=now)
                await holds.opened(tx, [holds.asked(record) for record in other if holds.is_asked(record)], now=now)
        except BaseException:
            self._stale += stale
            raise
        return stood == len(written)

    async def _separate(self, landed: list[Landed], *, now: datetime) -> None:
        """Record what is still ours shard by shard; what is not is kept as late evidence."""
        shards: dict[tuple[int, int], list[Landed]] = {}
        for one in landed:
            shards.setdefault((one.flight.intent.shard, one.flight.intent.epoch), []).append(one)
        groups = list(shards.values())
        for place, group in enumerate(groups):
            try:
                await self._record_shard(group, now=now)
            except DATABASE_AWAY:
                self.landed = [one for left in groups[place:] for one in left] + self.landed
                raise

    async def _record_shard(self, group: list[Landed], *, now: datetime) -> None:
        """Record what landed of one shard under one epoch, as late evidence where that epoch is over."""
        written = [record_of(one, now=now) for one in group]
        try:
            all_stood = await self._write(group, written, now=now)
        except LeaseLost:
            async with self._database.begin() as tx:
                await records.keep_late(tx, written, now=now)
            intent = group[0].flight.intent
            log.warning("attempt.late", extra={"shard": intent.shard, "epoch": intent.epoch, "count": len(group)})
            for one in group:
                one.flight.intent.left -= 1
            return
        await self._follow_records(group, written, all_stood=all_stood, now=now)

    async def _follow_records(
        self, landed: list[Landed], written: list[Record], *, all_stood: bool, now: datetime
    ) -> None:
        """Let memory follow what was committed; breakers that changed are written down.

        Where not all stood, the records were written before and nobody heard of it, and a person may have retried one since.
        """
        changed: list[BreakerRow] = []
        for one, record in zip(landed, written, strict=True):
            intent, message = one.flight.intent, one.flight.message
            intent.left -= 1
            tenant = self._owner.tenants.get(message.tenant_id)
            if tenant is not None and self._owner.epochs.get(intent.shard) == intent.epoch:
                changed += tenant.take_note(message, one.outcome, now=now)
                _apply(tenant, message, record, now=now)
                if not all_stood:
                    tenant.backlog.read_anew()
            if self._on_record is not None:
                self._on_record(record)
        if all_stood:
            self._wake_ups.go_on()
        else:
            self._wake_ups.wake()
        await self._owner.keep_limits(changed)


def _apply(tenant: Tenant, message: Message, record: Record, *, now: datetime) -> None:
    if record.settles in {DONE, DEAD} or record.state == HELD:
        tenant.backlog.end(message.id, now=now)
    elif record.state == READY:
        tenant.backlog.sleep(moved(message, record), now=now)
    elif record.state == IN_DOUBT:
        stands = moved(message, record)
        tenant.backlog.doubt(stands, due_at=stands.due_at, looks=0, now=now)
