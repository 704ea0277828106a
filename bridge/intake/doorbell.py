"""Tells workers that deliveries wait: a hint behind the commit, never inside it, at once and then every few milliseconds."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import psycopg

from bridge.db.direct import DirectConnection
from bridge.intake.queue import CHANNEL

RING: Final = f"SELECT pg_notify('{CHANNEL}', '')"

_APART_SECONDS = 0.01  # a ring costs both sides as much as two deliveries do
_APART_AFTER_FEW = 0.002  # where it told of few, workers gather what comes while they decide; a later ring only delays
_FEW = 6
_LAST_SECONDS = 0.5


class Doorbell:
    """Rings on the connection that stores, behind the batch it tells of: a transaction of its own that writes nothing and so waits for no disk.

    A NOTIFY takes a global lock for as long as its commit lasts: inside the insert it cost two thirds of the commits (13.9k to
    4.6k/s). On a connection of its own each ring woke one more process on both sides. Losing one only delays, since workers
    also look by themselves.
    """

    def __init__(self, connection_of: Callable[[], DirectConnection | None]) -> None:
        self._connection_of = connection_of
        self._due: asyncio.TimerHandle | None = None
        self._sent = 0  # deliveries since the last ring
        self._not_before = 0.0

    def ring_behind(self, sent: int) -> None:
        """Wake the workers once the batch just sent is committed: at once after a silence, else together with those that follow."""
        self._sent += sent
        if self._due is not None:
            return
        loop = asyncio.get_running_loop()
        left = self._not_before - loop.time()
        if left <= 0:
            self._ring()
        else:
            self._due = loop.call_later(left, self._ring)

    def _ring(self) -> None:
        self._due = None
        self._not_before = asyncio.get_running_loop().time() + (
            _APART_AFTER_FEW if self._sent <= _FEW else _APART_SECONDS
        )
        self._sent = 0
        connection = self._connection_of()
        if connection is not None and not connection.is_closed:
            with contextlib.suppress(psycopg.Error):
                connection.send("ring", [], _heard)

    async def close(self) -> None:
        """Ring a last time where one is due, and wait until that is heard."""
        connection = self._connection_of()
        if self._due is None or connection is None:
            return
        self._due.cancel()
        with contextlib.suppress(psycopg.Error, TimeoutError):
            await asyncio.wait_for(connection.run("ring", []), _LAST_SECONDS)


def _heard(answer: object) -> None:
    """Whether it rang or not: nobody waits for it."""
