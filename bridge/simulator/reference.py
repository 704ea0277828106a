"""The lists a booking needs: campaigns, business units, tag types, people, job types, jobs, call reasons; attribution; calls."""

from typing import Any

from bridge.simulator.call import Call, Handler
from bridge.simulator.paging import Keep, active, bounds, candidates, contains, equals, feed, list_of, page
from bridge.simulator.parties import shown, write_external_data
from bridge.simulator.problems import Problem, invalid
from bridge.simulator.tables import Row


def lister(table: str, *names: str, hide_inactive: bool = True) -> Handler:
    """Return the handler of a list with the `active` filter and containment filters on these members."""

    def handle(call: Call) -> Any:
        keeps = [*(active(call) if hide_inactive else []), *contains(call, *names)]
        found = list_of(call, call.account.tables[table], keeps)
        guid = call.query.get("externalDataApplicationGuid")
        return {**found, "data": [shown(row, guid) for row in found["data"]]}

    return handle


def getter(table: str, what: str) -> Handler:
    """Return the handler of a get by id."""
    return lambda call: shown(
        call.row(call.account.tables[table], call.path["id"], what), call.query.get("externalDataApplicationGuid")
    )


def creator(table: str, kind: str, defaults: Row) -> Handler:
    """Return the handler of a create that keeps the body over defaults."""

    def handle(call: Call) -> Any:
        if not call.body["name"].strip():
            raise invalid("Name", "The Name field is required.")
        body = {name: value for name, value in call.body.items() if value is not None}
        external = write_external_data({}, body.pop("externalData", None))
        row = call.account.tables[table].put(call.new({**defaults, **body, "external": external, "externalData": []}))
        call.effect(f"{kind}.created", row["id"])
        return shown(row)

    return handle


def updater(table: str, kind: str, what: str) -> Handler:
    """Return the handler of a PATCH that keeps the members sent."""

    def handle(call: Call) -> Any:
        row = call.row(call.account.tables[table], call.path["id"], what)
        fields = dict(call.body)
        external = write_external_data(row, fields.pop("externalData", None))
        if fields.pop("customFieldsUpdateMode", None) == "Merge" and "customFieldTypeIds" in fields:
            fields["customFieldTypeIds"] = sorted({*row.get("customFieldTypeIds", ()), *fields["customFieldTypeIds"]})
        row = call.account.tables[table].put(call.changed(row, {**fields, "external": external}))
        call.effect(f"{kind}.updated", row["id"])
        return shown(row)

    return handle


def list_campaigns(call: Call) -> Any:
    """List campaigns by name, activity and tracking number."""
    keeps = [*active(call), *contains(call, "name")]
    if number := call.query.get("campaignPhoneNumber"):
        keeps.append(lambda row: number in (row.get("campaignPhoneNumbers") or ()))
    return list_of(call, call.account.campaigns, keeps)


def upsert_campaign(call: Call) -> Any:
    """Create a campaign, or change the one of the path; category and business unit must exist."""
    account, body = call.account, dict(call.body)
    call.check_reference(account.categories, "categoryId", body["categoryId"])
    call.check_reference(account.business_units, "businessUnitId", body["businessUnitId"])
    category, unit = account.categories.get(body["categoryId"]), account.business_units.get(body["businessUnitId"])
    body["category"] = category
    body["businessUnit"] = unit["name"] if unit else None
    body["campaignPhoneNumbers"] = [body["dnis"]] if body.get("dnis") else []
    old = call.row(account.campaigns, call.path["id"], "Campaign") if "id" in call.path else None
    row = call.changed(old, body) if old else call.new(body)
    call.effect(f"campaign.{'updated' if old else 'created'}", row["id"])
    return account.campaigns.put(row)


def list_job_types(call: Call) -> Any:
    """List job types; ordering comes as `orderBy` and `orderByDirection` instead of `sort`."""
    get = call.query.get
    keeps = [*active(call), *contains(call, "name", "priority")]
    if (shortest := get("minDuration")) is not None:
        keeps.append(lambda row: row["duration"] >= shortest)
    if (longest := get("maxDuration")) is not None:
        keeps.append(lambda row: row["duration"] <= longest)
    if get("orderBy"):
        descending = str(get("orderByDirection") or "").lower().startswith("desc")
        call.query["sort"] = ("-" if descending else "+") + get("orderBy", "")
    found = list_of(call, call.account.job_types, keeps)
    return {**found, "data": [shown(row, get("externalDataApplicationGuid")) for row in found["data"]]}


