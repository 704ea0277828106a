"""The mirror's requests, no faster than its share of what ServiceTitan takes from one (app, tenant)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from bridge.domain.budget import MIRROR_BURST, MIRROR_RATE, Budget
from bridge.domain.outcome import Deferred, Outcome
from bridge.domain.reasons import Reason
from bridge.servicetitan.client import EMPTY
from bridge.servicetitan.operation import Body, BoundOperation, Operation, Parameter

LONGEST_BLOCK = 5.0
"""Seconds of a Retry-After that a request waits out; for a longer one it is put off, and its feed comes again later."""


class Pace:
    """Gives one tenant's requests of this process their turns; it starts with none, since another process may have spent them."""

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._now = now
        self._sleep = sleep
        self._turn = asyncio.Lock()
        self._budget = Budget(now=now(), rate=MIRROR_RATE, burst=MIRROR_BURST, reserve=0.0)

    def of(self, call: BoundOperation) -> BoundOperation:
        """Return the operation with each of its requests in its turn."""
        caller = call.caller

        async def paced(
            operation: Operation,
            *,
            path_params: Mapping[str, int | str] = EMPTY,
            query: Mapping[str, Parameter | None] = EMPTY,
            body: Body | None = None,
        ) -> Outcome:
            blocked = await self._wait()
            if blocked is not None:
                return blocked
            outcome = await caller(operation, path_params=path_params, query=query, body=body)
            if isinstance(outcome, Deferred) and outcome.reason == Reason.RATE_LIMITED:
                self._budget.refused(now=self._now(), retry_after=outcome.retry_after)
            return outcome

        return replace(call, caller=paced)

    async def _wait(self) -> Deferred | None:
        """Wait for a turn and spend it, or return for how long there is none."""
        async with self._turn:
            while not self._budget.take(1.0, now=self._now()):
                now = self._now()
                rest = (self._budget.blocked_until - now).total_seconds()
                if rest > LONGEST_BLOCK:
                    return Deferred(
                        reason=Reason.RATE_LIMITED, retry_after=rest, detail="still waiting, as the last answer asked"
                    )
                await self._sleep(max((self._budget.next_at(now) - now).total_seconds(), 0.001))
        return None
