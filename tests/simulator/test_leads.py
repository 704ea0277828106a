"""Leads: what a create needs, follow-up, dismissal, the form."""

from typing import Any

from bridge.simulator import operator
from bridge.simulator.state import Simulator


def lead(**fields: object) -> dict[str, object]:
    return {"campaignId": 601, "summary": "Wants a quote", "followUpDate": "2026-03-05", **fields}


async def test_a_lead_needs_a_call_reason_or_a_follow_up_date(far: Any) -> None:
    assert (await far.ask("POST", "/leads", {"campaignId": 601, "summary": "Quote"})).status_code == 400
    made = await far.post("/leads", {"campaignId": 601, "summary": "Quote", "callReasonId": 901})
    assert made["status"] == "Open"
    assert (await far.post("/leads", lead()))["followUpDate"] == "2026-03-05T00:00:00.0000000Z"


async def test_a_booking_given_with_a_lead_is_dismissed(far: Any, simulator: Simulator) -> None:
    booking = await far.book()
    made = await far.post("/leads", lead(bookingId=booking["id"]))
    assert (await far.get(f"/booking-provider/501/bookings/{booking['id']}"))["status"] == "Dismissed"
    assert simulator.count("lead.created", booking_id=booking["id"]) == 1
    assert made["bookingId"] == booking["id"]


async def test_a_lead_is_followed_up_changed_dismissed_and_noted(far: Any) -> None:
    made = await far.post("/leads", lead(leadPhone="512-555-0104"))
    path = f"/leads/{made['id']}"
    answer = await far.post(f"{path}/follow-up", {"followUpDate": "2026-03-09T15:00:00Z", "text": "Call again"})
    assert answer["leadId"] == made["id"]
    assert (await far.get(path))["followUpDate"] == "2026-03-09T15:00:00.0000000Z"
    assert (await far.patch(path, {"summary": "Two quotes"}))["summary"] == "Two quotes"
    await far.post(f"{path}/notes", {"text": "Prefers mornings"})
    assert [row["text"] for row in (await far.get(f"{path}/notes"))["data"]] == ["Call again", "Prefers mornings"]
    assert (await far.ask("POST", f"{path}/dismiss", {"dismissingReasonId": 903})).content == b""
    assert (await far.ask("POST", f"{path}/dismiss", {"dismissingReasonId": 903})).status_code == 400


async def test_leads_are_listed_by_status_customer_phone_and_form(far: Any, simulator: Simulator) -> None:
    customer = await far.customer()
    with_customer = await far.post("/leads", lead(customerId=customer["id"]))
    prospect = await far.post("/leads", lead(leadPhone="(512) 555-0104"))
    form = (await far.post("/leads/form", {"name": "Bo", "email": "bo@example.com"}))["leadId"]
    operator.convert_lead(simulator.operator(1000001), lead_id=with_customer["id"])

    async def ids(**query: Any) -> list[int]:
        return [row["id"] for row in (await far.get("/leads", **query))["data"]]

    assert await ids(status="Converted") == [with_customer["id"]]
    assert await ids(customerId=customer["id"]) == [with_customer["id"]]
    assert await ids(withoutCustomer="true") == [prospect["id"], form]
    assert await ids(leadPhone="512-555-0104") == [prospect["id"]]
    assert await ids(isCaptureSourceForm="true") == [form]
    assert await ids(customerCity="austin") == [with_customer["id"]]
    assert (await far.ask("GET", "/leads", status="Lost")).status_code == 400


async def test_a_form_with_the_id_of_an_earlier_one_updates_it(far: Any, simulator: Simulator) -> None:
    first = await far.post("/leads/form", {"name": "Bo"})
    again = await far.post("/leads/form", {"name": "Bo Chen"}, id=first["leadId"])
    assert first == again
    assert simulator.count("lead.created") == 1
