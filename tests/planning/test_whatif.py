"""`bridge plan`: another config over the same deliveries, its differences counted, twice the same bytes, nothing written."""

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from bridge.db.database import Database
from bridge.domain.ids import DeliveryId
from bridge.entrypoints import whatif, whatif_helpers
from bridge.entrypoints.cli import cli
from bridge.operations.deliveries import replay
from tests.planning.facts import NOW
from tests.planning.house import ACT, CONFIG, TENANT, House, settings_of

RULES = """rules:
  - name: urgent
    when: '"heat" in inquiry.message'
    do: [{create_booking: {priority: Urgent}}]
  - name: spam
    when: '"seo" in inquiry.message'
    do: [{ignore: spam}]
  - name: odd
    when: '"prank" in inquiry.message'
    do: [{hold: is it real?}]
  - name: broken
    when: '"boom" in inquiry.message and 1 / 0'
    do: [{ignore: never}]
"""


class Counting:
    """Helpers, and how many deliveries they were given each time."""

    def __init__(self, helpers: whatif.Helpers) -> None:
        self._helpers = helpers
        self.pages: list[int] = []

    async def page(self, dsn: str, moment: str, ids: Sequence[DeliveryId]) -> whatif.Page:
        self.pages.append(len(ids))
        return await self._helpers.page(dsn, moment, ids)


def lead(message: str, phone: str) -> dict[str, Any]:
    return {"name": "Ann Lee", "phone": phone, "message": message}


@pytest.fixture
async def house(database: Database) -> House:
    house = await House(database, settings_of()).open()
    for number, message in enumerate(["no heat", "more heat", "seo offer", "prank call", "boom", "drain"]):
        await house.arrive("web", lead(message, f"(512) 555-01{number:02}"))
    await house.decide()
    return house


async def test_the_differences_are_counted_and_named(house: House) -> None:
    tables = ("decisions", "effects", "holds", "config_versions", "delivery_queue")
    before = [await house.rows(f"SELECT count(*) FROM {table}") for table in tables]
    found = await whatif.compare(house.database, TENANT, settings_of(), settings_of(RULES), since=None)
    assert (found.deliveries, found.inquiries) == (6, 6)
    assert found.counts == {
        "would get no create booking": 3,
        "get another priority": 2,
        "would be held (held_by_rule)": 1,
        "would end as ignored_by_rule, not processed": 1,
        "would end as rule_failed, not processed": 1,
    }
    assert len(found.changes) == 5
    assert found.changes[0].differences == ("get another priority",)
    assert before == [await house.rows(f"SELECT count(*) FROM {table}") for table in tables]


async def test_two_runs_are_the_same_bytes_and_no_change_is_none(house: House) -> None:
    old, new = settings_of(), settings_of(RULES)
    first, second = [await whatif.compare(house.database, TENANT, old, new, since=None) for _ in range(2)]
    assert msgspec.json.encode(first) == msgspec.json.encode(second)
    assert not (await whatif.compare(house.database, TENANT, old, settings_of(), since=None)).changes
    assert b"Ann" not in msgspec.json.encode(first)
    assert b"555" not in msgspec.json.encode(first)


async def test_processes_that_share_the_work_change_no_byte_of_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = settings_of(), settings_of(RULES)
    alone = await whatif.compare(house.database, TENANT, old, new, since=None)
    monkeypatch.setattr(whatif, "_BATCH", 2)
    monkeypatch.setattr(whatif_helpers, "_cores", lambda: 3)
    with whatif_helpers.processes(TENANT, old, new) as helpers:
        assert helpers is not None
        counting = Counting(helpers)
        shared = await whatif.compare(house.database, TENANT, old, new, since=None, helpers=counting)
    assert counting.pages == [2, 2, 2]
    assert msgspec.json.encode(shared) == msgspec.json.encode(alone)
    monkeypatch.setattr(whatif_helpers, "_cores", lambda: 1)
    with whatif_helpers.processes(TENANT, old, new) as nobody:
        assert nobody is None


