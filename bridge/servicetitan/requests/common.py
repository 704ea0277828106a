"""What a request may carry (common): checked against the contract before it is sent."""

from msgspec import UNSET, UnsetType

from bridge.servicetitan.enums import ContactType, ExternalDataPatchMode
from bridge.servicetitan.wire import Request


class CustomFieldUpdateModel(Request, frozen=True, kw_only=True):
    """Part of `UpdateCustomerRequest`, `NewLocation` and `CreateCustomerRequest`."""

    type_id: int
    value: str


class ExternalDataUpdateModel(Request, frozen=True, kw_only=True):
    """Part of `ExternalDataUpdateRequest`."""

    key: str
    value: str | UnsetType | None = UNSET


class ExternalDataUpdateRequest(Request, frozen=True, kw_only=True):
    """Part of `UpdateCustomerRequest` and `UpdateLocationRequest`."""

    patch_mode: ExternalDataPatchMode | UnsetType | None = UNSET
    application_guid: str
    external_data: list[ExternalDataUpdateModel]


class CustomerAddress(Request, frozen=True, kw_only=True):
    """Part of `NewLocation`, `CreateCustomerRequest` and `SubmitLeadFormRequest`."""

    street: str
    unit: str | UnsetType | None = UNSET
    city: str
    state: str
    zip: str
    country: str
    latitude: float | UnsetType | None = UNSET
    longitude: float | UnsetType | None = UNSET


class NewCustomerContact(Request, frozen=True, kw_only=True):
    """Part of `NewLocation`, `CreateCustomerRequest` and `CreateLocationRequest`."""

    type: ContactType
    value: str
    memo: str | UnsetType | None = UNSET


class ExternalDataModel(Request, frozen=True, kw_only=True):
    """Part of `ExternalDataCreateRequest`."""

    key: str
    value: str


class ExternalDataCreateRequest(Request, frozen=True, kw_only=True):
    """Part of `NewLocation`, `CreateCustomerRequest` and `CreateLocationRequest`."""

    application_guid: str
    external_data: list[ExternalDataModel]


class ContactPreferencesRequest(Request, frozen=True, kw_only=True):
    """Part of `UpdateCustomerContactRequest` and `LocationContactUpdateRequest`."""

    job_reminders_enabled: bool
    marketing_updates_enabled: bool
    invoice_statement_notification: bool
    invoice_notification: bool
    statement_notification: bool
