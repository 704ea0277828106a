"""What says between two polls that there may be something to do: a wake-up is a hint, the poll is the backstop."""

import asyncio
import contextlib
from collections.abc import Iterable

from bridge.domain.ids import TenantId

CHANNEL = "bridge_outbox"
"""Where the database says to every owner that there is something new."""


class WakeUps:
    """What was said since the owner last looked, and by its `wait` the end of its rest."""

    def __init__(self) -> None:
        self.is_stale = True
        """There may be something new of anybody."""
        self.fresh: set[TenantId] = set()
        """Tenants of which there is something new."""
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """Say that there may be something new: it is read at once."""
        self.is_stale = True
        self._awake.set()

    def wake_for(self, tenants: Iterable[TenantId]) -> None:
        """Say for which tenants this very process has just committed something: only theirs is read at once."""
        self.fresh.update(tenants)
        if self.fresh:
            self._awake.set()

    def go_on(self) -> None:
        """Say that something in memory may go now; nothing has to be read for it."""
        self._awake.set()

    def listen(self) -> None:
        """From here on, whatever is said ends the next rest."""
        self._awake.clear()

    async def wait(self, seconds: float) -> None:
        """Rest until something is said, at most so long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._awake.wait(), seconds)
