"""The export feeds."""

from bridge.servicetitan import responses
from bridge.servicetitan.operation import CRM, EXPORT, JPM, SETTINGS, TELECOM, Family, Operation
from bridge.servicetitan.wire import Export


class Exports(Family):
    """Export feeds: every row, inactive and deleted ones too, in order of change."""

    name = "exports"

    bookings = Operation(
        method="GET",
        path=CRM + "/export/bookings",
        scope="tn.crm.bookings:r",
        query=EXPORT,
        answer=Export[responses.ExportBookingResponse],
    )
    customers = Operation(
        method="GET",
        path=CRM + "/export/customers",
        scope="tn.crm.customers:r",
        query=EXPORT,
        answer=Export[responses.ExportCustomerResponse],
    )
    customer_contacts = Operation(
        method="GET",
        path=CRM + "/export/customers/contacts",
        scope="tn.crm.customers:r",
        query=EXPORT,
        answer=Export[responses.ExportCustomerContactResponse],
    )
    leads = Operation(
        method="GET",
        path=CRM + "/export/leads",
        scope="tn.crm.leads:r",
        query=EXPORT,
        answer=Export[responses.ExportLeadsResponse],
    )
    locations = Operation(
        method="GET",
        path=CRM + "/export/locations",
        scope="tn.crm.locations:r",
        query=EXPORT,
        answer=Export[responses.ExportLocationsResponse],
    )
    location_contacts = Operation(
        method="GET",
        path=CRM + "/export/locations/contacts",
        scope="tn.crm.locations:r",
        query=EXPORT,
        answer=Export[responses.ExportLocationContactResponse],
    )
    business_units = Operation(
        method="GET",
        path=SETTINGS + "/export/business-units",
        scope="tn.stt.businessunits:r",
        query=EXPORT,
        answer=Export[responses.ExportBusinessUnitResponse],
    )
    employees = Operation(
        method="GET",
        path=SETTINGS + "/export/employees",
        scope="tn.stt.employees:r",
        query=EXPORT,
        answer=Export[responses.ExportEmployeeResponse],
    )
    tag_types = Operation(
        method="GET",
        path=SETTINGS + "/export/tag-types",
        scope="tn.stt.tagtypes:r",
        query=EXPORT,
        answer=Export[responses.ExportTagTypeResponse],
    )
    technicians = Operation(
        method="GET",
        path=SETTINGS + "/export/technicians",
        scope="tn.stt.technicians:r",
        query=EXPORT,
        answer=Export[responses.ExportTechnicianResponse],
    )
    jobs = Operation(
        method="GET",
        path=JPM + "/export/jobs",
        scope="tn.jpm.jobs:r",
        query=EXPORT,
        answer=Export[responses.ExportJobsResponse],
    )
    calls = Operation(
        method="GET",
        path=TELECOM + "/export/calls",
        scope="tn.tlc.calls:r",
        query=EXPORT,
        answer=Export[responses.ExportCallResponse],
    )
