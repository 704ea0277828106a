"""`bridge test`: cases of a config beside it, what they say where something differs, and what is wrong with a case."""

import json
import os
import shutil
from pathlib import Path

import jsonschema_rs
import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from bridge.entrypoints.cli import cli

pytestmark = pytest.mark.pure
SAMPLE = Path(__file__).parents[2] / "config"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a copy of the sample config without its tests."""
    for path in SAMPLE.glob("*.yaml"):
        shutil.copy(path, tmp_path)
    (tmp_path / "tests").mkdir()
    return tmp_path


def run(config: Path, text: str, *more: str) -> Result:
    """Run one file of cases."""
    (config / "tests" / "t.yaml").write_text(text, encoding="utf-8")
    return CliRunner().invoke(cli, ["test", str(config), *more])


CASE = """tests:
  - name: No heat
    source: lakeside-website
    body: {type: lead.created, data: {name: Dana Example, phone: (512) 555-0123, message: No heat}}
"""


def test_the_sample_config_passes_its_own_tests() -> None:
    result = CliRunner().invoke(cli, ["test", str(SAMPLE)])
    assert result.exit_code == 0, result.output
    assert "6 tests: 6 pass" in result.output


def test_a_changed_rule_fails_the_case_that_knows_it(config: Path) -> None:
    shutil.copy(SAMPLE / "tests" / "leads.yaml", config / "tests")
    rules = config / "rules.yaml"
    rules.write_text(rules.read_text().replace("Urgent", "High"))
    result = CliRunner().invoke(cli, ["test", str(config)])
    assert result.exit_code == 1
    assert 'leads.yaml:19:23: commands.0.create_booking.priority: expected "Urgent", got "High"' in result.output
    assert "6 tests: 5 pass, 1 fail" in result.output


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ("commands: []", "t.yaml:5:24: commands: expected nothing, got create_booking (processed)"),
        ("commands: [add_note]", "commands: expected add_note, got create_booking"),
        ("held: booking_incomplete", 'held: expected ["booking_incomplete"], got []'),
        ("reason: duplicate_ask", 'reason: expected "duplicate_ask", got "processed"'),
        ("asks_nothing: event_ignored", 'asks_nothing: expected "event_ignored", got "nothing of that kind"'),
        ("refused: payload_malformed", 'refused: expected "payload_malformed"'),
        ("inquiry: {message: Leak}", 'inquiry.message: expected "Leak", got "No heat"'),
        ("inquiry: {person: {phone: x}}", 'inquiry.person.phone: is not there; did you mean "phones"?'),
        ("inquiry: {type: activity}", 'inquiry.type: expected "activity", got "booking_inquiry"'),
        ("commands: [create_booking: {summary: {contains: gate}}]", "expected a text with 'gate'"),
        ("commands: [create_booking: {is_first_time_client: 1}]", "is_first_time_client: expected 1, got true"),
        ("comands: []", 'unknown key; did you mean "commands"?'),
        ("commands: [create_boking]", 'nothing is called "create_boking"; did you mean "create_booking"?'),
        ("commands: [create_booking: {prioritty: x}]", 'unknown key; did you mean "priority"?'),
        ("held: [booking_incomplet]", 'did you mean "booking_incomplete"?'),
        ("inquiry: {mesage: x}", 'did you mean "message"?'),
    ],
)
def test_what_differs_and_what_is_wrong_is_named_at_its_place(config: Path, expect: str, said: str) -> None:
    result = run(config, CASE + f"    expect: {{{expect}}}\n")
    assert result.exit_code == 1
    assert said in result.output
    assert "t.yaml:5:" in result.output


def test_every_fault_of_a_file_is_said_at_once(config: Path) -> None:
    result = run(
        config,
        CASE.replace("lakeside-website", "lakeside-websit")
        + "    knwon: nobody\n    headers: x\n    received_at: yesterday\n    expect: {reason: processed}\n"
        + "  - {name: second, source: hilltop-website, known: somebody}\n",
    )
    assert result.exit_code == 1
    for said in (
        't.yaml:3:13: tests.0.source: nothing is called "lakeside-websit"; did you mean "lakeside-website"?',
        't.yaml:5:5: tests.0.knwon: unknown key; did you mean "known"?',
        "tests.0.headers: must be a block",
        "tests.0.received_at: is no moment",
        "tests.1.expect: is required",
        "say either `body` or `file`",
        'tests.1.known: nothing is called "somebody"; did you mean "nobody"?',
    ):
        assert said in result.output
    assert "0 tests: 0 pass, 0 fail" in result.output


def test_who_is_known_decides_what_is_written(config: Path) -> None:
    sources = config / "sources.yaml"
    sources.write_text(
        sources.read_text()
        + "  crm: {connector: generic, tenant: lakeside, unsigned: true, options: {ask: contact, record: id},"
        " updates: {fields: {plan: {custom_field: Plan}}}}\n"
    )
    body = "    source: crm\n    body: {id: '7', phone: (512) 555-0123, plan: Gold}\n"
    told = run(
        config,
        f"tests:\n  - name: new value\n{body}"
        "    known: {customer_id: 100, phones: ['5125550123'], fields: {Plan: Silver}}\n"
        "    expect: {commands: [set_custom_fields: {target: 100}]}\n"
        f"  - name: same value\n{body}"
        "    known: {customer_id: 100, phones: ['5125550123'], fields: {Plan: Gold}}\n"
        "    expect: {commands: []}\n"
        f"  - name: a guess\n{body}"
        "    known: several\n"
        "    expect: {commands: [], held: match_ambiguous}\n",
        "--json",
    )
    assert json.loads(told.output)["ok"], told.output


def test_a_folder_without_tests_does_not_pass(config: Path) -> None:
    result = CliRunner().invoke(cli, ["test", str(config)])
    assert result.exit_code == 1


def test_the_published_schema_of_test_files_is_the_code_s_and_takes_what_reading_takes() -> None:
    root = Path(__file__).parents[2]
    page = root / "docs" / "bridge-tests.schema.json"
    if os.environ.get("BRIDGE_WRITE_PAGES"):
        CliRunner().invoke(cli, ["schema", "--tests", "--out", str(page)])
    published = json.loads(page.read_text())
    assert json.loads(CliRunner().invoke(cli, ["schema", "--tests"]).output) == published
    validator = jsonschema_rs.validator_for(published)
    for path in (root / "config" / "tests").glob("*.yaml"):
        text = path.read_text()
        assert text.startswith("# yaml-language-server: $schema=../../docs/bridge-tests.schema.json\n")
        plain = YAML(typ="safe", pure=True).load(text)
        assert list(validator.iter_errors(plain)) == []
        for wrong in ({"sorce": "x"}, {"expect": {"reason": "procesed"}}, {"file": "a.json"}, {"known": "many"}):
            first = {**plain["tests"][0], **wrong}
            assert not validator.is_valid({"tests": [first]}), wrong
        commands = [{"create_booking": {"campain": "x"}}]
        assert not validator.is_valid({"tests": [{**plain["tests"][0], "expect": {"commands": commands}}]})
