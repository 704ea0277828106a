"""How long a fetch is tried: the rules of the outbox, for a request that changes nothing and so is never in doubt (pure)."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple, assert_never

import msgspec

from bridge.domain.outcome import Deferred, InDoubt, Outcome, Rejected, Succeeded
from bridge.domain.reasons import Reason

PAUSE_AFTER_BACKPRESSURE = 5.0  # seconds, where a 429 names none


class Bound(NamedTuple):
    """Both must be passed before it is given up: attempts counted, and the time since the delivery came. Waits in seconds."""

    attempts: int
    window: timedelta
    base: float = 5.0
    factor: float = 3.0
    cap: float = 3600.0


BOUNDS: Mapping[str, Bound] = MappingProxyType(
    {
        # A person has to act; that they see it within half a minute is worth more than a fourth try.
        Reason.HYDRATION_REFUSED: Bound(3, timedelta(0)),
    }
)
USUAL = Bound(10, timedelta(days=3))


class Kept(msgspec.Struct, frozen=True, tag="kept"):
    """All that was described is there."""


class Waits(msgspec.Struct, frozen=True, kw_only=True, tag="waits"):
    """Try what is missing again at `due_at`; `spends` says whether this counted as an attempt."""

    due_at: datetime
    spends: bool
    reason: str


class GivenUp(msgspec.Struct, frozen=True, kw_only=True, tag="given_up"):
    """Something stays missing unless a person replays the delivery; `detail` holds no value of it."""

    reason: str
    detail: str = ""


Verdict = Kept | Waits | GivenUp


def verdict_of(outcomes: Sequence[Outcome], *, spent: int, seed: int, received_at: datetime, now: datetime) -> Verdict:
    """Return what the outcomes of one delivery's fetches lead to. `spent` counts attempts before; `seed` fixes the jitter."""
    steps = [_step(outcome, spent=spent, seed=seed, received_at=received_at, now=now) for outcome in outcomes]
    waits = [step for step in steps if isinstance(step, Waits)]
    if waits:
        last = max(waits, key=lambda step: step.due_at)
        return Waits(due_at=last.due_at, spends=any(step.spends for step in waits), reason=last.reason)
    return next((step for step in steps if isinstance(step, GivenUp)), Kept())


def _step(outcome: Outcome, *, spent: int, seed: int, received_at: datetime, now: datetime) -> Verdict:
    match outcome:
        case Succeeded():
            return Kept()
        case Rejected(reason=reason, detail=detail):
            return GivenUp(reason=reason, detail=detail)
        case Deferred(backpressure=True, reason=reason, retry_after=wait):
            # The whole Retry-After and then some: jitter only ever adds.
            pause = PAUSE_AFTER_BACKPRESSURE if wait is None else wait
            return Waits(due_at=_after(now, pause, 0.1, seed + spent), spends=False, reason=reason)
        case Deferred(reason=reason, retry_after=wait, detail=detail):
            bound = BOUNDS.get(reason, USUAL)
            if spent + 1 >= bound.attempts and now - received_at >= bound.window:
                return GivenUp(reason=reason, detail=detail)
            pause = max(min(bound.base * bound.factor ** min(spent, 20), bound.cap), wait or 0.0)
            return Waits(due_at=_after(now, pause, 0.2, seed + spent), spends=True, reason=reason)
        case InDoubt(reason=reason, detail=detail):
            return GivenUp(reason=reason, detail=detail)
        case _:
            assert_never(outcome)


def _after(now: datetime, pause: float, share: float, seed: int) -> datetime:
    """Return the moment after a pause and up to `share` of it more, the same for the same seed."""
    mixed = (seed * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    mixed = ((mixed ^ (mixed >> 31)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return now + timedelta(seconds=pause * (1 + share * mixed / 2**64))
