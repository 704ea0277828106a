"""The new contacts model: contacts with GUIDs, their methods, preferences and relationships."""

from typing import Any

from bridge.simulator.call import API_USER, Call, Handler
from bridge.simulator.paging import Keep, bounds, contains, equals, page, sort
from bridge.simulator.problems import Problem, conflict, invalid, not_found
from bridge.simulator.tables import Row, Table

PREFERENCES = (
    ("8f3f1e52-5a0e-4c1e-9a60-3f3f6f1d0001", "JobReminders", "Reminders of booked jobs"),
    ("8f3f1e52-5a0e-4c1e-9a60-3f3f6f1d0002", "MarketingUpdates", "Offers and news"),
    ("8f3f1e52-5a0e-4c1e-9a60-3f3f6f1d0003", "InvoiceNotifications", "Invoices"),
    ("8f3f1e52-5a0e-4c1e-9a60-3f3f6f1d0004", "StatementNotifications", "Statements"),
)
ENTITIES = {
    "customer": ("Customer", "customers"),
    "location": ("Location", "locations"),
    "booking": ("Booking", "bookings"),
}


def _new(call: Call, fields: Row, guid: str | None = None) -> Row:
    return {
        "id": guid or call.simulator.new_guid(),
        "createdOn": call.now,
        "modifiedOn": call.now,
        "createdBy": API_USER,
        "modifiedBy": API_USER,
        **fields,
    }


def _contact(call: Call, name: str = "contactId") -> Row:
    return call.row(call.account.contacts, call.path[name], "Contact")


def _list(call: Call, rows: Table | list[Row], keeps: list[Keep]) -> Any:
    return page(call, sort(call, rows), [*bounds(call), *keeps])


def _contact_filters(call: Call) -> list[Keep]:
    keeps = [*contains(call, "name", "title"), *equals(call, referenceId="referenceId")]
    return [*keeps, *equals(call, isArchived="isArchived")]


def list_contacts(call: Call) -> Any:
    """List contacts by name, title, reference and state."""
    return _list(call, call.account.contacts, _contact_filters(call))


def create_contact(call: Call) -> Any:
    """Create a contact; all members are optional."""
    contact = call.account.contacts.put(_new(call, {"isArchived": False, **(call.body or {})}))
    call.effect("contact.created", contact["id"])
    return contact


def change_contact(call: Call) -> Any:
    """Change or replace a contact; a replacement empties what was not sent."""
    contact = _contact(call, "id")
    replace = call.operation is not None and call.operation.method == "PUT"
    empty = {"name": None, "title": None, "referenceId": None} if replace else {}
    contact = call.account.contacts.put(call.changed(contact, {**empty, **call.body}))
    call.effect("contact.updated", contact["id"])
    return contact


def delete_contact(call: Call) -> None:
    """Delete a contact with its methods and relationships."""
    contact = _contact(call, "id")
    for table in (call.account.contact_methods, call.account.relationships):
        for row in table.where("contactId", contact["id"]):
            table.remove(row["id"])
    call.account.contacts.remove(contact["id"])
    call.effect("contact.deleted", contact["id"])


def _method(call: Call) -> Row:
    contact = _contact(call)
    method = call.row(call.account.contact_methods, call.path["contactMethodId"], "Contact method")
    if method["contactId"] != contact["id"]:
        raise not_found("Contact method", method["id"])
    return method


def list_methods(call: Call) -> Any:
    """List the methods of a contact."""
    rows = call.account.contact_methods.where("contactId", _contact(call)["id"])
    return _list(call, rows, equals(call, type="type", value="value", referenceId="referenceId"))


def search_methods(call: Call) -> Any:
    """Find methods over all contacts: the only e-mail look-up of the API."""
    value = call.query.get("value")
    rows = call.account.contact_methods.where("value", value) if value is not None else call.account.contact_methods
    return _list(call, rows, equals(call, type="type", referenceId="referenceId", contactId="contactId"))


def create_method(call: Call) -> Any:
    """Add a method to a contact."""
    contact = _contact(call)
    method = call.account.contact_methods.put(_new(call, {**call.body, "contactId": contact["id"], "preferences": {}}))
    call.effect("contact_method.created", method["id"])
    return method


def upsert_method(call: Call) -> Any:
    """Create or replace the method with the GUID of the path."""
    contact, guid = _contact(call), call.path["contactMethodId"]
    old = call.account.contact_methods.get(guid)
    if old is not None and old["contactId"] != contact["id"]:
        raise not_found("Contact method", guid)
    fields = {"referenceId": None, "memo": None, **call.body, "contactId": contact["id"]}
    row = call.changed(old, fields) if old else _new(call, {**fields, "preferences": {}}, guid)
    method = call.account.contact_methods.put(row)
    call.effect(f"contact_method.{'updated' if old else 'created'}", method["id"])
    return method


def update_method(call: Call) -> Any:
    """Change value or memo of a method."""
    method = call.account.contact_methods.put(call.changed(_method(call), call.body))
    call.effect("contact_method.updated", method["id"])
    return method


def delete_method(call: Call) -> None:
    """Remove a method."""
    method = _method(call)
    call.account.contact_methods.remove(method["id"])
    call.effect("contact_method.deleted", method["id"])


