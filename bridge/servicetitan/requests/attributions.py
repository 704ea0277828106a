"""What a request may carry (attributions): checked against the contract before it is sent."""

from msgspec import UNSET, UnsetType

from bridge.servicetitan.wire import Moment, Request


class WebSessionData(Request, frozen=True, kw_only=True):
    """Part of `CreateExternalCallAttributionRequest`, `CreateScheduledJobAttributionRequest` and others."""

    landing_page_url: str
    referrer_url: str
    gclid: str | UnsetType | None = UNSET
    gbraid: str | UnsetType | None = UNSET
    wbraid: str | UnsetType | None = UNSET
    fbclid: str | UnsetType | None = UNSET
    msclkid: str | UnsetType | None = UNSET
    utm_source: str | UnsetType | None = UNSET
    utm_medium: str | UnsetType | None = UNSET
    utm_campaign: str | UnsetType | None = UNSET
    utm_adgroup: str | UnsetType | None = UNSET
    utm_term: str | UnsetType | None = UNSET
    utm_content: str | UnsetType | None = UNSET
    google_analytics_client_id: str | UnsetType | None = UNSET


class ExternalCallData(Request, frozen=True, kw_only=True):
    """Part of `CreateExternalCallAttributionRequest`."""

    customer_phone_number: str
    forwarding_phone_number: str
    tracking_phone_number: str
    call_started_on_utc: Moment


class CreateExternalCallAttributionRequest(Request, frozen=True, kw_only=True):
    """What `attributions.external_call` takes."""

    web_session_data: WebSessionData
    external_call_data: ExternalCallData


class CreateScheduledJobAttributionRequest(Request, frozen=True, kw_only=True):
    """What `attributions.job` takes."""

    web_session_data: WebSessionData
    job_id: int


class CreateWebBookingAttributionRequest(Request, frozen=True, kw_only=True):
    """What `attributions.web_booking` takes."""

    web_session_data: WebSessionData
    booking_id: int


class CreateWebLeadFormAttributionRequest(Request, frozen=True, kw_only=True):
    """What `attributions.web_lead_form` takes."""

    web_session_data: WebSessionData
    lead_id: int
