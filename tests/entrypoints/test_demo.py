"""The demo as a person runs it: real processes, real PostgreSQL, effects counted in the simulator's own ledger."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from bridge.entrypoints.cli.demo import own_server

PERSONAL = (
    "maria", "lopez", "okafor", "grace", "whitaker", "5550142", "555-0142", "5550177", "555-0119", "@example.com", "barton",
    "small children", "breaker trips",
)  # fmt: skip
"""What the samples say of people: none of it stands in a log."""


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
    assert state["deliveries"] == 5
    assert state["effects"]["booking.created"] == 4
    got = [one["got"] for one in state["samples"]]
    assert got == ["booking", "duplicate", "booking", "booking", "joins", "booking"]
    assert state["samples"][-1]["customer"]
    logs = {path.name: path.read_text() for path in (tmp_path / "demo").glob("*.log")}
    assert "delivery.processed" in logs["work.log"]
    for name, text in logs.items():
        told = [word for word in PERSONAL if word in text.lower()]
        assert not told, (name, told)


@pytest.mark.timeout(120)
def test_what_comes_while_it_runs_gets_a_line_too_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("BRIDGE_", "DATABASE_URL"))}
    command = [sys.executable, "-u", "-m", "bridge", "demo"]
    own = environ | {"BRIDGE_DATA_DIR": str(tmp_path)}
    with subprocess.Popen(command, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if line.startswith("  curl "):
                curl = line.strip()
            if line.startswith("Ctrl-C"):
                break
        words = shlex.split(curl)
        headers = dict(words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H")
        answer = httpx.post(words[3], headers=headers, content=words[-1])
        assert answer.status_code == 202
        told = running.stdout.readline()
        running.send_signal(signal.SIGINT)
        rest = running.stdout.read()
    assert told.startswith(f"✓ Delivery {answer.json()['id']}, website: verified → normalized (booking_inquiry of ")
    assert "→ sent, ServiceTitan booking " in told
    assert (rest.strip(), running.returncode) == ("stopping", 0)


def test_a_second_demo_in_the_same_folder_has_a_server_of_its_own(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    number, first, server = own_server(tmp_path)
    try:
        program = (
            "import sys; from pathlib import Path; from bridge.entrypoints.cli.demo import own_server;"
            "number, folder, server = own_server(Path(sys.argv[1])); print(number, folder.name); server.stop()"
        )
        command = [sys.executable, "-c", program, str(tmp_path)]
        other = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    finally:
        server.stop()
    assert (number, first.name, other.stdout.split()) == (0, "demo", ["1", "demo-2"])


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from click.testing import CliRunner; from bridge.entrypoints.cli import cli;"
        "result = CliRunner().invoke(cli, ['--help']); assert result.exit_code == 0, result.output;"
        "heavy = {'litestar', 'sqlalchemy', 'psycopg', 'pydantic', 'httpx', 'aiohttp', 'phonenumbers', 'numpy',"
        " 'asyncio', 'msgspec', 'urllib.request'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
