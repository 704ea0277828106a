"""Names that ServiceTitan does not know are faults at their places, wherever a mirror is at hand."""

import json
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.types.json import Jsonb

from bridge import connectors
from bridge.domain.reference import (
    BUSINESS_UNIT,
    CALL_REASON,
    CAMPAIGN,
    CUSTOMER_FIELD,
    JOB_TYPE,
    LOCATION_FIELD,
    TAG_TYPE,
    ListEntry,
    ReferenceLists,
)
from bridge.entrypoints.cli import cli
from bridge.settings import Settings, load_texts
from bridge.settings.names import KINDS

CONNECTORS = (*connectors.kinds(), *connectors.ALIASES)
ONE = {
    CAMPAIGN: "Website", BUSINESS_UNIT: "HVAC Service", JOB_TYPE: "AC Repair", CALL_REASON: "Cancelled by Customer",
    TAG_TYPE: "VIP", CUSTOMER_FIELD: "Plan", LOCATION_FIELD: "Gate Code",
}  # fmt: skip
LISTS = ReferenceLists(
    is_loaded=True,
    entries={
        **{kind: (ListEntry(id=number, name=name),) for number, (kind, name) in enumerate(ONE.items(), start=1)},
        CUSTOMER_FIELD: (
            ListEntry(id=6, name="Plan", data_type="Dropdown", options=("Gold", "Silver")),
            ListEntry(id=60, name="Value", data_type="Numeric"),
        ),
        CAMPAIGN: (
            ListEntry(id=1, name="Website"), ListEntry(id=11, name="Old", active=False),
            ListEntry(id=12, name="Twice"), ListEntry(id=13, name="Twice"),
        ),
    },
)  # fmt: skip
HEAD = """\
tenants:
  acme:
    tenant_id: 7
    environment: simulator
    defaults: {campaign: Website, business_unit: 2, job_type: AC Repair, dismiss_reason: Cancelled by Customer}
    campaigns: {google: Website}
    services: {ac: AC Repair}
  beta: {tenant_id: 8, environment: simulator}
sources:
  crm:
    connector: generic
    tenant: acme
    unsigned: true
    booking: {campaign: Website}
    updates:
      fields: {plan: {custom_field: Plan}, gate: {custom_field: Gate Code, on: location}}
      tags: {vip: VIP}
rules:
  - name: r
    tenant: acme
    do:
      - create_booking: {campaign: "{{ inquiry.service }}", job_type: AC Repair}
      - set_custom_fields: {fields: {Plan: {value: gold}, Value: {value: 12}}}
      - change_tags: {add: [VIP], remove: ["{{ inquiry.note }}"]}
      - create_lead: {call_reason: Cancelled by Customer}
"""


def heads(text: str, lists: dict[str, ReferenceLists] | None = None) -> list[str]:
    given = {"acme": LISTS} if lists is None else lists
    found = load_texts({"c.yaml": text}, {}, kinds=CONNECTORS, mirror=lambda _: given)
    return [] if isinstance(found, Settings) else [str(fault).splitlines()[0] for fault in found]


def test_names_that_are_known_and_those_that_are_filled_in_later_are_fine() -> None:
    assert heads(HEAD) == []
    assert {kind for kind in KINDS} == set(ONE)


