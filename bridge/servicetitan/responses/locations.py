"""What ServiceTitan answers (locations): any field but the primary key may be missing."""

from bridge.servicetitan.responses.common import (
    ContactPreferencesResponse,
    CustomerAddress,
    CustomFieldModel,
    ExternalDataModel,
    PhoneSettings,
)
from bridge.servicetitan.wire import Answer, Moment


class ExportLocationContactResponse(Answer, frozen=True):
    """What `exports.location_contacts` answers."""

    id: int
    type: str | None = None
    value: str | None = None
    memo: str | None = None
    phone_settings: PhoneSettings | None = None
    modified_on: Moment | None = None
    created_on: Moment | None = None
    preferences: ContactPreferencesResponse | None = None
    location_id: int | None = None
    active: bool | None = None


class ExportLocationsResponse(Answer, frozen=True):
    """What `exports.locations` answers."""

    id: int
    tax_zone_id: int | None = None
    customer_id: int | None = None
    active: bool | None = None
    name: str | None = None
    address: CustomerAddress | None = None
    custom_fields: tuple[CustomFieldModel, ...] = ()
    created_on: Moment | None = None
    created_by_id: int | None = None
    modified_on: Moment | None = None
    merged_to_id: int | None = None
    zone_id: int | None = None
    tax_exempt: bool | None = None
    tag_type_ids: tuple[int, ...] = ()
    external_data: tuple[ExternalDataModel, ...] = ()


class LocationResponse(Answer, frozen=True):
    """What `locations.list`, `locations.get` and `locations.update` answer."""

    id: int
    customer_id: int | None = None
    active: bool | None = None
    name: str | None = None
    address: CustomerAddress | None = None
    custom_fields: tuple[CustomFieldModel, ...] = ()
    created_on: Moment | None = None
    created_by_id: int | None = None
    modified_on: Moment | None = None
    merged_to_id: int | None = None
    zone_id: int | None = None
    tax_exempt: bool | None = None
    tag_type_ids: tuple[int, ...] = ()
    external_data: tuple[ExternalDataModel, ...] = ()
    tax_zone_id: int | None = None


class LocationContactResponse(Answer, frozen=True):
    """What `locations.contacts`, `locations.create_contact` and `locations.update_contact` answer."""

    id: int
    type: str | None = None
    value: str | None = None
    memo: str | None = None
    phone_settings: PhoneSettings | None = None
    modified_on: Moment | None = None
    created_on: Moment | None = None
    preferences: ContactPreferencesResponse | None = None


class AnyLocationContactResponse(Answer, frozen=True):
    """What `locations.all_contacts` answers."""

    id: int
    type: str | None = None
    value: str | None = None
    memo: str | None = None
    phone_settings: PhoneSettings | None = None
    modified_on: Moment | None = None
    created_on: Moment | None = None
    preferences: ContactPreferencesResponse | None = None
    location_id: int | None = None


class CreateLocationTagResponse(Answer, frozen=True):
    """What `locations.add_tag` answers."""

    location_id: int | None = None
    tag_type_ids: tuple[int, ...] = ()
