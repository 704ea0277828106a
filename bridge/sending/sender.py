"""The intent and the send: commit that a message is about to go, then let it go, once."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta

from bridge.db.database import DATABASE_AWAY, Database
from bridge.domain.ids import EffectId, EffectKey, TenantId
from bridge.domain.outcome import Deferred, InDoubt, Outcome, Rejected
from bridge.domain.reasons import Reason
from bridge.sending import holds, standing, store
from bridge.sending.far_side import FarSide
from bridge.sending.handing import HandOver
from bridge.sending.landing import Flight, Intent, Landed
from bridge.sending.message import Message
from bridge.sending.outbox import references
from bridge.sending.owner import Owner
from bridge.sending.recorder import Recorder
from bridge.sending.settings import SendingSettings
from bridge.sending.store import Loaded
from bridge.sending.tenant import Tenant
from bridge.sending.wakeups import WakeUps

log = logging.getLogger(__name__)


class Sender:
    """Makes flights of the messages the owner chooses, or that a decision hands over, and lands them at the recorder."""

    def __init__(
        self,
        database: Database,
        owner: Owner,
        recorder: Recorder,
        far_side: FarSide,
        wake_ups: WakeUps,
        *,
        clock: Callable[[], datetime],
        settings: SendingSettings,
    ) -> None:
        self.outbound: deque[Flight] = deque()
        self.has_outbound = asyncio.Event()
        """Something became outbound by a hand-over, beside `commit_intents`."""
        self._database = database
        self._owner = owner
        self._recorder = recorder
        self._far_side = far_side
        self._wake_ups = wake_ups
        self._clock = clock
        self._patience = timedelta(seconds=settings.http_timeout)
        self._handing: set[HandOver] = set()
        self._handed = asyncio.Event()
        self._takes = True

    async def commit_intents(self) -> int:
        """Choose what goes next within limits, commit that it is about to go, and return how many are outbound."""
        now, owner = self._clock(), self._owner
        chosen = owner.choose(now=now)
        if not chosen:
            return 0
        by_tenant: dict[TenantId, list[Message]] = {}
        for message in chosen:
            by_tenant.setdefault(message.tenant_id, []).append(message)
        intents = {tenant_id: owner.next_intent(tenant_id) for tenant_id in by_tenant}
        parts = [
            store.Part(
                tenant_id, owner.tenants[tenant_id].backlog.version, intent.id, intent.shard, intent.epoch, going
            )
            for (tenant_id, going), intent in zip(by_tenant.items(), intents.values(), strict=True)
        ]
        try:
            async with self._database.connection() as connection:
                intended = await store.intend(connection, parts, now=now)
                loaded = await holds.overruled(connection, chosen, intended.loaded)
                refs = await standing.refs_of(connection, chosen, loaded)
        except DATABASE_AWAY:
            # The commit may have happened: the intents are forgotten with the next record, the messages go again.
            self._recorder.forget(intents.values())
            owner.put_back(chosen, now=now)
            raise
        if not intended.is_fenced:
            owner.put_back(chosen, now=now)
            return 0
        for tenant_id, going in by_tenant.items():
            if tenant_id not in intended.current:
                owner.put_back(going, now=now)
                self._wake_ups.wake()  # an operator changed something
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
        """Make flights of what was loaded; what was not ended or moved under another's hand, and its tenant is read anew."""
        for message in going:
            found = loaded.get(message.id)
            if found is not None:
                intent.left += 1
                self.outbound.append(Flight(message, found, refs, intent, now))
            else:
                tenant = self._owner.tenants[message.tenant_id]
                tenant.unsend(message)
                tenant.backlog.drop(message, now=now)
                self._wake_ups.wake()
        if not intent.left:
            self._recorder.forget([intent])

    @contextlib.asynccontextmanager
    async def handing_over(self, epochs: Mapping[int, int]) -> AsyncIterator[HandOver]:
        """Take over what a transaction that is fenced by `epochs` puts into the outbox: enter before it begins, leave when it has ended.

        What may go at once is outbound with its commit; the rest is read.
        """
        owner = self._owner

        def tenant_of(tenant_id: TenantId) -> Tenant | None:
            tenant = owner.tenants.get(tenant_id)
            if tenant is None or not self._takes or owner.is_leaving(tenant):
                return None
            epoch = owner.epochs.get(tenant.shard)
            return tenant if epoch is not None and epoch == epochs.get(tenant.shard) else None

        handing = HandOver(tenant_of=tenant_of, next_intent=owner.next_intent, clock=self._clock)
        self._handing.add(handing)
        try:
            yield handing
            self.outbound += await handing.committed(now=self._clock())
        except BaseException:
            # The commit may have happened, as in `commit_intents`.
            self._recorder.forget(handing.intents)
            handing.undone(now=self._clock())
            raise
        finally:
            self._handing.discard(handing)
            self._handed.set()
            if self.outbound:
                self.has_outbound.set()
            self._wake_ups.wake_for(handing.left)

    async def take_no_more(self) -> None:
        """Refuse to be handed anything from here on, and wait for what is being handed over."""
        self._takes = False
        while self._handing:
            self._handed.clear()
            await self._handed.wait()

    async def send(self, flight: Flight) -> None:
        """Perform one committed intent and keep what came of it for the next record."""
        message = flight.message
        outcome: Outcome
        now = self._clock()
        # A flight that stood still since its intent may not go: whoever looks it up counts from the intent.
        if now - flight.sent_at > self._patience or not self._owner.surely_holds(flight.intent):
            outcome = Deferred(reason=Reason.NOT_SENT, backpressure=True, retry_after=0.0)
        elif flight.loaded.command is None:
            outcome = Rejected(reason=Reason.COMMAND_UNREADABLE)
        elif message.waits_for and (
            missing := [key for key in references(flight.loaded.command) if key not in flight.refs]
        ):
            outcome = Rejected(reason=Reason.REFERENCE_UNKNOWN, detail=f"effect {missing[0]} created no id")
        else:
            try:
                outcome = await self._far_side.perform(flight, now=now)
            except Exception as error:
                # A bug of ours, maybe after bytes went out: look before anything is sent again.
                log.exception("attempt.broken", extra={"effect_id": message.id, "tenant_id": message.tenant_id})
                outcome = InDoubt(reason=Reason.WORKER_CRASHED, detail=f"{type(error).__name__}: {error}"[:300])
        self._recorder.land(Landed(flight, outcome, self._clock()))
