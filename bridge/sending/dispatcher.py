"""The owner at work: claim, commit the intent, send, record the outcome, look after what is in doubt.

Each step commits once at most and holds no transaction across HTTP, so a simulation can put a crash, a thief or a clock step
between any two. `run` is the loops around them.
"""

from collections.abc import Callable
from datetime import datetime

from bridge.db.database import Database
from bridge.sending.bell import Bell
from bridge.sending.claimer import Claimer
from bridge.sending.far_side import Clients, Execute, FarSide, LookUp
from bridge.sending.owner import Owner, Owns
from bridge.sending.reconciler import Reconciler
from bridge.sending.recorder import Recorder
from bridge.sending.records import Record
from bridge.sending.sender import Sender
from bridge.sending.settings import SendingSettings
from bridge.sending.wakeups import WakeUps


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
        self.settings = settings = settings or SendingSettings()
        self._clock = clock
        far_side = FarSide(clients=clients, execute=execute, look_up=look_up, bell=bell)
        # Each needs those before it.
        self.wake_ups = wake_ups = WakeUps()
        self.owner = owner = Owner(database, ownership=ownership, settings=settings)
        self.claimer = Claimer(database, owner, wake_ups, clock=clock, settings=settings)
        self.recorder = Recorder(database, owner, wake_ups, clock=clock, on_record=on_record)
        self.sender = Sender(database, owner, self.recorder, far_side, wake_ups, clock=clock, settings=settings)
        self.reconciler = Reconciler(database, owner, far_side, wake_ups, clock=clock, on_record=on_record)
        # The steps, in the order a message meets them.
        self.wake = wake_ups.wake
        self.claim = self.claimer.claim
        self.commit_intents = self.sender.commit_intents
        self.send = self.sender.send
        self.record_outcomes = self.recorder.record_outcomes
        self.reconcile_due = self.reconciler.reconcile_due

    async def step(self) -> bool:
        """Read if there may be something to read, commit intents, and tell whether to go on at once."""
        await self.claimer.keep_up()
        return bool(await self.sender.commit_intents())

    async def rest(self) -> None:
        """Sleep until woken or until something falls due."""
        now = self._clock()
        wait = (self.owner.next_at(now=now) - now).total_seconds()
        # A millisecond at least: what is due and cannot go yet (a probe is out) must not spin the loop.
        await self.wake_ups.wait(max(wait, 0.001))
