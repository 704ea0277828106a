"""Tells workers that deliveries wait: a hint after the commit, never inside it, at once and then every few milliseconds."""

import asyncio
import contextlib

from bridge.db.database import DATABASE_AWAY
from bridge.db.direct import DirectConnection

_APART_SECONDS = 0.01  # a ring costs both sides as much as two deliveries do
_APART_AFTER_FEW = (
    0.005  # where it told of few, the wait for the next is more of what each takes to its effect than work is saved
)
_FEW = 6


class Doorbell:
    """Rings on a connection of its own, opened when first rung.

    A NOTIFY takes a global lock for as long as its commit lasts: inside the insert it cost two thirds of the commits (13.9k to
    4.6k/s). So it comes after, and does not wait for the disk: losing one only delays, since workers also look by themselves.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: DirectConnection | None = None
        self._ringing: asyncio.Task[None] | None = None
        self._is_due = False
        self._stored = 0  # since the last ring
        self._not_before = 0.0

    def ring(self, stored: int = 1) -> None:
        """Wake the workers for so many deliveries: at once after a silence, else together with the rings that follow."""
        self._is_due = True
        self._stored += stored
        if self._ringing is None or self._ringing.done():
            self._ringing = asyncio.create_task(self._ring())

    async def _ring(self) -> None:
        loop = asyncio.get_running_loop()
        while self._is_due:  # one that comes while this one is on its way tells of a commit it cannot know of
            await asyncio.sleep(max(self._not_before - loop.time(), 0))
            self._not_before = loop.time() + (_APART_AFTER_FEW if self._stored <= _FEW else _APART_SECONDS)
            self._is_due, self._stored = False, 0
            with contextlib.suppress(*DATABASE_AWAY, OSError):
                if self._connection is None or self._connection.is_closed:
                    self._connection = await DirectConnection.open(
                        self._dsn,
                        set_up="SET synchronous_commit = off",
                        statements={"ring": "SELECT pg_notify('bridge_deliveries', '')"},
                    )
                await self._connection.run("ring", [])

    async def close(self) -> None:
        """Ring a last time where one is due, then hang up."""
        if self._ringing is not None:
            await asyncio.wait([self._ringing], timeout=0.5)
            self._ringing.cancel()
        if self._connection is not None:
            self._connection.close()