async def test_what_comes_while_it_runs_is_in_none_of_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """All pages see the moment at which the first was read, whichever process reads them."""
    monkeypatch.setattr(whatif, "_BATCH", 2)
    monkeypatch.setattr(whatif, "_GIVEN", 1)
    monkeypatch.setattr(whatif_helpers, "_cores", lambda: 2)
    old, new = settings_of(), settings_of(RULES)

    class Arriving(Counting):
        async def page(self, dsn: str, moment: str, ids: Sequence[DeliveryId]) -> whatif.Page:
            await house.arrive("web", lead("no heat", "(512) 555-0177"))
            return await super().page(dsn, moment, ids)

    with whatif_helpers.processes(TENANT, old, new) as helpers:
        assert helpers is not None
        found = await whatif.compare(house.database, TENANT, old, new, since=None, helpers=Arriving(helpers))
    assert found.deliveries == 6
    assert (await whatif.compare(house.database, TENANT, old, new, since=None)).deliveries == 9


async def test_thresholds_mappings_and_sources_count_too(house: House) -> None:
    await house.mirror(100, "Ann Lee", phone="(512) 555-0100")
    shadow = settings_of(config=CONFIG.replace("America/Chicago", "America/Chicago\n    thresholds: {shadow: true}"))
    found = await whatif.compare(house.database, TENANT, settings_of(), shadow, since=None)
    assert set(found.counts) <= {"would not be sure enough to write to the customer"}
    gone = CONFIG.replace("  web: {connector: generic, tenant: acme, unsigned: true}\n", "")
    found = await whatif.compare(house.database, TENANT, settings_of(), settings_of(config=gone), since=None)
    assert found.counts == {"would ask for nothing: source_unknown": 6}
    moved = CONFIG.replace("tenant_id: 7", "tenant_id: 8")
    found = await whatif.compare(house.database, TENANT, settings_of(), settings_of(config=moved), since=None)
    assert found.counts == {"would ask for nothing: source_unknown": 6}
    abroad = CONFIG.replace("America/Chicago", "America/Chicago\n    phone_region: GB")
    found = await whatif.compare(house.database, TENANT, settings_of(), settings_of(config=abroad), since=None)
    assert found.deliveries == 6