def list_jobs(call: Call) -> Any:
    """List jobs by booking, customer, location, number, status and times; a `status` parameter is unknown and ignored."""
    names = {"bookingId": "bookingId", "customerId": "customerId", "locationId": "locationId", "jobStatus": "jobStatus"}
    names |= {"number": "jobNumber", "businessUnitId": "businessUnitId", "jobTypeId": "jobTypeId"}
    names |= {"campaignId": "campaignId", "priority": "priority"}
    return page(call, candidates(call, call.account.jobs), [*bounds(call), *equals(call, **names)])


def attribute(kind: str, member: str, table: str) -> Handler:
    """Return the handler that ties a web session to a booking, lead or job; the record must exist."""

    def handle(call: Call) -> None:
        row_id = call.body[member]
        if call.account.tables[table].get(row_id) is None:
            raise invalid(member[:1].upper() + member[1:], f"{member} {row_id} was not found.")
        row = call.account.attributions.put(
            call.new({"kind": kind, "of": row_id, "session": call.body["webSessionData"]})
        )
        refs = {"bookingId": "booking_id", "leadId": "lead_id"}
        call.effect(f"attribution.{kind}", row["id"], **({refs[member]: row_id} if member in refs else {}))

    return handle


def attribute_call(call: Call) -> None:
    """Tie a web session to a phone call."""
    row = call.account.attributions.put(
        call.new({"kind": "external_call", "of": None, "session": call.body["webSessionData"]})
    )
    call.effect("attribution.external_call", row["id"])


LEAD_TYPES = {"external_call": 1, "web_booking": 2, "web_lead_form": 3, "job": 4}
LEAD_TYPE_NAMES = {"Call": 1, "WebBooking": 2, "WebLeadForm": 3, "ManualJob": 4}


def list_attributed(call: Call) -> Any:
    """List what was attributed between two times; lead types answer as integers, as documented."""
    get = call.query.get
    if get("fromUtc", "") > get("toUtc", ""):
        raise invalid("fromUtc", "fromUtc must not be after toUtc.")
    keeps: list[Keep] = [lambda row: get("fromUtc", "") <= row["createdOn"] <= get("toUtc", "")]
    if get("leadType"):
        keeps.append(lambda row: LEAD_TYPES[row["kind"]] == LEAD_TYPE_NAMES[get("leadType", "")])
    found = page(call, call.account.attributions, keeps)
    return {**found, "data": [_attributed(row) for row in found["data"]]}


def _attributed(row: Row) -> Row:
    session = row["session"]
    texts = ("utmSource", "utmMedium", "utmCampaign", "landingPageUrl", "referrerUrl", "gbraid", "wbraid")
    blank = ("originalCampaign", "adGroupId", "adGroupName", "keywordId", "keywordName")
    attribution = {name: session.get(name) or "" for name in texts} | dict.fromkeys(blank, "")
    attribution["clickId"] = session.get("gclid") or session.get("fbclid") or session.get("msclkid") or ""
    call = dict.fromkeys(("duration", "type", "source", "callerNumber", "trackingNumber", "excusedReason"), "")
    return {
        "dateTime": row["createdOn"],
        "leadType": LEAD_TYPES[row["kind"]],
        "attribution": attribution,
        "job": {"id": row["of"] if row["kind"] == "job" else None, "name": ""},
        "customer": {"id": None, "name": ""},
        "call": call,
        "leadForm": {
            "leadNumber": row["of"] if row["kind"] == "web_lead_form" else None,
            "leadStatus": "",
            "notes": "",
        },
        "booking": {"id": row["of"] if row["kind"] == "web_booking" else None},
    }


def list_calls(call: Call) -> Any:
    """List telephone calls, each in the wrapping of its job."""
    found = list_of(
        call, call.account.calls, [*active(call), *equals(call, callerPhoneNumber="from", phoneNumberCalled="to")]
    )
    data = [
        {
            "id": row["id"],
            "projectId": 0,
            "leadCall": {**row, "receivedOn": row["createdOn"], "callType": row.get("type")},
        }
        for row in found["data"]
    ]
    return {**found, "data": data}


