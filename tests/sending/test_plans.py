"""The hot statements keep their plans: with very many rows, behind a blocked lane, whatever the statistics say.

`python -m tests.sending.plans` is the full size, reported in `docs/benchmarks/plans.json`; the gate has a fifth of it.
"""

import pytest

from bridge.db.database import Database
from tests.sending import plans


@pytest.mark.parametrize("scene", plans.scenes(finished=200_000, waiting=40_000, blocked=40_000), ids=str)
@pytest.mark.timeout(180)
async def test_hot_statements_walk_their_index(database: Database, scene: plans.Scene) -> None:
    await plans.fill(database, scene)
    for seen in await plans.look(database):
        assert not seen.faults(), f"{seen.name}: {seen.plan}"
