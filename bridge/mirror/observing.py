"""Carries what our own successful calls told into the mirror, beside the sending and in batches."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import psycopg

from bridge.db.database import UNREACHABLE, Database
from bridge.domain.ids import TenantId
from bridge.mirror import writing
from bridge.servicetitan.client import OnSuccess

log = logging.getLogger(__name__)

MOST_WAITING = 4_000
"""What is told beyond this pushes out the oldest: the feed brings it within its half minute."""

BATCH = 200
UNWRITABLE = (psycopg.DataError, msgspec.ValidationError, KeyError, ValueError)
"""What is raised for a call that tells nothing the mirror can hold."""
PAUSE_SECONDS = 0.25
"""What is told meanwhile shares a transaction of five round trips; the feed brings it a hundred times later."""


class Told(NamedTuple):
    """A successful call: the operation's name, what filled its path, what was sent and what was answered, and when."""

    tenant_id: TenantId
    operation: str
    ids: Mapping[str, int | str]
    body: Any
    answer: Any
    at: datetime


class Observer:
    """Takes note of calls at once and writes them a quarter of a second later; what fails is left to the feed."""

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
            kept = body if writing.answered(operation, ids, answer) is None else None  # a whole answer says it all
            self._waiting.append(Told(tenant_id, operation, ids, kept, answer, self._clock()))
            self._woken.set()

        return note

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._woken.wait()
            await asyncio.sleep(PAUSE_SECONDS)
            self._woken.clear()
            while self._waiting:
                await self.write()

    async def write(self) -> None:
        """Write what waits, up to a batch; a call that cannot be written stands back alone.

        The bookings just made, which nearly all of it is, have a transaction of their own: three round trips instead of seven.
        """
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH))]
        batch.sort(key=lambda told: told.tenant_id)  # one order for all writers
        try:
            left = await self._without_new_bookings(batch)
            if left:
                async with self._database.begin() as tx:
                    for group in _groups(left):
                        await self._write(tx, group)
        except UNREACHABLE as error:
            log.warning("mirror.unwritten", extra={"count": len(batch), "error": error})

    async def _without_new_bookings(self, batch: list[Told]) -> list[Told]:
        """Write the bookings just made for all tenants together and return what is left.

        Where they cannot be written so, nothing is, and all is left.
        """
        made = [told for told in batch if _is_made(told)]
        if len(made) < 2:
            return batch
        try:
            async with self._database.connection() as connection:
                is_written = await writing.write_new_bookings(
                    connection, ((told.tenant_id, told.answer) for told in made)
                )
        except UNWRITABLE:
            return batch
        return [told for told in batch if not _is_made(told)] if is_written else batch

    async def _write(self, tx: psycopg.AsyncConnection, group: Sequence[Told]) -> None:
        """Write calls of one tenant; where they cannot be written together, one by one."""
        try:
            async with tx.transaction():
                await self._put(tx, group)
        except UNWRITABLE as error:
            if len(group) > 1:
                for told in group:
                    await self._write(tx, [told])
                return
            told = group[0]
            log.warning(
                "mirror.unreadable", extra={"tenant": told.tenant_id, "operation": told.operation, "error": error}
            )

    async def _put(self, tx: psycopg.AsyncConnection, group: Sequence[Told]) -> None:
        first = group[0]
        region = self._region_of(first.tenant_id)
        if len(group) > 1 or _whole(first) is not None:
            answers = [answered for told in group if (answered := _whole(told)) is not None]
            is_new = all(told.operation.endswith(".create") for told in group)
            await writing.write_through(tx, first.tenant_id, answers, now=first.at, region=region, expect_new=is_new)
            return
        await writing.observe(
            tx,
            first.tenant_id,
            first.operation,
            first.ids,
            first.answer,
            now=first.at,
            body=first.body,
            region=region,
        )


def _whole(told: Told) -> writing.Answered | None:
    return writing.answered(told.operation, told.ids, told.answer)


def _groups(batch: Sequence[Told]) -> Iterator[list[Told]]:
    """Cut a batch in its order: calls of one tenant that answered whole records go together, any other by itself."""
    group: list[Told] = []
    for told in batch:
        if group and (told.tenant_id != group[0].tenant_id or _whole(told) is None or _whole(group[-1]) is None):
            yield group
            group = []
        group.append(told)
    if group:
        yield group


def _is_made(told: Told) -> bool:
    return told.operation == "bookings.create" and told.answer is not None
