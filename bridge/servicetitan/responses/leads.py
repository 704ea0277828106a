"""What ServiceTitan answers (leads): any field but the primary key may be missing."""

from bridge.servicetitan.wire import Answer, Moment


class ExportLeadsResponse(Answer, frozen=True):
    """What `exports.leads` answers."""

    id: int
    summary: str | None = None
    call_reason_id: int | None = None
    call_id: int | None = None
    booking_id: int | None = None
    manual_call_id: int | None = None
    lead_url: str | None = None
    lead_customer_name: str | None = None
    lead_phone: str | None = None
    lead_email: str | None = None
    lead_street: str | None = None
    lead_unit: str | None = None
    lead_city: str | None = None
    lead_state: str | None = None
    lead_zip: str | None = None
    lead_country: str | None = None
    capture_source: str | None = None
    status: str | None = None
    priority: str | None = None
    customer_id: int | None = None
    location_id: int | None = None
    business_unit_id: int | None = None
    job_type_id: int | None = None
    campaign_id: int | None = None
    follow_up_date: Moment | None = None
    created_by_id: int | None = None
    created_on: Moment | None = None
    modified_on: Moment | None = None
    tag_type_ids: tuple[int, ...] = ()
    dismissing_reason_id: int | None = None
    active: bool | None = None


class LeadResponse(Answer, frozen=True):
    """What `leads.list`, `leads.create` and `leads.get` answer."""

    id: int
    status: str | None = None
    priority: str | None = None
    customer_id: int | None = None
    location_id: int | None = None
    business_unit_id: int | None = None
    job_type_id: int | None = None
    campaign_id: int | None = None
    follow_up_date: Moment | None = None
    created_by_id: int | None = None
    created_on: Moment | None = None
    modified_on: Moment | None = None
    tag_type_ids: tuple[int, ...] = ()
    dismissing_reason_id: int | None = None
    summary: str | None = None
    call_reason_id: int | None = None
    call_id: int | None = None
    booking_id: int | None = None
    manual_call_id: int | None = None
    lead_url: str | None = None
    lead_customer_name: str | None = None
    lead_phone: str | None = None
    lead_email: str | None = None
    lead_street: str | None = None
    lead_unit: str | None = None
    lead_city: str | None = None
    lead_state: str | None = None
    lead_zip: str | None = None
    lead_country: str | None = None
    capture_source: str | None = None


class FollowUpResponse(Answer, frozen=True):
    """What `leads.follow_up` answers."""

    lead_id: int | None = None
    follow_up_date: Moment | None = None
    text: str | None = None
    pin_to_top: bool | None = None


class SubmitLeadFormResponse(Answer, frozen=True):
    """What `leads.submit_form` answers."""

    lead_id: int | None = None
