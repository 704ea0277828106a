"""What ServiceTitan answers (bookings): any field but the primary key may be missing."""

from bridge.servicetitan.wire import Answer, Moment


class CreateBookingProviderTagResponse(Answer, frozen=True):
    """What `booking_provider_tags.create` answers."""

    id: int
    tag_name: str | None = None
    description: str | None = None
    type: str | None = None
    created_on: Moment | None = None
    modified_on: Moment | None = None


class GetBookingProviderTagResponse(Answer, frozen=True):
    """What `booking_provider_tags.list` and `booking_provider_tags.get` answer."""

    id: int
    tag_name: str | None = None
    description: str | None = None
    type: str | None = None
    created_on: Moment | None = None
    modified_on: Moment | None = None
    active: bool | None = None


class BookingProviderTagResponse(Answer, frozen=True):
    """What `booking_provider_tags.update` answers."""

    id: int
    tag_name: str | None = None
    description: str | None = None
    type: str | None = None
    created_on: Moment | None = None
    modified_on: Moment | None = None


class AddressModel(Answer, frozen=True):
    """Part of `BookingResponse` and `ExportBookingResponse`."""

    street: str | None = None
    unit: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: str | None = None


class BookingResponse(Answer, frozen=True):
    """What `bookings.list`, `bookings.create` and `bookings.get` answer."""

    id: int
    source: str | None = None
    created_on: Moment | None = None
    name: str | None = None
    address: AddressModel | None = None
    customer_type: str | None = None
    start: Moment | None = None
    campaign_id: int | None = None
    business_unit_id: int | None = None
    is_first_time_client: bool | None = None
    uploaded_images: tuple[str, ...] | None = ()
    is_send_confirmation_email: bool | None = None
    status: str | None = None
    dismissing_reason_id: int | None = None
    job_id: int | None = None
    external_id: str | None = None
    priority: str | None = None
    job_type_id: int | None = None
    booking_provider_id: int | None = None
    modified_on: Moment | None = None
    summary: str | None = None


class BookingContactResponse(Answer, frozen=True):
    """What `bookings.contacts`, `bookings.create_contact` and `tenant_bookings.contacts` answer."""

    id: int
    type: str | None = None
    value: str | None = None
    memo: str | None = None
    modified_on: Moment | None = None


class UpdatedBookingContact(Answer, frozen=True):
    """What `bookings.update_contact` answers."""

    type: str | None = None
    value: str | None = None
    memo: str | None = None


class ExportBookingResponse(Answer, frozen=True):
    """What `exports.bookings` answers."""

    id: int
    summary: str | None = None
    source: str | None = None
    created_on: Moment | None = None
    name: str | None = None
    address: AddressModel | None = None
    customer_type: str | None = None
    start: Moment | None = None
    campaign_id: int | None = None
    business_unit_id: int | None = None
    is_first_time_client: bool | None = None
    uploaded_images: tuple[str, ...] | None = ()
    is_send_confirmation_email: bool | None = None
    status: str | None = None
    dismissing_reason_id: int | None = None
    job_id: int | None = None
    external_id: str | None = None
    priority: str | None = None
    job_type_id: int | None = None
    booking_provider_id: int | None = None
    modified_on: Moment | None = None
    active: bool | None = None
