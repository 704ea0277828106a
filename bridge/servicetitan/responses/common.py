"""What ServiceTitan answers (common): any field but the primary key may be missing."""

from bridge.servicetitan.wire import Answer, Moment


class CustomerAddress(Answer, frozen=True):
    """Part of `CustomerResponse`, `CreateLocationResponse` and `CreatedCustomerResponse`."""

    street: str | None = None
    unit: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: str | None = None
    latitude: float | None = None
    longitude: float | None = None


class CustomFieldModel(Answer, frozen=True):
    """Part of `CustomerResponse`, `CreateLocationResponse` and `CreatedCustomerResponse`."""

    type_id: int | None = None
    name: str | None = None
    value: str | None = None


class ExternalDataModel(Answer, frozen=True):
    """Part of `CustomerResponse`, `CreateLocationResponse` and `CreatedCustomerResponse`."""

    key: str | None = None
    value: str | None = None


class LocationContact(Answer, frozen=True):
    """Part of `CreateLocationResponse`."""

    id: int
    type: str | None = None
    value: str | None = None
    memo: str | None = None


class CreateLocationResponse(Answer, frozen=True):
    """What `locations.create` answers."""

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
    contacts: tuple[LocationContact, ...] = ()


class NoteResponse(Answer, frozen=True):
    """What `customers.notes`, `customers.create_note` and `locations.notes` answer."""

    id: int
    text: str | None = None
    is_pinned: bool | None = None
    created_by_id: int | None = None
    created_on: Moment | None = None
    modified_on: Moment | None = None


class PhoneSettings(Answer, frozen=True):
    """Part of `CustomerContactWithModifiedOnResponse`, `CustomerContactWithModifiedOnAndCustomerIdResponse`."""

    phone_number: str | None = None
    do_not_text: bool | None = None


class ContactPreferencesResponse(Answer, frozen=True):
    """Part of `CustomerContactWithModifiedOnResponse`, `CustomerContactWithModifiedOnAndCustomerIdResponse`."""

    job_reminders_enabled: bool | None = None
    marketing_updates_enabled: bool | None = None
    invoice_statement_notification: bool | None = None
    invoice_notification: bool | None = None
    statement_notification: bool | None = None


class CustomFieldTypeResponse(Answer, frozen=True):
    """What `customers.custom_fields`, `locations.custom_fields` and `jobs.custom_fields` answer."""

    id: int
    name: str | None = None
    data_type: str | None = None
    data_type_options: tuple[str, ...] = ()
    created_on: Moment | None = None
    modified_on: Moment | None = None


class NamedModel(Answer, frozen=True):
    """Part of `BusinessUnitResponse`, `BusinessUnitResponse` and `ExportBusinessUnitResponse`."""

    id: int
    name: str | None = None
