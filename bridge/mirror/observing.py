"""Carries what our own successful calls told into the mirror, beside the sending and in batches."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import psycopg

from bridge.db.database import UNREACHABLE, Database
from bridge.domain.ids import TenantId
from bridge.mirror import writing
from bridge.servicetitan.client import OnSuccess

log = logging.getLogger(__name__)

MOST_WAITING = 10_000
"""What is told beyond this pushes out the oldest: the feed brings it within its half minute."""

BATCH = 200
PAUSE_SECONDS = 0.05


class Told(NamedTuple):
    """A successful call: the operation's name, what filled its path, what was sent and what was answered, and when."""

    tenant_id: TenantId
    operation: str
    ids: Mapping[str, int | str]
    body: Any
    answer: Any
    at: datetime


class Observer:
    """Takes note of calls at once and writes them a few hundredths of a second later; what fails is left to the feed."""

    def __init__(
        self, database: Database, *, region_of: Callable[[TenantId], str], clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._region_of = region_of
        self._clock = clock
        self._waiting: deque[Told] = deque(maxlen=MOST_WAITING)
        self._woken = asyncio.Event()

    def of_tenant(self, tenant_id: TenantId) -> OnSuccess:
        """Return what a tenant's client shall tell its successful calls to; it neither waits nor fails."""

        def note(operation: str, ids: Mapping[str, int | str], body: object, answer: object) -> None:
            self._waiting.append(Told(tenant_id, operation, ids, body, answer, self._clock()))
            self._woken.set()

        return note

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._woken.wait()
            await asyncio.sleep(PAUSE_SECONDS)  # what is told meanwhile shares the commit
            self._woken.clear()
            while self._waiting:
                await self.write()

    async def write(self) -> None:
        """Write what waits, up to a batch, in one transaction; a call that cannot be written stands back alone."""
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH))]
        batch.sort(key=lambda told: told.tenant_id)  # one order for all writers
        try:
            async with self._database.begin() as tx:
                for told in batch:
                    await self._write(tx, told)
        except UNREACHABLE as error:
            log.warning("mirror.unwritten", extra={"count": len(batch), "error": error})

    async def _write(self, tx: psycopg.AsyncConnection, told: Told) -> None:
        try:
            async with tx.transaction():
                await writing.observe(
                    tx,
                    told.tenant_id,
                    told.operation,
                    told.ids,
                    told.answer,
                    now=told.at,
                    body=told.body,
                    region=self._region_of(told.tenant_id),
                )
        except (psycopg.DataError, msgspec.ValidationError, KeyError, ValueError) as error:
            log.warning(
                "mirror.unreadable", extra={"tenant": told.tenant_id, "operation": told.operation, "error": error}
            )
