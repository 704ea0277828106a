"""One tenant as its owner works it: backlog, budget, breakers and what operators set (pure)."""

from collections.abc import Container, Mapping, Sequence
from datetime import datetime

from bridge.domain.budget import Budget
from bridge.domain.ids import TenantId
from bridge.domain.outcome import Deferred, Outcome, Succeeded
from bridge.domain.reasons import Reason
from bridge.sending.backlog import Backlog, Doubt
from bridge.sending.breaker import EVERYTHING, Breakers, error_class
from bridge.sending.holds import MERGED
from bridge.sending.message import Message
from bridge.sending.settings import SendingSettings
from bridge.sending.standing import BreakerRow
from bridge.sending.store import TenantRow

KNOWN_AT_MOST = 100
"""Messages in memory up to which new ones may go at once: beyond that they wait anyhow, and what is known is named to the database."""


class Tenant:
    """What decides whether and what a tenant sends next."""

    def __init__(
        self, tenant_id: TenantId, shard: int, settings: SendingSettings, *, busy: dict[TenantId, None], now: datetime
    ) -> None:
        self.id = tenant_id
        self.shard = shard
        self.backlog = Backlog(tenant_id, lane_depth=settings.lane_depth, busy=busy)
        self.budget = Budget(now=now, rate=settings.rate, burst=settings.burst)
        self.breakers = Breakers()
        self.is_refused = False  # by a 429 that is not written down yet
        self._still_since: datetime | None = None
        self._settings = settings

    def may_read(self) -> bool:
        """Tell whether there is room to read on."""
        if self.backlog.paused:
            return False
        held = len(self.backlog)
        return held < self._settings.window or (self.backlog.is_blocked and held < 20 * self._settings.window)

    def end_standstill(self, *, now: datetime) -> None:
        """Read anew what has stood still for a minute: where this memory is wrong, the table is right."""
        if not self.backlog.is_still:
            self._still_since = None
        elif self._still_since is None:
            self._still_since = now
        elif (now - self._still_since).total_seconds() >= self._settings.still:
            self._still_since = None
            self.backlog.read_anew()

    def may_send(self, *, now: datetime) -> bool:
        """Tell whether anything could go now."""
        backlog = self.backlog
        backlog.wake(now=now)
        return (
            not backlog.paused
            and backlog.is_runnable()
            and len(backlog.in_flight) < self._settings.in_flight
            and self.budget.available(now) > 0
        )

    def choose(self, limit: int, *, now: datetime) -> list[Message]:
        """Hand out up to `limit` messages within budget and breakers; their requests are spent."""
        limit = min(limit, self._settings.in_flight - len(self.backlog.in_flight))
        allowed = self.breakers.allowance(self.backlog.runnable_families(), now=now, limit=limit)
        chosen: list[Message] = []
        for message in self.backlog.take(now=now, limit=limit, families=allowed):
            if not self.budget.take(message.policy.requests, now=now):
                self.backlog.give_back(message, now=now)
                break
            if allowed is not None:
                self.breakers.sent(message.policy.family)
            chosen.append(message)
        return chosen

    def begin(self, messages: Sequence[Message], *, now: datetime) -> list[Message]:
        """Hand out of messages that are being put those that may go without waiting for anything; their requests are spent.

        Nothing overtakes: not what is ready and waits for budget, not what is before it in its lane. What depends on people's
        answers is left to those who look them up.
        """
        backlog = self.backlog
        if backlog.is_outdated or len(backlog) > KNOWN_AT_MOST or not self.breakers.are_closed:
            return []
        backlog.wake(now=now)
        if backlog.paused or backlog.is_runnable():
            return []
        begun: list[Message] = []
        waiting: set[str] = set()  # lanes of what does not go
        for message in messages:
            if message.lane in waiting or not backlog.is_free_for(message) or message.kind in MERGED:
                waiting.add(message.lane)
                continue
            if len(backlog.in_flight) >= self._settings.in_flight or not self.budget.take(
                message.policy.requests, now=now
            ):
                break
            backlog.begin(message)
            begun.append(message)
        return begun

    def choose_looks(self, looking: Container[int], *, now: datetime) -> list[Doubt]:
        """Hand out what is in doubt and due and not among those that are `looking`, within the budget that is kept for it.

        With the credentials refused a look is a request like another: one probe goes, nothing else.
        """
        if self.backlog.paused:
            return []
        due = [doubt for doubt in self.backlog.due_doubts(now=now) if doubt.message.id not in looking]
        if not due:
            return []
        chosen: list[Doubt] = []
        for doubt in due[: self.breakers.looks(now=now, limit=len(due))]:
            if not self.budget.take(1.0, now=now, reserved=True):
                break
            chosen.append(doubt)
        if chosen:
            self.breakers.sent(EVERYTHING)
        return chosen

    def unsend(self, message: Message) -> None:
        """Give back the requests of a message that did not go."""
        self.budget.give_back(message.policy.requests)
        self.breakers.unsent(message.policy.family)

    def take_note(self, message: Message, outcome: Outcome, *, now: datetime) -> list[BreakerRow]:
        """Let budget and breakers learn from an outcome; return the breakers that changed, to be written down."""
        if type(outcome) is Succeeded and not self.breakers.all:
            return []
        self._heed(outcome, now=now)
        family = message.policy.family
        if not self.breakers.all and error_class(outcome) is None:
            return []
        return [self._row(*key) for key in self.breakers.take_note(family, outcome, now=now)]

    def take_note_of_look(self, outcome: Outcome | None, *, now: datetime) -> list[BreakerRow]:
        """Let budget and breakers learn from a look; None is one that was answered. Return the breakers that changed."""
        if outcome is None:
            return [self._row(*key) for key in self.breakers.take_note(EVERYTHING, Succeeded(status=200), now=now)]
        self._heed(outcome, now=now)
        if error_class(outcome) == "auth":
            return [self._row(*key) for key in self.breakers.take_note(EVERYTHING, outcome, now=now)]
        self.breakers.unsent(EVERYTHING)
        return []

    def _heed(self, outcome: Outcome, *, now: datetime) -> None:
        if isinstance(outcome, Deferred) and outcome.reason == Reason.RATE_LIMITED:
            self.budget.refused(now=now, retry_after=outcome.retry_after)
            self.is_refused = True

    def change(self, row: TenantRow, pauses: Mapping[str, set[str]]) -> None:
        """Take over what operators set, and read everything anew."""
        backlog = self.backlog
        backlog.version = row.version
        backlog.paused = bool(pauses.get("tenant"))
        backlog.paused_sources = frozenset(pauses.get("source", ()))
        backlog.paused_lanes = frozenset(pauses.get("lane", ()))
        self.budget.set_rate(self._settings.rate if row.rate is None else row.rate)
        backlog.forget_waiting()

    def take_over(self, row: TenantRow) -> None:
        """Go on within the limits that ServiceTitan set to an earlier owner."""
        if row.spent_until is not None and row.lowered_to is not None:
            self.budget.restore(rate=row.lowered_to, blocked_until=row.spent_until)

    def restore(self, row: BreakerRow) -> None:
        """Take over a breaker as it was written down; what this owner saw since stands, an override always comes over."""
        known = (row.family, row.error_class) in self.breakers.all
        breaker = self.breakers.get(row.family, row.error_class)
        if not known:
            breaker.restore(state=row.state, failures=row.failures, opened_at=row.opened_at, probe_at=row.probe_at)
        breaker.override = row.override

    def next_times(self, *, now: datetime) -> list[datetime]:
        """Return when something of this tenant may be to do again."""
        if self.backlog.paused:
            return []
        times = [
            time for time in (self.backlog.next_due(now=now), self.breakers.next_probe(now=now)) if time is not None
        ]
        families = self.backlog.runnable_families()
        if families and len(self.backlog.in_flight) < self._settings.in_flight:
            allowed = self.breakers.allowance(families, now=now, limit=1)
            if allowed is None or any(allowed.values()):  # else it waits for a probe, its time or its answer
                times.append(self.budget.next_at(now))
        return times

    def _row(self, family: str, kind: str) -> BreakerRow:
        breaker = self.breakers.all[family, kind]
        return BreakerRow(
            self.id, family, kind, breaker.state.value, breaker.failures, breaker.opened_at, breaker.probe_at, ""
        )
