"""The new contacts model, the reference lists, and attribution."""

from typing import Any

from bridge.simulator.state import Simulator
from bridge.simulator.switches import Switches

SESSION = {"landingPageUrl": "https://example.com/ac", "referrerUrl": "https://example.org", "gclid": "g-1"}


async def test_a_contact_with_methods_preferences_and_relationships(far: Any) -> None:
    customer = await far.customer()
    contact = await far.post("/contacts", {"name": "Ann Lee"})
    path = f"/contacts/{contact['id']}"
    method = await far.post(f"{path}/contact-methods", {"type": "Email", "value": "ann@example.com"})
    found = await far.get("/contacts/contact-methods", value="ann@example.com", type="Email")
    assert [row["contactId"] for row in found["data"]] == [contact["id"]]
    preference = f"{path}/contact-methods/{method['id']}/preferences/MarketingUpdates"
    assert (await far.get(preference))["value"] == "false"
    assert (await far.patch(preference, {"value": "true"}))["value"] == "true"
    assert (await far.ask("POST", f"{path}/relationships/{customer['id']}/customer")).content == b""
    assert (await far.ask("POST", f"{path}/relationships/{customer['id']}/planet")).status_code == 409
    assert (await far.ask("POST", f"{path}/relationships/5/customer")).status_code == 404
    linked = await far.get(f"/contacts/relationships/{customer['id']}")
    assert [row["name"] for row in linked["data"]] == ["Ann Lee"]
    assert (await far.ask("DELETE", f"{path}/relationships/{customer['id']}/customer")).status_code == 200
    assert (await far.ask("DELETE", path)).status_code == 200
    assert (await far.get("/contacts/contact-methods"))["data"] == []


async def test_put_replaces_and_upserts(far: Any) -> None:
    contact = await far.post("/contacts", {"name": "Ann", "title": "Dr"})
    answer = await far.ask("PUT", f"/contacts/{contact['id']}", {"name": "Ann Lee", "isArchived": False})
    assert (answer.json()["name"], answer.json()["title"]) == ("Ann Lee", None)
    guid = "11111111-2222-4333-8444-555555555555"
    path = f"/contacts/{contact['id']}/contact-methods/{guid}"
    for value in ("a@example.com", "b@example.com"):
        assert (await far.ask("PUT", path, {"type": "Email", "value": value})).status_code == 200
    assert (await far.get(path))["value"] == "b@example.com"


async def test_a_tenant_that_is_not_migrated_has_no_new_contacts(far: Any, simulator: Simulator) -> None:
    simulator.switches = Switches(new_contacts_enabled=False)
    assert (await far.ask("GET", "/contacts")).status_code == 403


async def test_the_lists_a_booking_needs_are_there(far: Any) -> None:
    campaigns = await far.get("/campaigns", module="marketing/v2", name="google")
    assert [row["name"] for row in campaigns["data"]] == ["Google Ads", "Google Local Services"]
    units = await far.get("/business-units", module="settings/v2")
    assert "HVAC Install" in [row["name"] for row in units["data"]]
    types = await far.get("/job-types", module="jpm/v2", orderBy="Name", orderByDirection="desc", pageSize=2)
    assert [row["name"] for row in types["data"]] == ["Water Heater", "System Replacement Estimate"]
    reasons = await far.get("/call-reasons", module="jbce/v2")
    assert {row["isLead"] for row in reasons["data"]} == {True, False}
    assert (await far.get("/categories", module="marketing/v2"))["data"][0]["type"] == "Regular"
    assert (await far.get("/employees/1201", module="settings/v2"))["role"] == "Dispatch"
    assert (await far.get("/technicians", module="settings/v2"))["data"][0]["status"] == "Idle"


async def test_tag_types_answer_an_id_and_check_the_color(far: Any) -> None:
    answer = await far.ask("POST", "/tag-types", {"name": "Hot", "color": "#FF0000"}, module="settings/v2")
    assert set(answer.json()) == {"id"}
    assert (
        await far.ask("POST", "/tag-types", {"name": "Hot", "color": "red"}, module="settings/v2")
    ).status_code == 400
    long = {"name": "Hot", "color": "#FF0000", "code": "x" * 21}
    assert (await far.ask("POST", "/tag-types", long, module="settings/v2")).status_code == 400
    tags = await far.get("/tag-types", module="settings/v2", pageSize=500)
    assert (tags["data"][-1]["name"], tags["data"][-1]["id"]) == ("Hot", answer.json()["id"])


async def test_a_web_session_is_tied_to_a_booking_that_is_there(far: Any, simulator: Simulator) -> None:
    booking = await far.book()
    body = {"bookingId": booking["id"], "webSessionData": SESSION}
    answer = await far.ask("POST", "/web-booking-attributions", body, module="marketingads/v2")
    assert (answer.status_code, answer.content) == (200, b"")
    assert simulator.count("attribution.web_booking", booking_id=booking["id"]) == 1
    wrong = {"bookingId": 5, "webSessionData": SESSION}
    assert (await far.ask("POST", "/web-booking-attributions", wrong, module="marketingads/v2")).status_code == 400
    window = {"fromUtc": "2026-03-02", "toUtc": "2026-03-03"}
    (found,) = (await far.get("/attributed-leads", module="marketingads/v2", **window, leadType="WebBooking"))["data"]
    assert (found["leadType"], found["booking"]["id"], found["attribution"]["clickId"]) == (2, booking["id"], "g-1")
    assert (await far.ask("GET", "/attributed-leads", module="marketingads/v2")).status_code == 400
