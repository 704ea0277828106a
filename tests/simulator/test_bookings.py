"""Bookings: who may use which path, what a create needs, what a change may touch."""

from typing import Any

import pytest

from bridge.simulator.state import Simulator
from bridge.simulator.switches import Switches
from bridge.simulator.values import Nulls


async def test_a_booking_is_made_found_by_external_id_and_counted(far: Any, simulator: Simulator) -> None:
    made = await far.book("e1", campaignId=602, jobTypeId=701, businessUnitId=301, priority="urgent")
    assert made["status"] == "New"
    assert made["priority"] == "Urgent"
    found = await far.get("/booking-provider/501/bookings", externalId="e1")
    assert [row["id"] for row in found["data"]] == [made["id"]]
    assert simulator.count("booking.created", external_id="e1") == 1


async def test_the_same_external_id_twice_makes_two_bookings(far: Any, simulator: Simulator) -> None:
    first, second = await far.book("e1"), await far.book("e1")
    assert first["id"] != second["id"]
    assert simulator.count("booking.created", external_id="e1") == 2


async def test_the_switch_makes_a_second_external_id_a_conflict(far: Any, simulator: Simulator) -> None:
    simulator.switches = Switches(duplicate_external_id_conflicts=True)
    await far.book("e1")
    answer = await far.ask("POST", "/booking-provider/501/bookings", await _body())
    assert answer.status_code == 409


async def _body() -> dict[str, object]:
    contacts = [{"type": "Email", "value": "ann@example.com"}]
    given = {"source": "Web", "name": "Ann", "summary": "AC", "isFirstTimeClient": False, "externalId": "e1"}
    return {**given, "contacts": contacts}


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"source": None}, "Source"),
        ({"externalId": 5}, "ExternalId"),
        ({"contacts": []}, "Contacts"),
        ({"name": " "}, "Name"),
        ({"campaignId": 999}, "CampaignId"),
        ({"jobTypeId": 999}, "JobTypeId"),
        ({"customerType": "Alien"}, "CustomerType"),
        ({"address": {"street": "1 Oak"}}, "Address.City"),
        ({"contacts": [{"type": "Pigeon", "value": "x"}]}, "Contacts[0].Type"),
        ({"start": "tomorrow"}, "Start"),
    ],
)
async def test_a_bad_create_is_refused_naming_the_member(
    far: Any, simulator: Simulator, change: Any, member: str
) -> None:
    answer = await far.ask("POST", "/booking-provider/501/bookings", {**await _body(), **change})
    assert answer.status_code == 400
    assert member in answer.json()["errors"]
    assert simulator.count() == 0


async def test_an_app_with_a_tag_has_its_provider_path_only(far: Any, wide: Any) -> None:
    made = await far.book()
    assert (await far.ask("GET", "/bookings")).status_code == 403
    assert (await far.ask("GET", f"/bookings/{made['id']}")).status_code == 403
    assert (await far.ask("GET", "/booking-provider/502/bookings")).status_code == 403
    assert (await wide.get(f"/bookings/{made['id']}"))["externalId"] == "e1"
    assert (await wide.ask("GET", "/booking-provider/777/bookings")).status_code == 404


async def test_there_is_no_create_on_the_tenant_path(wide: Any) -> None:
    answer = await wide.ask("POST", "/bookings", await _body())
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"


async def test_a_change_touches_only_what_was_sent(far: Any) -> None:
    made = await far.book(campaignId=602)
    changed = await far.patch(f"/booking-provider/501/bookings/{made['id']}", {"summary": "AC is out, two units"})
    assert (changed["summary"], changed["campaignId"], changed["status"]) == ("AC is out, two units", 602, "New")


@pytest.mark.parametrize(("mode", "status", "left"), [("strict", 400, 602), ("ignore", 200, 602), ("clear", 200, None)])
async def test_null_in_a_change_does_what_the_switch_says(
    far: Any, simulator: Simulator, mode: Any, status: Any, left: Any
) -> None:
    simulator.switches = Switches(null_in_patch=Nulls(mode))
    path = f"/booking-provider/501/bookings/{(await far.book(campaignId=602))['id']}"
    answer = await far.ask("PATCH", path, {"campaignId": None})
    assert answer.status_code == status
    assert (await far.get(path))["campaignId"] == left


async def test_an_address_in_a_change_must_be_complete(far: Any) -> None:
    made = await far.book()
    answer = await far.ask("PATCH", f"/booking-provider/501/bookings/{made['id']}", {"address": {"city": "Waco"}})
    assert answer.status_code == 400
    assert "Address.Unit" in answer.json()["errors"]


async def test_contacts_are_separate_records_and_answer_the_change_without_an_id(far: Any) -> None:
    path = f"/booking-provider/501/bookings/{(await far.book())['id']}/contacts"
    (first,) = (await far.get(path))["data"]
    await far.post(path, {"type": "Email", "value": "ann@example.com"})
    changed = await far.patch(f"{path}/{first['id']}", {"value": "512-555-0199"})
    assert changed == {"type": "Phone", "value": "512-555-0199", "memo": ""}
    assert (await far.ask("DELETE", f"{path}/{first['id']}")).status_code == 200
    assert [row["type"] for row in (await far.get(path))["data"]] == ["Email"]


async def test_a_dismissed_booking_is_dismissed_once(far: Any, simulator: Simulator) -> None:
    made = await far.book()
    path = f"/booking-provider/501/bookings/{made['id']}"
    answer = await far.ask("POST", f"{path}/dismiss", {"callReasonId": 903})
    assert (answer.status_code, answer.content) == (200, b"")
    assert (await far.get(path))["dismissingReasonId"] == 903
    assert (await far.ask("POST", f"{path}/dismiss", {})).status_code == 400
    assert simulator.count("booking.dismissed", external_id="e1") == 1


async def test_what_is_not_there_is_404_where_documented_and_400_elsewhere(far: Any, simulator: Simulator) -> None:
    assert (await far.ask("GET", "/booking-provider/501/bookings/5")).status_code == 404
    assert (await far.ask("POST", "/booking-provider/501/bookings/5/dismiss", {})).status_code == 400
    simulator.switches = Switches(undeclared_status=0)
    assert (await far.ask("POST", "/booking-provider/501/bookings/5/dismiss", {})).status_code == 404


async def test_provider_tags_are_made_found_and_renamed(far: Any) -> None:
    made = await far.post("/booking-provider-tags", {"tagName": "Angi", "description": "Leads of Angi"})
    assert (await far.ask("POST", "/booking-provider-tags", {"tagName": "Angi", "description": ""})).status_code == 409
    await far.patch(f"/booking-provider-tags/{made['id']}", {"description": "Angi leads"})
    found = await far.get("/booking-provider-tags", name="ang")
    assert [(row["id"], row["description"]) for row in found["data"]] == [(made["id"], "Angi leads")]


async def test_a_confirmation_is_sent_when_asked_and_counted(far: Any, simulator: Simulator) -> None:
    await far.book("e1", isSendConfirmationEmail=True)
    await far.book("e2", isSendConfirmationEmail=False)
    assert simulator.count("confirmation.sent") == simulator.count("confirmation.sent", external_id="e1") == 1
