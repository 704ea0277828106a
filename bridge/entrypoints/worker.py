"""The role that decides and sends: processes deliveries and works the outbox for the tenants it owns."""

import asyncio
import contextlib
import os
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import is_

import httpx
import structlog

from bridge import bootstrap, pipeline
from bridge.db.database import UNREACHABLE, Database
from bridge.db.ear import hear
from bridge.db.ownership import Ownership, shard_of
from bridge.domain.command import PartyKind
from bridge.domain.ids import SourceId, TenantId
from bridge.domain.keys import phones
from bridge.entrypoints import alerting, janitor, metrics, naming
from bridge.entrypoints.reloading import Reloader
from bridge.entrypoints.signals import stop_on_signals
from bridge.hydration.fetcher import Got
from bridge.intake import queue
from bridge.intake.queue import Claimed
from bridge.mirror import records as mirror
from bridge.mirror.observing import Observer
from bridge.pipeline.completing import Completer
from bridge.pipeline.deciders import ConfiguredDeciders
from bridge.sending import outbox, wakeups
from bridge.sending import run as sending
from bridge.sending.bell import SECONDS as BELL_SECONDS
from bridge.sending.bell import Bell
from bridge.sending.dispatcher import Dispatcher
from bridge.sending.effects.execute import Performer
from bridge.sending.records import Record
from bridge.sending.sender import Sender
from bridge.sending.settings import SendingSettings
from bridge.servicetitan.transport import trust_of
from bridge.settings import Settings

_log = structlog.get_logger()
_AWAY_SECONDS = 0.2
_DRAIN_SECONDS = 2.0
AT_ONCE = 4
"""Batches decided about at a time. More would not be faster on the database, and what waits meanwhile fills the next."""
LEAST = 8
"""Deliveries that a tenant gives to a batch at least, where it has them: each tenant of a batch costs as much as two of these."""
APART = 0.003
"""Seconds from one look to the next at least: what comes meanwhile shares a transaction, which costs as much as four deliveries do. Most
is gathered while a batch is under way (`BESIDE`); with 6 ms as much CPU was used at 300/s, and 3 ms more passed until the effect."""
BESIDE = 0.025
"""Seconds after which a look goes on beside a batch under way, where the last one left nothing behind: before that, what comes shares the
next transaction, so that batches grow when the machine is slow; after that, one tenant's lock holds up nobody else."""


