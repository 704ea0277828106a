"""The demo as a person runs it: real processes, real PostgreSQL, effects counted in the simulator's own ledger."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(120)
def test_every_sample_has_exactly_its_expected_effect(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("BRIDGE_", "DATABASE_URL"))}
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "demo", "--once", "--json"],
        env=environ | {"BRIDGE_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    state = json.loads(done.stdout)
    assert state["as_expected"]
    assert state["deliveries"] == 4
    assert state["effects"]["booking.created"] == 3
    assert [one["got"] for one in state["samples"]] == ["booking", "duplicate", "booking", "booking", "joins"]


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from click.testing import CliRunner; from bridge.entrypoints.cli import cli;"
        "result = CliRunner().invoke(cli, ['--help']); assert result.exit_code == 0, result.output;"
        "heavy = {'litestar', 'sqlalchemy', 'psycopg', 'pydantic', 'httpx', 'aiohttp', 'phonenumbers', 'numpy'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
