"""Every fault of a config is named at once, at its exact place, with a guess at what was meant."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge import connectors
from bridge.bootstrap import load_settings, source_faults
from bridge.entrypoints.cli import cli
from bridge.settings import ConfigInvalid, Fault, Settings, files_of, load, load_texts, version_of

KINDS = (*connectors.kinds(), *connectors.ALIASES)
TENANT = "tenants:\n  acme: {tenant_id: 7, environment: simulator}\n"
SOURCE = "sources:\n  web: {connector: typeform, tenant: acme, secrets: [{env: KEY}]}\n"


def source(line: str) -> str:
    """A config whose eighth line, from column 5 on, is the given one."""
    return f"{TENANT}sources:\n  web:\n    connector: typeform\n    tenant: acme\n    secrets: [{{env: KEY}}]\n    {line}\n"


def faults(text: str, environ: Mapping[str, str] | None = None) -> tuple[Fault, ...]:
    found = load_texts({"bridge.yaml": text}, {"KEY": "a-key"} if environ is None else environ, kinds=KINDS)
    return () if isinstance(found, Settings) else found


def heads(text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    return [str(fault).splitlines()[0] for fault in faults(text, environ)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "tenants:\n  acme: {tenant_id: 7, enviroment: simulator, environment: simulator}\n" + SOURCE,
            'bridge.yaml:2:24: tenants.acme.enviroment: unknown key; did you mean "environment"?',
        ),
        (
            TENANT + "sources:\n  web: {connector: typform, tenant: acme, secrets: [{env: KEY}]}\n",
            'bridge.yaml:4:20: sources.web.connector: no connector is called "typform"; did you mean "typeform"?',
        ),
        (
            TENANT + "sources:\n  web: {connector: typeform, tenant: acm, secrets: [{env: KEY}]}\n",
            'bridge.yaml:4:38: sources.web.tenant: no tenant is called "acm"; did you mean "acme"?',
        ),
        (
            TENANT + SOURCE.replace("}\n", "\n    , defaults: {zip: 07030}}\n"),
            "bridge.yaml:5:23: sources.web.defaults.zip: YAML reads this as the number 7030; put it in quotes",
        ),
        (
            source("on: x"),
            "bridge.yaml:8:5: sources.web.on: unknown key; known are ",
        ),
        (
            source("title: 12"),
            "bridge.yaml:8:12: sources.web.title: YAML reads this as the number 12; put it in quotes",
        ),
        (
            source("book_tests: yes"),
            'bridge.yaml:8:17: sources.web.book_tests: YAML 1.2 reads yes as the text "yes"; write true',
        ),
        (
            source('map: {zip: "zip | trm"}'),
            'bridge.yaml:8:23: sources.web.map.zip: unknown filter "trm"; did you mean "trim"?',
        ),
        (
            source('map: {zip: ""}'),
            "bridge.yaml:8:16: sources.web.map.zip: is mapped to nothing",
        ),
        (
            "tenants:\n  acme: {environment: simulator}\n" + SOURCE,
            "bridge.yaml:2:3: tenants.acme.tenant_id: is required",
        ),
        (
            TENANT + SOURCE + "rules:\n  - name: a\n    when: inqury.kind == 'x'\n    do: [{never: [add_note]}]\n",
            'bridge.yaml:7:11: rules.0.when: nothing is called "inqury" here; did you mean "inquiry"?',
        ),
        (
            TENANT + SOURCE + 'rules:\n  - name: a\n    when: match.kind == "matchd"\n    do: [{never: [add_note]}]\n',
            'bridge.yaml:7:26: rules.0.when: match.kind is never "matchd"; did you mean "matched"?',
        ),
        (
            TENANT + SOURCE + "rules:\n  - name: a\n    when: 1 == 2\n    do: [{never: [add_note]}]\n",
            "bridge.yaml:7:11: rules.0.when: is never true",
        ),
        (
            TENANT
            + SOURCE
            + "rules:\n  - name: a\n    do: [{never: [add_note]}]\n"
            + '  - name: b\n    when: match.kind == "matched"\n    do: [{add_note: {text: hi}}]\n',
            'bridge.yaml:8:5: rules.1: never gets its turn: "a" before it always fits first',
        ),
        (
            TENANT + SOURCE + 'rules:\n  - name: a\n    do: [{create_booking: {summary: "{{ inquiry.mesage }}"}}]\n',
            'bridge.yaml:7:49: rules.0.do.0.create_booking.summary: inquiry has no "mesage"; did you mean "message"?',
        ),
        (
            source("map: {message: paylod.text}"),
            'bridge.yaml:8:20: sources.web.map.message: nothing is called "paylod" here; did you mean "payload"?',
        ),
        (
            source("map: {person.zip: postcode}"),
            'bridge.yaml:8:23: sources.web.map.person.zip: nothing is called "postcode" here; write payload.postcode, or a text',
        ),
        (TENANT + TENANT.replace("tenants:\n", "") + SOURCE, "bridge.yaml:3:3: tenants.acme: stands here a second time; first in line 2"),
        ("tenants: [\n", "bridge.yaml:2:1: this is no YAML:"),
        (
            TENANT.replace("simulator}", "production}") + SOURCE,
            "bridge.yaml:2:9: tenants.acme.credentials: is required in this environment; write `credentials: {",
        ),
    ],
)  # fmt: skip
def test_a_fault_stands_at_its_place(text: str, expected: str) -> None:
    found = heads(text)
    assert any(head.startswith(expected) for head in found), found


def test_all_faults_come_at_once_with_line_and_caret() -> None:
    text = (
        "tenants:\n  acme: {tenant_id: x, environment: simulatr}\n"
        "sources:\n  web:\n    connector: typform\n    tenant: acm\n    secrets: [{env: UNSET}]\n"
        "    map: {zip: 'zip | trm'}\n"
        "rules:\n  - name: a\n    when: inqury.kind == 'x'\n    do: [{create_boking: {}}]\n"
    )
    found = faults(text, {})
    assert [fault.place.line for fault in found] == [2, 2, 5, 6, 7, 8, 11, 12]
    for fault in found:
        line, caret = str(fault).splitlines()[1:]
        assert line.strip()
        assert caret.index("^") - 4 == fault.place.column - 1


def test_a_field_that_is_none_is_named_with_the_one_that_may_be_meant() -> None:
    text = source("map: {mesage: payload.text, person.frist_name: payload.name}")
    found = load_texts({"bridge.yaml": text}, {"KEY": "k3y"}, kinds=KINDS, inspect=source_faults)
    assert isinstance(found, tuple)
    assert [str(fault).splitlines()[0] for fault in found] == [
        'bridge.yaml:8:11: sources.web.map.mesage: no such field; did you mean "message"?',
        'bridge.yaml:8:33: sources.web.map.person.frist_name: no such field; did you mean "given_name"?',
    ]


def test_one_fault_hides_no_other() -> None:
    """Each block here has a key that cannot be read or that is missing, and faults of other kinds beside it."""
    text = (
        "tenants:\n"
        "  acme:\n    tenant_id: 7\n    environment: production\n    time_zone: America/Chicgo\n"
        "    campaigns:\n      google:\n      bing: Bing\n    business_hours: {sat: 8-17}\n"
        "  beta: {tenant_id: 7, environment: simulator, phone_region: us}\n"
        "sources:\n"
        "  web:\n    connector: standard-webhooks\n    secrets: [{env: KEY}]\n    titel: Web\n"
        "    map: {bogus: payload.name, zip: \"'' | lower\"}\n    updates: {fields: {lang: {custom_field: ''}}}\n"
        "  form: {connector: typeform, tenant: beta, secrets: [{env: KEY}]}\n"
        "worker: {http_seconds: 200}\n"
        "rules:\n"
        "  - name: a\n    tenant: acme\n    source: form\n    do: [{create_boking: {}}]\n"
        "  - just a text\n"
        "  - name: c\n    when: tenant.name == 'betta'\n    do: [{create_booking: {}}, {never: [create_booking]}]\n"
        "\t- name: d\n"
    )
    found = load_texts({"bridge.yaml": text}, {"KEY": "k3y"}, kinds=KINDS, inspect=source_faults, read_secrets=False)
    assert isinstance(found, tuple)
    assert [
        (fault.place.line, fault.place.column, fault.path, fault.message.partition(":")[0][:48]) for fault in found
    ] == [
        (3, 5, "tenants.acme.credentials", "is required in this environment"),
        (3, 5, "tenants.acme.booking_provider", "is required in this environment"),
        (5, 16, "tenants.acme.time_zone", "'America/Chicgo' is no time zone; write one like"),
        (7, 7, "tenants.acme.campaigns.google", "is mapped to nothing"),
        (9, 27, "tenants.acme.business_hours.sat", 'must be opening hours like "08'),
        (10, 21, "tenants.beta.tenant_id", 'is the tenant id of "acme" too'),
        (10, 62, "tenants.beta.phone_region", "must be two capital letters, like US"),
        (12, 3, "sources.web.tenant", "is required"),
        (15, 5, "sources.web.titel", "unknown key"),
        (16, 11, "sources.web.map.bogus", "no such field; known are address, campaign, chan"),
        (16, 37, "sources.web.map.zip", "is mapped to nothing"),
        (17, 45, "sources.web.updates.fields.lang.custom_field", "is mapped to nothing"),
        (19, 24, "worker.http_seconds", "must be less than lease_seconds"),
        (23, 13, "rules.0.source", "never fits"),
        (24, 11, "rules.0.do.0.create_boking", "unknown key"),
        (25, 5, "rules.1", "must be a block of `key"),
        (27, 27, "rules.2.when", 'tenant.name is never "betta"'),
        (28, 41, "rules.2.do.1.never.0", "create_booking is wanted by this same rule"),
        (29, 1, "", "is indented with a tab"),
        (29, 5, "rules.3.do", "is required"),
    ]


def test_a_fault_in_a_text_of_several_lines_stands_in_its_line() -> None:
    rules = (
        "rules:\n  - name: a\n    when: |\n      inquiry.message\n      and inquiry.mesage\n    do: [{never: [add_note]}]\n"
        "  - name: b\n    when: >-\n      inquiry.kind ==\n      'x'\n    do: [{never: [add_contact]}]\n"
        "  - name: c\n    do:\n      - create_booking:\n          priority: Urgnt\n          customer_type: '{{ inquiry.kind }}'\n"
        "          summary: |\n            Hello {{ inquiry.message }}\n            {{ inquiry.service | uper }}\n"
    )
    assert [head.partition(";")[0] for head in heads(TENANT + SOURCE + rules)] == [
        'bridge.yaml:9:19: rules.0.when: inquiry has no "mesage"',
        'bridge.yaml:14:8: rules.1.when: inquiry.kind is never "x"',
        'bridge.yaml:19:21: rules.2.do.0.create_booking.priority: there is no priority "Urgnt"',
        'bridge.yaml:23:34: rules.2.do.0.create_booking.summary: unknown filter "uper"',
    ]


def test_a_file_that_cannot_be_read_brings_no_faults_of_its_neighbours() -> None:
    found = load_texts({"a.yaml": "tenants: [\n", "b.yaml": SOURCE}, {"KEY": "k3y"}, kinds=KINDS)
    assert isinstance(found, tuple)
    assert [str(fault.place) for fault in found] == ["a.yaml:2:1"]


def test_an_unset_secret_stops_the_program_and_an_unread_one_does_not() -> None:
    assert heads(TENANT + SOURCE, {}) == [
        "bridge.yaml:4:60: sources.web.secrets.0.env: the environment variable KEY is not set"
    ]
    assert "holds a placeholder" in heads(TENANT + SOURCE, {"KEY": "changeme"})[0]
    assert "is empty" in heads(TENANT + SOURCE, {"KEY": " "})[0]
    asked = load_texts({"bridge.yaml": TENANT + SOURCE}, {}, kinds=KINDS, inspect=source_faults)
    assert isinstance(asked, tuple)
    assert [fault.path for fault in asked] == ["sources.web.secrets.0.env"]
    assert isinstance(load_texts({"bridge.yaml": TENANT + SOURCE}, {}, kinds=KINDS, read_secrets=False), Settings)


def test_no_repr_shows_a_secret() -> None:
    found = load_texts(
        {"bridge.yaml": TENANT + SOURCE},
        {"KEY": "hush-hush", "DATABASE_URL": "postgresql://u:pw-in-here@db/x"},
        kinds=KINDS,
    )
    assert isinstance(found, Settings)
    assert "hush-hush" not in repr(found)
    assert "pw-in-here" not in repr(found)


@pytest.mark.slow
def test_a_bomb_of_aliases_is_refused() -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    text += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    assert any("unfolds to more than" in head for head in heads(text))


def test_the_environment_overrides_and_is_named_in_faults() -> None:
    found = load_texts({"bridge.yaml": TENANT + SOURCE}, {"KEY": "k3y", "BRIDGE_PORT": "9000"}, kinds=KINDS)
    assert isinstance(found, Settings)
    assert found.server.port == 9000
    assert heads(TENANT + SOURCE, {"KEY": "k3y", "BRIDGE_PORT": "many"})[0].startswith(
        "environment variable BRIDGE_PORT: server.port: must be a whole number"
    )


def test_a_version_names_its_text_and_can_be_read_back(tmp_path: Path) -> None:
    files = {str(tmp_path / "tenants.yaml"): TENANT, str(tmp_path / "sources.yaml"): SOURCE}
    version = version_of(files)
    again = version_of(files_of(version.text))
    assert again == version
    assert version_of({**files, str(tmp_path / "sources.yaml"): SOURCE + "# more\n"}).hash != version.hash


def test_the_built_in_demo_and_the_sample_are_fine() -> None:
    assert isinstance(load(None, {}, kinds=KINDS), Settings)
    sample = Path(__file__).parents[2] / "config"
    found = load(sample, {}, kinds=KINDS, read_secrets=False)
    assert isinstance(found, Settings), found
    assert len(found.tenants) == 2
    assert len(found.sources) == 5


def test_the_published_schema_is_the_one_the_code_has() -> None:
    published = json.loads((Path(__file__).parents[2] / "docs" / "bridge.schema.json").read_text())
    printed = json.loads(CliRunner().invoke(cli, ["schema"]).output)
    assert printed == published
    first = [path.read_text().splitlines()[0] for path in sorted((Path(__file__).parents[2] / "config").glob("*.yaml"))]
    assert set(first) == {"# yaml-language-server: $schema=../docs/bridge.schema.json"}


@pytest.mark.parametrize("name", ["DATABASE_URL", "BRIDGE_DATABASE_URL"])
@pytest.mark.parametrize("address", ["u:hush@db/bridge", "mysql://u:hush@db/bridge", "postgresql://u:hush@[db/bridge"])
def test_an_address_of_no_database_is_a_fault_that_does_not_quote_its_password(name: str, address: str) -> None:
    with pytest.raises(ConfigInvalid) as found:
        load_settings(environ={name: address})
    assert str(found.value) == (
        f"environment variable {name}: is no address of PostgreSQL; write postgresql://user:password@host:5432/database"
    )


@pytest.mark.parametrize("address", ["postgresql://db/bridge", "postgres://u:p@a,b/bridge", "host=db dbname=bridge"])
def test_every_address_that_psycopg_takes_is_taken(address: str) -> None:
    assert load_settings(environ={"DATABASE_URL": address}).database_url == address