async def test_the_command_prints_counts_and_the_way_to_each_explanation(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(CONFIG)
    new.write_text(CONFIG + RULES)
    monkeypatch.setenv("BRIDGE_CONFIG", str(old))
    monkeypatch.setenv("DATABASE_URL", house.database.dsn)

    async def run(*arguments: str) -> Any:
        return await asyncio.to_thread(CliRunner().invoke, cli, list(arguments))

    told = await run("plan", str(new), "--since", "all")
    assert told.exit_code == 0, told.output
    assert told.output.startswith(
        "of 6: 3 would get no create booking, 2 get another priority, 1 would be held (held_by_rule), "
    )
    assert "\nweb 1: gets another priority\n" in told.output
    assert f"bridge explain 1 --config {new}\n" in told.output
    of_tenant = await run("plan", str(new), "--since", "all", "--tenant", "acme")
    assert f"bridge explain 1 --config {new} --tenant acme\n" in of_tenant.output
    assert told.output == (await run("plan", str(new), "--since", "all")).output
    assert (await run("plan", str(old), "--since", "all", "--fail-on-change")).exit_code == 0
    failed = await run("plan", str(new), "--since", "all", "--fail-on-change", "--json")
    assert failed.exception is not None
    assert json.loads(failed.output)["deliveries"] == 6
    explained = await run("explain", "1", "--config", str(new))
    assert "✓ urgent" in explained.output, explained.output
    assert '- spam  not so: "seo" in inquiry.message  new.yaml:19\n' in explained.output
    assert "person.phones.0          (512) 555-0100  from phone\n" in explained.output
    assert 'priority               Urgent  from rule "urgent" (new.yaml:16)\n' in explained.output
    held = (await run("explain", "4", "--config", str(new))).output
    assert "waits for a person: held_by_rule is it real? (rule odd)\n  … after a yes: create_booking" in held
    assert held.count("POST http") == 1
    assert '"priority": "Urgent"' in explained.output
    assert "POST http://127.0.0.1:8377/crm/v2/tenant/7/booking-provider/501/bookings" in explained.output
    inquiry = json.loads((await run("explain", "1", "--json")).output)["inquiries"][0]
    ((key, (request,)),) = inquiry["requests"].items()
    assert request["body"]["externalId"] == key
    assert request["body"]["contacts"][0]["value"] == "(512) 555-0100"


async def test_a_dry_run_of_a_replay_says_what_all_that_a_search_finds_would_become(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    place = tmp_path / "c.yaml"
    place.write_text(CONFIG)
    monkeypatch.setenv("BRIDGE_CONFIG", str(place))
    monkeypatch.setenv("DATABASE_URL", house.database.dsn)

    async def dry(*arguments: str) -> Any:
        return await asyncio.to_thread(CliRunner().invoke, cli, ["replay", *arguments, "--dry-run"])

    told = await dry("source:web")
    assert told.output.startswith(
        "of 6: 6 would be decided as before, 0 differently\n"
        "      6 create booking: known already (ready): left as it is\n"
    )
    place.write_text(CONFIG + RULES)
    told = await dry("source:web")
    assert told.output.startswith("of 6: 1 would be decided as before, 5 differently\n")
    assert "1: It gets another priority.\n        bridge replay 1 --dry-run\n" in told.output
    assert (await dry("1")).output.startswith("It gets another priority.\n  create booking: known already with other")
    assert "create booking: new: it will be sent" in (await dry("1", "--force", "--reason", "lost there")).output
    assert (await dry("1", "--force")).exit_code != 0
    changes = json.loads((await dry("source:web", "--json")).output)["changes"]
    assert [bool(change["differences"]) for change in changes].count(True) == 5
    assert not await house.rows("SELECT 1 FROM delivery_queue")


async def test_what_an_inquiry_joined_when_it_came_it_joins_still_and_what_came_later_is_not_seen(
    database: Database,
) -> None:
    house = await House(database, settings_of()).open()
    for hours in (0, 1, 100):
        at = NOW + timedelta(hours=hours)
        await house.arrive("web", lead("no heat", "(512) 555-0100"), at=at)
        await house.decide(at=at)
    old, new = settings_of(), settings_of(RULES)
    found = await whatif.compare(database, TENANT, old, new, since=None)
    assert [change.delivery for change in found.changes] == [1, 3]
    assert found.counts == {"get another priority": 2}
    async with database.begin() as tx:
        await tx.execute("DELETE FROM open_asks")  # as the janitor does when their windows are over
        await tx.execute(
            "INSERT INTO mirrored_bookings (tenant_id, id, status, active, external_id, modified_on)"
            " SELECT tenant_id, id, 'Dismissed', true, replace(key::text, '-', ''), now() FROM effects"
        )
    assert await whatif.compare(database, TENANT, old, new, since=None) == found
    short = settings_of(config=CONFIG.replace("America/Chicago", "America/Chicago\n    dedup_window_hours: 0.5"))
    apart = await whatif.compare(database, TENANT, old, short, since=None)
    assert [change.delivery for change in apart.changes] == [2]
    assert "would get create booking" in apart.counts


async def test_a_replay_after_the_window_joins_what_it_joined(database: Database) -> None:
    house = await House(database, settings_of()).open()
    for hours in (0, 1):
        await house.arrive("web", lead("no heat", "(512) 555-0100"), at=NOW + timedelta(hours=hours))
        await house.decide(at=NOW + timedelta(hours=hours))
    made = await house.effects()
    async with database.begin() as tx:
        await tx.execute("DELETE FROM open_asks")
    await replay(database, ACT, tenant_id=TENANT, delivery_id=DeliveryId(2))
    await house.decide(at=NOW + timedelta(hours=200))
    first, again = await house.plans(DeliveryId(2))
    assert first.joins is not None
    assert again.joins == first.joins
    assert await house.effects() == made


async def test_a_replay_does_not_join_what_was_asked_for_later(database: Database) -> None:
    house = await House(database, settings_of()).open()
    for hours in (0, 100):
        await house.arrive("web", lead("no heat", "(512) 555-0100"), at=NOW + timedelta(hours=hours))
        await house.decide(at=NOW + timedelta(hours=hours))
    made = await house.effects()
    await replay(database, ACT, tenant_id=TENANT, delivery_id=DeliveryId(1))
    await house.decide(at=NOW + timedelta(hours=101))
    assert [plan.joins for plan in await house.plans(DeliveryId(1))] == [None, None]
    assert await house.effects() == made
