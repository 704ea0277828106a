"""A small world: a database, a simulator behind a virtual clock, and workers that are stepped by hand."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # world.py is shared by the tests of this folder

from collections.abc import AsyncIterator

import pytest
from world import World

from bridge.db.database import Database


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    """One tenant, nobody working yet."""
    made = World(database)
    yield made
    await made.close()
