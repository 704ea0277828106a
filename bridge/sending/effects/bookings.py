"""Commands on bookings: perform and look up. A booking carries its effect key as `externalId`."""

from datetime import datetime, timedelta
from typing import Any

from bridge.domain.command import AddBookingContact, AttributeBooking, CreateBooking, DismissBooking, UpdateBooking
from bridge.domain.ids import EffectKey
from bridge.domain.outcome import Outcome, Succeeded
from bridge.sending.effects.wire import CLOCKS_APART, Refs, address, address_whole, contact, resolve, same_contact
from bridge.sending.findings import Absent, Finding, Found, LookFailed
from bridge.servicetitan.client import ServiceTitan
from bridge.servicetitan.exports import collect
from bridge.servicetitan.responses import BookingResponse


async def create(client: ServiceTitan, command: CreateBooking, key: EffectKey) -> Outcome:
    """Create the booking."""
    body: dict[str, Any] = {
        "source": command.source,
        "name": command.name,
        "summary": command.summary,
        "isFirstTimeClient": command.is_first_time_client,
        "externalId": key,
    }
    optional = {
        "address": address(command.address) if command.address else None,
        "contacts": [contact(one) for one in command.contacts] or None,
        "customerType": command.customer_type or None,
        "start": command.start,
        "campaignId": command.campaign_id,
        "businessUnitId": command.business_unit_id,
        "jobTypeId": command.job_type_id,
        "priority": command.priority or None,
        "uploadedImages": list(command.uploaded_images) or None,
        "isSendConfirmationEmail": command.send_confirmation_email,
    }
    body |= {name: value for name, value in optional.items() if value is not None}
    outcome = await client.bookings.create(body=body)
    return _created(outcome)


async def find_created(client: ServiceTitan, key: EffectKey) -> Finding:
    """Tell whether a booking of this effect exists; the filter may match more, so it is compared again."""
    outcome = await client.bookings.list(query={"externalId": key, "pageSize": 50})
    if not isinstance(outcome, Succeeded):
        return LookFailed(outcome=outcome)
    mine = [row for row in outcome.body.data if row.external_id == key]
    return Found(ids={"": mine[0].id}) if mine else Absent()


async def update(client: ServiceTitan, command: UpdateBooking, refs: Refs) -> Outcome:
    """Change the booking; a summary is read first and added to, once."""
    booking_id = resolve(command.booking, refs)
    body = _changes(command)
    if command.append_summary:
        read = await client.bookings.get(booking_id)
        if not isinstance(read, Succeeded):
            return read
        stands = read.body.summary or ""
        if command.append_summary not in stands:
            body["summary"] = f"{stands}\n{command.append_summary}".lstrip("\n")
    if not body:
        return Succeeded(status=200, body={"": booking_id})
    outcome = await client.bookings.update(booking_id, body=body)
    return Succeeded(status=outcome.status, body={"": booking_id}) if isinstance(outcome, Succeeded) else outcome


async def find_updated(client: ServiceTitan, command: UpdateBooking, refs: Refs) -> Finding:
    """Tell whether everything wanted stands in the booking."""
    booking_id = resolve(command.booking, refs)
    read = await client.bookings.get(booking_id)
    if not isinstance(read, Succeeded):
        return LookFailed(outcome=read)
    booking: BookingResponse = read.body
    wanted = _changes(command)
    place = booking.address
    stands: dict[str, Any] = {
        "name": booking.name,
        "start": booking.start,
        "campaignId": booking.campaign_id,
        "businessUnitId": booking.business_unit_id,
        "jobTypeId": booking.job_type_id,
        "priority": booking.priority,
        "address": None
        if place is None
        else {name: getattr(place, name) or "" for name in ("street", "unit", "city", "state", "zip", "country")},
    }
    is_done = all(stands[name] == value for name, value in wanted.items()) and (
        not command.append_summary or command.append_summary in (booking.summary or "")
    )
    return Found(ids={"": booking_id}) if is_done else Absent()


async def add_contact(client: ServiceTitan, command: AddBookingContact, refs: Refs) -> Outcome:
    """Add one way to reach the person."""
    return _created(await client.bookings.create_contact(resolve(command.booking, refs), body=contact(command.contact)))


async def find_contact(client: ServiceTitan, command: AddBookingContact, refs: Refs) -> Finding:
    """Tell whether the booking has the contact."""
    outcome = await collect(client.bookings.contacts, resolve(command.booking, refs))
    if not isinstance(outcome, Succeeded):
        return LookFailed(outcome=outcome)
    mine = [row for row in outcome.body if same_contact(row.type, row.value, command.contact)]
    return Found(ids={"": mine[0].id}) if mine else Absent()


async def dismiss(client: ServiceTitan, command: DismissBooking, refs: Refs) -> Outcome:
    """Dismiss the booking."""
    body: dict[str, Any] = {}
    if command.call_reason_id is not None:
        body["callReasonId"] = command.call_reason_id
    if command.memo:
        body["dismissingMemo"] = command.memo
    return await client.bookings.dismiss(resolve(command.booking, refs), body=body)


async def find_dismissed(client: ServiceTitan, command: DismissBooking, refs: Refs) -> Finding:
    """Tell whether the booking is dismissed."""
    read = await client.bookings.get(resolve(command.booking, refs))
    if not isinstance(read, Succeeded):
        return LookFailed(outcome=read)
    return Found() if read.body.status == "Dismissed" else Absent()


async def attribute(client: ServiceTitan, command: AttributeBooking, refs: Refs) -> Outcome:
    """Tell Marketing where the booking came from."""
    source = command.attribution
    session: dict[str, Any] = {"landingPageUrl": source.landing_page, "referrerUrl": source.referrer}
    names = {
        "gclid": source.gclid,
        "gbraid": source.gbraid,
        "wbraid": source.wbraid,
        "fbclid": source.fbclid,
        "msclkid": source.msclkid,
        "utmSource": source.utm_source,
        "utmMedium": source.utm_medium,
        "utmCampaign": source.utm_campaign,
        "utmAdgroup": source.utm_adgroup,
        "utmTerm": source.utm_term,
        "utmContent": source.utm_content,
        "googleAnalyticsClientId": source.ga_client_id,
    }
    session |= {name: value for name, value in names.items() if value}
    body = {"bookingId": resolve(command.booking, refs), "webSessionData": session}
    return await client.attributions.web_booking(body=body)


async def find_attributed(client: ServiceTitan, command: AttributeBooking, refs: Refs, *, sent_at: datetime) -> Finding:
    """Tell whether Marketing knows where the booking came from."""
    booking_id = resolve(command.booking, refs)
    outcome = await collect(
        client.attributions.attributed_leads,
        query={"fromUtc": sent_at - CLOCKS_APART, "toUtc": sent_at + timedelta(days=1), "leadType": "WebBooking"},
    )
    if not isinstance(outcome, Succeeded):
        return LookFailed(outcome=outcome)
    return (
        Found() if any(row.booking is not None and row.booking.id == booking_id for row in outcome.body) else Absent()
    )


def _changes(command: UpdateBooking) -> dict[str, Any]:
    wanted = {
        "name": command.name,
        "start": command.start,
        "address": address_whole(command.address) if command.address else None,
        "campaignId": command.campaign_id,
        "businessUnitId": command.business_unit_id,
        "jobTypeId": command.job_type_id,
        "priority": command.priority,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _created(outcome: Outcome) -> Outcome:
    return Succeeded(status=outcome.status, body={"": outcome.body.id}) if isinstance(outcome, Succeeded) else outcome