@pytest.mark.parametrize(
    ("was", "becomes", "expected"),
    [
        ("{campaign: Website, b", "{campaign: Websit, b", 'c.yaml:5:26: tenants.acme.defaults.campaign: no campaign is called "Websit"; did you mean "Website"?'),
        ("business_unit: 2", "business_unit: 3", 'c.yaml:5:50: tenants.acme.defaults.business_unit: no business unit is called "3"; there are HVAC Service'),
        ("dismiss_reason: Cancelled by Customer", "dismiss_reason: Gone", 'tenants.acme.defaults.dismiss_reason: no call reason is called "Gone"'),
        ("google: Website", "google: Old", 'tenants.acme.campaigns.google: campaign "Old" is not active'),
        ("google: Website", "google: Twice", 'tenants.acme.campaigns.google: "Twice" means 2 records (campaign); write the id of one: 12, 13'),
        ("ac: AC Repair", "ac: AC Repare", 'tenants.acme.services.ac: no job type is called "AC Repare"; did you mean "AC Repair"?'),
        ("booking: {campaign: Website}", "booking: {campaign: W}", 'c.yaml:14:25: sources.crm.booking.campaign: tenant acme: no campaign is called "W"'),
        ("custom_field: Plan", "custom_field: Gate Code", 'sources.crm.updates.fields.plan.custom_field: tenant acme: no custom field of customers is called "Gate Code"'),
        ("custom_field: Gate Code", "custom_field: Plan", 'sources.crm.updates.fields.gate.custom_field: tenant acme: no custom field of locations is called "Plan"'),
        ("vip: VIP", "vip: VIPP", 'sources.crm.updates.tags.vip: tenant acme: no tag is called "VIPP"; did you mean "VIP"?'),
        ("Plan: {value: gold}", "Plam: {value: gold}", 'c.yaml:23:38: rules.0.do.1.set_custom_fields.fields.Plam: tenant acme: no custom field of customers is called "Plam"; did you mean "Plan"?'),
        ("value: gold", "value: Platinum", 'custom field "Plan" (Dropdown) does not take "Platinum"; it takes Gold, Silver'),
        ("value: 12", "value: many", 'custom field "Value" (Numeric) does not take "many"; it takes numbers'),
        ("add: [VIP]", "add: [VIP, Nix]", 'c.yaml:24:34: rules.0.do.2.change_tags.add.1: tenant acme: no tag is called "Nix"'),
        ("{call_reason: Cancelled by Customer}", "{call_reason: Nix}", 'rules.0.do.3.create_lead.call_reason: tenant acme: no call reason is called "Nix"'),
    ],
)  # fmt: skip
def test_a_name_nobody_knows_is_a_fault_at_its_place(was: str, becomes: str, expected: str) -> None:
    assert was in HEAD
    (found,) = heads(HEAD.replace(was, becomes, 1))
    assert expected in found


def test_a_rule_for_everybody_names_what_each_tenant_has() -> None:
    everybody = HEAD.replace("    tenant: acme\n    do:", "    do:")
    other = ReferenceLists(is_loaded=True, entries={**LISTS.entries, TAG_TYPE: ()})
    (found,) = heads(everybody, {"acme": LISTS, "beta": other})
    assert 'rules.0.do.2.change_tags.add.0: tenant beta: no tag is called "VIP"; there is none at all' in found
    assert heads(everybody, {}) == []


def test_check_looks_names_up_in_the_mirror_that_is_at_hand(
    database_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(database_dsn) as connection:
        for number, (kind, name) in enumerate([*ONE.items(), (CUSTOMER_FIELD, "Value")], start=1):
            connection.execute(
                "INSERT INTO mirrored_lists (tenant_id, kind, id, name, active, data) VALUES (7, %s, %s, %s, true, %s)",
                [kind, number, name, Jsonb({})],
            )
    (tmp_path / "c.yaml").write_text(HEAD.replace("google: Website", "google: Nowhere"))
    monkeypatch.setenv("DATABASE_URL", database_dsn)
    ran = CliRunner().invoke(cli, ["check", str(tmp_path), "--json"])
    told = json.loads(ran.stdout)
    assert ran.exit_code == 1
    assert [(fault["line"], fault["path"]) for fault in told["faults"]] == [(6, "tenants.acme.campaigns.google")]
    assert told["looked_at"] == {"secrets": False, "names": ["acme"]}
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    ran = CliRunner().invoke(cli, ["check", str(tmp_path)])
    assert (ran.exit_code, "no mirror at hand" in ran.stderr) == (0, True)
