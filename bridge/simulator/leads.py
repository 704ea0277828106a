"""Leads: create with a call reason or follow-up date, change, follow-up, dismiss, notes, the form door."""

from typing import Any

from bridge.simulator.bookings import change_status
from bridge.simulator.call import Call, Handler
from bridge.simulator.paging import Keep, bounds, candidates, contains, equals, feed, page
from bridge.simulator.parties import digits
from bridge.simulator.problems import Problem, invalid
from bridge.simulator.tables import Row

PROSPECT = ("CustomerName", "Phone", "Email", "Street", "Unit", "City", "State", "Zip", "Country")


def _lead(call: Call) -> Row:
    return call.row(call.account.leads, call.path["id"], "Lead")


def _check(call: Call, body: Row) -> None:
    account = call.account
    call.check_reference(account.campaigns, "campaignId", body.get("campaignId"))
    call.check_reference(account.business_units, "businessUnitId", body.get("businessUnitId"))
    call.check_reference(account.job_types, "jobTypeId", body.get("jobTypeId"))
    call.check_reference(account.customers, "customerId", body.get("customerId"))
    call.check_reference(account.locations, "locationId", body.get("locationId"))
    call.check_reference(account.call_reasons, "callReasonId", body.get("callReasonId"))
    call.check_reference(account.bookings, "bookingId", body.get("bookingId"))
    for tag_id in body.get("tagTypeIds") or ():
        call.check_reference(account.tag_types, "tagTypeIds", tag_id)


def _put_new(call: Call, fields: Row) -> Row:
    lead: Row = {"status": "Open", "priority": "Normal", "tagTypeIds": [], "dismissingReasonId": None}
    lead = call.account.leads.put(call.new({**lead, **{k: v for k, v in fields.items() if v is not None}}))
    call.effect("lead.created", lead["id"], **_refs(lead))
    call.simulator.announce(call, "tn.crm.lead-created", lead)
    return lead


def _refs(lead: Row) -> dict[str, Any]:
    return {
        "lead_id": lead["id"],
        "customer_id": lead.get("customerId"),
        "location_id": lead.get("locationId"),
        "booking_id": lead.get("bookingId"),
    }


def create(call: Call) -> Any:
    """Create a lead; a booking given with it is dismissed and linked."""
    body = call.body
    if body.get("callReasonId") is None and body.get("followUpDate") is None:
        raise invalid("CallReasonId", "Either a call reason or a follow up date is required.")
    if not body["summary"].strip():
        raise invalid("Summary", "The Summary field is required.")
    _check(call, body)
    lead = _put_new(call, body)
    if body.get("bookingId") is not None:
        booking = call.account.bookings.get(body["bookingId"])
        if booking is not None and booking["status"] != "Dismissed":
            reason = body.get("callReasonId")
            change_status(call, booking, "booking.dismissed", status="Dismissed", dismissingReasonId=reason)
    return lead


def change(call: Call, lead: Row, kind: str, fields: Row) -> Row:
    """Keep the next version of a lead, write the effect and announce it; the operator's edits use it too."""
    lead = call.account.leads.put(call.changed(lead, fields))
    call.effect(kind, lead["id"], detail={"fields": sorted(fields)}, **_refs(lead))
    call.simulator.announce(call, "tn.crm.lead-updated", lead)
    return lead


def update(call: Call) -> Any:
    """Change the members sent; customer, status and follow-up are not among them."""
    lead = _lead(call)
    _check(call, call.body)
    return change(call, lead, "lead.updated", call.body)


def follow_up(call: Call) -> Any:
    """Set the next follow-up date, with a note where text is given."""
    lead, body = _lead(call), call.body
    change(call, lead, "lead.follow_up", {"followUpDate": body["followUpDate"]})
    pinned = bool(body.get("pinToTop"))
    if body.get("text"):
        _put_note(call, lead, body["text"], pinned=pinned)
    return {"leadId": lead["id"], "followUpDate": body["followUpDate"], "text": body.get("text"), "pinToTop": pinned}


def dismiss(call: Call) -> None:
    """Close a lead with a call reason."""
    lead = _lead(call)
    reason = call.body["dismissingReasonId"]
    call.check_reference(call.account.call_reasons, "dismissingReasonId", reason)
    if lead["status"] != "Open":
        if call.switches.dismiss_again_status == 200:
            return
        raise Problem(call.switches.dismiss_again_status, f"Lead {lead['id']} is {lead['status'].lower()} already.")
    change(call, lead, "lead.dismissed", {"status": "Dismissed", "dismissingReasonId": reason})


