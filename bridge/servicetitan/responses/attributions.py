"""What ServiceTitan answers (attributions): any field but the primary key may be missing."""

from bridge.servicetitan.wire import Answer, Moment


class Attribution(Answer, frozen=True):
    """Part of `GetAttributedLeadsResponse`."""

    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    landing_page_url: str | None = None
    referrer_url: str | None = None
    click_id: str | None = None
    gbraid: str | None = None
    wbraid: str | None = None
    st_campaign_id: int | None = None
    original_campaign: str | None = None
    attribution_overwrite_type: str | None = None
    attribution_overwrite_id: int | None = None
    overwritten_booking_job_id: int | None = None
    ad_group_id: str | None = None
    ad_group_name: str | None = None
    keyword_id: str | None = None
    keyword_name: str | None = None


class Job(Answer, frozen=True):
    """Part of `GetAttributedLeadsResponse`."""

    id: int | None = None
    name: str | None = None


class Customer(Answer, frozen=True):
    """Part of `GetAttributedLeadsResponse`."""

    id: int | None = None
    name: str | None = None


class Call(Answer, frozen=True):
    """Part of `GetAttributedLeadsResponse`."""

    id: int | None = None
    duration: str | None = None
    type: str | None = None
    source: str | None = None
    caller_number: str | None = None
    tracking_number: str | None = None
    excused_reason: str | None = None


class LeadForm(Answer, frozen=True):
    """Part of `GetAttributedLeadsResponse`."""

    lead_number: int | None = None
    lead_status: str | None = None
    notes: str | None = None


class Booking(Answer, frozen=True):
    """Part of `GetAttributedLeadsResponse`."""

    id: int | None = None


class GetAttributedLeadsResponse(Answer, frozen=True):
    """What `attributions.attributed_leads` answers."""

    date_time: Moment | None = None
    lead_type: str | None = None
    attribution: Attribution | None = None
    job: Job | None = None
    customer: Customer | None = None
    call: Call | None = None
    lead_form: LeadForm | None = None
    booking: Booking | None = None
