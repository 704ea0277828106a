"""Operations on reference."""

from bridge.servicetitan import responses
from bridge.servicetitan.operation import EXTERNAL_DATA, JBCE, JPM, LIST, MARKETING, SETTINGS, Family, Operation
from bridge.servicetitan.wire import Page


class Campaigns(Family):
    """Marketing campaigns."""

    name = "campaigns"

    list = Operation(
        method="GET",
        path=MARKETING + "/campaigns",
        scope="tn.mrk.campaigns:r",
        query=(*LIST, "active", "ids", "name", "campaignPhoneNumber", "sort"),
        choices={"active": ("True", "Any", "False")},
        answer=Page[responses.CampaignResponse],
    )
    get = Operation(
        method="GET", path=MARKETING + "/campaigns/{id}", scope="tn.mrk.campaigns:r", answer=responses.CampaignResponse
    )


class CampaignCategories(Family):
    """Categories of campaigns."""

    name = "campaign_categories"

    list = Operation(
        method="GET",
        path=MARKETING + "/categories",
        scope="tn.mrk.categories:r",
        query=(*LIST, "sort"),
        answer=Page[responses.CampaignCategoryResponse],
    )
    get = Operation(
        method="GET",
        path=MARKETING + "/categories/{id}",
        scope="tn.mrk.categories:r",
        answer=responses.CampaignCategoryResponse,
    )


class BusinessUnits(Family):
    """Business units."""

    name = "business_units"

    list = Operation(
        method="GET",
        path=SETTINGS + "/business-units",
        scope="tn.stt.businessunits:r",
        query=(*LIST, "ids", "name", "active", "externalDataApplicationGuid"),
        choices={"active": ("True", "Any", "False")},
        answer=Page[responses.BusinessUnitResponse],
    )
    get = Operation(
        method="GET",
        path=SETTINGS + "/business-units/{id}",
        scope="tn.stt.businessunits:r",
        query=("externalDataApplicationGuid",),
        answer=responses.BusinessUnitResponse,
    )


class TagTypes(Family):
    """Tag types; the API gives no single one and no filter by name."""

    name = "tag_types"

    list = Operation(
        method="GET",
        path=SETTINGS + "/tag-types",
        scope="tn.stt.tagtypes:r",
        query=(*LIST, "active", "sort"),
        choices={"active": ("True", "Any", "False")},
        answer=Page[responses.TagTypeResponse],
    )


class Employees(Family):
    """Employees."""

    name = "employees"

    list = Operation(
        method="GET",
        path=SETTINGS + "/employees",
        scope="tn.stt.employees:r",
        query=(*LIST, "ids", "userIds", "name", "email", "active"),
        choices={"active": ("True", "Any", "False")},
        answer=Page[responses.EmployeeResponse],
    )
    get = Operation(
        method="GET", path=SETTINGS + "/employees/{id}", scope="tn.stt.employees:r", answer=responses.EmployeeResponse
    )


class Technicians(Family):
    """Technicians."""

    name = "technicians"

    list = Operation(
        method="GET",
        path=SETTINGS + "/technicians",
        scope="tn.stt.technicians:r",
        query=(*LIST, "ids", "userIds", "name", "active"),
        choices={"active": ("True", "Any", "False")},
        answer=Page[responses.TechnicianResponse],
    )
    get = Operation(
        method="GET",
        path=SETTINGS + "/technicians/{id}",
        scope="tn.stt.technicians:r",
        answer=responses.TechnicianResponse,
    )


class JobTypes(Family):
    """Job types; sorted by `orderBy` and `orderByDirection`."""

    name = "job_types"

    list = Operation(
        method="GET",
        path=JPM + "/job-types",
        scope="tn.jpm.jobtypes:r",
        query=(
            *LIST,
            "name",
            "minDuration",
            "maxDuration",
            "priority",
            "ids",
            "active",
            "orderBy",
            "orderByDirection",
            "externalDataApplicationGuid",
        ),
        choices={"active": ("True", "Any", "False")},
        answer=Page[responses.JobTypeResponse],
    )
    get = Operation(
        method="GET",
        path=JPM + "/job-types/{id}",
        scope="tn.jpm.jobtypes:r",
        query=("externalDataApplicationGuid",),
        answer=responses.JobTypeResponse,
    )


class Jobs(Family):
    """Jobs, read only."""

    name = "jobs"

    list = Operation(
        method="GET",
        path=JPM + "/jobs",
        scope="tn.jpm.jobs:r",
        query=(
            *LIST,
            *EXTERNAL_DATA,
            "ids",
            "number",
            "projectId",
            "bookingId",
            "jobStatus",
            "appointmentStatus",
            "priority",
            "firstAppointmentStartsOnOrAfter",
            "firstAppointmentStartsBefore",
            "appointmentStartsOnOrAfter",
            "appointmentStartsBefore",
            "technicianId",
            "customerId",
            "locationId",
            "soldById",
            "jobTypeId",
            "campaignId",
            "businessUnitId",
            "invoiceId",
            "createdFromEstimateId",
            "estimateIds",
            "completedOnOrAfter",
            "completedBefore",
            "tagTypeIds",
            "equipmentIds",
            "sort",
            "hasUnusedAppointments",
        ),
        choices={
            "jobStatus": ("Scheduled", "Dispatched", "InProgress", "Hold", "Completed", "Canceled"),
            "appointmentStatus": ("Scheduled", "Dispatched", "Working", "Hold", "Done", "Canceled"),
        },
        answer=Page[responses.JobResponse],
    )
    get = Operation(
        method="GET",
        path=JPM + "/jobs/{id}",
        scope="tn.jpm.jobs:r",
        query=("externalDataApplicationGuid",),
        answer=responses.JobResponse,
    )
    custom_fields = Operation(
        method="GET",
        path=JPM + "/jobs/custom-fields",
        scope="tn.jpm.jobs:r",
        query=(*LIST, "sort"),
        answer=Page[responses.CustomFieldTypeResponse],
    )


class CallReasons(Family):
    """Call reasons: why a booking or lead was dismissed, or a lead made."""

    name = "call_reasons"

    list = Operation(
        method="GET",
        path=JBCE + "/call-reasons",
        scope="tn.jbce.callreasons:r",
        query=(*LIST, "active", "sort"),
        choices={"active": ("True", "Any", "False")},
        answer=Page[responses.CallReasonResponse],
    )
