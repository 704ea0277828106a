"""How the outbox is worked: sizes and times, checked against each other before anything starts."""

from dataclasses import dataclass

from bridge.domain.budget import BURST, RATE
from bridge.sending.lanes import DEPTH


@dataclass(frozen=True, kw_only=True)
class SendingSettings:
    """Sizes count messages, times are in seconds, `rate` and `burst` are requests of one tenant.

    Raises ValueError where a live request could outlive its lease.
    """

    batch: int = 200  # messages one intent commit covers; the most a tenant makes another wait for
    read: int = 500  # rows one claim reads per tenant
    window: int = 2_000  # messages held in memory per tenant before reading stops
    in_flight: int = 64  # messages of one tenant under way at once; at 200 ms a request 12 suffice for 60/s
    lane_depth: int = DEPTH
    poll: float = 0.25  # the backstop where a wake-up is lost
    still: float = 60.0  # the backstop where memory is wrong: a tenant of whom nothing moves for so long is read anew
    http_timeout: float = 20.0
    lease: float = 30.0
    rate: float = RATE
    burst: float = BURST

    def __post_init__(self) -> None:
        if self.http_timeout >= self.lease:
            raise ValueError(
                f"an HTTP timeout of {self.http_timeout} s lets a request outlive its lease of {self.lease} s"
            )
        if min(self.batch, self.read, self.window, self.in_flight) < 1:
            raise ValueError("batch, read, window and in_flight are at least 1")