def list_preference_types(call: Call) -> Any:
    """List which preferences there are; all are Bool so far."""
    del call
    return [{"id": guid, "name": name, "description": text, "dataType": "Bool"} for guid, name, text in PREFERENCES]


def _preference(call: Call, method: Row) -> Row:
    wanted = call.path["preferenceName"].lower()
    for _, name, _ in PREFERENCES:
        if name.lower() == wanted:
            return {"name": name, "dataType": "Bool", "value": method["preferences"].get(name, "false")}
    raise not_found("Preference", call.path["preferenceName"])


def list_preferences(call: Call) -> Any:
    """List the preferences of a method."""
    method = _method(call)
    return [{"name": n, "dataType": "Bool", "value": method["preferences"].get(n, "false")} for _, n, _ in PREFERENCES]


def get_preference(call: Call) -> Any:
    """Return one preference of a method by name."""
    return _preference(call, _method(call))


def update_preference(call: Call) -> Any:
    """Set one preference of a method."""
    method = _method(call)
    preference = _preference(call, method)
    value = str((call.body or {}).get("value", "")).lower()
    if value not in {"true", "false"}:
        raise invalid("Value", "The value must be true or false.")
    preferences = {**method["preferences"], preference["name"]: value}
    call.account.contact_methods.put(call.changed(method, {"preferences": preferences}))
    call.effect("contact_method.preference_set", method["id"], detail={preference["name"]: value})
    return {**preference, "value": value}


def list_relationships(call: Call) -> Any:
    """List what a contact is linked to."""
    rows = call.account.relationships.where("contactId", _contact(call)["id"])
    names = {"relatedEntityId": "relatedEntityId", "typeSlug": "typeSlug", "typeName": "typeName"}
    return _list(call, rows, equals(call, **names))


def list_by_relationship(call: Call) -> Any:
    """List the contacts linked to a customer, location or booking by its id."""
    links = call.account.relationships.where("relatedEntityId", call.path["relationshipId"])
    if not links:
        raise not_found("Relationship", call.path["relationshipId"])
    return _list(call, call.account.contacts.many(link["contactId"] for link in links), _contact_filters(call))


def _linked(call: Call) -> tuple[str, Row | None]:
    """Return the type's slug and the link of the path, None where there is none; 409 as documented for the rest."""
    slug = call.path["typeSlug"].lower()
    if slug not in ENTITIES:
        raise conflict(f"Unknown relationship type '{slug}'.")
    if call.account.contacts.get(call.path["contactId"]) is None:
        raise conflict(f"Contact {call.path['contactId']} was not found.")
    for link in call.account.relationships.where("contactId", call.path["contactId"]):
        if link["relatedEntityId"] == call.path["relatedEntityId"] and link["typeSlug"] == slug:
            return slug, link
    return slug, None


def create_relationship(call: Call) -> None:
    """Link a contact to a customer, location or booking."""
    slug, link = _linked(call)
    title, table = ENTITIES[slug]
    call.row(call.account.tables[table], call.path["relatedEntityId"], title)
    if link is None:
        fields = {"contactId": call.path["contactId"], "relatedEntityId": call.path["relatedEntityId"]}
        link = call.account.relationships.put(_new(call, {**fields, "typeSlug": slug, "typeName": title}))
        call.effect("contact_relationship.created", link["id"])


def delete_relationship(call: Call) -> None:
    """Unlink a contact."""
    _, link = _linked(call)
    if link is None:
        raise conflict("The relationship was not found.")
    call.account.relationships.remove(link["id"])
    call.effect("contact_relationship.deleted", link["id"])


def _migrated(handler: Handler) -> Handler:
    def guarded(call: Call) -> Any:
        if not call.switches.new_contacts_enabled:
            raise Problem(403, "Contact Management is not enabled for this tenant.")
        return handler(call)

    return guarded


HANDLERS: dict[str, Handler] = {
    f"crm.{name}": _migrated(handler)
    for name, handler in {
        "ContactMethods_GetContactMethods": list_methods,
        "ContactMethods_CreateContactMethod": create_method,
        "ContactMethods_GetContactMethod": _method,
        "ContactMethods_UpsertContactMethod": upsert_method,
        "ContactMethods_UpdateContactMethod": update_method,
        "ContactMethods_DeleteContactMethod": delete_method,
        "ContactPreferences_GetContactMethodPreferences": list_preferences,
        "ContactPreferences_GetContactMethodPreference": get_preference,
        "ContactPreferences_UpdateContactMethodPreference": update_preference,
        "Contacts_Get": lambda call: _contact(call, "id"),
        "Contacts_Replace": change_contact,
        "Contacts_DeleteContact": delete_contact,
        "Contacts_Update": change_contact,
        "Contacts_GetByRelationshipId": list_by_relationship,
        "Contacts_GetList": list_contacts,
        "Contacts_Create": create_contact,
        "Contacts_DeleteContactRelationship": delete_relationship,
        "Contacts_CreateContactRelationship": create_relationship,
        "Contacts_GetContactRelationshipList": list_relationships,
        "Contacts_GetPreferenceMetadataList": list_preference_types,
        "Contacts_SearchContactMethods": search_methods,
    }.items()
}
