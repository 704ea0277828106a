"""What ServiceTitan answers (customers): any field but the primary key may be missing."""

from bridge.servicetitan.responses.common import (
    ContactPreferencesResponse,
    CreateLocationResponse,
    CustomerAddress,
    CustomFieldModel,
    ExternalDataModel,
    PhoneSettings,
)
from bridge.servicetitan.wire import Answer, Moment


class CustomerResponse(Answer, frozen=True):
    """What `customers.list`, `customers.get` and `customers.update` answer."""

    id: int
    active: bool | None = None
    name: str | None = None
    type: str | None = None
    address: CustomerAddress | None = None
    custom_fields: tuple[CustomFieldModel, ...] = ()
    balance: float | None = None
    tax_exempt: bool | None = None
    tag_type_ids: tuple[int, ...] = ()
    do_not_mail: bool | None = None
    do_not_service: bool | None = None
    national_account: bool | None = None
    created_on: Moment | None = None
    created_by_id: int | None = None
    modified_on: Moment | None = None
    merged_to_id: int | None = None
    payment_term_id: int | None = None
    credit_limit: float | None = None
    credit_limit_balance: float | None = None
    external_data: tuple[ExternalDataModel, ...] = ()


class CustomerContact(Answer, frozen=True):
    """Part of `CreatedCustomerResponse`."""

    id: int
    type: str | None = None
    value: str | None = None
    memo: str | None = None


class CreatedCustomerResponse(Answer, frozen=True):
    """What `customers.create` answers."""

    id: int
    active: bool | None = None
    name: str | None = None
    type: str | None = None
    address: CustomerAddress | None = None
    custom_fields: tuple[CustomFieldModel, ...] = ()
    balance: float | None = None
    tax_exempt: bool | None = None
    tag_type_ids: tuple[int, ...] = ()
    do_not_mail: bool | None = None
    do_not_service: bool | None = None
    national_account: bool | None = None
    created_on: Moment | None = None
    created_by_id: int | None = None
    modified_on: Moment | None = None
    merged_to_id: int | None = None
    payment_term_id: int | None = None
    credit_limit: float | None = None
    credit_limit_balance: float | None = None
    external_data: tuple[ExternalDataModel, ...] = ()
    locations: tuple[CreateLocationResponse, ...] = ()
    contacts: tuple[CustomerContact, ...] = ()


class CustomerContactWithModifiedOnResponse(Answer, frozen=True):
    """What `customers.contacts`, `customers.create_contact` and `customers.update_contact` answer."""

    id: int
    type: str | None = None
    value: str | None = None
    memo: str | None = None
    modified_on: Moment | None = None
    phone_settings: PhoneSettings | None = None
    created_on: Moment | None = None
    preferences: ContactPreferencesResponse | None = None


class CustomerContactWithModifiedOnAndCustomerIdResponse(Answer, frozen=True):
    """What `customers.all_contacts` answers."""

    id: int
    modified_on: Moment | None = None
    phone_settings: PhoneSettings | None = None
    created_on: Moment | None = None
    preferences: ContactPreferencesResponse | None = None
    type: str | None = None
    value: str | None = None
    memo: str | None = None
    customer_id: int | None = None


class CreateCustomerTagResponse(Answer, frozen=True):
    """What `customers.add_tag` answers."""

    customer_id: int | None = None
    tag_type_ids: tuple[int, ...] = ()


class ExportCustomerContactResponse(Answer, frozen=True):
    """What `exports.customer_contacts` answers."""

    id: int
    modified_on: Moment | None = None
    phone_settings: PhoneSettings | None = None
    created_on: Moment | None = None
    preferences: ContactPreferencesResponse | None = None
    type: str | None = None
    value: str | None = None
    memo: str | None = None
    customer_id: int | None = None
    active: bool | None = None


class ExportCustomerResponse(Answer, frozen=True):
    """What `exports.customers` answers."""

    id: int
    active: bool | None = None
    name: str | None = None
    type: str | None = None
    address: CustomerAddress | None = None
    custom_fields: tuple[CustomFieldModel, ...] = ()
    balance: float | None = None
    tax_exempt: bool | None = None
    tag_type_ids: tuple[int, ...] = ()
    do_not_mail: bool | None = None
    do_not_service: bool | None = None
    national_account: bool | None = None
    created_on: Moment | None = None
    created_by_id: int | None = None
    modified_on: Moment | None = None
    merged_to_id: int | None = None
    payment_term_id: int | None = None
    credit_limit: float | None = None
    credit_limit_balance: float | None = None
    external_data: tuple[ExternalDataModel, ...] = ()
