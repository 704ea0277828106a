"""Rests one family of requests of one tenant after several failures of a kind, and lets single probes out (pure)."""

from datetime import datetime, timedelta
from enum import StrEnum

from bridge.domain.outcome import Deferred, InDoubt, Outcome, Rejected, Succeeded
from bridge.domain.reasons import Reason

FAILURES = 5  # in a row, of one class
REST = timedelta(seconds=10)
REST_MAX = timedelta(seconds=300)
EVERYTHING = "*"  # the family of credentials: with them refused nothing goes

_CLASSES: dict[str, str] = {
    Reason.SERVER_ERROR: "server",
    Reason.ANSWER_UNREADABLE: "server",
    Reason.ANSWER_EMPTY: "server",
    Reason.TOKEN_UNAVAILABLE: "server",
    Reason.ANSWER_TIMEOUT: "timeout",
    Reason.CONNECTION_LOST: "connection",
    Reason.CONNECT_FAILED: "connection",
    Reason.CONNECTIONS_BUSY: "connection",
}


class State(StrEnum):
    """What a breaker lets through: all, nothing, or one probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


def error_class(outcome: Outcome) -> str | None:
    """Return what kind of failure an outcome is to a breaker; None where it says nothing against the far side."""
    match outcome:
        case Deferred(pauses_tenant=True):
            return "auth"
        case Deferred(backpressure=True):
            return None
        case Deferred(reason=reason) | InDoubt(reason=reason):
            return _CLASSES.get(reason)
        case Succeeded() | Rejected():
            return None


class Breaker:
    """One of (tenant, family, error class). `override` is an operator's word: always closed or always open."""

    def __init__(self, *, threshold: int = FAILURES) -> None:
        self.state = State.CLOSED
        self.failures = 0
        self.opened_at: datetime | None = None
        self.probe_at: datetime | None = None
        self.override = ""
        self._threshold = threshold
        self._rest = REST
        self._is_probing = False

    def allows(self, *, now: datetime, limit: int) -> int:
        """Return how many may go now: `limit`, one probe, or none."""
        if self.override:
            return limit if self.override == State.CLOSED else 0
        if self.state is State.CLOSED:
            return limit
        if self.state is State.OPEN and self.probe_at is not None and now >= self.probe_at:
            self.state = State.HALF_OPEN
            self._is_probing = False
        return 1 if self.state is State.HALF_OPEN and not self._is_probing else 0

    def probes(self) -> None:
        """Take note that the probe went out."""
        if self.state is State.HALF_OPEN:
            self._is_probing = True

    def unsent(self) -> None:
        """Take note that the probe came back without an answer that says anything."""
        self._is_probing = False

    def failed(self, *, now: datetime, wait: float | None = None) -> bool:
        """Count a failure of the class and tell whether the state changed; `wait` is a longer rest asked for."""
        self.failures += 1
        if self.state is State.CLOSED and self.failures < self._threshold:
            return False
        if self.state is State.OPEN:
            return False  # one that was under way before it opened
        self._rest = REST if self.state is State.CLOSED else min(self._rest * 2, REST_MAX)
        self.state = State.OPEN
        self.opened_at = now
        self.probe_at = now + max(self._rest, timedelta(seconds=wait or 0.0))
        self._is_probing = False
        return True

    def succeeded(self) -> bool:
        """Close it, and tell whether that is a change."""
        changed = self.state is not State.CLOSED
        self.state = State.CLOSED
        self.failures = 0
        self.opened_at = self.probe_at = None
        self._is_probing = False
        return changed

    def restore(self, *, state: str, failures: int, opened_at: datetime | None, probe_at: datetime | None) -> None:
        """Go on from what an earlier owner wrote down."""
        self.state = State.CLOSED if state == State.CLOSED else State.OPEN
        self.failures, self.opened_at, self.probe_at = failures, opened_at, probe_at


class Breakers:
    """The breakers of one tenant, made as failures come."""

    def __init__(self) -> None:
        self.all: dict[tuple[str, str], Breaker] = {}

    def get(self, family: str, kind: str) -> Breaker:
        """Return the breaker, made new where there was none."""
        key = (EVERYTHING, kind) if kind == "auth" else (family, kind)
        if key not in self.all:
            self.all[key] = Breaker(threshold=1 if kind == "auth" else FAILURES)
        return self.all[key]

    @property
    def are_closed(self) -> bool:
        """Tell whether nothing holds anything back."""
        return all(breaker.state is State.CLOSED and not breaker.override for breaker in self.all.values())

    def allowance(self, families: list[str], *, now: datetime, limit: int) -> dict[str, int] | None:
        """Return how many of each family may go; None where every breaker is closed."""
        if self.are_closed:
            return None
        general = self.looks(now=now, limit=limit)
        allowed = {
            family: min(
                [general, *(b.allows(now=now, limit=limit) for (name, _), b in self.all.items() if name == family)]
            )
            for family in families
        }
        if general == 1 and limit > 1:  # one probe for the whole tenant, not one for each family
            chosen = next((family for family, count in allowed.items() if count), None)
            allowed = {family: int(family == chosen) for family in allowed}
        return allowed

    def looks(self, *, now: datetime, limit: int) -> int:
        """Return how many may go of what belongs to no family, as looks do: only refused credentials hold them."""
        resting = (b.allows(now=now, limit=limit) for (family, _), b in self.all.items() if family == EVERYTHING)
        return min(resting, default=limit)

    def sent(self, family: str) -> None:
        """Take note that a message of the family went out."""
        for (name, _), breaker in self.all.items():
            if name in {family, EVERYTHING}:
                breaker.probes()

    def unsent(self, family: str) -> None:
        """Take note that a message of the family was not sent after all."""
        for (name, _), breaker in self.all.items():
            if name in {family, EVERYTHING}:
                breaker.unsent()

    def take_note(self, family: str, outcome: Outcome, *, now: datetime) -> list[tuple[str, str]]:
        """Count an outcome and return the keys of the breakers whose state changed."""
        kind = error_class(outcome)
        if kind is None:
            if isinstance(outcome, Deferred):
                self.unsent(family)  # backpressure proves neither health nor harm
                return []
            return [key for key, breaker in self.all.items() if key[0] in {family, EVERYTHING} and breaker.succeeded()]
        wait = outcome.retry_after if isinstance(outcome, Deferred) else None
        breaker = self.get(family, kind)
        for (name, _), other in self.all.items():
            if other is not breaker and name in {family, EVERYTHING}:
                other.unsent()  # it may have been their probe, and tells nothing of their class
        key = (EVERYTHING if kind == "auth" else family, kind)
        return [key] if breaker.failed(now=now, wait=wait) else []

    def next_probe(self, *, now: datetime) -> datetime | None:
        """Return when the next probe may go out; one that may already waits for something to send."""
        times = (b.probe_at for b in self.all.values() if b.state is State.OPEN and b.probe_at)
        return min((time for time in times if time > now), default=None)