def submit_form(call: Call) -> Any:
    """Take a form: no campaign needed, the default one is used; `id` names an earlier submission to update."""
    body, account = call.body, call.account
    if not body["name"].strip():
        raise invalid("Name", "The Name field is required.")
    address = body.get("address") or {}
    fields = {
        "leadCustomerName": body["name"],
        "leadPhone": body.get("phoneNumber"),
        "leadEmail": body.get("email"),
        "summary": body.get("summary"),
        "captureSource": "Form",
        **{f"lead{name}": address.get(name.lower()) for name in PROSPECT[3:]},
    }
    earlier = account.leads.get(call.query["id"]) if "id" in call.query else None
    if earlier is not None:
        change(call, earlier, "lead.updated", {name: value for name, value in fields.items() if value is not None})
        return {"leadId": earlier["id"]}
    campaign = next((row for row in account.campaigns if row.get("isDefaultCampaign")), None) or next(
        iter(account.campaigns)
    )
    return {"leadId": _put_new(call, {**fields, "campaignId": campaign["id"]})["id"]}


def _put_note(call: Call, lead: Row, text: str, *, pinned: bool) -> Row:
    note = call.account.lead_notes.put(call.new({"text": text, "isPinned": pinned, "leadId": lead["id"]}))
    call.effect("lead_note.created", note["id"], **_refs(lead))
    return note


def create_note(call: Call) -> Any:
    """Add a note to a lead."""
    lead = _lead(call)
    if not call.body["text"].strip():
        raise invalid("Text", "The Text field is required.")
    return _put_note(call, lead, call.body["text"], pinned=bool(call.body.get("pinToTop")))


def list_notes(call: Call) -> Any:
    """List the notes of a lead."""
    return page(call, call.account.lead_notes.where("leadId", _lead(call)["id"]), bounds(call))


def _customer_filters(call: Call) -> list[Keep]:
    """Return the filters that look at the customer of a lead."""
    get = call.query.get
    wanted = {name: get(f"customer{name}") for name in ("City", "State", "Zip")}
    since, before = get("customerCreatedOnOrAfter"), get("customerCreatedBefore")
    modified = get("customerModifiedOnOrAfter")
    if not any((*wanted.values(), since, before, modified)):
        return []

    def keep(lead: Row) -> bool:
        customer = call.account.customers.get(lead.get("customerId"))
        return (
            customer is not None
            and all(
                not v or str(customer["address"].get(n.lower()) or "").lower() == v.lower() for n, v in wanted.items()
            )
            and (not since or customer["createdOn"] >= since)
            and (not before or customer["createdOn"] < before)
            and (not modified or customer["modifiedOn"] >= modified)
        )

    return [keep]


def list_leads(call: Call) -> Any:
    """List leads by status, customer, prospect, phone, times."""
    get = call.query.get
    keeps = [*equals(call, customerId="customerId", status="status"), *contains(call, "leadCustomerName")]
    keeps += _customer_filters(call)
    if get("withoutCustomer") is not None or get("isProspect") is not None:
        without = bool(get("withoutCustomer") or get("isProspect"))
        keeps.append(lambda lead: (lead.get("customerId") is None) == without)
    if get("leadPhone"):
        keeps.append(lambda lead: digits(lead.get("leadPhone") or "") == digits(get("leadPhone", "")))
    if get("isCaptureSourceForm") is not None:
        keeps.append(lambda lead: (lead.get("captureSource") == "Form") == get("isCaptureSourceForm"))
    found = page(call, candidates(call, call.account.leads), [*bounds(call), *keeps])
    if get("genPermUrl"):
        link = "https://go.servicetitan.com/#/Lead/{}"
        found["data"] = [{**lead, "leadUrl": link.format(lead["id"])} for lead in found["data"]]
    return found


HANDLERS: dict[str, Handler] = {
    "crm.Leads_Get": _lead,
    "crm.Leads_Update": update,
    "crm.Leads_GetList": list_leads,
    "crm.Leads_Create": create,
    "crm.Leads_CreateFollowUp": follow_up,
    "crm.Leads_GetNotes": list_notes,
    "crm.Leads_CreateNote": create_note,
    "crm.Leads_Dismiss": dismiss,
    "crm.Leads_SubmitLeadForm": submit_form,
    "crm.ExportLeads_Leads": feed("leads"),
}
