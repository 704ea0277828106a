"""`bridge st` from a shell, against a simulator in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from bridge.entrypoints.cli.exits import Exit, Stop
from bridge.entrypoints.cli.st import st
from bridge.servicetitan.operations import OPERATIONS
from bridge.simulator import defaults

CONFIG = """
tenants:
  acme:
    tenant_id: 1000001
    environment: simulator
    simulator_url: {origin}
sources: {{}}
"""
ADDRESS = {"street": "12 Oak St", "city": "Austin", "state": "TX", "zip": "78701", "country": "USA"}
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    command = [sys.executable, "-u", "-m", "bridge", "simulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        found = next((word for line in process.stdout for word in line.split() if word.startswith("http://")), "")
        assert found, "the simulator never said where it listens"
        yield found.rstrip("/.,")
        process.terminate()
        process.stdout.read()


@pytest.fixture
def run(origin: str, tmp_path: Path) -> Run:
    (tmp_path / "bridge.yaml").write_text(CONFIG.format(origin=origin))

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(st, arguments, env={**os.environ, "BRIDGE_CONFIG": str(tmp_path)})

    return invoke


@pytest.fixture(scope="module")
def pat(origin: str) -> int:
    """A customer that is there, made by a foreign client."""
    client = {"client_id": defaults.DEMO_CLIENT_ID, "client_secret": defaults.DEMO_CLIENT_SECRET}
    token = httpx.post(f"{origin}/connect/token", data={"grant_type": "client_credentials", **client}).json()
    made = httpx.post(
        f"{origin}/crm/v2/tenant/1000001/customers",
        headers={"authorization": f"Bearer {token['access_token']}", "st-app-key": defaults.DEMO_APP_KEY},
        json={
            "name": "Pat Example",
            "address": ADDRESS,
            "locations": [{"name": "Home", "address": ADDRESS}],
            "contacts": [{"type": "MobilePhone", "value": "5125550142"}],
        },
    )
    return int(made.json()["id"])


def test_a_customer_is_found_by_phone(run: Run, pat: int) -> None:
    found = run("customers", "find", "--phone", "5125550142")
    assert found.exit_code == Exit.FINE, found.output
    assert found.output.splitlines()[0].startswith(f"{pat}  ")
    assert "Pat Example" in found.output


def test_json_has_the_names_of_the_api(run: Run, pat: int) -> None:
    answer = json.loads(run("customers", "get", str(pat), "--tenant", "acme", "--json").output)
    assert (answer["id"], answer["doNotMail"]) == (pat, False)


def test_leads_without_a_customer_are_listed_by_status(run: Run) -> None:
    listed = run("leads", "list", "--status", "open", "--without-customer")
    assert (listed.exit_code, listed.output) == (Exit.FINE, "0 rows\n")


def test_every_page_is_read(run: Run) -> None:
    some = run("campaigns", "list", "--page-size", "2")
    every = run("campaigns", "list", "--page-size", "2", "--all")
    assert "2 rows, more to come" in some.output
    assert len(every.output.splitlines()) > 3


def test_a_feed_says_where_to_go_on(run: Run, pat: int) -> None:
    shown = run("exports", "customers", "--include-recent-changes")
    assert str(pat) in shown.output
    assert "continue with --from " in shown.output


def test_a_missing_record_says_so_with_its_remedy(run: Run) -> None:
    missing = run("bookings", "get", "4242")
    assert isinstance(missing.exception, Stop)
    assert missing.exception.code is Exit.PROBLEMS
    assert missing.exception.message.startswith("not_found: ")


def test_a_tenant_nobody_configured_is_a_usage_error(run: Run) -> None:
    wrong = run("bookings", "get", "1", "--tenant", "acmee")
    assert isinstance(wrong.exception, Stop)
    assert (wrong.exception.code, wrong.exception.message) == (Exit.USAGE, "--tenant is one of acme, not acmee")


def test_every_read_is_a_command_and_no_write_is() -> None:
    for operation in OPERATIONS.values():
        family, _, name = operation.name.replace("_", "-").partition(".")
        shown = CliRunner().invoke(st, [family, name, "--help"])
        assert (shown.exit_code == 0) == operation.is_read, shown.output
