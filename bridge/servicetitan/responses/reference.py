"""What ServiceTitan answers (reference): any field but the primary key may be missing."""

import msgspec

from bridge.servicetitan.responses.common import ExternalDataModel, NamedModel
from bridge.servicetitan.wire import Answer, Moment


class CampaignCategoryResponse(Answer, frozen=True):
    """What `campaign_categories.list` and `campaign_categories.get` answer."""

    id: int
    name: str | None = None
    active: bool | None = None
    type: str | None = None
    created_on: Moment | None = None
    modified_on: Moment | None = None


class CampaignResponseCategory(Answer, frozen=True):
    """Part of `CampaignResponse`."""

    id: int
    name: str | None = None
    active: bool | None = None


class CampaignResponse(Answer, frozen=True):
    """What `campaigns.list` and `campaigns.get` answer."""

    id: int
    name: str | None = None
    modified_on: Moment | None = None
    created_on: Moment | None = None
    active: bool | None = None
    is_default_campaign: bool | None = None
    category: CampaignResponseCategory | None = None
    source: str | None = None
    other_source: str | None = None
    business_unit: str | None = None
    medium: str | None = None
    other_medium: str | None = None
    campaign_phone_numbers: tuple[str, ...] = ()


class EmployeeAddressResponse(Answer, frozen=True):
    """Part of `EmployeeResponse` and `ExportEmployeeResponse`."""

    street: str | None = None
    unit: str | None = None
    country: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None


class EmployeeCustomFieldResponse(Answer, frozen=True):
    """Part of `EmployeeResponse` and `ExportEmployeeResponse`."""

    type_id: int | None = None
    name: str | None = None
    value: str | None = None


class EmployeePermissionResponse(Answer, frozen=True):
    """Part of `EmployeeResponse` and `ExportEmployeeResponse`."""

    id: int
    value: str | None = None


class EmployeeResponse(Answer, frozen=True):
    """What `employees.list` and `employees.get` answer."""

    id: int
    user_id: int | None = None
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    manager_id: int | None = None
    role: str | None = None
    role_ids: tuple[int, ...] = ()
    business_unit_id: int | None = None
    created_on: Moment | None = None
    modified_on: Moment | None = None
    email: str | None = None
    phone_number: str | None = None
    login_name: str | None = None
    active: bool | None = None
    aad_user_id: str | None = None
    account_locked: bool | None = None
    home: EmployeeAddressResponse | None = None
    agent_id: int | None = None
    start_date: Moment | None = None
    termination_date: Moment | None = None
    hourly_rate: float | None = None
    overtime_profile_id: int | None = None
    custom_fields: tuple[EmployeeCustomFieldResponse, ...] = ()
    permissions: tuple[EmployeePermissionResponse, ...] = ()


class ExportEmployeeResponse(Answer, frozen=True):
    """What `exports.employees` answers."""

    id: int
    custom_fields: tuple[EmployeeCustomFieldResponse, ...] = ()
    permissions: tuple[EmployeePermissionResponse, ...] = ()
    user_id: int | None = None
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    manager_id: int | None = None
    role: str | None = None
    role_ids: tuple[int, ...] = ()
    business_unit_id: int | None = None
    created_on: Moment | None = None
    modified_on: Moment | None = None
    email: str | None = None
    phone_number: str | None = None
    login_name: str | None = None
    active: bool | None = None
    aad_user_id: str | None = None
    account_locked: bool | None = None
    home: EmployeeAddressResponse | None = None
    agent_id: int | None = None
    start_date: Moment | None = None
    termination_date: Moment | None = None
    hourly_rate: float | None = None
    overtime_profile_id: int | None = None


class TechnicianAddressResponse(Answer, frozen=True):
    """Part of `ExportTechnicianResponse` and `TechnicianResponse`."""

    street: str | None = None
    unit: str | None = None
    country: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    street_address: str | None = None
    latitude: float | None = None
    longitude: float | None = None


class TechnicianCustomFieldResponse(Answer, frozen=True):
    """Part of `ExportTechnicianResponse` and `TechnicianResponse`."""

    type_id: int | None = None
    name: str | None = None
    value: str | None = None


class TechnicianPermissionResponse(Answer, frozen=True):
    """Part of `ExportTechnicianResponse` and `TechnicianResponse`."""

    id: int
    value: str | None = None


