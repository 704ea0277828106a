"""A small world: a database, a simulator behind a virtual clock, and workers that are stepped by hand."""

from collections.abc import AsyncIterator

import pytest

from bridge.db.database import Database
from tests.sending.world import World


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    """One tenant, nobody working yet."""
    made = World(database)
    yield made
    await made.close()
