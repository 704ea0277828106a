"""A breaker that rests lets probes out until one succeeds, whatever the probes end with."""

from datetime import UTC, datetime

import pytest

from bridge.domain.outcome import Deferred, InDoubt, Outcome, Rejected, Succeeded
from bridge.domain.reasons import Reason
from bridge.sending.breaker import FAILURES, REST_MAX, Breakers

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
FAILS: dict[str, Outcome] = {
    "auth": Deferred(reason=Reason.UNAUTHORIZED, status=401, pauses_tenant=True),
    "server": InDoubt(reason=Reason.SERVER_ERROR, status=500),
    "timeout": InDoubt(reason=Reason.ANSWER_TIMEOUT),
    "connection": Deferred(reason=Reason.CONNECT_FAILED),
}
SAYS_NOTHING: dict[str, Outcome] = {"throttled": Deferred(reason=Reason.RATE_LIMITED, status=429, backpressure=True)}
CLOSES: dict[str, Outcome] = {
    "succeeded": Succeeded(status=200),
    "rejected": Rejected(reason=Reason.VALIDATION_FAILED, status=400),
}


@pytest.mark.parametrize("first", FAILS)
@pytest.mark.parametrize("second", [*FAILS, *SAYS_NOTHING])
def test_a_probe_that_ends_in_any_failure_is_followed_by_another(first: str, second: str) -> None:
    breakers = Breakers()
    for _ in range(FAILURES):
        breakers.take_note("bookings", FAILS[first], now=NOW)
    assert breakers.allowance(["bookings"], now=NOW, limit=10) == {"bookings": 0}
    now = NOW + REST_MAX
    assert breakers.allowance(["bookings"], now=now, limit=10) == {"bookings": 1}
    breakers.sent("bookings")
    assert breakers.allowance(["bookings"], now=now, limit=10) == {"bookings": 0}
    breakers.take_note("bookings", (FAILS | SAYS_NOTHING)[second], now=now)
    assert breakers.allowance(["bookings"], now=now + REST_MAX, limit=10) == {"bookings": 1}


@pytest.mark.parametrize("end", CLOSES)
def test_a_probe_that_is_answered_lets_all_go_again(end: str) -> None:
    breakers = Breakers()
    for _ in range(FAILURES):
        breakers.take_note("bookings", FAILS["server"], now=NOW)
    breakers.allowance(["bookings"], now=NOW + REST_MAX, limit=10)
    breakers.sent("bookings")
    breakers.take_note("bookings", CLOSES[end], now=NOW + REST_MAX)
    assert breakers.allowance(["bookings"], now=NOW + REST_MAX, limit=10) is None
