"""What a request may carry (leads): checked against the contract before it is sent."""

from msgspec import UNSET, UnsetType

from bridge.servicetitan.enums import Priority
from bridge.servicetitan.requests.common import CustomerAddress
from bridge.servicetitan.wire import Moment, Request


class LeadUpdateRequest(Request, frozen=True, kw_only=True):
    """What `leads.update` takes."""

    campaign_id: int | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    business_unit_id: int | UnsetType = UNSET
    job_type_id: int | UnsetType = UNSET
    summary: str | UnsetType = UNSET
    lead_customer_name: str | UnsetType = UNSET
    lead_phone: str | UnsetType = UNSET
    lead_email: str | UnsetType = UNSET
    lead_street: str | UnsetType = UNSET
    lead_unit: str | UnsetType = UNSET
    lead_city: str | UnsetType = UNSET
    lead_state: str | UnsetType = UNSET
    lead_zip: str | UnsetType = UNSET
    lead_country: str | UnsetType = UNSET


class LeadCreateRequest(Request, frozen=True, kw_only=True):
    """What `leads.create` takes."""

    customer_id: int | UnsetType | None = UNSET
    location_id: int | UnsetType | None = UNSET
    campaign_id: int
    business_unit_id: int | UnsetType | None = UNSET
    job_type_id: int | UnsetType | None = UNSET
    summary: str
    tag_type_ids: list[int] | UnsetType | None = UNSET
    priority: Priority | UnsetType | None = UNSET
    call_reason_id: int | UnsetType | None = UNSET
    follow_up_date: Moment | UnsetType | None = UNSET
    booking_id: int | UnsetType | None = UNSET
    lead_customer_name: str | UnsetType | None = UNSET
    lead_phone: str | UnsetType | None = UNSET
    lead_email: str | UnsetType | None = UNSET
    lead_street: str | UnsetType | None = UNSET
    lead_unit: str | UnsetType | None = UNSET
    lead_city: str | UnsetType | None = UNSET
    lead_state: str | UnsetType | None = UNSET
    lead_zip: str | UnsetType | None = UNSET
    lead_country: str | UnsetType | None = UNSET


class CreateFollowUpRequest(Request, frozen=True, kw_only=True):
    """What `leads.follow_up` takes."""

    follow_up_date: Moment
    text: str | UnsetType | None = UNSET
    pin_to_top: bool | UnsetType | None = UNSET


class LeadNoteCreateRequest(Request, frozen=True, kw_only=True):
    """What `leads.create_note` takes."""

    text: str
    pin_to_top: bool | UnsetType | None = UNSET


class DismissLeadRequest(Request, frozen=True, kw_only=True):
    """What `leads.dismiss` takes."""

    dismissing_reason_id: int


class SubmitLeadFormRequest(Request, frozen=True, kw_only=True):
    """What `leads.submit_form` takes."""

    name: str
    email: str | UnsetType | None = UNSET
    phone_number: str | UnsetType | None = UNSET
    address: CustomerAddress | UnsetType | None = UNSET
    summary: str | UnsetType | None = UNSET
