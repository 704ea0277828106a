"""What a request may carry (bookings): checked against the contract before it is sent."""

from msgspec import UNSET, UnsetType

from bridge.servicetitan.enums import ContactType, CustomerType, Priority
from bridge.servicetitan.wire import Moment, Request


class CreateBookingProviderTagRequest(Request, frozen=True, kw_only=True):
    """What `booking_provider_tags.create` takes."""

    tag_name: str
    description: str


class UpdateBookingProviderTagRequest(Request, frozen=True, kw_only=True):
    """What `booking_provider_tags.update` takes."""

    tag_name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET


class AddressPatchModel(Request, frozen=True, kw_only=True):
    """Part of `UpdateBookingRequest`."""

    street: str
    unit: str
    city: str
    state: str
    zip: str
    country: str


class UpdateBookingRequest(Request, frozen=True, kw_only=True):
    """What `bookings.update` takes."""

    source: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    address: AddressPatchModel | UnsetType = UNSET
    customer_type: CustomerType | UnsetType = UNSET
    start: Moment | UnsetType = UNSET
    summary: str | UnsetType = UNSET
    campaign_id: int | UnsetType = UNSET
    business_unit_id: int | UnsetType = UNSET
    job_type_id: int | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    is_first_time_client: bool | UnsetType = UNSET
    uploaded_images: list[str] | UnsetType = UNSET
    external_id: str | UnsetType = UNSET


class AddressModel(Request, frozen=True, kw_only=True):
    """Part of `CreateBookingRequest`."""

    street: str
    unit: str | UnsetType | None = UNSET
    city: str
    state: str
    zip: str
    country: str


class BookingContactModel(Request, frozen=True, kw_only=True):
    """Part of `CreateBookingRequest`."""

    type: ContactType
    value: str
    memo: str | UnsetType | None = UNSET


class CreateBookingRequest(Request, frozen=True, kw_only=True):
    """What `bookings.create` takes."""

    source: str
    name: str
    address: AddressModel | UnsetType | None = UNSET
    contacts: list[BookingContactModel] | UnsetType | None = UNSET
    customer_type: str | UnsetType | None = UNSET
    start: Moment | UnsetType | None = UNSET
    summary: str
    campaign_id: int | UnsetType | None = UNSET
    business_unit_id: int | UnsetType | None = UNSET
    job_type_id: int | UnsetType | None = UNSET
    priority: Priority | UnsetType | None = UNSET
    is_first_time_client: bool
    uploaded_images: list[str] | UnsetType | None = UNSET
    is_send_confirmation_email: bool | UnsetType | None = UNSET
    external_id: str


class ContactCreateRequest(Request, frozen=True, kw_only=True):
    """What `bookings.create_contact` takes."""

    type: str
    value: str
    memo: str | UnsetType | None = UNSET


class UpdateBookingContactRequest(Request, frozen=True, kw_only=True):
    """What `bookings.update_contact` takes."""

    type: ContactType | UnsetType = UNSET
    value: str | UnsetType = UNSET
    memo: str | UnsetType = UNSET


class DismissBookingModel(Request, frozen=True, kw_only=True):
    """What `bookings.dismiss` takes."""

    call_reason_id: int | UnsetType | None = UNSET
    dismissing_memo: str | UnsetType | None = UNSET
