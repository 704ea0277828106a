"""Operations on leads."""

from bridge.servicetitan import checks, requests, responses
from bridge.servicetitan.operation import CRM, LIST, MARKETING_ADS, PAGE, Family, Operation
from bridge.servicetitan.wire import Page


class Leads(Family):
    """Leads: somebody who may become a customer, to be called back."""

    name = "leads"

    list = Operation(
        method="GET",
        path=CRM + "/leads",
        scope="tn.crm.leads:r",
        query=(
            *LIST,
            "ids",
            "customerId",
            "isProspect",
            "withoutCustomer",
            "status",
            "customerCity",
            "customerState",
            "customerZip",
            "customerCreatedOnOrAfter",
            "customerCreatedBefore",
            "customerModifiedOnOrAfter",
            "sort",
            "genPermUrl",
            "leadCustomerName",
            "leadPhone",
            "isCaptureSourceForm",
        ),
        choices={"status": ("Open", "Dismissed", "Converted")},
        answer=Page[responses.LeadResponse],
    )
    create = Operation(
        method="POST",
        path=CRM + "/leads",
        scope="tn.crm.leads:w",
        body=requests.LeadCreateRequest,
        check=checks.lead,
        answer=responses.LeadResponse,
    )
    submit_form = Operation(
        method="POST",
        path=CRM + "/leads/form",
        scope="tn.crm.leads:w",
        query=("id",),
        body=requests.SubmitLeadFormRequest,
        answer=responses.SubmitLeadFormResponse,
    )
    get = Operation(method="GET", path=CRM + "/leads/{id}", scope="tn.crm.leads:r", answer=responses.LeadResponse)
    update = Operation(
        method="PATCH",
        path=CRM + "/leads/{id}",
        scope="tn.crm.leads:w",
        body=requests.LeadUpdateRequest,
        answer=responses.LeadResponse,
    )
    dismiss = Operation(
        method="POST", path=CRM + "/leads/{id}/dismiss", scope="tn.crm.leads:w", body=requests.DismissLeadRequest
    )
    follow_up = Operation(
        method="POST",
        path=CRM + "/leads/{id}/follow-up",
        scope="tn.crm.leads:w",
        body=requests.CreateFollowUpRequest,
        answer=responses.FollowUpResponse,
    )
    notes = Operation(
        method="GET",
        path=CRM + "/leads/{id}/notes",
        scope="tn.crm.leads:r",
        query=LIST,
        answer=Page[responses.NoteResponse],
    )
    create_note = Operation(
        method="POST",
        path=CRM + "/leads/{id}/notes",
        scope="tn.crm.leads:w",
        body=requests.LeadNoteCreateRequest,
        answer=responses.NoteResponse,
    )


class Attributions(Family):
    """Which advertisement brought a booking, a lead, a call or a job."""

    name = "attributions"

    web_booking = Operation(
        method="POST",
        path=MARKETING_ADS + "/web-booking-attributions",
        scope="tn.mads.webbookingattributions:w",
        body=requests.CreateWebBookingAttributionRequest,
    )
    web_lead_form = Operation(
        method="POST",
        path=MARKETING_ADS + "/web-lead-form-attributions",
        scope="tn.mads.webleadformattributions:w",
        body=requests.CreateWebLeadFormAttributionRequest,
    )
    external_call = Operation(
        method="POST",
        path=MARKETING_ADS + "/external-call-attributions",
        scope="tn.mads.externalcallattributions:w",
        body=requests.CreateExternalCallAttributionRequest,
    )
    job = Operation(
        method="POST",
        path=MARKETING_ADS + "/job-attributions",
        scope="tn.mads.jobattributions:w",
        body=requests.CreateScheduledJobAttributionRequest,
    )
    attributed_leads = Operation(
        method="GET",
        path=MARKETING_ADS + "/attributed-leads",
        scope="tn.mads.attributedleads:r",
        query=(*PAGE, "fromUtc", "toUtc", "leadType"),
        required_query=("fromUtc", "toUtc"),
        choices={"leadType": ("Call", "WebBooking", "WebLeadForm", "ManualJob")},
        answer=Page[responses.GetAttributedLeadsResponse],
    )