class TechnicianSkillResponse(Answer, frozen=True):
    """Part of `ExportTechnicianResponse` and `TechnicianResponse`."""

    id: int
    name: str | None = None


class TechnicianLocationResponse(Answer, frozen=True):
    """Part of `ExportTechnicianResponse` and `TechnicianResponse`."""

    latitude: float | None = None
    longitude: float | None = None
    coordinates_updated_on: Moment | None = None


class ExportTechnicianResponse(Answer, frozen=True):
    """What `exports.technicians` answers."""

    id: int
    user_id: int | None = None
    name: str | None = None
    role_ids: tuple[int, ...] = ()
    business_unit_id: int | None = None
    main_zone_id: int | None = None
    zone_ids: tuple[int, ...] = ()
    created_on: Moment | None = None
    modified_on: Moment | None = None
    email: str | None = None
    phone_number: str | None = None
    login_name: str | None = None
    home: TechnicianAddressResponse | None = None
    daily_goal: float | None = None
    is_managed_tech: bool | None = None
    license_type: str | None = None
    custom_fields: tuple[TechnicianCustomFieldResponse, ...] = ()
    active: bool | None = None
    aad_user_id: str | None = None
    burden_rate: float | None = None
    team: str | None = None
    job_filter: str | None = None
    permissions: tuple[TechnicianPermissionResponse, ...] = ()
    account_locked: bool | None = None
    commission_rate: float | None = None
    current_value: float | None = None
    first_name: str | None = None
    last_name: str | None = None
    hourly_rate: float | None = None
    job_id: int | None = None
    mobile_phone: str | None = None
    outbound_caller_id: str | None = None
    payroll_id: str | None = None
    payroll_profile_id: int | None = None
    appoitment_id: int | None = None
    shift_start: str | None = None
    shift_end: str | None = None
    sold_by_rate: float | None = None
    start_date: Moment | None = None
    status: str | None = None
    skills: tuple[TechnicianSkillResponse, ...] = ()
    positions: tuple[str, ...] = ()
    location: TechnicianLocationResponse | None = None
    bio: str | None = None
    memo: str | None = None


class TechnicianResponse(Answer, frozen=True):
    """What `technicians.list` and `technicians.get` answer."""

    id: int
    user_id: int | None = None
    name: str | None = None
    role_ids: tuple[int, ...] = ()
    business_unit_id: int | None = None
    main_zone_id: int | None = None
    zone_ids: tuple[int, ...] = ()
    created_on: Moment | None = None
    modified_on: Moment | None = None
    email: str | None = None
    phone_number: str | None = None
    login_name: str | None = None
    home: TechnicianAddressResponse | None = None
    daily_goal: float | None = None
    is_managed_tech: bool | None = None
    license_type: str | None = None
    custom_fields: tuple[TechnicianCustomFieldResponse, ...] = ()
    active: bool | None = None
    aad_user_id: str | None = None
    burden_rate: float | None = None
    team: str | None = None
    job_filter: str | None = None
    permissions: tuple[TechnicianPermissionResponse, ...] = ()
    account_locked: bool | None = None
    commission_rate: float | None = None
    current_value: float | None = None
    first_name: str | None = None
    last_name: str | None = None
    hourly_rate: float | None = None
    job_id: int | None = None
    mobile_phone: str | None = None
    outbound_caller_id: str | None = None
    payroll_id: str | None = None
    payroll_profile_id: int | None = None
    appoitment_id: int | None = None
    shift_start: str | None = None
    shift_end: str | None = None
    sold_by_rate: float | None = None
    start_date: Moment | None = None
    status: str | None = None
    skills: tuple[TechnicianSkillResponse, ...] = ()
    positions: tuple[str, ...] = ()
    location: TechnicianLocationResponse | None = None
    bio: str | None = None
    memo: str | None = None


class BusinessUnitAddressResponse(Answer, frozen=True):
    """Part of `BusinessUnitResponse` and `ExportBusinessUnitResponse`."""

    street: str | None = None
    unit: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    is_manual_coordinates: bool | None = None
    is_military: bool | None = None


class BusinessUnitTenantResponse(Answer, frozen=True):
    """Part of `BusinessUnitResponse` and `ExportBusinessUnitResponse`."""

    id: int
    name: str | None = None
    account_code: str | None = None
    franchise_id: str | None = None
    concept_code: str | None = None
    modified_on: Moment | None = None


