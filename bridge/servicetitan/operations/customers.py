"""Operations on customers."""

from bridge.servicetitan import checks, requests, responses
from bridge.servicetitan.operation import ADDRESS, CREATED, CRM, EXTERNAL_DATA, LIST, MODIFIED, PAGE, Family, Operation
from bridge.servicetitan.wire import Page


class Customers(Family):
    """Customers: who pays. Their phones and e-mails are contacts, read apart."""

    name = "customers"

    list = Operation(
        method="GET",
        path=CRM + "/customers",
        scope="tn.crm.customers:r",
        query=(
            *LIST,
            *EXTERNAL_DATA,
            *ADDRESS,
            "sort",
            "ids",
            "excludeAccountingChangesFromModifiedDateRange",
            "name",
            "phone",
            "active",
        ),
        choices={"active": ("True", "Any", "False")},
        answer=Page[responses.CustomerResponse],
    )
    create = Operation(
        method="POST",
        path=CRM + "/customers",
        scope="tn.crm.customers:w",
        body=requests.CreateCustomerRequest,
        check=checks.customer,
        answer=responses.CreatedCustomerResponse,
    )
    get = Operation(
        method="GET", path=CRM + "/customers/{id}", scope="tn.crm.customers:r", answer=responses.CustomerResponse
    )
    update = Operation(
        method="PATCH",
        path=CRM + "/customers/{id}",
        scope="tn.crm.customers:w",
        body=requests.UpdateCustomerRequest,
        answer=responses.CustomerResponse,
    )
    all_contacts = Operation(
        method="GET",
        path=CRM + "/customers/contacts",
        scope="tn.crm.customers:r",
        query=(*LIST, "customerIds"),
        needs_one_of=("customerIds", *MODIFIED),
        answer=Page[responses.CustomerContactWithModifiedOnAndCustomerIdResponse],
    )
    contacts = Operation(
        method="GET",
        path=CRM + "/customers/{id}/contacts",
        scope="tn.crm.customers:r",
        query=PAGE,
        answer=Page[responses.CustomerContactWithModifiedOnResponse],
    )
    create_contact = Operation(
        method="POST",
        path=CRM + "/customers/{id}/contacts",
        scope="tn.crm.customers:w",
        body=requests.CreateCustomerContactRequest,
        answer=responses.CustomerContactWithModifiedOnResponse,
    )
    update_contact = Operation(
        method="PATCH",
        path=CRM + "/customers/{id}/contacts/{contactId}",
        scope="tn.crm.customers:w",
        body=requests.UpdateCustomerContactRequest,
        answer=responses.CustomerContactWithModifiedOnResponse,
    )
    delete_contact = Operation(
        method="DELETE", path=CRM + "/customers/{id}/contacts/{contactId}", scope="tn.crm.customers:w"
    )
    custom_fields = Operation(
        method="GET",
        path=CRM + "/customers/custom-fields",
        scope="tn.crm.customers:r",
        query=(*LIST, "sort"),
        answer=Page[responses.CustomFieldTypeResponse],
    )
    notes = Operation(
        method="GET",
        path=CRM + "/customers/{id}/notes",
        scope="tn.crm.customers:r",
        query=LIST,
        answer=Page[responses.NoteResponse],
    )
    create_note = Operation(
        method="POST",
        path=CRM + "/customers/{id}/notes",
        scope="tn.crm.customers:w",
        body=requests.CustomerNoteCreateRequest,
        answer=responses.NoteResponse,
    )
    delete_note = Operation(method="DELETE", path=CRM + "/customers/{id}/notes/{noteId}", scope="tn.crm.customers:w")
    add_tag = Operation(
        method="POST",
        path=CRM + "/customers/{id}/tags/{tagTypeId}",
        scope="tn.crm.customers:w",
        answer=responses.CreateCustomerTagResponse,
    )
    remove_tag = Operation(method="DELETE", path=CRM + "/customers/{id}/tags/{tagTypeId}", scope="tn.crm.customers:w")


