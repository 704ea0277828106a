"""Operations on contacts."""

from bridge.servicetitan import requests, responses
from bridge.servicetitan.operation import CREATED, CRM, LIST, PAGE, Family, Operation
from bridge.servicetitan.wire import Page


class Contacts(Family):
    """Contact Management: contacts as records of their own, with GUIDs; only in accounts migrated to it."""

    name = "contacts"

    list = Operation(
        method="GET",
        path=CRM + "/contacts",
        scope="tn.crm.contacts:r",
        query=(*LIST, "name", "title", "referenceId", "isArchived", "sort"),
        answer=Page[responses.ContactResponse],
    )
    create = Operation(
        method="POST",
        path=CRM + "/contacts",
        scope="tn.crm.contacts:w",
        body=requests.CreateContactRequest,
        answer=responses.ContactResponse,
    )
    get = Operation(
        method="GET", path=CRM + "/contacts/{id}", scope="tn.crm.contacts:r", answer=responses.ContactResponse
    )
    replace = Operation(
        method="PUT",
        path=CRM + "/contacts/{id}",
        scope="tn.crm.contacts:w",
        body=requests.ReplaceContactRequest,
        answer=responses.ContactResponse,
    )
    update = Operation(
        method="PATCH",
        path=CRM + "/contacts/{id}",
        scope="tn.crm.contacts:w",
        body=requests.UpdateContactRequest,
        answer=responses.ContactResponse,
    )
    delete = Operation(method="DELETE", path=CRM + "/contacts/{id}", scope="tn.crm.contacts:w")
    find_methods = Operation(
        method="GET",
        path=CRM + "/contacts/contact-methods",
        scope="tn.crm.contacts:r",
        query=(*LIST, "contactId", "referenceId", "type", "value", "sort"),
        answer=Page[responses.ContactMethodResponse],
    )
    preference_types = Operation(
        method="GET",
        path=CRM + "/contacts/preferences",
        scope="tn.crm.contacts:r",
        answer=tuple[responses.ContactPreferenceTypeResponse, ...],
    )
    by_relationship = Operation(
        method="GET",
        path=CRM + "/contacts/relationships/{relationshipId}",
        scope="tn.crm.contacts:r",
        query=(*LIST, "name", "title", "referenceId", "isArchived", "sort"),
        answer=Page[responses.ContactResponse],
    )
    methods = Operation(
        method="GET",
        path=CRM + "/contacts/{contactId}/contact-methods",
        scope="tn.crm.contacts:r",
        query=(*LIST, "referenceId", "type", "value", "sort"),
        answer=Page[responses.ContactMethodResponse],
    )
    create_method = Operation(
        method="POST",
        path=CRM + "/contacts/{contactId}/contact-methods",
        scope="tn.crm.contacts:w",
        body=requests.CreateContactMethodRequest,
        answer=responses.ContactMethodResponse,
    )
    get_method = Operation(
        method="GET",
        path=CRM + "/contacts/{contactId}/contact-methods/{contactMethodId}",
        scope="tn.crm.contacts:r",
        answer=responses.ContactMethodResponse,
    )
    upsert_method = Operation(
        method="PUT",
        path=CRM + "/contacts/{contactId}/contact-methods/{contactMethodId}",
        scope="tn.crm.contacts:w",
        body=requests.UpsertContactMethodRequest,
        answer=responses.ContactMethodResponse,
    )
    update_method = Operation(
        method="PATCH",
        path=CRM + "/contacts/{contactId}/contact-methods/{contactMethodId}",
        scope="tn.crm.contacts:w",
        body=requests.UpdateContactMethodRequest,
        answer=responses.ContactMethodResponse,
    )
    delete_method = Operation(
        method="DELETE", path=CRM + "/contacts/{contactId}/contact-methods/{contactMethodId}", scope="tn.crm.contacts:w"
    )
    preferences = Operation(
        method="GET",
        path=CRM + "/contacts/{contactId}/contact-methods/{contactMethodId}/preferences",
        scope="tn.crm.contacts:r",
        answer=tuple[responses.ContactPreferenceResponse, ...],
    )
    get_preference = Operation(
        method="GET",
        path=CRM + "/contacts/{contactId}/contact-methods/{contactMethodId}/preferences/{preferenceName}",
        scope="tn.crm.contacts:r",
        answer=responses.ContactPreferenceResponse,
    )
    update_preference = Operation(
        method="PATCH",
        path=CRM + "/contacts/{contactId}/contact-methods/{contactMethodId}/preferences/{preferenceName}",
        scope="tn.crm.contacts:w",
        body=requests.UpdateContactMethodPreferenceRequest,
        answer=responses.ContactPreferenceResponse,
    )
    relationships = Operation(
        method="GET",
        path=CRM + "/contacts/{contactId}/relationships",
        scope="tn.crm.contacts:r",
        query=(*PAGE, *CREATED, "relatedEntityId", "typeSlug", "typeName", "sort"),
        answer=Page[responses.ContactRelationshipResponse],
    )
    relate = Operation(
        method="POST",
        path=CRM + "/contacts/{contactId}/relationships/{relatedEntityId}/{typeSlug}",
        scope="tn.crm.contacts:w",
    )
    unrelate = Operation(
        method="DELETE",
        path=CRM + "/contacts/{contactId}/relationships/{relatedEntityId}/{typeSlug}",
        scope="tn.crm.contacts:w",
    )
