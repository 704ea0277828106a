"""Processes that take part in a comparison of two configs: each has its own connection, and all see one moment."""

import asyncio
import gc
import multiprocessing
import os
import signal
import sys
from collections.abc import Awaitable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from multiprocessing.util import Finalize
from typing import ClassVar

from bridge.db.database import Database, Tx
from bridge.domain.ids import DeliveryId, TenantId
from bridge.entrypoints.whatif import Comparison, Page
from bridge.reports.reading import reading
from bridge.settings import Settings

_MOST = 8
"""Processes at most: more only wait for the one PostgreSQL."""


class Processes:
    """Helpers, one process for each core."""

    def __init__(self, executor: ProcessPoolExecutor) -> None:
        self._executor = executor

    def page(self, dsn: str, moment: str, ids: Sequence[DeliveryId]) -> Awaitable[Page]:
        """Let the next free process compare some deliveries."""
        return asyncio.wrap_future(self._executor.submit(_page, dsn, moment, list(ids)))


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def processes(tenant_id: TenantId, old: Settings, new: Settings) -> Iterator[Processes | None]:
    """Lend helpers where there is more than one core; they start at once, before this process has threads or a loop.

    A fork has everything imported already, which takes a new process as long as comparing 500 deliveries.
    """
    count = min(_cores(), _MOST)
    if count < 2:
        yield None
        return
    gc.collect()
    gc.freeze()
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    executor = ProcessPoolExecutor(count, context, _Work.start, (tenant_id, old, new))
    try:
        executor.submit(os.getpid)
        yield Processes(executor)
    finally:
        executor.shutdown(cancel_futures=True)


class _Work:
    """What a helper keeps between pages."""

    runner: ClassVar[asyncio.Runner]
    comparison: ClassVar[Comparison]
    opened: ClassVar[AsyncExitStack]
    tx: ClassVar[Tx | None] = None

    @classmethod
    def start(cls, tenant_id: TenantId, old: Settings, new: Settings) -> None:
        """Get ready in a new process; Ctrl-C is for the one that started it."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        gc.set_threshold(50_000, 50, 100)
        cls.runner = asyncio.Runner()
        cls.comparison = Comparison(tenant_id, old, new)
        cls.opened = AsyncExitStack()
        Finalize(None, cls.stop, exitpriority=0)

    @classmethod
    def stop(cls) -> None:
        """Close the connection."""
        cls.runner.run(cls.opened.aclose())
        cls.runner.close()

    @classmethod
    async def page(cls, dsn: str, moment: str, ids: Sequence[DeliveryId]) -> Page:
        """Compare in the one transaction that lasts as long as the process."""
        if cls.tx is None:
            database = Database(dsn, max_size=1)
            await database.open(wait=False)
            cls.opened.push_async_callback(database.close)
            cls.tx = await cls.opened.enter_async_context(reading(database, moment=moment))
        return await cls.comparison.page(cls.tx, ids)


def _page(dsn: str, moment: str, ids: Sequence[DeliveryId]) -> Page:
    return _Work.runner.run(_Work.page(dsn, moment, ids))
