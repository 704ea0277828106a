"""Who it is, through the flow: what people said outranks scores and follows merges, and in shadow mode no record is written."""

from typing import Any

import msgspec
import pytest

from bridge.db.database import Database
from bridge.domain.ids import DeliveryId
from bridge.domain.match import Ambiguous, Match, Matched, Unmatched
from bridge.operations import review
from tests.planning.house import ACT, CONFIG, TENANT, House, settings_of

SHADOW = CONFIG.replace("America/Chicago", "America/Chicago\n    thresholds: {shadow: true}")
PLACE = {"street": "12 Oak St", "city": "Austin", "state": "TX", "zip": "78701"}
DANA = {"id": "r1", "name": "Dana Cruz", "phone": "(512) 555-0142", "address": PLACE, "plan": "gold"}


async def match_of(house: House, delivery: DeliveryId) -> Match:
    """Return the newest match of a delivery as it was recorded."""
    rows = await house.rows(
        "SELECT match::text FROM decisions WHERE delivery_id = %s ORDER BY id DESC LIMIT 1", delivery
    )
    found: Match = msgspec.json.decode(rows[0][0], type=Match)
    return found


async def decided(house: House, payload: dict[str, Any]) -> Match:
    """Return how a contact of the outside CRM is recognised."""
    delivery = await house.arrive("crm", payload)
    await house.decide()
    return await match_of(house, delivery)


async def kinds(house: House) -> list[str]:
    """Return the kinds of everything that was put into the outbox."""
    return [row[0] for row in await house.rows("SELECT kind FROM effects ORDER BY id")]


@pytest.mark.parametrize(("config", "written"), [(CONFIG, True), (SHADOW, False)], ids=["writing", "shadow"])
async def test_in_shadow_mode_a_match_is_recorded_and_no_existing_record_is_written(
    database: Database, config: str, written: bool
) -> None:
    house = await House(database, settings_of(config=config)).open()
    await house.mirror(100, "Dana Cruz", phone="5125550142")
    found = await decided(house, {**DANA, "email": "dana@example.com"})
    assert isinstance(found, Matched)
    assert (found.customer_id, found.location_id, found.may_write) == (100, 1100, written)
    assert found.evidence.candidates[0].comparisons
    assert bool(await kinds(house)) is written
    before = len(await kinds(house))
    await house.arrive("web", {"name": "Dana Cruz", "phone": "(512) 555-0142", "message": "The AC is out."})
    await house.decide()
    assert len(await kinds(house)) == before + 1  # a lead is booked either way
    assert (await kinds(house))[-1] == "create_booking"


@pytest.mark.parametrize(("region", "phone", "other"), [("US", "(512) 555-0142", "(512) 555-0177"), ("GB", "020 7946 0018", "020 7946 0991")])  # fmt: skip
async def test_what_a_person_chose_outranks_scores_for_the_record_and_for_the_party(
    database: Database, region: str, phone: str, other: str
) -> None:
    config = CONFIG.replace("America/Chicago", f"America/Chicago\n    phone_region: {region}")
    house = await House(database, settings_of(config=config)).open()
    dana = {**DANA, "phone": phone}
    await house.mirror(100, "Dana Cruz", phone=phone, region=region)
    await house.mirror(101, "Dana Cruz", phone=phone, region=region)
    assert isinstance(await decided(house, dana), Ambiguous)
    ((hold, _),) = await house.open_holds()
    assert (
        await review.accept(
            database, ACT, tenant_id=TENANT, hold_id=hold, customer_id=101, location_id=1101, region=region
        )
    ).is_done
    await house.decide()
    by_record = await decided(house, {**dana, "name": "Somebody Else", "phone": other, "plan": "silver"})
    by_party = await decided(house, {**dana, "id": "r2", "plan": "bronze", "address": {}})
    for found, by in ((by_record, "link"), (by_party, "person")):
        assert isinstance(found, Matched)
        assert (found.customer_id, found.evidence.decided_by) == (101, by)


async def test_a_link_follows_a_merge(database: Database) -> None:
    house = await House(database, settings_of()).open()
    await house.mirror(100, "Dana Cruz", phone="5125550142")
    await house.mirror(101, "Dana Cruz", phone="5125550142")
    await decided(house, DANA)
    ((hold, _),) = await house.open_holds()
    await review.accept(database, ACT, tenant_id=TENANT, hold_id=hold, customer_id=101, location_id=1101, region="US")
    await house.decide()
    await house.rows("UPDATE mirrored_customers SET merged_to_id = 100, active = false WHERE id = 101 RETURNING id")
    await house.rows("UPDATE mirrored_locations SET customer_id = 100 WHERE id = 1101 RETURNING id")
    found = await decided(house, {**DANA, "plan": "silver"})
    assert isinstance(found, Matched)
    assert (found.customer_id, found.evidence.decided_by) == (100, "link")


@pytest.mark.parametrize("merged", [False, True])
async def test_never_these_two_outranks_a_score_and_follows_a_merge(database: Database, merged: bool) -> None:
    house = await House(database, settings_of()).open()
    await house.mirror(100, "Dana Cruz", phone="5125550142")
    delivery = await house.arrive("crm", DANA)
    await house.decide()
    assert isinstance(await match_of(house, delivery), Matched)
    told = await review.not_this_customer(
        database, ACT, tenant_id=TENANT, delivery_id=delivery, customer_id=100, region="US"
    )
    assert told.is_done
    if merged:
        await house.mirror(200, "Dana Cruz", phone="5125550142")
        await house.rows("UPDATE mirrored_customers SET merged_to_id = 200, active = false WHERE id = 100 RETURNING id")
    found = await decided(house, {**DANA, "id": "r9", "plan": "silver"})
    assert not isinstance(found, Matched)
    assert any(guard.startswith("never:") for guard in found.evidence.guards)
    assert isinstance(found, (Ambiguous, Unmatched))