def update_tag_type(call: Call) -> Any:
    """Change a tag type; a code is at most 20 characters."""
    _check_code(call)
    return updater("tag_types", "tag_type", "Tag type")(call)


def create_tag_type(call: Call) -> Any:
    """Create a tag type; only its id is answered."""
    _check_code(call)
    flags = ("isConversionOpportunity", "allowToUseOnTimesheetActivity", "isVisibleOnDispatchBoard")
    return creator("tag_types", "tag_type", {"code": "", "importance": None, **dict.fromkeys(flags, False)})(call)


def _check_code(call: Call) -> None:
    if len(call.body.get("code") or "") > 20:
        raise Problem(400, "One or more validation errors occurred.", {"Code": ["At most 20 characters are allowed."]})


JOB_TYPE_DEFAULTS: Row = {
    "businessUnitIds": [],
    "skills": [],
    "tagTypeIds": [],
    "priority": "Normal",
    "duration": 3600,
    "soldThreshold": None,
    "class": "",
    "summary": "",
    "noCharge": False,
    "enforceRecurringServiceEventSelection": False,
    "invoiceSignaturesRequired": False,
    "isSmartDispatched": False,
    "defaultEstimateSoldAction": "",
    "customFieldTypeIds": [],
}

HANDLERS: dict[str, Handler] = {
    "marketing.CampaignCategories_GetList": lister("categories", hide_inactive=False),
    "marketing.CampaignCategories_Create": creator("categories", "campaign_category", {"type": "Regular"}),
    "marketing.CampaignCategories_Get": getter("categories", "Category"),
    "marketing.CampaignCategories_Update": updater("categories", "campaign_category", "Category"),
    "marketing.Campaigns_GetList": list_campaigns,
    "marketing.Campaigns_Create": upsert_campaign,
    "marketing.Campaigns_Get": getter("campaigns", "Campaign"),
    "marketing.Campaigns_Update": upsert_campaign,
    "settings.Employees_GetList": lister("employees", "name", "email"),
    "settings.Employees_Get": getter("employees", "Employee"),
    "settings.Export_Employees": feed("employees"),
    "settings.Technicians_GetList": lister("technicians", "name"),
    "settings.Technicians_Get": getter("technicians", "Technician"),
    "settings.Export_Technicians": feed("technicians"),
    "settings.BusinessUnits_GetList": lister("business_units", "name"),
    "settings.BusinessUnits_Get": getter("business_units", "Business unit"),
    "settings.BusinessUnits_Update": updater("business_units", "business_unit", "Business unit"),
    "settings.Export_BusinessUnits": feed("business_units"),
    "settings.TagTypes_GetList": lister("tag_types"),
    "settings.TagTypes_Create": create_tag_type,
    "settings.TagTypes_Update": update_tag_type,
    "settings.Export_TagTypes": feed("tag_types"),
    "jpm.JobTypes_GetList": list_job_types,
    "jpm.JobTypes_Get": getter("job_types", "Job type"),
    "jpm.JobTypes_Create": creator("job_types", "job_type", JOB_TYPE_DEFAULTS),
    "jpm.JobTypes_Update": updater("job_types", "job_type", "Job type"),
    "jpm.Jobs_GetList": list_jobs,
    "jpm.Jobs_Get": getter("jobs", "Job"),
    "jpm.Jobs_GetCustomFieldTypes": lister("job_fields", hide_inactive=False),
    "jpm.Export_Jobs": feed("jobs"),
    "jbce.CallReasons_Get": lister("call_reasons"),
    "marketingads.WebBookingAttributions_Create": attribute("web_booking", "bookingId", "bookings"),
    "marketingads.WebLeadFormAttributions_Create": attribute("web_lead_form", "leadId", "leads"),
    "marketingads.ScheduledJobAttributions_Create": attribute("job", "jobId", "jobs"),
    "marketingads.ExternalCallAttributions_Create": attribute_call,
    "marketingads.AttributedLeads_Get": list_attributed,
    "telecom.Calls_Calls": list_calls,
    "telecom.Export_Calls": feed("calls"),
}
