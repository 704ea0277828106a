"""What ServiceTitan answers (jobs): any field but the primary key may be missing."""

from bridge.servicetitan.responses.common import ExternalDataModel
from bridge.servicetitan.wire import Answer, Moment


class CustomFieldApiModel(Answer, frozen=True):
    """Part of `ExportJobsResponse` and `JobResponse`."""

    type_id: int | None = None
    name: str | None = None
    value: str | None = None


class JobGeneratedLeadSource(Answer, frozen=True):
    """Part of `ExportJobsResponse` and `JobResponse`."""

    job_id: int | None = None
    employee_id: int | None = None


class ExportJobsResponse(Answer, frozen=True):
    """What `exports.jobs` answers."""

    id: int
    summary: str | None = None
    custom_fields: tuple[CustomFieldApiModel, ...] = ()
    external_data: tuple[ExternalDataModel, ...] = ()
    summary_of_work: str | None = None
    job_number: str | None = None
    project_id: int | None = None
    customer_id: int | None = None
    location_id: int | None = None
    job_status: str | None = None
    completed_on: Moment | None = None
    business_unit_id: int | None = None
    job_type_id: int | None = None
    priority: str | None = None
    campaign_id: int | None = None
    appointment_count: int | None = None
    first_appointment_id: int | None = None
    last_appointment_id: int | None = None
    recall_for_id: int | None = None
    warranty_id: int | None = None
    job_generated_lead_source: JobGeneratedLeadSource | None = None
    no_charge: bool | None = None
    notifications_enabled: bool | None = None
    created_on: Moment | None = None
    created_by_id: int | None = None
    modified_on: Moment | None = None
    tag_type_ids: tuple[int, ...] = ()
    lead_call_id: int | None = None
    partner_lead_call_id: int | None = None
    booking_id: int | None = None
    sold_by_id: int | None = None
    customer_po: str | None = None
    invoice_id: int | None = None
    membership_id: int | None = None
    total: float | None = None
    created_from_estimate_id: int | None = None
    estimate_ids: tuple[int, ...] = ()
    equipment_ids: tuple[int, ...] = ()
    is_auto_dispatched: bool | None = None
    active: bool | None = None


class JobResponse(Answer, frozen=True):
    """What `jobs.list` and `jobs.get` answer."""

    id: int
    job_number: str | None = None
    project_id: int | None = None
    customer_id: int | None = None
    location_id: int | None = None
    job_status: str | None = None
    completed_on: Moment | None = None
    business_unit_id: int | None = None
    job_type_id: int | None = None
    priority: str | None = None
    campaign_id: int | None = None
    appointment_count: int | None = None
    first_appointment_id: int | None = None
    last_appointment_id: int | None = None
    recall_for_id: int | None = None
    warranty_id: int | None = None
    job_generated_lead_source: JobGeneratedLeadSource | None = None
    no_charge: bool | None = None
    notifications_enabled: bool | None = None
    created_on: Moment | None = None
    created_by_id: int | None = None
    modified_on: Moment | None = None
    tag_type_ids: tuple[int, ...] = ()
    lead_call_id: int | None = None
    partner_lead_call_id: int | None = None
    booking_id: int | None = None
    sold_by_id: int | None = None
    customer_po: str | None = None
    invoice_id: int | None = None
    membership_id: int | None = None
    total: float | None = None
    created_from_estimate_id: int | None = None
    estimate_ids: tuple[int, ...] = ()
    equipment_ids: tuple[int, ...] = ()
    is_auto_dispatched: bool | None = None
    summary: str | None = None
    custom_fields: tuple[CustomFieldApiModel, ...] = ()
    external_data: tuple[ExternalDataModel, ...] = ()
    summary_of_work: str | None = None
