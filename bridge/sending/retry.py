"""What an outcome leads to: done, again later, look first, or a person (pure). The policies are data; the docs print them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple, assert_never

import msgspec

from bridge.domain.outcome import Deferred, InDoubt, Outcome, Rejected, Succeeded
from bridge.domain.reasons import Reason

FAR_SIDE_TIMEOUT = timedelta(seconds=100)  # ServiceTitan ends a request of its own accord after this long
READ_LAG = timedelta(seconds=180)  # reads were seen to trail writes by one to three minutes
PAUSE_AFTER_BACKPRESSURE = 5.0  # seconds, where a 429 or maintenance names none


class Policy(NamedTuple):
    """How one kind of command is retried.

    Both bounds must be passed before it is dead: attempts counted, and the time since it was first due. `holds_lane` says
    whether what follows in its lane waits while it is in doubt. `family` is what a breaker and the budget speak of.
    `requests` is the most it takes to send one.
    """

    family: str
    attempts: int
    window: timedelta
    holds_lane: bool
    requests: int
    base: float = 5.0
    factor: float = 3.0
    cap: float = 3600.0


HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

POLICIES: Mapping[str, Policy] = MappingProxyType(
    {
        "create_booking": Policy("bookings", 10, 3 * DAY, holds_lane=True, requests=1, base=2.0),
        "update_booking": Policy("bookings", 10, 3 * DAY, holds_lane=True, requests=2),
        "add_booking_contact": Policy("bookings", 10, 3 * DAY, holds_lane=False, requests=1),
        "dismiss_booking": Policy("bookings", 10, 3 * DAY, holds_lane=True, requests=1),
        "attribute_booking": Policy("attributions", 8, DAY, holds_lane=False, requests=1),
        "create_customer": Policy("customers", 10, 3 * DAY, holds_lane=True, requests=1),
        "create_location": Policy("locations", 10, 3 * DAY, holds_lane=True, requests=1),
        "add_contact": Policy("contacts", 10, 3 * DAY, holds_lane=True, requests=2),
        "update_contact": Policy("contacts", 10, 3 * DAY, holds_lane=True, requests=2),
        "set_custom_fields": Policy("fields", 10, 3 * DAY, holds_lane=True, requests=3),
        "change_tags": Policy("tags", 10, 3 * DAY, holds_lane=False, requests=9),
        "add_note": Policy("notes", 8, DAY, holds_lane=False, requests=1),
        "set_preferences": Policy("contacts", 10, 3 * DAY, holds_lane=True, requests=9),
        "create_lead": Policy("leads", 10, 3 * DAY, holds_lane=True, requests=1),
        "submit_lead_form": Policy("leads", 10, 3 * DAY, holds_lane=True, requests=1),
        "follow_up_lead": Policy("leads", 8, DAY, holds_lane=False, requests=1),
        "dismiss_lead": Policy("leads", 8, DAY, holds_lane=True, requests=1),
        "send_alert": Policy("alerts", 12, DAY, holds_lane=True, requests=1),
    }
)

UNKNOWN = Policy("unknown", 1, DAY, holds_lane=True, requests=1)
"""For a kind that only a newer version of the program knows."""


class Done(msgspec.Struct, frozen=True, tag="done"):
    """It exists; the message leaves the outbox."""


class Again(msgspec.Struct, frozen=True, kw_only=True, tag="again"):
    """Send it again from `due_at` on; `spends` says whether this counted as an attempt."""

    due_at: datetime
    spends: bool


class LookFirst(msgspec.Struct, frozen=True, kw_only=True, tag="look_first"):
    """It may exist: look from `due_at` on; finding nothing counts only from `settles_at` on."""

    due_at: datetime
    settles_at: datetime


class Dead(msgspec.Struct, frozen=True, kw_only=True, tag="dead"):
    """It will not be sent again unless a person says so."""

    reason: str


Step = Done | Again | LookFirst | Dead


def next_step(
    outcome: Outcome,
    *,
    policy: Policy,
    spent: int,
    seed: int,
    first_due: datetime,
    sent_at: datetime,
    now: datetime,
) -> Step:
    """Return what an outcome leads to. `spent` counts the attempts before this one; `seed` (the effect's id) fixes the jitter."""
    match outcome:
        case Succeeded():
            return Done()
        case Rejected(reason=Reason.NOT_FOUND | Reason.REFERENCE_MISSING) if _may_be_lag(policy, spent):
            pause = backoff(policy, spent)
            return Again(due_at=now + timedelta(seconds=pause + jitter(seed, spent, 0.2 * pause)), spends=True)
        case Rejected(reason=reason):
            return Dead(reason=reason)
        case InDoubt():
            return look_first(sent_at=sent_at, looks=0, now=now)
        case Deferred(backpressure=True, retry_after=wait) | Deferred(pauses_tenant=True, retry_after=wait):
            # The whole Retry-After and then some: jitter only ever adds.
            pause = PAUSE_AFTER_BACKPRESSURE if wait is None else wait
            return Again(due_at=now + timedelta(seconds=pause + jitter(seed, spent, 0.1 * pause)), spends=False)
        case Deferred(reason=reason, retry_after=wait):
            if spent + 1 >= policy.attempts and now - first_due >= policy.window:
                return Dead(reason=reason)
            pause = max(backoff(policy, spent), wait or 0.0)
            return Again(due_at=now + timedelta(seconds=pause + jitter(seed, spent, 0.2 * pause)), spends=True)
        case _:
            assert_never(outcome)


def _may_be_lag(policy: Policy, spent: int) -> bool:
    """Tell whether what was not found may be too young to be read: tries so far cover less than the lag of reads."""
    return sum(backoff(policy, number) for number in range(spent)) < READ_LAG.total_seconds()


def backoff(policy: Policy, spent: int) -> float:
    """Return the wait in seconds after an attempt, before jitter: base × factor^spent, up to the cap."""
    return float(min(policy.base * policy.factor ** min(spent, 20), policy.cap))


def look_first(*, sent_at: datetime, looks: int, now: datetime) -> LookFirst:
    """Return when to look next: soon at first, since most of what is in doubt was done; last when absence is proof."""
    settles_at = sent_at + FAR_SIDE_TIMEOUT + READ_LAG
    soon = now + timedelta(seconds=min(2.0 * 3.0 ** min(looks, 4), 60.0))
    return LookFirst(due_at=min(soon, settles_at) if now < settles_at else soon, settles_at=settles_at)


def jitter(seed: int, number: int, span: float) -> float:
    """Return 0 to `span` seconds, the same for the same effect and attempt, unlike for others."""
    mixed = (seed * 0x9E3779B97F4A7C15 + number * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    mixed ^= mixed >> 31
    return span * ((mixed * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF) / 2**64)
