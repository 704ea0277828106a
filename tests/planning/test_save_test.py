"""`bridge deliveries save-test`: a real delivery becomes a case that passes at once and holds nothing of its people."""

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bridge import connectors
from bridge.bootstrap import doors_of
from bridge.db.database import Database
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.ids import DeliveryId
from bridge.entrypoints.casework import cases
from bridge.entrypoints.casework.running import Bench
from bridge.entrypoints.casework.saving import Known, case_of
from bridge.entrypoints.cli import cli
from bridge.settings import Settings, load_texts
from tests.planning.facts import NOW
from tests.planning.house import CONFIG, House, settings_of

CASES = Path(__file__).parents[1] / "cases"
RULES = """rules:
  - name: urgent
    when: '"no heat" in inquiry.message | lower'
    do: [{create_booking: {priority: Urgent}}]
"""
LEAD = {
    "name": "Maria Lopez-Garcia",
    "phone": "+1 (512) 867-5309",
    "email": "maria.lopez@gmail.test",
    "address": "482 Elm Tree Ln, Round Rock TX 78664",
    "message": "No heat since Monday, call my husband Jorge at 512.222.3344 or jorge@lopez.test",
    "pets": "two dogs named Rex and Luna",
    "note_to_office": "Maria said the gate code is 4711",
    "utm_source": "google",
    "gclid": "Cj0KCQiAmaria",
    "referrer": "https://facebook.test/heather.lopez.3?u=77",
    "household": {"spouse": {"first": "Heather", "nick": "hetty"}, "members": ["Timothy", "Aunt Zoe"]},
    "dob": "1980-04-12",
    "ssn": "123-45-6789",
    "visitor": {"ip": "203.0.113.77", "lat": 30.2672, "id": 8675309},
    "custom": [{"label": "Employer", "value": "Initech"}],
}
PERSONAL = (
    "maria lopez garcia jorge 8675309 867-5309 5309 3344 gmail lopez.test elm 482 rock 78664 husband rex luna gate 4711 "
    "cj0kcq heather hetty timothy zoe 1980 6789 203.0.113 30.26 initech"
)


def told(saved: str) -> list[str]:
    """Return what of the person still stands there."""
    return [word for word in PERSONAL.split() if word in saved.casefold()]


async def test_a_real_delivery_becomes_a_test_without_its_people(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await House(database, settings_of(RULES)).open()
    await house.mirror(100, "Maria Lopez-Garcia", phone="(512) 867-5309", field="Gold")
    number = await house.arrive("web", LEAD)
    await house.decide()
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG + RULES)
    monkeypatch.setenv("BRIDGE_CONFIG", str(config))
    monkeypatch.setenv("DATABASE_URL", house.database.dsn)
    (tmp_path / "tests").mkdir()
    file = tmp_path / "tests" / "real.yaml"

    async def run(*arguments: str) -> Any:
        return await asyncio.to_thread(CliRunner().invoke, cli, list(arguments))

    saved = await run("deliveries", "save-test", str(number), "--to", str(file))
    assert saved.exit_code == 0, saved.output
    text = file.read_text()
    assert told(text) == [], text
    assert "priority: Urgent" in text  # the phrase its rule asks for stayed
    assert "202) 555-01" in text
    passed = await run("test", str(file), "--config", str(config))
    assert passed.exit_code == 0, passed.output + text
    assert (
        await run("deliveries", "save-test", str(number), "--to", str(file))
    ).exception is not None  # never over one
    assert (await run("deliveries", "save-test", "999")).exception is not None


def _every_case() -> list[Path]:
    return [one[0] for kind in sorted(CASES.iterdir()) if kind.is_dir() and (one := sorted(kind.glob("*.json")))]


@pytest.mark.slow
@pytest.mark.parametrize("path", _every_case(), ids=lambda path: path.parent.name)
def test_a_sample_of_every_connector_passes_as_a_saved_test(path: Path, tmp_path: Path) -> None:
    case = json.loads(path.read_text())
    kind = path.parent.name
    config = CONFIG + f"  it: {{connector: {kind}, tenant: acme, unsigned: true}}\n"
    settings = load_texts({"c.yaml": config}, {}, kinds=connectors.kinds(), read_secrets=False)
    if not isinstance(settings, Settings):
        pytest.skip(f"{kind} needs options")
    door = doors_of(settings)[next(name for name in settings.sources if name == "it")]
    body = case["body"] if isinstance(case["body"], str) else json.dumps(case["body"])
    request = HookRequest(
        method="POST",
        url=f"/hooks/it{case.get('path', '')}",
        headers=tuple(case["headers"].items()),
        body=body.encode(),
    )
    delivery = Delivery(
        id=DeliveryId(1), tenant_id=door.tenant_id, source_id=door.source_id, dedup_key="", event_type="",
        received_at=NOW, request=request, verified_by="test", trace_id="",
    )  # fmt: skip
    saved = case_of(settings, door, delivery, Known())
    file = tmp_path / "t.yaml"
    file.write_text(saved.text, encoding="utf-8")
    found, faults = cases.read([file], settings)
    assert not faults, "\n".join(map(str, faults))
    (result,) = [Bench(settings).run(one) for one in found]
    assert not result.differences, "\n".join(map(str, result.differences)) + saved.text
    people = [one.get("person", {}) for one in case.get("expect", {}).get("inquiries", ())]
    for person in people:
        for real in (person.get("name"), *person.get("phones", ()), *person.get("emails", ())):
            assert not real or f" {real}" not in saved.text, real
    assert datetime.fromisoformat(found[0].given["received_at"]) == NOW
