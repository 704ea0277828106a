"""What a request may carry (customers): checked against the contract before it is sent."""

from msgspec import UNSET, UnsetType

from bridge.servicetitan.enums import (
    ContactType,
    CustomerType,
    GeolocationCoordinatesSource,
    GeolocationVerificationStatus,
)
from bridge.servicetitan.requests.common import (
    ContactPreferencesRequest,
    CustomerAddress,
    CustomFieldUpdateModel,
    ExternalDataCreateRequest,
    ExternalDataUpdateRequest,
    NewCustomerContact,
)
from bridge.servicetitan.wire import Request


class UpdateCustomerAddress(Request, frozen=True, kw_only=True):
    """Part of `UpdateCustomerRequest`."""

    street: str
    unit: str
    city: str
    state: str
    zip: str
    country: str
    latitude: float
    longitude: float


class UpdateCustomerRequest(Request, frozen=True, kw_only=True):
    """What `customers.update` takes."""

    name: str | UnsetType = UNSET
    type: CustomerType | UnsetType = UNSET
    address: UpdateCustomerAddress | UnsetType = UNSET
    custom_fields: list[CustomFieldUpdateModel] | UnsetType = UNSET
    external_data: ExternalDataUpdateRequest | UnsetType = UNSET
    do_not_mail: bool | UnsetType = UNSET
    do_not_service: bool | UnsetType = UNSET
    national_account: bool | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    tag_type_ids: list[int] | UnsetType = UNSET
    tax_exempt: bool | UnsetType = UNSET
    payment_term_id: int | UnsetType = UNSET
    credit_limit: float | UnsetType = UNSET
    credit_limit_balance: float | UnsetType = UNSET


class NewLocation(Request, frozen=True, kw_only=True):
    """Part of `CreateCustomerRequest`."""

    name: str
    address: CustomerAddress
    contacts: list[NewCustomerContact] | UnsetType | None = UNSET
    custom_fields: list[CustomFieldUpdateModel] | UnsetType | None = UNSET
    tag_type_ids: list[int] | UnsetType | None = UNSET
    external_data: ExternalDataCreateRequest | UnsetType | None = UNSET
    coordinates_source: GeolocationCoordinatesSource | UnsetType | None = UNSET
    coordinates_verification_status: GeolocationVerificationStatus | UnsetType | None = UNSET


class CreateCustomerRequest(Request, frozen=True, kw_only=True):
    """What `customers.create` takes."""

    name: str
    type: CustomerType | UnsetType | None = UNSET
    do_not_mail: bool | UnsetType | None = UNSET
    do_not_service: bool | UnsetType | None = UNSET
    national_account: bool | UnsetType | None = UNSET
    locations: list[NewLocation]
    address: CustomerAddress
    contacts: list[NewCustomerContact] | UnsetType | None = UNSET
    custom_fields: list[CustomFieldUpdateModel] | UnsetType | None = UNSET
    tag_type_ids: list[int] | UnsetType | None = UNSET
    external_data: ExternalDataCreateRequest | UnsetType | None = UNSET
    tax_exempt: bool | UnsetType | None = UNSET
    payment_term_id: int | UnsetType | None = UNSET
    credit_limit: float | UnsetType | None = UNSET
    credit_limit_balance: float | UnsetType | None = UNSET


class CustomerNoteCreateRequest(Request, frozen=True, kw_only=True):
    """What `customers.create_note` takes."""

    text: str
    pin_to_top: bool | UnsetType | None = UNSET
    add_to_locations: bool | UnsetType | None = UNSET


class CreateCustomerContactRequest(Request, frozen=True, kw_only=True):
    """What `customers.create_contact` takes."""

    type: ContactType
    value: str
    memo: str | UnsetType | None = UNSET


class UpdateCustomerContactRequest(Request, frozen=True, kw_only=True):
    """What `customers.update_contact` takes."""

    type: ContactType | UnsetType = UNSET
    value: str | UnsetType = UNSET
    memo: str | UnsetType = UNSET
    preferences: ContactPreferencesRequest | UnsetType = UNSET
