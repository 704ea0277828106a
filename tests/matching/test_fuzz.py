"""A small seeded run of the fuzz; the long one is a command with its report in docs/matching/fuzz.json."""

import importlib.util
from pathlib import Path

_FILE = Path(__file__).parents[2] / "benchmarks" / "match_fuzz.py"


async def test_a_hundred_garbled_inquiries_all_get_a_verdict(database_dsn: str) -> None:
    spec = importlib.util.spec_from_file_location("match_fuzz", _FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = await module.fuzz(database_dsn, first=0, inquiries=100, seconds=60, seed=3)
    assert found["failures"] == []
    assert found["run"] == sum(found["verdicts"].values()) > 0
    assert {"Matched", "Ambiguous"} <= set(found["verdicts"])
