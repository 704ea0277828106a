"""How many requests a second may go to one tenant of ServiceTitan: a token bucket that yields to 429 (time passed in)."""

from datetime import datetime, timedelta

LIMIT = 60.0
"""Requests a second that ServiceTitan takes from one (app, tenant). Two share them, often in two processes that know nothing
of each other, so each keeps to its own part whether or not the other needs its own:

- sending: RATE + BURST, and 5 more at the most for a command of several requests that goes into debt;
- the mirror's feeds and lists: MIRROR_RATE + MIRROR_BURST. Pages are large and few: 5 a second load 25,000 rows.
"""

RATE = 40.0
BURST = 5.0
MIRROR_RATE = 5.0
MIRROR_BURST = 5.0
RESERVE = 0.1  # the share that only looking after effects in doubt may use


class Budget:
    """Requests per second of one (app, tenant), with a share reserved for reconciliation.

    In any window of a second at most `rate + burst` requests are allowed. A 429 lowers the rate by 30 %, down to 1/s, and
    its whole Retry-After is waited out; each quiet `recover_every` raises it again by 10 % of the full rate.
    It starts empty, since an earlier owner may have spent this second's requests.
    """

    def __init__(
        self,
        *,
        now: datetime,
        rate: float = RATE,
        burst: float = BURST,
        reserve: float = RESERVE,
        recover_every: float = 10.0,
    ) -> None:
        self.full_rate = rate
        self.rate = rate
        self.burst = burst
        self.blocked_until = now
        self._reserve = reserve
        self._recover_every = timedelta(seconds=recover_every)
        self._tokens = 0.0
        self._kept = 0.0  # tokens only reconciliation may take
        self._at = now
        self._quiet_since = now

    def available(self, now: datetime) -> float:
        """Return how many requests ordinary sending may make now."""
        self._refill(now)
        return 0.0 if now < self.blocked_until else self._tokens

    def take(self, requests: float, *, now: datetime, reserved: bool = False) -> bool:
        """Spend `requests` if they are there; `reserved` may use the kept share too. A burst smaller than the cost may go into debt."""
        self._refill(now)
        if now < self.blocked_until:
            return False
        if reserved:
            if self._kept + max(self._tokens, 0.0) < min(requests, self.burst * self._reserve):
                return False
            from_kept = min(self._kept, requests)
            self._kept -= from_kept
            self._tokens -= requests - from_kept
            return True
        # A command of nine requests against a burst of five: it goes when the bucket is full, and the debt is paid after.
        if self._tokens < min(requests, self.burst * (1 - self._reserve)):
            return False
        self._tokens -= requests
        return True

    def give_back(self, requests: float) -> None:
        """Return what was taken and not used."""
        self._tokens = min(self._tokens + requests, self.burst * (1 - self._reserve))

    def refused(self, *, now: datetime, retry_after: float | None) -> None:
        """Take note of a 429."""
        self._refill(now)
        self.rate = max(self.rate * 0.7, 1.0)
        self.blocked_until = max(
            self.blocked_until, now + timedelta(seconds=1.0 if retry_after is None else retry_after)
        )
        self._tokens = min(self._tokens, 0.0)
        self._kept = 0.0
        self._at = max(self._at, self.blocked_until)
        self._quiet_since = self.blocked_until

    def set_rate(self, rate: float) -> None:
        """Use another full rate, as an operator says."""
        is_lowered = self.rate < self.full_rate
        self.full_rate = rate
        self.rate = min(self.rate, rate) if is_lowered else rate

    def restore(self, *, rate: float, blocked_until: datetime) -> None:
        """Go on from what the last 429 left to an earlier owner: its wait, and the rate it lowered, which rises again from then on."""
        self.rate = min(rate, self.full_rate)
        self.blocked_until = self._quiet_since = blocked_until
        self._at = max(self._at, blocked_until)

    def next_at(self, now: datetime) -> datetime:
        """Return when it is worth asking again."""
        if now < self.blocked_until:
            return self.blocked_until
        missing = max(1.0 - self._tokens, 0.0)
        return now + timedelta(seconds=missing / (self.rate * (1 - self._reserve)))

    def _refill(self, now: datetime) -> None:
        passed = (now - self._at).total_seconds()
        if passed <= 0:  # a clock that steps back gives nothing twice
            return
        self._at = now
        self._tokens = min(self._tokens + passed * self.rate * (1 - self._reserve), self.burst * (1 - self._reserve))
        self._kept = min(self._kept + passed * self.rate * self._reserve, max(self.burst * self._reserve, 1.0))
        steps = int((now - self._quiet_since) / self._recover_every)
        if steps > 0 and self.rate < self.full_rate:
            self.rate = min(self.rate + steps * 0.1 * self.full_rate, self.full_rate)
        if steps > 0:
            self._quiet_since += steps * self._recover_every
