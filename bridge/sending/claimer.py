"""The claim: read what waits of the tenants that are owned, beyond what was read before, and learn what waits for what."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import psycopg
from msgspec.structs import replace

from bridge.db.database import Database
from bridge.db.ownership import LeaseLost, fence_all
from bridge.domain.ids import TenantId
from bridge.domain.reasons import Reason
from bridge.sending import records, standing, store
from bridge.sending.horizon import Horizon
from bridge.sending.message import Message
from bridge.sending.outbox import HELD
from bridge.sending.owner import Owner
from bridge.sending.records import Record
from bridge.sending.settings import SendingSettings
from bridge.sending.tenant import Tenant
from bridge.sending.wakeups import WakeUps


class Claimer:
    """Keeps the owner's backlogs filled from the table; it locks nothing there."""

    def __init__(
        self,
        database: Database,
        owner: Owner,
        wake_ups: WakeUps,
        *,
        clock: Callable[[], datetime],
        settings: SendingSettings,
    ) -> None:
        self._database = database
        self._owner = owner
        self._wake_ups = wake_ups
        self._clock = clock
        self._settings = settings
        self._horizon = Horizon()
        self._has_more = False
        self._read_again_at = clock()

    async def keep_up(self) -> None:
        """Read if there may be something to read: of everybody at a wake-up or a poll, else of those who are fresh."""
        now = self._clock()
        said = self._wake_ups
        said.listen()
        for tenant in map(self._owner.tenants.get, said.fresh):
            said.is_stale |= tenant is None or tenant.backlog.is_outdated
        if said.is_stale or now >= self._read_again_at or self._runs_low():
            said.is_stale = False
            said.fresh.clear()
            rows = await self.claim()
            self._read_again_at = now + timedelta(seconds=self._settings.poll)
            self._has_more = rows >= self._settings.read
        elif said.fresh:
            fresh, said.fresh = said.fresh, set()
            self._has_more |= await self.claim_for(fresh) >= self._settings.read

    def _runs_low(self) -> bool:
        """Tell whether reading on is worth it before the poll: the last read was full and little is left in memory."""
        return self._has_more and sum(len(t.backlog) for t in self._owner.busy()) < 2 * self._settings.batch

    async def claim(self) -> int:
        """Follow ownership and operators, read what waits beyond what was read, and return how many rows came."""
        now, owner = self._clock(), self._owner
        await owner.follow_ownership(now=now)
        if not owner.epochs:
            return 0
        for tenant in owner.busy():
            tenant.end_standstill(now=now)
        async with self._database.in_order() as connection:
            if not self._horizon.has_looked:  # twice, or the second read would begin at the start as the first does
                self._horizon.advance((await store.look(connection, ()))[0])
            snapshot, rows = await store.look(connection, owner.epochs)
            await owner.follow_tenants(connection, rows, now=now)
            low = self._horizon.advance(snapshot)
            for tenant in owner.tenants.values():
                tenant.backlog.reach_back(low)
            return await self._read(connection, owner.tenants.values(), now=now)

    async def claim_for(self, tenants: Iterable[TenantId]) -> int:
        """Read what waits of some tenants beyond what was read; what commits late, or anybody changed, is left to `claim`."""
        now = self._clock()
        known = [self._owner.tenants[tenant_id] for tenant_id in tenants if tenant_id in self._owner.tenants]
        async with self._database.in_order() as connection:
            return await self._read(connection, known, now=now)

    async def _read(self, connection: psycopg.AsyncConnection, tenants: Iterable[Tenant], *, now: datetime) -> int:
        reading = [tenant for tenant in tenants if tenant.may_read()]
        for tenant in reading:
            tenant.backlog.begin_read()
        try:
            wanted = [(tenant.id, tenant.backlog.position, self._settings.read) for tenant in reading]
            messages = await store.claim(connection, wanted)
            self._take_in(messages, now=now)
            await self._resolve(connection, now=now)
        finally:
            for tenant in reading:
                tenant.backlog.end_read()
        return len(messages)

    def _take_in(self, messages: list[Message], *, now: datetime) -> None:
        for message in messages:
            backlog = self._owner.tenants[message.tenant_id].backlog
            backlog.position = max(backlog.position, message.id)
            backlog.add(message, now=now)

    async def _resolve(self, connection: psycopg.AsyncConnection, *, now: datetime) -> None:
        """Look what became of the effects that messages wait for."""
        waiting = [(t, m) for t in self._owner.busy() for m in t.backlog.unresolved.values()]
        if not waiting:
            return
        effects = {(t.id, effect) for t, m in waiting for effect in m.waits_for or ()}
        stands = await standing.standing(connection, sorted(effects))
        for tenant, message in waiting:
            needed = message.waits_for or []
            if any(stands[effect] is False for effect in needed):
                await self._hold(tenant, message, now=now)
            elif open_effects := [effect for effect in needed if stands[effect] is None]:
                tenant.backlog.await_effects(message, open_effects)
            else:
                tenant.backlog.resolve(message, now=now)

    async def _hold(self, tenant: Tenant, message: Message, *, now: datetime) -> None:
        """Let a person see a message that waits for what was given up."""
        reason = Reason.DEPENDENCY_DEAD.value
        epoch = self._owner.epochs[tenant.shard]
        record = Record(
            tenant.id, message.id, message.sends, "held", 0, epoch, None, None, None, reason, "", None, None
        )
        record = replace(record, state=HELD, spent=message.spent, due_at=now)
        try:
            async with self._database.begin() as tx:
                await fence_all(tx, {tenant.shard: epoch})
                await records.move(tx, [record], now=now)
        except LeaseLost:
            return
        tenant.backlog.end(message.id, now=now)
