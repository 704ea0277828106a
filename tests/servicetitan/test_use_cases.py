"""What an integrator does with ServiceTitan, one sentence each, through the simulator."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from bridge.domain.outcome import Rejected
from bridge.servicetitan import checks, requests
from bridge.servicetitan.client import ServiceTitan
from bridge.servicetitan.exports import by_ids, collect
from bridge.servicetitan.replacing import change_custom_fields, change_tags
from bridge.simulator import operator
from bridge.simulator.defaults import DEMO_TENANT as TENANT

Make = Callable[..., dict[str, Any]]
Body = Callable[[Any], Any]

ELSEWHERE = {"street": "9 Pine Rd", "city": "Round Rock", "state": "TX", "zip": "78664", "country": "USA"}


async def test_a_customer_is_looked_for_by_name_phone_and_address_before_one_is_made(
    st: ServiceTitan, customer: Make, body_of: Body
) -> None:
    assert body_of(await st.customers.list(query={"name": "Pat Example"})).data == []
    made = body_of(await st.customers.create(body=customer()))
    for query in (
        {"name": "Pat Example"},
        {"phone": "5125550142"},
        {"street": "12 Oak St", "city": "Austin", "state": "TX", "zip": "78701"},
    ):
        assert [row.id for row in body_of(await st.customers.list(query=query)).data] == [made.id]


async def test_a_location_is_looked_for_by_address_before_one_is_made(
    st: ServiceTitan, customer: Make, body_of: Body
) -> None:
    made = body_of(await st.customers.create(body=customer()))
    assert body_of(await st.locations.list(query={"street": "9 Pine Rd"})).data == []
    body_of(await st.locations.create(body={"name": "Rental", "customerId": made.id, "address": ELSEWHERE}))
    found = body_of(await st.locations.list(query={"street": "9 Pine Rd", "zip": "78664"})).data
    assert [(row.customer_id, row.name) for row in found] == [(made.id, "Rental")]


async def test_customer_and_location_are_read_by_the_ids_that_a_job_carries(
    far: Any, customer: Make, booking: Make, body_of: Body
) -> None:
    from bridge.simulator.operator import convert_booking

    made = body_of(await far.st.customers.create(body=customer()))
    booked = body_of(await far.st.bookings.create(body=booking()))
    convert_booking(far.simulator.operator(1000001), booking_id=booked.id, customer_id=made.id)
    job_id = body_of(await far.st.bookings.get(booked.id)).job_id
    job = body_of(await far.st.jobs.get(job_id))
    assert body_of(await far.st.customers.get(job.customer_id)).name == "Pat Example"
    assert body_of(await far.st.locations.get(job.location_id)).customer_id == made.id


async def test_a_customer_is_made_with_its_location_so_that_a_job_can_be_booked(
    st: ServiceTitan, customer: Make, body_of: Body
) -> None:
    made = body_of(await st.customers.create(body=customer()))
    assert [place.address.street for place in made.locations] == ["12 Oak St"]
    refused = await st.customers.create(body=customer(locations=[]))
    assert isinstance(refused, Rejected)
    assert refused.reason == "request_invalid"


async def test_contacts_of_a_customer_and_of_a_location_are_separate_records(
    st: ServiceTitan, customer: Make, body_of: Body
) -> None:
    made = body_of(await st.customers.create(body=customer()))
    place = body_of(
        await st.locations.create(
            body={
                "name": "Rental",
                "customerId": made.id,
                "address": ELSEWHERE,
                "contacts": [{"type": "Email", "value": "pat@example.com"}],
            }
        )
    )
    of_location = body_of(await st.locations.contacts(place.id)).data
    of_customer = body_of(await st.customers.contacts(made.id)).data
    copied = next(one for one in of_customer if one.value == "pat@example.com")
    assert [one.value for one in of_location] == ["pat@example.com"]
    assert copied.id != of_location[0].id, "copied to the customer, as a record of its own"

    body_of(await st.locations.update_contact(place.id, of_location[0].id, body={"value": "new@example.com"}))
    after = body_of(await st.customers.contacts(made.id)).data
    assert next(one for one in after if one.id == copied.id).value == "pat@example.com"


async def test_a_contact_is_added_changed_and_taken_away(st: ServiceTitan, customer: Make, body_of: Body) -> None:
    made = body_of(await st.customers.create(body=customer(contacts=[])))
    added = body_of(await st.customers.create_contact(made.id, body={"type": "Phone", "value": "5125550143"}))
    changed = body_of(await st.customers.update_contact(made.id, added.id, body={"memo": "office"}))
    assert (changed.value, changed.memo) == ("5125550143", "office")
    body_of(await st.customers.delete_contact(made.id, added.id))
    assert body_of(await st.customers.contacts(made.id)).data == []


@pytest.mark.parametrize("kind", ["customers", "locations"])
async def test_one_custom_field_is_changed_and_the_others_stay(
    st: ServiceTitan, kind: str, customer: Make, body_of: Body
) -> None:
    family = getattr(st, kind)
    first, second = [field.id for field in body_of(await family.custom_fields()).data][1:3]
    made = body_of(await st.customers.create(body=customer()))
    record = made.id if kind == "customers" else made.locations[0].id
    body_of(await change_custom_fields(family.get, family.update, record, changes={first: "a", second: "b"}))
    body_of(await change_custom_fields(family.get, family.update, record, changes={second: "c"}))
    held = {field.type_id: field.value for field in body_of(await family.get(record)).custom_fields}
    assert held == {first: "a", second: "c"}
    body_of(await change_custom_fields(family.get, family.update, record, changes={first: None}))
    assert {f.type_id for f in body_of(await family.get(record)).custom_fields} == {second}


async def test_nothing_is_written_where_a_custom_field_has_the_value_already(
    far: Any, customer: Make, body_of: Body
) -> None:
    st = far.st
    field = body_of(await st.customers.custom_fields()).data[2].id
    made = body_of(await st.customers.create(body=customer()))
    for _ in range(2):
        body_of(await change_custom_fields(st.customers.get, st.customers.update, made.id, changes={field: "x"}))
    assert sum(one.method == "PATCH" for one in far.simulator.log) == 1


async def test_tags_are_added_and_removed_and_the_others_stay(st: ServiceTitan, customer: Make, body_of: Body) -> None:
    one, two, three = [tag.id for tag in body_of(await st.tag_types.list()).data][:3]
    made = body_of(await st.customers.create(body=customer(tagTypeIds=[one, two])))
    body_of(await change_tags(st.customers.get, st.customers.update, made.id, add=[three], remove=[one]))
    assert set(body_of(await st.customers.get(made.id)).tag_type_ids) == {two, three}


async def test_an_address_and_its_coordinates_are_checked_against_what_servicetitan_holds(
    st: ServiceTitan, customer: Make, body_of: Body
) -> None:
    address = {"street": "12 Oak St", "city": "Austin", "state": "TX", "zip": "78701", "country": "USA"}
    there = {**address, "latitude": 30.2672, "longitude": -97.7431}
    made = body_of(await st.customers.create(body=customer(locations=[{"name": "Home", "address": there}])))
    held = body_of(await st.locations.get(made.locations[0].id)).address

    def given(**changes: Any) -> requests.CustomerAddress:
        return requests.CustomerAddress(**{**there, **changes})

    assert checks.address_differences(held, given(street="12  oak ST", zip="78701-1234", latitude=30.2673)) == {}
    assert set(checks.address_differences(held, given(street="14 Oak St"))) == {"street"}
    assert set(checks.address_differences(held, given(latitude=30.2872))) == {"coordinates"}


async def test_one_or_many_customers_locations_leads_and_bookings_are_read(
    st: ServiceTitan, customer: Make, booking: Make, body_of: Body
) -> None:
    customers = [body_of(await st.customers.create(body=customer(f"Pat {n}"))) for n in range(3)]
    bookings = [body_of(await st.bookings.create(body=booking(f"many-{n}"))) for n in range(3)]
    reason, campaign = await reason_and_campaign(st, body_of)
    leads = [
        body_of(await st.leads.create(body={"campaignId": campaign, "summary": f"Lead {n}", "callReasonId": reason}))
        for n in range(3)
    ]
    locations = [one.locations[0] for one in customers]
    for family, made in (
        (st.customers, customers),
        (st.locations, locations),
        (st.leads, leads),
        (st.bookings, bookings),
    ):
        wanted = [row.id for row in made]
        assert body_of(await family.get(wanted[0])).id == wanted[0]
        assert sorted(row.id for row in body_of(await by_ids(family.list, wanted))) == sorted(wanted)
        assert set(wanted) <= {row.id for row in body_of(await collect(family.list, page_size=2))}


async def test_leads_without_a_customer_are_found_by_status(st: ServiceTitan, customer: Make, body_of: Body) -> None:
    reason, campaign = await reason_and_campaign(st, body_of)
    made = body_of(await st.customers.create(body=customer()))
    lead = {"campaignId": campaign, "callReasonId": reason}
    stranger = body_of(
        await st.leads.create(body={**lead, "summary": "No customer", "leadCustomerName": "Sam", "leadPhone": "555"})
    )
    await st.leads.create(body={**lead, "summary": "Known", "customerId": made.id})
    found = body_of(await st.leads.list(query={"withoutCustomer": True, "status": "Open"})).data
    assert [row.id for row in found] == [stranger.id]


async def test_a_lead_is_made_without_a_customer_and_without_a_location(
    st: ServiceTitan, customer: Make, body_of: Body
) -> None:
    reason, campaign = await reason_and_campaign(st, body_of)
    made = body_of(await st.customers.create(body=customer()))
    lead = {"campaignId": campaign, "callReasonId": reason, "summary": "A quote"}
    for known, held in (({}, (None, None)), ({"customerId": made.id}, (made.id, None))):
        got = body_of(await st.leads.get(body_of(await st.leads.create(body={**lead, **known})).id))
        assert (got.customer_id, got.location_id) == held


async def test_a_lead_is_dismissed_with_a_reason_and_found_among_the_dismissed(st: ServiceTitan, body_of: Body) -> None:
    reason, campaign = await reason_and_campaign(st, body_of)
    lead = body_of(await st.leads.create(body={"campaignId": campaign, "callReasonId": reason, "summary": "A quote"}))
    body_of(await st.leads.dismiss(lead.id, body={"dismissingReasonId": reason}))
    assert body_of(await st.leads.list(query={"status": "Open"})).data == []
    found = body_of(await st.leads.list(query={"status": "Dismissed"})).data
    assert [(row.id, row.dismissing_reason_id) for row in found] == [(lead.id, reason)]


async def test_a_lead_that_a_person_converted_is_no_longer_among_the_open_ones(far: Any, body_of: Body) -> None:
    st: ServiceTitan = far.st
    reason, campaign = await reason_and_campaign(st, body_of)
    lead = body_of(await st.leads.create(body={"campaignId": campaign, "callReasonId": reason, "summary": "A quote"}))
    operator.convert_lead(far.simulator.operator(TENANT), lead_id=lead.id)
    assert body_of(await st.leads.get(lead.id)).status == "Converted"
    assert body_of(await st.leads.list(query={"status": "Open"})).data == []


async def test_a_lead_gets_its_next_follow_up(st: ServiceTitan, tomorrow: datetime, body_of: Body) -> None:
    reason, campaign = await reason_and_campaign(st, body_of)
    lead = body_of(await st.leads.create(body={"campaignId": campaign, "summary": "Call back", "callReasonId": reason}))
    body_of(await st.leads.follow_up(lead.id, body={"followUpDate": tomorrow, "text": "Ask about the roof"}))
    assert body_of(await st.leads.get(lead.id)).follow_up_date == tomorrow
    without = await st.leads.create(body={"campaignId": campaign, "summary": "Neither reason nor date"})
    assert without.reason == "request_invalid"


async def test_a_booking_is_converted_into_a_lead(st: ServiceTitan, booking: Make, body_of: Body) -> None:
    reason, campaign = await reason_and_campaign(st, body_of)
    booked = body_of(await st.bookings.create(body=booking()))
    lead = body_of(
        await st.leads.create(
            body={"campaignId": campaign, "summary": "Later", "callReasonId": reason, "bookingId": booked.id}
        )
    )
    assert body_of(await st.leads.get(lead.id)).booking_id == booked.id
    assert body_of(await st.bookings.get(booked.id)).status == "Dismissed"


async def test_a_form_makes_a_lead_with_a_name_alone(st: ServiceTitan, body_of: Body) -> None:
    made = body_of(await st.leads.submit_form(body={"name": "Sam Example", "email": "sam@example.com"}))
    assert body_of(await st.leads.get(made.lead_id)).lead_customer_name == "Sam Example"


@pytest.mark.parametrize("confirm", [True, False])
async def test_a_booking_is_made_with_or_without_a_confirmation_message(
    st: ServiceTitan, confirm: bool, booking: Make, body_of: Body
) -> None:
    made = body_of(await st.bookings.create(body=booking(isSendConfirmationEmail=confirm)))
    assert body_of(await st.bookings.get(made.id)).is_send_confirmation_email is confirm


async def test_a_booking_is_prefilled_with_a_matching_job_type_business_unit_and_campaign(
    st: ServiceTitan, booking: Make, body_of: Body
) -> None:
    job_type = body_of(await st.job_types.list(query={"name": "AC Repair"})).data[0]
    units = body_of(await st.business_units.list()).data
    matching = [unit.id for unit in units if checks.is_pair(job_type, unit.id)]
    campaign = body_of(await st.campaigns.list(query={"name": "Google Ads"})).data[0]
    assert matching == list(job_type.business_unit_ids)
    made = body_of(
        await st.bookings.create(
            body=booking(jobTypeId=job_type.id, businessUnitId=matching[0], campaignId=campaign.id)
        )
    )
    assert (made.job_type_id, made.business_unit_id, made.campaign_id) == (job_type.id, matching[0], campaign.id)


async def test_the_contact_method_of_an_existing_booking_is_changed(
    st: ServiceTitan, booking: Make, body_of: Body
) -> None:
    made = body_of(await st.bookings.create(body=booking()))
    contact = body_of(await st.bookings.contacts(made.id)).data[0]
    body_of(await st.bookings.update_contact(made.id, contact.id, body={"type": "Email", "value": "pat@example.com"}))
    after = body_of(await st.bookings.contacts(made.id)).data
    assert [(one.id, one.type, one.value) for one in after] == [(contact.id, "Email", "pat@example.com")]


async def test_a_booking_made_in_doubt_is_found_by_its_external_id(
    st: ServiceTitan, booking: Make, body_of: Body
) -> None:
    made = body_of(await st.bookings.create(body=booking("a" * 32)))
    await st.bookings.create(body=booking("b" * 32))
    found = body_of(await st.bookings.list(query={"externalId": "a" * 32})).data
    assert [row.id for row in found] == [made.id]


async def test_an_app_with_a_tag_uses_the_providers_bookings_and_one_without_restriction_the_tenants(
    far: Any, booking: Make, body_of: Body
) -> None:
    made = body_of(await far.st.bookings.create(body=booking()))
    assert body_of(await far.open_st.tenant_bookings.get(made.id)).booking_provider_id == 501
    assert (await far.st.tenant_bookings.get(made.id)).reason == "forbidden"
    refused = await far.open_st.bookings.create(body=booking())
    assert (refused.reason, "booking provider" in refused.detail) == ("request_invalid", True)


async def test_the_advertisement_that_brought_a_booking_is_kept(st: ServiceTitan, booking: Make, body_of: Body) -> None:
    made = body_of(await st.bookings.create(body=booking()))
    session = {"landingPageUrl": "https://example.com/ac", "referrerUrl": "https://example.com", "gclid": "abc"}
    assert body_of(await st.attributions.web_booking(body={"bookingId": made.id, "webSessionData": session})) is None


async def reason_and_campaign(st: ServiceTitan, body_of: Body) -> tuple[int, int]:
    """Return a call reason that makes a lead, and a campaign."""
    reasons = body_of(await st.call_reasons.list()).data
    campaigns = body_of(await st.campaigns.list()).data
    return next(one.id for one in reasons if one.is_lead), campaigns[0].id