class Locations(Family):
    """Locations: where the work is. A location has exactly one customer."""

    name = "locations"

    list = Operation(
        method="GET",
        path=CRM + "/locations",
        scope="tn.crm.locations:r",
        query=(*LIST, *EXTERNAL_DATA, *ADDRESS, "ids", "name", "customerId", "active", "sort"),
        choices={"active": ("True", "Any", "False")},
        answer=Page[responses.LocationResponse],
    )
    create = Operation(
        method="POST",
        path=CRM + "/locations",
        scope="tn.crm.locations:w",
        body=requests.CreateLocationRequest,
        answer=responses.CreateLocationResponse,
    )
    get = Operation(
        method="GET", path=CRM + "/locations/{id}", scope="tn.crm.locations:r", answer=responses.LocationResponse
    )
    update = Operation(
        method="PATCH",
        path=CRM + "/locations/{id}",
        scope="tn.crm.locations:w",
        body=requests.UpdateLocationRequest,
        answer=responses.LocationResponse,
    )
    all_contacts = Operation(
        method="GET",
        path=CRM + "/locations/contacts",
        scope="tn.crm.locations:r",
        query=(*LIST, "locationIds"),
        needs_one_of=("locationIds", *MODIFIED, *CREATED),
        answer=Page[responses.AnyLocationContactResponse],
    )
    contacts = Operation(
        method="GET",
        path=CRM + "/locations/{id}/contacts",
        scope="tn.crm.locations:r",
        query=PAGE,
        answer=Page[responses.LocationContactResponse],
    )
    create_contact = Operation(
        method="POST",
        path=CRM + "/locations/{id}/contacts",
        scope="tn.crm.locations:w",
        body=requests.LocationContactCreateRequest,
        answer=responses.LocationContactResponse,
    )
    update_contact = Operation(
        method="PATCH",
        path=CRM + "/locations/{id}/contacts/{contactId}",
        scope="tn.crm.locations:w",
        body=requests.LocationContactUpdateRequest,
        answer=responses.LocationContactResponse,
    )
    delete_contact = Operation(
        method="DELETE", path=CRM + "/locations/{id}/contacts/{contactId}", scope="tn.crm.locations:w"
    )
    custom_fields = Operation(
        method="GET",
        path=CRM + "/locations/custom-fields",
        scope="tn.crm.locations:r",
        query=(*LIST, "sort"),
        answer=Page[responses.CustomFieldTypeResponse],
    )
    notes = Operation(
        method="GET",
        path=CRM + "/locations/{id}/notes",
        scope="tn.crm.locations:r",
        query=LIST,
        answer=Page[responses.NoteResponse],
    )
    create_note = Operation(
        method="POST",
        path=CRM + "/locations/{id}/notes",
        scope="tn.crm.locations:w",
        body=requests.LocationNoteCreateRequest,
        answer=responses.NoteResponse,
    )
    delete_note = Operation(method="DELETE", path=CRM + "/locations/{id}/notes/{noteId}", scope="tn.crm.locations:w")
    add_tag = Operation(
        method="POST",
        path=CRM + "/locations/{id}/tags/{tagTypeId}",
        scope="tn.crm.locations:w",
        answer=responses.CreateLocationTagResponse,
    )
    remove_tag = Operation(method="DELETE", path=CRM + "/locations/{id}/tags/{tagTypeId}", scope="tn.crm.locations:w")
    preferred_technician = Operation(
        method="GET", path=CRM + "/locations/{id}/preferredtechnician", scope="tn.crm.locations:r", answer=int | None
    )
    set_preferred_technician = Operation(
        method="POST",
        path=CRM + "/locations/{id}/preferredtechnician/{preferredTechnicianId}",
        scope="tn.crm.locations:w",
    )


class Tags(Family):
    """Tags of many customers at once."""

    name = "tags"

    add = Operation(method="PUT", path=CRM + "/tags", scope="tn.crm.tags:w", body=requests.AddBulkTagsRequest)
    remove = Operation(method="DELETE", path=CRM + "/tags", scope="tn.crm.tags:w", body=requests.RemoveBulkTagsRequest)