class Processor:
    """Reads the queue of deliveries and lets the pipeline decide, batch beside batch; a tenant is in one at a time."""

    def __init__(
        self,
        database: Database,
        *,
        deciders: ConfiguredDeciders,
        ownership: Ownership,
        settings: Settings,
        sender: Sender,
    ) -> None:
        self.deciders = deciders
        self.settings = settings
        self._database = database
        self._ownership = ownership
        self._sender = sender
        self._batches: set[asyncio.Task[None]] = set()
        self._busy: set[TenantId] = set()
        self._has_more = False
        """Whether something may wait that the last look left out: it is looked for as soon as a batch ends."""
        self._is_behind = False
        """Whether the last look left something behind of those it gave."""
        self._woken = asyncio.Event()
        self._not_before = 0.0
        self._line: dict[TenantId, None] = {}
        """The tenants to be served here: who waited longest comes first."""
        self._line_of: tuple[object, ...] = (None, None, None)

    def use(self, deciders: ConfiguredDeciders, settings: Settings) -> None:
        """Decide by another version of the config from the next batch on."""
        self.deciders, self.settings = deciders, settings

    def wake(self) -> None:
        """Look for deliveries now."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Process until `stop` is set, then let what is under way finish."""
        while not stop.is_set():
            self._woken.clear()
            try:
                await self._start_batch()
            except UNREACHABLE:
                _log.warning("database.away", role="processor")
                await asyncio.sleep(_AWAY_SECONDS)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.settings.worker.poll_seconds):
                    await self._woken.wait()
            await asyncio.sleep(self._not_before - asyncio.get_running_loop().time())
            if self._batches and not self._is_behind:
                await asyncio.wait(self._batches, timeout=BESIDE, return_when=asyncio.FIRST_COMPLETED)
        if self._batches:
            await asyncio.wait(self._batches, timeout=_DRAIN_SECONDS)
        for task in self._batches:
            task.cancel()

    async def _start_batch(self) -> None:
        owned = self._ownership.owned
        metrics.owned_shards.set(len(owned))
        self._line_up(owned, self._ownership.leaving)
        free = [tenant for tenant in self._line if tenant not in self._busy]
        if not free or len(self._batches) >= AT_ONCE:
            self._has_more = True
            return
        most = self.settings.worker.batch
        now, looked_at = await self._database.now(), asyncio.get_running_loop().time()
        async with self._database.in_order() as connection:
            batch = await queue.claim(connection, free, now=now, share=most, least=LEAST, most=most)
        is_full = len(batch) >= most
        given = Counter(one.delivery.tenant_id for one in batch)
        self._is_behind = is_full or any(count >= LEAST for count in given.values())
        self._has_more = self._is_behind or bool(self._busy)
        if not batch:
            return
        tenants = set(given)
        for tenant in given:
            del self._line[tenant]
            self._line[tenant] = None
        self._busy |= tenants
        task = asyncio.create_task(self._process(batch, epochs=owned))
        self._batches.add(task)
        task.add_done_callback(lambda done: self._end_batch(done, tenants))
        if is_full:
            self._woken.set()
        else:
            self._not_before = looked_at + APART

    def _line_up(self, owned: Mapping[int, int], leaving: frozenset[int]) -> None:
        """Let the line follow ownership and config; who is new comes first."""
        follows = (owned, leaving, self.settings)
        if all(map(is_, self._line_of, follows)):  # each is replaced where it changes
            return
        self._line_of = follows
        mine = {
            tenant for tenant in self.settings.tenants if (shard := shard_of(tenant)) in owned and shard not in leaving
        }
        known = [tenant for tenant in self._line if tenant in mine]
        self._line = dict.fromkeys([*sorted(mine.difference(known)), *known])

    def _end_batch(self, task: asyncio.Task[None], tenants: set[TenantId]) -> None:
        self._batches.discard(task)
        self._busy -= tenants
        if self._has_more:
            self._woken.set()

    async def _process(self, batch: Sequence[Claimed], *, epochs: Mapping[int, int]) -> None:
        deciders = self.deciders  # a config that comes meanwhile decides the next batch
        try:
            now = await self._database.now()
            done = await pipeline.process(self._database, deciders, batch, epochs=epochs, now=now, sender=self._sender)
        except UNREACHABLE:
            _log.warning("database.away", role="processor")
            await asyncio.sleep(_AWAY_SECONDS)
            return
        for tenant_id in done.lost:
            _log.info("shard.lost", tenant=tenant_id)
        for story in done.stories:
            metrics.deliveries.labels(story.source_id, story.state, story.reason).inc()
            _log.info(
                f"delivery.{story.state}",
                delivery_id=story.delivery_id,
                tenant=story.tenant_id,
                source=story.source_id,
                reason=story.reason,
                trace_id=story.trace_id,
                inquiries=sum(decided.inquiry is not None for decided in story.decided),
                effects=sum(len(decided.plan.effects) for decided in story.decided if decided.plan is not None),
                config_version=deciders.config_version,
            )


