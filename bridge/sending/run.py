"""The loops around the dispatcher's steps: pump, senders, recorder, reconciler."""

import asyncio
import logging
from collections import deque

from bridge.db.database import DATABASE_AWAY
from bridge.domain.ids import TenantId
from bridge.sending.dispatcher import Dispatcher
from bridge.sending.landing import Flight
from bridge.sending.reconciler import Reconciler
from bridge.sending.recorder import Recorder
from bridge.sending.sender import Sender

log = logging.getLogger(__name__)

PAUSE = 0.2  # seconds between tries while the database is away
APART = 0.016
"""Seconds from one record of outcomes to the next: at once after a silence, else together, since a commit for each costs an
outcome's whole record. Nobody waits for it but the next message of the lane."""


async def run(dispatcher: Dispatcher, stop: asyncio.Event) -> None:
    """Send until `stop` is set, then let what is under way finish and be recorded."""
    sender, recorder = dispatcher.sender, dispatcher.recorder
    senders = Senders(sender)
    recording = asyncio.Lock()  # held while outcomes are written: an end waits for that
    loops = [
        asyncio.create_task(_pump(dispatcher, senders, stop), name="outbox.pump"),
        asyncio.create_task(_launch(sender, senders), name="outbox.launch"),
        asyncio.create_task(_record(recorder, recording), name="outbox.record"),
        asyncio.create_task(_reconcile(dispatcher.reconciler), name="outbox.reconcile"),
    ]
    stopping = asyncio.create_task(stop.wait())
    try:
        # A loop only ends by an error that is no outage: better to end with it than to stand still unseen.
        done, _ = await asyncio.wait([stopping, *loops], return_when=asyncio.FIRST_COMPLETED)
        dispatcher.wake()
        for task in done - {stopping}:
            if task.get_name() != "outbox.pump" or not stop.is_set():
                task.result()
        await sender.take_no_more()
        await loops[0]
        senders.launch()
        await senders.finish(dispatcher.settings.http_timeout)
        await _record_once(recorder, recording)
        while recorder.landed:
            await _record_once(recorder, recording)
    finally:
        for task in (stopping, *loops):
            task.cancel()
        await asyncio.gather(stopping, *loops, return_exceptions=True)
        await senders.cancel()


class Senders:
    """Tasks that each send one flight after the other, started as flights come and ended when none is left."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._queues: dict[TenantId, deque[Flight]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def launch(self) -> None:
        """Start what is outbound."""
        outbound = self._sender.outbound
        fresh: set[TenantId] = set()
        while outbound:
            flight = outbound.popleft()
            tenant_id = flight.message.tenant_id
            self._queues.setdefault(tenant_id, deque()).append(flight)
            fresh.add(tenant_id)
        for tenant_id in fresh:
            self._start(self._queues[tenant_id])

    def _start(self, queue: deque[Flight]) -> None:
        """Start a task for the queue if anything is left in it: those before wait for answers."""
        if queue:
            task = asyncio.create_task(self._send(queue))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, queue: deque[Flight]) -> None:
        # The next task starts as soon as this one waits; where sending never waits, one task sends all.
        asyncio.get_running_loop().call_soon(self._start, queue)
        while queue:
            await self._sender.send(queue.popleft())

    async def finish(self, seconds: float) -> None:
        """Wait until everything under way has its outcome, at most so long."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while self._tasks and loop.time() < end:  # each may have started the next since it was looked at
            await asyncio.wait(self._tasks, timeout=end - loop.time(), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)

    async def cancel(self) -> None:
        """End what is still under way; its intents stand, so the next owner looks it up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _pump(dispatcher: Dispatcher, senders: Senders, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            more = await dispatcher.step()
        except DATABASE_AWAY as error:
            log.warning("database.away", extra={"error": error})
            await asyncio.sleep(PAUSE)
            continue
        senders.launch()
        if not more:
            await dispatcher.rest()
        else:
            await asyncio.sleep(0)


async def _launch(sender: Sender, senders: Senders) -> None:
    while True:
        await sender.has_outbound.wait()
        sender.has_outbound.clear()
        senders.launch()


async def _record(recorder: Recorder, recording: asyncio.Lock) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await recorder.has_landed.wait()
        not_before = loop.time() + APART
        await _record_once(recorder, recording)
        await asyncio.sleep(not_before - loop.time())


async def _record_once(recorder: Recorder, recording: asyncio.Lock) -> None:
    async with recording:
        try:
            await recorder.record_outcomes()
        except DATABASE_AWAY as error:
            log.warning("database.away", extra={"error": error})
            await asyncio.sleep(PAUSE)


async def _reconcile(reconciler: Reconciler) -> None:
    while True:
        try:
            looked = await reconciler.reconcile_due()
        except DATABASE_AWAY:
            looked = 0
        if not looked:
            await asyncio.sleep(PAUSE)
