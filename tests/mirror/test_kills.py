import pytest

from tests.mirror.kills import kill_often


@pytest.mark.timeout(180)  # it starts four processes
async def test_a_load_killed_at_random_points_ends_equal_to_servicetitan(database_dsn: str) -> None:
    report = await kill_often(database_dsn, kills=3, seed=3, customers=120)
    assert sum(report["fell_into"].values()) == 3
