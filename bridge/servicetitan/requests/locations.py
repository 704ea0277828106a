"""What a request may carry (locations): checked against the contract before it is sent."""

from msgspec import UNSET, UnsetType

from bridge.servicetitan.enums import ContactType, GeolocationCoordinatesSource, GeolocationVerificationStatus
from bridge.servicetitan.requests.common import (
    ContactPreferencesRequest,
    CustomerAddress,
    CustomFieldUpdateModel,
    ExternalDataCreateRequest,
    ExternalDataUpdateRequest,
    NewCustomerContact,
)
from bridge.servicetitan.wire import Request


class LocationsAddressPatchModel(Request, frozen=True, kw_only=True):
    """Part of `UpdateLocationRequest`."""

    street: str
    unit: str
    city: str
    state: str
    zip: str
    country: str
    latitude: float | UnsetType | None = UNSET
    longitude: float | UnsetType | None = UNSET


class UpdateLocationRequest(Request, frozen=True, kw_only=True):
    """What `locations.update` takes."""

    customer_id: int | UnsetType = UNSET
    name: str | UnsetType = UNSET
    address: LocationsAddressPatchModel | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    tax_zone_id: int | UnsetType = UNSET
    custom_fields: list[CustomFieldUpdateModel] | UnsetType = UNSET
    tag_type_ids: list[int] | UnsetType = UNSET
    external_data: ExternalDataUpdateRequest | UnsetType = UNSET


class CreateLocationRequest(Request, frozen=True, kw_only=True):
    """What `locations.create` takes."""

    name: str
    address: CustomerAddress
    contacts: list[NewCustomerContact] | UnsetType | None = UNSET
    custom_fields: list[CustomFieldUpdateModel] | UnsetType | None = UNSET
    tag_type_ids: list[int] | UnsetType | None = UNSET
    external_data: ExternalDataCreateRequest | UnsetType | None = UNSET
    coordinates_source: GeolocationCoordinatesSource | UnsetType | None = UNSET
    coordinates_verification_status: GeolocationVerificationStatus | UnsetType | None = UNSET
    customer_id: int


class LocationNoteCreateRequest(Request, frozen=True, kw_only=True):
    """What `locations.create_note` takes."""

    text: str
    pin_to_top: bool | UnsetType | None = UNSET
    add_to_customer: bool | UnsetType | None = UNSET


class LocationContactCreateRequest(Request, frozen=True, kw_only=True):
    """What `locations.create_contact` takes."""

    type: ContactType
    value: str
    memo: str | UnsetType | None = UNSET


class LocationContactUpdateRequest(Request, frozen=True, kw_only=True):
    """What `locations.update_contact` takes."""

    type: ContactType | UnsetType = UNSET
    value: str | UnsetType = UNSET
    memo: str | UnsetType = UNSET
    preferences: ContactPreferencesRequest | UnsetType = UNSET
