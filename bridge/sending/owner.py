"""What this process owns, in memory: the shards it has leases of, and their tenants, as ownership and operators change them."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Protocol

import psycopg

from bridge.db.database import DATABASE_AWAY, Database
from bridge.db.ownership import LeaseLost, fence_all
from bridge.domain.ids import TenantId
from bridge.domain.reasons import Reason
from bridge.sending import standing, store
from bridge.sending.landing import Intent
from bridge.sending.message import Message
from bridge.sending.settings import SendingSettings
from bridge.sending.standing import BreakerRow
from bridge.sending.tenant import Tenant

log = logging.getLogger(__name__)


class Owns(Protocol):
    """What sending asks of ownership."""

    @property
    def owned(self) -> Mapping[int, int]:
        """Shard → epoch."""

    @property
    def leaving(self) -> frozenset[int]:
        """Shards to be given up once nothing of them is in flight."""

    def holds(self, shard: int, epoch: int) -> bool:
        """Tell whether the shard is surely still ours."""

    def let_go(self, shard: int) -> None:
        """Say that nothing of a leaving shard is in flight any more."""


class Owner:
    """The tenants this process sends for: which they are, what goes next, and what limits them."""

    def __init__(self, database: Database, *, ownership: Owns, settings: SendingSettings) -> None:
        self.tenants: dict[TenantId, Tenant] = {}
        self.epochs: dict[int, int] = {}
        """Shard → the epoch under which its tenants are in memory; `ownership` may know of a newer one."""
        self._database = database
        self._ownership = ownership
        self._settings = settings
        self._busy: dict[TenantId, None] = {}
        self._intents = 0
        self._rotation = 0

    # How ownership and operators reach the backlogs.

    async def follow_ownership(self, *, now: datetime) -> None:
        """Forget the tenants of shards that are lost, and recover those of shards that were gained."""
        owned = self._ownership.owned
        lost = {shard for shard, epoch in self.epochs.items() if owned.get(shard) != epoch}
        for shard in lost:
            del self.epochs[shard]
        if lost:
            self.tenants = {key: tenant for key, tenant in self.tenants.items() if tenant.shard not in lost}
        gained = {shard: epoch for shard, epoch in owned.items() if shard not in self.epochs}
        if gained:
            async with self._database.begin() as tx:
                try:
                    await fence_all(tx, gained)
                except LeaseLost:
                    return
                rows = await store.tenants_of(tx, gained)
                await store.recover(
                    tx,
                    tenants=[row.tenant_id for row in rows],
                    flown=2 * timedelta(seconds=self._settings.http_timeout),
                    reason=Reason.WORKER_CRASHED.value,
                    now=now,
                )
            self.epochs |= gained
        for shard in self._ownership.leaving & self.epochs.keys():
            if not any(tenant.backlog.in_flight for tenant in self.tenants.values() if tenant.shard == shard):
                self._ownership.let_go(shard)

    async def follow_tenants(
        self, connection: psycopg.AsyncConnection, rows: list[store.TenantRow], *, now: datetime
    ) -> None:
        """Take in tenants that are new, and of those that changed what operators set."""
        changed = []
        for row in rows:
            tenant = self.tenants.get(row.tenant_id)
            if tenant is None:
                tenant = Tenant(row.tenant_id, row.shard, self._settings, busy=self._busy, now=now)
                self.tenants[row.tenant_id] = tenant
                tenant.take_over(row)
            if tenant.backlog.version != row.version:
                changed.append(row)
        if not changed:
            return
        ids = [row.tenant_id for row in changed]
        pauses = await standing.paused(connection, ids)
        for breaker in await standing.breakers_of(connection, ids):
            self.tenants[breaker.tenant_id].restore(breaker)
        for row in changed:
            self.tenants[row.tenant_id].change(row, pauses.get(row.tenant_id, {}))

    # What goes next.

    def busy(self) -> list[Tenant]:
        """Return the tenants of whom something is in memory: nobody else has anything to do before he is read.

        To look at all of 400 tenants at each wake-up took a tenth of a worker's time.
        """
        found = []
        for tenant_id in list(self._busy):
            tenant = self.tenants.get(tenant_id)
            if tenant is not None and len(tenant.backlog):
                found.append(tenant)
            else:
                del self._busy[tenant_id]
        return found

    def surely_holds(self, intent: Intent) -> bool:
        """Tell whether what the intent names may still be sent."""
        return self._ownership.holds(intent.shard, intent.epoch)

    def is_leaving(self, tenant: Tenant) -> bool:
        """Tell whether nothing new of the tenant may begin, since its shard is to be given up."""
        return tenant.shard in self._ownership.leaving

    def choose(self, *, now: datetime) -> list[Message]:
        """Hand out a batch within every tenant's limits, to each its share; who is first changes."""
        runnable = [tenant for tenant in self.busy() if not self.is_leaving(tenant) and tenant.may_send(now=now)]
        chosen: list[Message] = []
        share = -(-self._settings.batch // max(len(runnable), 1))
        self._rotation += 1
        for index in range(len(runnable)):
            tenant = runnable[(index + self._rotation) % len(runnable)]
            room = min(share, self._settings.batch - len(chosen))
            chosen += tenant.choose(room, now=now)
        return chosen

    def put_back(self, messages: list[Message], *, now: datetime) -> None:
        """Take back what was chosen and does not go."""
        for message in messages:
            tenant = self.tenants.get(message.tenant_id)
            if tenant is not None:
                tenant.unsend(message)
                tenant.backlog.give_back(message, now=now)

    def next_intent(self, tenant_id: TenantId) -> Intent:
        """Return an intent for a tenant, with an id that no other has."""
        shard = self.tenants[tenant_id].shard
        epoch = self.epochs[shard]
        self._intents += 1
        return Intent(tenant_id=tenant_id, id=(epoch << 32) + self._intents, shard=shard, epoch=epoch)

    # What limits them, and when.

    async def keep_limits(self, changed: list[BreakerRow]) -> None:
        """Write down the breakers that changed and what a 429 left, for whoever looks and whoever owns the shard next."""
        refused = [tenant for tenant in self.tenants.values() if tenant.is_refused]
        if not changed and not refused:
            return
        try:
            async with self._database.begin() as tx:
                for row in changed:
                    await standing.keep_breaker(tx, row)
                for tenant in sorted(refused, key=attrgetter("id")):  # in one order, against others who lock several
                    await standing.keep_limit(tx, tenant.id, until=tenant.budget.blocked_until, rate=tenant.budget.rate)
        except DATABASE_AWAY:
            log.warning("limits.unseen")  # they work from memory; the next change writes them down
        else:
            for tenant in refused:
                tenant.is_refused = False

    def next_at(self, *, now: datetime) -> datetime:
        """Return when something may be to do without anybody saying so; at most one poll from now."""
        times = [now + timedelta(seconds=self._settings.poll)]
        for tenant in self.busy():
            times += tenant.next_times(now=now)
        return min(times)
