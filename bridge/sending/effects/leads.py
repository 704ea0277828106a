"""Commands on leads: perform and look up. A lead has no external id, so its summary carries a mark of the effect key."""

from datetime import UTC, datetime, time
from typing import Any

from bridge.domain.command import CreateLead, DismissLead, FollowUpLead, SubmitLeadForm
from bridge.domain.ids import EffectKey
from bridge.domain.outcome import Outcome, Succeeded
from bridge.sending.effects.wire import CLOCKS_APART, Refs, address, is_marked, marked, resolve
from bridge.sending.findings import Absent, Finding, Found, LookFailed
from bridge.servicetitan.client import ServiceTitan
from bridge.servicetitan.exports import collect


async def create(client: ServiceTitan, command: CreateLead, key: EffectKey) -> Outcome:
    """Create the lead."""
    place = command.address
    optional = {
        "customerId": command.customer_id,
        "locationId": command.location_id,
        "businessUnitId": command.business_unit_id,
        "jobTypeId": command.job_type_id,
        "priority": command.priority or None,
        "callReasonId": command.call_reason_id,
        "followUpDate": command.follow_up_date,
        "leadCustomerName": command.name or None,
        "leadPhone": command.phone or None,
        "leadEmail": command.email or None,
    }
    if place:
        optional |= {
            "leadStreet": place.street or None,
            "leadUnit": place.unit or None,
            "leadCity": place.city or None,
            "leadState": place.state or None,
            "leadZip": place.zip or None,
            "leadCountry": place.country or None,
        }
    body: dict[str, Any] = {"campaignId": command.campaign_id, "summary": marked(command.summary, key)}
    body |= {name: value for name, value in optional.items() if value is not None}
    outcome = await client.leads.create(body=body)
    return Succeeded(status=outcome.status, body={"": outcome.body.id}) if isinstance(outcome, Succeeded) else outcome


async def submit(client: ServiceTitan, command: SubmitLeadForm, key: EffectKey) -> Outcome:
    """Submit the lead form."""
    body: dict[str, Any] = {"name": command.name, "summary": marked(command.summary, key)}
    if command.email:
        body["email"] = command.email
    if command.phone:
        body["phoneNumber"] = command.phone
    if command.address:
        body["address"] = address(command.address)
    outcome = await client.leads.submit_form(body=body)
    if not isinstance(outcome, Succeeded):
        return outcome
    lead_id = outcome.body.lead_id
    return Succeeded(status=outcome.status, body={} if lead_id is None else {"": lead_id})


async def find(client: ServiceTitan, key: EffectKey, *, sent_at: datetime) -> Finding:
    """Tell whether the lead of this effect exists."""
    outcome = await collect(client.leads.list, query={"createdOnOrAfter": sent_at - CLOCKS_APART})
    if not isinstance(outcome, Succeeded):
        return LookFailed(outcome=outcome)
    mine = [row for row in outcome.body if is_marked(row.summary, key)]
    return Found(ids={"": mine[0].id}) if mine else Absent()


async def follow_up(client: ServiceTitan, command: FollowUpLead, refs: Refs) -> Outcome:
    """Set the next follow-up."""
    body: dict[str, Any] = {"followUpDate": datetime.combine(command.on, time(0), UTC)}
    if command.text:
        body["text"] = command.text
    outcome = await client.leads.follow_up(resolve(command.lead, refs), body=body)
    return Succeeded(status=outcome.status, body={}) if isinstance(outcome, Succeeded) else outcome


async def find_followed(client: ServiceTitan, command: FollowUpLead, refs: Refs) -> Finding:
    """Tell whether the lead's follow-up is on the day."""
    read = await client.leads.get(resolve(command.lead, refs))
    if not isinstance(read, Succeeded):
        return LookFailed(outcome=read)
    on = read.body.follow_up_date
    return Found() if on is not None and on.astimezone(UTC).date() == command.on else Absent()


async def dismiss(client: ServiceTitan, command: DismissLead, refs: Refs) -> Outcome:
    """Dismiss the lead."""
    return await client.leads.dismiss(resolve(command.lead, refs), body={"dismissingReasonId": command.call_reason_id})


async def find_dismissed(client: ServiceTitan, command: DismissLead, refs: Refs) -> Finding:
    """Tell whether the lead is dismissed."""
    read = await client.leads.get(resolve(command.lead, refs))
    if not isinstance(read, Succeeded):
        return LookFailed(outcome=read)
    return Found() if read.body.status == "Dismissed" else Absent()