class BusinessUnitResponse(Answer, frozen=True):
    """What `business_units.list` and `business_units.get` answer."""

    id: int
    active: bool | None = None
    name: str | None = None
    official_name: str | None = None
    email: str | None = None
    currency: str | None = None
    phone_number: str | None = None
    invoice_header: str | None = None
    invoice_message: str | None = None
    default_tax_rate: float | None = None
    authorization_paragraph: str | None = None
    acknowledgement_paragraph: str | None = None
    address: BusinessUnitAddressResponse | None = None
    material_sku: str | None = None
    quickbooks_class: str | None = None
    account_code: str | None = None
    franchise_id: str | None = None
    concept_code: str | None = None
    corporate_contract_number: str | None = None
    trade: NamedModel | None = None
    division: NamedModel | None = None
    tag_type_ids: tuple[int, ...] = ()
    tenant: BusinessUnitTenantResponse | None = None
    created_on: Moment | None = None
    modified_on: Moment | None = None
    external_data: tuple[ExternalDataModel, ...] = ()
    certified_sentricon_specialist_code: str | None = None


class ExportBusinessUnitResponse(Answer, frozen=True):
    """What `exports.business_units` answers."""

    id: int
    active: bool | None = None
    name: str | None = None
    official_name: str | None = None
    email: str | None = None
    currency: str | None = None
    phone_number: str | None = None
    invoice_header: str | None = None
    invoice_message: str | None = None
    default_tax_rate: float | None = None
    authorization_paragraph: str | None = None
    acknowledgement_paragraph: str | None = None
    address: BusinessUnitAddressResponse | None = None
    material_sku: str | None = None
    quickbooks_class: str | None = None
    account_code: str | None = None
    franchise_id: str | None = None
    concept_code: str | None = None
    corporate_contract_number: str | None = None
    trade: NamedModel | None = None
    division: NamedModel | None = None
    tag_type_ids: tuple[int, ...] = ()
    tenant: BusinessUnitTenantResponse | None = None
    created_on: Moment | None = None
    modified_on: Moment | None = None
    external_data: tuple[ExternalDataModel, ...] = ()
    certified_sentricon_specialist_code: str | None = None


class ExportTagTypeResponse(Answer, frozen=True):
    """What `exports.tag_types` answers."""

    id: int
    name: str | None = None
    color: str | None = None
    code: str | None = None
    importance: str | None = None
    is_conversion_opportunity: bool | None = None
    allow_to_use_on_timesheet_activity: bool | None = None
    is_visible_on_dispatch_board: bool | None = None
    active: bool | None = None
    created_on: Moment | None = None
    modified_on: Moment | None = None


class TagTypeResponse(Answer, frozen=True):
    """What `tag_types.list` answers."""

    id: int
    name: str | None = None
    color: str | None = None
    code: str | None = None
    importance: str | None = None
    is_conversion_opportunity: bool | None = None
    allow_to_use_on_timesheet_activity: bool | None = None
    is_visible_on_dispatch_board: bool | None = None
    active: bool | None = None
    created_on: Moment | None = None
    modified_on: Moment | None = None


class JobTypeResponse(Answer, frozen=True):
    """What `job_types.list` and `job_types.get` answer."""

    id: int
    name: str | None = None
    business_unit_ids: tuple[int, ...] = ()
    skills: tuple[str, ...] = ()
    tag_type_ids: tuple[int, ...] = ()
    priority: str | None = None
    duration: int | None = None
    sold_threshold: float | None = None
    class_: str | None = msgspec.field(default=None, name="class")
    summary: str | None = None
    no_charge: bool | None = None
    enforce_recurring_service_event_selection: bool | None = None
    invoice_signatures_required: bool | None = None
    modified_on: Moment | None = None
    created_on: Moment | None = None
    external_data: tuple[ExternalDataModel, ...] = ()
    active: bool | None = None
    is_smart_dispatched: bool | None = None
    default_estimate_sold_action: str | None = None
    custom_field_type_ids: tuple[int, ...] = ()


class CallReasonResponse(Answer, frozen=True):
    """What `call_reasons.list` answers."""

    id: int
    name: str | None = None
    is_lead: bool | None = None
    active: bool | None = None
    created_on: Moment | None = None
    modified_on: Moment | None = None
