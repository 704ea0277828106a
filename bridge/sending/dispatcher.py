"""The owner at work: claim, commit the intent, send, record the outcome, look after what is in doubt.

Each step is a method of its own that commits once at most and holds no transaction across HTTP, so a simulation can put a
crash, a thief or a clock step between any two. `run` is the loops around them.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Protocol

import psycopg
from msgspec.structs import replace

from bridge.db.database import UNREACHABLE, Database
from bridge.db.ownership import LeaseLost, fence_all
from bridge.domain.ids import EffectId, EffectKey, TenantId, is_of_alerts
from bridge.domain.outcome import Deferred, InDoubt, Outcome, Rejected
from bridge.domain.reasons import Reason
from bridge.sending import holds, records, standing, store
from bridge.sending.backlog import Message
from bridge.sending.bell import Bell
from bridge.sending.handing import HandOver
from bridge.sending.horizon import Horizon
from bridge.sending.landing import (
    Finding,
    Flight,
    Found,
    Intent,
    Landed,
    LookFailed,
    Unknowable,
    moved,
    record_of,
    record_of_look,
)
from bridge.sending.outbox import HELD, IN_DOUBT, READY, references
from bridge.sending.records import DEAD, DONE, Record
from bridge.sending.settings import SendingSettings
from bridge.sending.standing import BreakerRow, Doubted
from bridge.sending.store import Loaded
from bridge.sending.tenant import Tenant
from bridge.servicetitan.client import ServiceTitan

log = logging.getLogger(__name__)

CHANNEL = "bridge_outbox"

DATABASE_AWAY = (*UNREACHABLE, psycopg.InterfaceError)

Clients = Callable[[TenantId], ServiceTitan]
Refs = Mapping[EffectKey, Mapping[str, int]]


class Owns(Protocol):
    """What the dispatcher asks of ownership."""

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


class Execute(Protocol):
    """Performs a command and tells what came of it; never raises for what the far side does."""

    def __call__(self, client: ServiceTitan, loaded: Loaded, refs: Refs, *, now: datetime) -> Awaitable[Outcome]:
        """Perform it."""


class LookUp(Protocol):
    """Asks whether an effect exists."""

    def __call__(self, client: ServiceTitan, loaded: Loaded, refs: Refs, *, sent_at: datetime) -> Awaitable[Finding]:
        """Ask."""


class Dispatcher:
    """Sends what waits for the tenants of the shards this process owns."""

    def __init__(
        self,
        database: Database,
        *,
        clients: Clients,
        ownership: Owns,
        clock: Callable[[], datetime],
        execute: Execute,
        look_up: LookUp,
        bell: Bell | None = None,
        settings: SendingSettings | None = None,
        on_record: Callable[[Record], None] | None = None,
    ) -> None:
        self.settings = settings or SendingSettings()
        self.tenants: dict[TenantId, Tenant] = {}
        self.outbound: deque[Flight] = deque()
        self.landed: list[Landed] = []
        self._database = database
        self._clients = clients
        self._ownership = ownership
        self._clock = clock
        self._execute = execute
        self._look_up = look_up
        self._bell = bell
        self._on_record = on_record
        self._epochs: dict[int, int] = {}
        self._horizon = Horizon()
        self._intents = 0
        self._stale: list[tuple[TenantId, int]] = []
        self._looking: set[int] = set()
        self._rotation = 0
        self._patience = timedelta(seconds=self.settings.http_timeout)
        self._is_stale = True
        self._fresh: set[TenantId] = set()
        self._has_more = False
        self._read_again_at = clock()
        self._awake = asyncio.Event()
        self.has_landed = asyncio.Event()
        self.has_outbound = asyncio.Event()
        """Something became outbound by a hand-over, beside `step`."""
        self._handing: set[HandOver] = set()
        self._handed = asyncio.Event()
        self._takes = True

    def wake(self) -> None:
        """Say that there may be something new: it is read at once."""
        self._is_stale = True
        self._awake.set()

    def wake_for(self, tenants: Iterable[TenantId]) -> None:
        """Say for which tenants this very process has just committed something: only theirs is read at once."""
        self._fresh.update(tenants)
        if self._fresh:
            self._awake.set()

    async def step(self) -> bool:
        """Read if there may be something to read, commit intents, and tell whether to go on at once."""
        now = self._clock()
        self._awake.clear()
        for tenant in map(self.tenants.get, self._fresh):
            self._is_stale |= tenant is None or tenant.backlog.is_outdated
        if self._is_stale or now >= self._read_again_at or self._runs_low():
            self._is_stale = False
            self._fresh.clear()
            rows = await self.claim()
            self._read_again_at = now + timedelta(seconds=self.settings.poll)
            self._has_more = rows >= self.settings.read
        elif self._fresh:
            fresh, self._fresh = self._fresh, set()
            self._has_more |= await self.claim_for(fresh) >= self.settings.read
        return bool(await self.commit_intents())

    async def rest(self) -> None:
        """Sleep until woken or until something falls due."""
        now = self._clock()
        wait = (self.next_at(now=now) - now).total_seconds()
        with contextlib.suppress(TimeoutError):
            # A millisecond at least: what is due and cannot go yet (a probe is out) must not spin the loop.
            await asyncio.wait_for(self._awake.wait(), max(wait, 0.001))

    def _runs_low(self) -> bool:
        """Tell whether reading on is worth it before the poll: the last read was full and little is left in memory."""
        return self._has_more and sum(len(t.backlog) for t in self.tenants.values()) < 2 * self.settings.batch

    async def claim(self) -> int:
        """Follow ownership and operators, read what waits beyond what was read, and return how many rows came."""
        now = self._clock()
        await self._follow_ownership(now=now)
        if not self._epochs:
            return 0
        async with self._database.in_order() as connection:
            snapshot, rows = await store.look(connection, self._epochs)
            await self._follow_tenants(connection, rows, now=now)
            low = self._horizon.advance(snapshot)
            for tenant in self.tenants.values():
                tenant.backlog.reach_back(low)
            return await self._read(connection, self.tenants.values(), now=now)

    async def claim_for(self, tenants: Iterable[TenantId]) -> int:
        """Read what waits of some tenants beyond what was read; what commits late, or anybody changed, is left to `claim`."""
        now = self._clock()
        known = [self.tenants[tenant_id] for tenant_id in tenants if tenant_id in self.tenants]
        async with self._database.in_order() as connection:
            return await self._read(connection, known, now=now)

    @contextlib.asynccontextmanager
    async def handing_over(self, epochs: Mapping[int, int]) -> AsyncIterator[HandOver]:
        """Take over what a transaction that is fenced by `epochs` puts into the outbox: enter before it begins, leave when it has ended.

        What may go at once is outbound with its commit; the rest is read.
        """

        def tenant_of(tenant_id: TenantId) -> Tenant | None:
            tenant = self.tenants.get(tenant_id)
            if tenant is None or not self._takes or tenant.shard in self._ownership.leaving:
                return None
            epoch = self._epochs.get(tenant.shard)
            return tenant if epoch is not None and epoch == epochs.get(tenant.shard) else None

        handing = HandOver(tenant_of=tenant_of, next_intent=self._next_intent, clock=self._clock)
        self._handing.add(handing)
        try:
            yield handing
            self.outbound += await handing.committed(now=self._clock())
        except BaseException:
            # The commit may have happened, as in `commit_intents`.
            self._stale += [(TenantId(intent.tenant_id), intent.id) for intent in handing.intents]
            handing.undone(now=self._clock())
            raise
        finally:
            self._handing.discard(handing)
            self._handed.set()
            if self.outbound:
                self.has_outbound.set()
            self.wake_for(handing.left)

    async def take_no_more(self) -> None:
        """Refuse to be handed anything from here on, and wait for what is being handed over."""
        self._takes = False
        while self._handing:
            self._handed.clear()
            await self._handed.wait()

    async def _read(self, connection: psycopg.AsyncConnection, tenants: Iterable[Tenant], *, now: datetime) -> int:
        reading = [tenant for tenant in tenants if tenant.may_read()]
        for tenant in reading:
            tenant.backlog.begin_read()
        try:
            messages = await store.claim(connection, [(t.id, t.backlog.position, self.settings.read) for t in reading])
            self._take_in(messages, now=now)
            await self._resolve(connection, now=now)
        finally:
            for tenant in reading:
                tenant.backlog.end_read()
        return len(messages)

    async def commit_intents(self) -> int:
        """Choose what goes next within limits, commit that it is about to go, and return how many are outbound."""
        now = self._clock()
        chosen = self._choose(now=now)
        if not chosen:
            return 0
        by_tenant: dict[TenantId, list[Message]] = {}
        for message in chosen:
            by_tenant.setdefault(message.tenant_id, []).append(message)
        intents = {tenant_id: self._next_intent(tenant_id) for tenant_id in by_tenant}
        parts = [
            store.Part(tenant_id, self.tenants[tenant_id].backlog.version, intent.id, intent.shard, intent.epoch, going)
            for (tenant_id, going), intent in zip(by_tenant.items(), intents.values(), strict=True)
        ]
        try:
            async with self._database.connection() as connection:
                intended = await store.intend(connection, parts, now=now)
                loaded = await holds.overruled(connection, chosen, intended.loaded)
                refs = await self._refs(connection, chosen, loaded)
        except DATABASE_AWAY:
            # The commit may have happened: the intents are forgotten with the next record, the messages go again.
            self._stale += [(tenant_id, intent.id) for tenant_id, intent in intents.items()]
            self._put_back(chosen, now=now)
            raise
        if not intended.is_fenced:
            self._put_back(chosen, now=now)
            return 0
        for tenant_id, going in by_tenant.items():
            if tenant_id not in intended.current:
                self._put_back(going, now=now)
                self.wake()  # an operator changed something
                continue
            self._launch(intents[tenant_id], going, loaded, refs, now=now)
        return len(self.outbound)

    def _launch(
        self,
        intent: Intent,
        going: list[Message],
        loaded: Mapping[EffectId, Loaded],
        refs: dict[EffectKey, dict[str, int]],
        *,
        now: datetime,
    ) -> None:
        """Make flights of what was loaded; what was not ended or moved under another's hand, and is read anew where it stands."""
        for message in going:
            found = loaded.get(message.id)
            if found is not None:
                intent.left += 1
                self.outbound.append(Flight(message, found, refs, intent, now))
            else:
                tenant = self.tenants[message.tenant_id]
                tenant.unsend(message)
                tenant.backlog.end(message.id, now=now)
                tenant.backlog.read_again(message)
        if not intent.left:
            self._stale.append((TenantId(intent.tenant_id), intent.id))

    async def send(self, flight: Flight) -> None:
        """Perform one committed intent and keep what came of it for the next record."""
        intent, message = flight.intent, flight.message
        outcome: Outcome
        now = self._clock()
        # A flight that stood still since its intent may not go: whoever looks it up counts from the intent.
        if now - flight.sent_at > self._patience or not self._ownership.holds(intent.shard, intent.epoch):
            outcome = Deferred(reason=Reason.NOT_SENT, backpressure=True, retry_after=0.0)
        elif flight.loaded.command is None:
            outcome = Rejected(reason=Reason.COMMAND_UNREADABLE)
        elif message.waits_for and (
            missing := [key for key in references(flight.loaded.command) if key not in flight.refs]
        ):
            outcome = Rejected(reason=Reason.REFERENCE_UNKNOWN, detail=f"effect {missing[0]} created no id")
        else:
            try:
                if self._bell is not None and is_of_alerts(message.tenant_id):
                    outcome = await self._bell.send(flight.loaded, now=now)
                else:
                    client = self._clients(message.tenant_id)
                    outcome = await self._execute(client, flight.loaded, flight.refs, now=now)
            except Exception as error:
                # A bug of ours, maybe after bytes went out: look before anything is sent again.
                log.exception("attempt.broken", extra={"effect_id": message.id, "tenant_id": message.tenant_id})
                outcome = InDoubt(reason=Reason.WORKER_CRASHED, detail=f"{type(error).__name__}: {error}"[:300])
        self.landed.append(Landed(flight, outcome, self._clock()))
        self.has_landed.set()

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

    async def reconcile_due(self) -> int:
        """Look up what is in doubt and due, write down what was found, and return how many were looked at."""
        now = self._clock()
        due = [
            (tenant, doubt) for tenant in self.tenants.values() for doubt in tenant.choose_looks(self._looking, now=now)
        ]
        if not due:
            return 0
        messages = [doubt.message for _, doubt in due]
        self._looking.update(message.id for message in messages)
        try:
            async with self._database.connection() as connection:
                loaded = await holds.overruled(connection, messages, await store.load(connection, messages))
                refs = await self._refs(connection, messages, loaded)
                doubted = await standing.doubted(connection, messages)
            findings = await asyncio.gather(
                *(self._find(message, loaded.get(message.id), refs, doubted[message.id]) for message in messages)
            )
            for (tenant, doubt), finding in zip(due, findings, strict=True):
                await self._settle(tenant, doubt.message, finding, looks=doubt.looks, asked_at=now)
        finally:
            self._looking.difference_update(message.id for message in messages)
        return len(due)

    # How ownership and operators reach the backlogs.

    async def _follow_ownership(self, *, now: datetime) -> None:
        owned = self._ownership.owned
        lost = {shard for shard, epoch in self._epochs.items() if owned.get(shard) != epoch}
        for shard in lost:
            del self._epochs[shard]
        if lost:
            self.tenants = {key: tenant for key, tenant in self.tenants.items() if tenant.shard not in lost}
        gained = {shard: epoch for shard, epoch in owned.items() if shard not in self._epochs}
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
                    flown=2 * self._patience,
                    reason=Reason.WORKER_CRASHED.value,
                    now=now,
                )
            self._epochs |= gained
            self._horizon = Horizon()  # new tenants are read from the start
        for shard in self._ownership.leaving & self._epochs.keys():
            if not any(tenant.backlog.in_flight for tenant in self.tenants.values() if tenant.shard == shard):
                self._ownership.let_go(shard)

    async def _follow_tenants(
        self, connection: psycopg.AsyncConnection, rows: list[store.TenantRow], *, now: datetime
    ) -> None:
        changed = []
        for row in rows:
            tenant = self.tenants.get(row.tenant_id)
            if tenant is None:
                tenant = self.tenants[row.tenant_id] = Tenant(row.tenant_id, row.shard, self.settings, now=now)
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

    def _take_in(self, messages: list[Message], *, now: datetime) -> None:
        for message in messages:
            backlog = self.tenants[message.tenant_id].backlog
            backlog.position = max(backlog.position, message.id)
            backlog.add(message, now=now)

    async def _resolve(self, connection: psycopg.AsyncConnection, *, now: datetime) -> None:
        waiting = [(t, m) for t in self.tenants.values() for m in t.backlog.unresolved.values()]
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
        reason = Reason.DEPENDENCY_DEAD.value
        epoch = self._epochs[tenant.shard]
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

    # Choosing and recording.

    def _choose(self, *, now: datetime) -> list[Message]:
        runnable = [
            tenant
            for tenant in self.tenants.values()
            if tenant.shard not in self._ownership.leaving and tenant.may_send(now=now)
        ]
        chosen: list[Message] = []
        share = -(-self.settings.batch // max(len(runnable), 1))
        self._rotation += 1
        for index in range(len(runnable)):
            tenant = runnable[(index + self._rotation) % len(runnable)]
            room = min(share, self.settings.batch - len(chosen))
            chosen += tenant.choose(room, now=now)
        return chosen

    def _put_back(self, messages: list[Message], *, now: datetime) -> None:
        for message in messages:
            tenant = self.tenants.get(message.tenant_id)
            if tenant is not None:
                tenant.unsend(message)
                tenant.backlog.give_back(message, now=now)

    def _next_intent(self, tenant_id: TenantId) -> Intent:
        shard = self.tenants[tenant_id].shard
        epoch = self._epochs[shard]
        self._intents += 1
        return Intent(tenant_id=tenant_id, id=(epoch << 32) + self._intents, shard=shard, epoch=epoch)

    async def _refs(
        self, tx: psycopg.AsyncConnection, messages: list[Message], loaded: Mapping[EffectId, Loaded]
    ) -> dict[EffectKey, dict[str, int]]:
        keys = [
            (message.tenant_id, key)
            for message in messages
            if message.waits_for and (found := loaded.get(message.id)) is not None and found.command is not None
            for key in references(found.command)
        ]
        if not keys:
            return {}
        # An effect key is unique over all tenants: the tenant is part of what it is made of.
        return {key: ids for (_, key), ids in (await standing.created_by(tx, keys)).items()}

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
            async with self._database.begin() if other else self._database.connection() as tx:
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
            tenant = self.tenants.get(message.tenant_id)
            if tenant is not None and self._epochs.get(intent.shard) == intent.epoch:
                changed += tenant.take_note(message, one.outcome, now=now)
                self._apply(tenant, message, record, now=now)
                if not all_stood:
                    tenant.backlog.read_anew()
            if self._on_record is not None:
                self._on_record(record)
        if not all_stood:
            self._is_stale = True
        self._awake.set()
        await self._keep_limits(changed)

    async def _keep_limits(self, changed: list[BreakerRow]) -> None:
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

    def _apply(self, tenant: Tenant, message: Message, record: Record, *, now: datetime) -> None:
        if record.settles in {DONE, DEAD} or record.state == HELD:
            tenant.backlog.end(message.id, now=now)
        elif record.state == READY:
            tenant.backlog.sleep(moved(message, record), now=now)
        elif record.state == IN_DOUBT:
            stands = moved(message, record)
            tenant.backlog.doubt(stands, due_at=stands.due_at, looks=0, now=now)

    # What is in doubt.

    async def _find(self, message: Message, loaded: Loaded | None, refs: Refs, doubted: Doubted) -> Finding:
        if doubted.late is not None:
            return Found(ids=doubted.late)
        if loaded is None or loaded.command is None:
            return Unknowable(detail="the command cannot be read")
        if self._bell is not None and is_of_alerts(message.tenant_id):
            return self._bell.look_up(loaded)
        # The message's own time is of when its last byte may have left, minutes later where the process stood still: a look
        # for what was created since then would miss what the first byte created.
        sent_at = doubted.begun_at or message.sent_at or message.due_at
        try:
            return await self._look_up(self._clients(message.tenant_id), loaded, refs, sent_at=sent_at)
        except Exception as error:
            log.exception("look.broken", extra={"effect_id": message.id, "tenant_id": message.tenant_id})
            return LookFailed(outcome=Deferred(reason=Reason.WORKER_CRASHED, detail=str(error)[:300]))

    async def _settle(
        self, tenant: Tenant, message: Message, finding: Finding, *, looks: int, asked_at: datetime
    ) -> None:
        now = self._clock()
        epoch = self._epochs.get(tenant.shard)
        if epoch is None or self.tenants.get(tenant.id) is not tenant:
            return
        if not isinstance(finding, Unknowable):
            failed = finding.outcome if isinstance(finding, LookFailed) else None
            await self._keep_limits(tenant.take_note_of_look(failed, now=now))
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
        if stood and record.state == READY and not record.settles:
            tenant.backlog.sleep(moved(message, record), now=now)
        else:
            tenant.backlog.end(message.id, now=now)
            if not stood:
                tenant.backlog.read_again(message)
        if self._on_record is not None:
            self._on_record(record)
        self.wake()

    def tenants_busy(self) -> bool:
        """Tell whether anything is held in memory: ready, sleeping, in flight or in doubt."""
        return any(len(tenant.backlog) for tenant in self.tenants.values())

    def next_at(self, *, now: datetime) -> datetime:
        """Return when something may be to do without anybody saying so; at most one poll from now."""
        times = [now + timedelta(seconds=self.settings.poll)]
        for tenant in self.tenants.values():
            times += tenant.next_times(now=now)
        return min(times)