async def run(settings: Settings, *, dsn: str, stop: asyncio.Event | None = None) -> None:
    """Work until `stop` is set (SIGTERM or SIGINT by default); give the shards up at once."""
    if stop is None:
        stop = asyncio.Event()
        stop_on_signals(stop)
    worker = settings.worker
    phones.read_tables()
    database = Database(dsn, min_size=2, max_size=12)
    if not await database.open_before(stop):
        return
    name = f"{socket.gethostname()}:{os.getpid()}"
    ownership = Ownership(dsn, name=name, lease=worker.lease_seconds)
    observer = Observer(
        database,
        region_of=lambda tenant_id: reloader.settings.tenants[tenant_id].phone_region,
        clock=bootstrap.wall_clock,
    )

    async def newest_of(tenant_id: TenantId, party: PartyKind, record_id: int) -> datetime | None:
        with contextlib.suppress(*UNREACHABLE):
            async with database.connection() as connection:
                return await mirror.last_changed(connection, tenant_id, party.value, record_id)
        return None

    clients = bootstrap.Clients(settings, on_success_of=observer.of_tenant)
    doors = bootstrap.doors_of(settings)
    fetchers = [bootstrap.fetcher_of(settings, doors, on_fetch=_note_fetch)]
    completers = [Completer(fetchers[0])]
    deciders = ConfiguredDeciders(settings, doors=doors, completer=completers[0])
    await deciders.store_version(database)
    await _enter(database, settings)
    await database.now()
    post = httpx.AsyncClient(timeout=BELL_SECONDS, verify=trust_of(True))
    dispatcher = Dispatcher(
        database,
        clients=clients,
        ownership=ownership,
        clock=database.time,  # when a request may have gone is read by the next owner, on another machine
        execute=(
            performer := Performer(
                lambda tenant: reloader.settings.tenants[tenant].external_data_guid or "",
                http_timeout=worker.http_seconds,
                newest_of=newest_of,
            )
        ).execute,
        look_up=performer.look_up,
        bell=Bell(lambda: alerting.addresses_of(reloader.settings), post),
        settings=SendingSettings(
            http_timeout=worker.http_seconds, lease=worker.lease_seconds, poll=worker.poll_seconds
        ),
        on_record=_note_attempt,
    )
    processor = Processor(database, deciders=deciders, ownership=ownership, settings=settings, sender=dispatcher.sender)

    async def use(fresh: Settings) -> None:
        """Decide by another version of the config from the next batch on; what is being decided ends by the old one."""
        new_doors = bootstrap.doors_of(fresh)
        fetchers.append(bootstrap.fetcher_of(fresh, new_doors, on_fetch=_note_fetch))
        completers.append(Completer(fetchers[-1]))
        new = ConfiguredDeciders(fresh, doors=new_doors, completer=completers[-1])
        await new.store_version(database)
        await _enter(database, fresh)
        clients.use(fresh)
        processor.use(new, fresh)

    reloader = Reloader(settings, use=use)
    if settings.server.metrics_port is not None:
        metrics.expose(settings.server.metrics_port + 1, host=settings.server.host)
    ownership.start()
    tasks = [
        asyncio.create_task(processor.run(stop), name="processor"),
        asyncio.create_task(sending.run(dispatcher, stop), name="sending"),
        asyncio.create_task(
            hear(dsn, {queue.CHANNEL: processor.wake, wakeups.CHANNEL: dispatcher.wake_ups.wake}), name="ear"
        ),
        asyncio.create_task(reloader.run(), name="config.watch"),
        asyncio.create_task(observer.run(), name="observer"),
        asyncio.create_task(janitor.run(database, lambda: reloader.settings, stop), name="janitor"),
        asyncio.create_task(janitor.run_bulk(database, stop), name="bulk"),
        asyncio.create_task(alerting.run(database, lambda: reloader.settings, stop), name="alerting"),
        asyncio.create_task(naming.run(database, settings, stop), name="naming"),
    ]
    _log.info("worker.started", name=name)
    try:
        done, _ = await asyncio.wait([*tasks, asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if task in tasks:
                task.result()  # a loop that ended by itself is a fault: end with it rather than stand still unseen
        await asyncio.wait(tasks[:2], timeout=_DRAIN_SECONDS + 0.5)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for completer in completers:
            await completer.close()
        await asyncio.to_thread(ownership.stop)
        await clients.close()
        await post.aclose()
        for fetcher in fetchers:
            await fetcher.aclose()
        await database.close()
    _log.info("worker.stopped", name=name)


async def _enter(database: Database, settings: Settings) -> None:
    """Enter the configured tenants among those that send, before any effect of theirs does."""
    async with database.begin() as tx:
        await outbox.enter(tx, settings.tenants)


def _note_attempt(record: Record) -> None:
    metrics.attempts.labels("", record.outcome, record.reason).inc()
    _log.info(
        f"attempt.{record.outcome}",
        tenant=record.tenant_id,
        effect_id=record.effect_id,
        reason=record.reason,
        status=record.status,
        milliseconds=record.milliseconds,
    )


def _note_fetch(source_id: SourceId, got: Got) -> None:
    _log.info(
        "fetch.done",
        source=source_id,
        host=got.host,
        outcome=type(got.outcome).__name__.lower(),
        reason=got.outcome.reason,
        status=got.outcome.status,
        milliseconds=round(got.seconds * 1000),
    )
