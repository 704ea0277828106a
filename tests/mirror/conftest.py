"""Opens sessions on a test's own database."""

from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from bridge.mirror import feeds
from bridge.mirror.feeds import Syncing
from tests.mirror.mirrored_town import NOW, Opened, Town, syncing


@pytest.fixture
async def opened(database_dsn: str) -> AsyncIterator[Opened]:
    """Opens sessions that end with the test."""
    all_opened: list[Syncing] = []

    async def open_one(town: Town, *, now: datetime = NOW) -> Syncing:
        sync = await syncing(database_dsn, feeds.of_client(town.client), now=now)
        all_opened.append(sync)
        return sync

    yield open_one
    for sync in all_opened:
        await sync.session.close()
