"""What customers and locations share: contacts, notes, tags, custom fields, external data. Two kinds of one thing here."""

from typing import Any

import msgspec

from bridge.simulator.call import Call, Handler
from bridge.simulator.paging import Keep, active, bounds, contains, list_of, page, read_ids
from bridge.simulator.problems import Problem, invalid, not_found
from bridge.simulator.tables import Row, Table

PHONE_TYPES = frozenset({"Phone", "MobilePhone"})
DIGITS_COMPARED = 10
"""A NANP number without its country code."""


class Party(msgspec.Struct, frozen=True):
    """Names of one kind: its word, its table, and the member that points to it from its contacts and notes."""

    word: str
    title: str
    table: str
    key: str

    def rows(self, call: Call) -> Table:
        """Return the table of this kind."""
        return call.account.tables[self.table]

    def contacts(self, call: Call) -> Table:
        """Return the table of this kind's contacts."""
        return call.account.tables[f"{self.word}_contacts"]

    def get(self, call: Call, row_id: int | None = None) -> Row:
        """Return the row of the path, or of the id."""
        return call.row(self.rows(call), call.path["id"] if row_id is None else row_id, self.title)

    def refs(self, row: Row) -> dict[str, Any]:
        """Return the ledger's references for an effect on this row."""
        customer_id = row["id"] if self.word == "customer" else row["customerId"]
        return {"customer_id": customer_id} | ({"location_id": row["id"]} if self.word == "location" else {})


CUSTOMER = Party("customer", "Customer", "customers", "customerId")
LOCATION = Party("location", "Location", "locations", "locationId")


def digits(text: str) -> str:
    """Return the last ten digits, the form in which phones compare."""
    return "".join(filter(str.isdigit, text))[-DIGITS_COMPARED:]


def with_phone_settings(contact: Row) -> Row:
    """Return a contact with what follows from its value: comparable digits and `phoneSettings` for phones, else none."""
    phone = contact["type"] in PHONE_TYPES
    settings = contact.get("phoneSettings") or {}
    return {
        **contact,
        "digits": digits(contact["value"]) if phone else None,
        "phoneSettings": {
            "phoneNumber": contact["value"] if phone else "",
            "doNotText": settings.get("doNotText", False),
        },
    }


def put_contact(call: Call, party: Party, owner: Row, body: Row, *, kind: str = "created") -> Row:
    """Keep a new contact; the owner's `modifiedOn` stays, as at ServiceTitan."""
    if not body["value"].strip():
        raise invalid("Value", "The Value field is required.")
    value = body["value"]
    if body["type"] in PHONE_TYPES and call.switches.phone_stored == "digits":
        value = "".join(filter(str.isdigit, value))
    fields = {
        "type": body["type"],
        "value": value,
        "memo": body.get("memo"),
        party.key: owner["id"],
        "preferences": None,
    }
    contact = party.contacts(call).put(with_phone_settings(call.new(fields)))
    call.effect(f"{party.word}_contact.{kind}", contact["id"], **party.refs(owner))
    return contact


def contacts_of(call: Call, party: Party, owner_id: int) -> list[Row]:
    """Return the contacts that are not deleted."""
    return [row for row in party.contacts(call).where(party.key, owner_id) if row["active"]]


def _contact(call: Call, party: Party, owner: Row) -> Row:
    contact = call.row(party.contacts(call), call.path["contactId"], "Contact")
    if contact[party.key] != owner["id"] or not contact["active"]:
        raise not_found("Contact", contact["id"])
    return contact


def _list_contacts(call: Call, party: Party) -> Any:
    owner = party.get(call)
    return page(call, contacts_of(call, party, owner["id"]))


def _create_contact(call: Call, party: Party) -> Any:
    return put_contact(call, party, party.get(call), call.body)


def _update_contact(call: Call, party: Party) -> Any:
    owner = party.get(call)
    contact = call.changed(_contact(call, party, owner), call.body)
    contact = party.contacts(call).put(with_phone_settings(contact))
    call.effect(
        f"{party.word}_contact.updated", contact["id"], detail={"fields": sorted(call.body)}, **party.refs(owner)
    )
    return contact


def _delete_contact(call: Call, party: Party) -> Any:
    owner = party.get(call)
    contact = _contact(call, party, owner)
    party.contacts(call).put(call.changed(contact, {"active": False}))
    call.effect(f"{party.word}_contact.deleted", contact["id"], **party.refs(owner))


def _many_contacts(call: Call, party: Party, query: str, *needs: str) -> Any:
    ids = read_ids(call, query)
    if ids is None and not any(call.query.get(name) for name in needs):
        raise invalid(query, f"One of {query}, {', '.join(needs)} is required.")
    table = party.contacts(call)
    live: list[Keep] = [lambda row: row["active"]]
    if ids is None:
        return list_of(call, table, live)
    rows = [row for owner_id in sorted(set(ids)) for row in table.where(party.key, owner_id)]
    return page(call, rows, [*bounds(call), *live])


def _list_notes(call: Call, party: Party) -> Any:
    owner = party.get(call)
    return page(call, call.account.tables[f"{party.word}_notes"].where(party.key, owner["id"]), bounds(call))


def put_note(call: Call, party: Party, owner: Row, text: str, *, pinned: bool) -> Row:
    """Keep a note at a customer or location."""
    fields = {"text": text, "isPinned": pinned, party.key: owner["id"]}
    note = call.account.tables[f"{party.word}_notes"].put(call.new(fields))
    call.effect(f"{party.word}_note.created", note["id"], **party.refs(owner))
    return note


def _create_note(call: Call, party: Party) -> Any:
    owner, body = party.get(call), call.body
    if not body["text"].strip():
        raise invalid("Text", "The Text field is required.")
    pinned = bool(body.get("pinToTop"))
    note = put_note(call, party, owner, body["text"], pinned=pinned)
    if body.get("addToLocations"):
        for location in call.account.locations.where("customerId", owner["id"]):
            put_note(call, LOCATION, location, body["text"], pinned=pinned)
    if body.get("addToCustomer"):
        put_note(call, CUSTOMER, CUSTOMER.get(call, owner["customerId"]), body["text"], pinned=pinned)
    return note


def _delete_note(call: Call, party: Party) -> Any:
    owner, notes = party.get(call), call.account.tables[f"{party.word}_notes"]
    note = call.row(notes, call.path["noteId"], "Note")
    if note[party.key] != owner["id"]:
        raise not_found("Note", note["id"])
    notes.remove(note["id"])
    call.effect(f"{party.word}_note.deleted", note["id"], **party.refs(owner))


def set_tags(call: Call, party: Party, owner: Row, tag_ids: list[int]) -> Row:
    """Replace the set of tags, writing one effect for each that came or went."""
    before, after = set(owner["tagTypeIds"]), set(tag_ids)
    if before == after:
        return owner
    row = party.rows(call).put(call.changed(owner, {"tagTypeIds": sorted(after)}))
    for tag_id in sorted(after - before):
        call.effect(f"{party.word}.tag_added", owner["id"], detail={"tagTypeId": tag_id}, **party.refs(owner))
    for tag_id in sorted(before - after):
        call.effect(f"{party.word}.tag_removed", owner["id"], detail={"tagTypeId": tag_id}, **party.refs(owner))
    return row


def _create_tag(call: Call, party: Party) -> Any:
    owner, tag_id = party.get(call), call.path["tagTypeId"]
    call.row(call.account.tag_types, tag_id, "Tag type")
    if tag_id in owner["tagTypeIds"] and call.switches.tag_twice_status != 200:
        raise Problem(call.switches.tag_twice_status, f"{party.title} {owner['id']} has tag {tag_id} already.")
    owner = set_tags(call, party, owner, [*owner["tagTypeIds"], tag_id])
    return {party.key: owner["id"], "tagTypeIds": owner["tagTypeIds"]}


def _delete_tag(call: Call, party: Party) -> Any:
    owner, tag_id = party.get(call), call.path["tagTypeId"]
    if tag_id not in owner["tagTypeIds"]:
        raise not_found("Tag", tag_id)
    set_tags(call, party, owner, [one for one in owner["tagTypeIds"] if one != tag_id])


def _list_field_types(call: Call, party: Party) -> Any:
    return list_of(call, call.account.tables[f"{party.word}_fields"])


def read_custom_fields(call: Call, party: Party, given: list[Row]) -> list[Row]:
    """Return the custom field values in stored form, each with its type's name; an unknown type is refused."""
    types = call.account.tables[f"{party.word}_fields"]
    out = []
    for field in given:
        call.check_reference(types, "customFields", field["typeId"])
        known = types.get(field["typeId"])
        out.append({"typeId": field["typeId"], "name": known["name"] if known else None, "value": field["value"]})
    return out


def external_data(row: Row, guid: str | None) -> list[Row]:
    """Return the external data written under this application GUID; nothing without one."""
    return [{"key": k, "value": v} for k, v in row.get("external", {}).get(guid, {}).items()] if guid else []


def shown(row: Row, guid: str | None = None) -> Row:
    """Return the row as an answer shows it: external data of one application only."""
    return {**row, "externalData": external_data(row, guid)}


def write_external_data(row: Row, given: Row | None) -> Row:
    """Return the row's external data after a create or PATCH: Replace drops keys not sent, Merge touches only those sent."""
    external: Row = row.get("external", {})
    if not given:
        return external
    old = external.get(given["applicationGuid"], {}) if given.get("patchMode") == "Merge" else {}
    new = {**old, **{one["key"]: one.get("value") for one in given["externalData"]}}
    return {**external, given["applicationGuid"]: {key: value for key, value in new.items() if value is not None}}


def search(call: Call) -> list[Keep]:
    """Return the filters that customers and locations share: name, address, activity, external data."""
    keeps = [*active(call), *contains(call, "name")]
    keeps += contains(
        call, "street", "unit", "city", "state", "zip", "country", get=lambda row, name: row["address"].get(name)
    )
    for name in ("latitude", "longitude"):
        if (wanted := call.query.get(name)) is not None:
            keeps.append(lambda row, name=name, wanted=wanted: row["address"].get(name) == wanted)  # type: ignore[misc]
    guid, key = call.query.get("externalDataApplicationGuid"), call.query.get("externalDataKey")
    values = call.query.get("externalDataValues")
    if (key is None) != (values is None) or (key is not None and guid is None):
        raise invalid(
            "externalDataKey", "externalDataApplicationGuid, externalDataKey and externalDataValues go together."
        )
    if values is not None:
        wanted_values = [value.strip() for value in values.split(",")]
        if len(wanted_values) > call.switches.ids_limit:
            raise invalid("externalDataValues", f"At most {call.switches.ids_limit} values are allowed.")
        keeps.append(lambda row: row.get("external", {}).get(guid, {}).get(key) in wanted_values)
    return keeps


def handlers(party: Party, many: tuple[str, str, tuple[str, ...]]) -> dict[str, Handler]:
    """Return the handlers that both kinds have; `many` names the cross-owner contact list, its ids and its other bounds."""
    stem = f"crm.{party.title}s_"
    return {
        f"{stem}GetContactList": lambda call: _list_contacts(call, party),
        f"{stem}CreateContact": lambda call: _create_contact(call, party),
        f"{stem}UpdateContact": lambda call: _update_contact(call, party),
        f"{stem}DeleteContact": lambda call: _delete_contact(call, party),
        f"{stem}{many[0]}": lambda call: _many_contacts(call, party, many[1], *many[2]),
        f"{stem}GetNotes": lambda call: _list_notes(call, party),
        f"{stem}CreateNote": lambda call: _create_note(call, party),
        f"{stem}DeleteNote": lambda call: _delete_note(call, party),
        f"{stem}CreateTag": lambda call: _create_tag(call, party),
        f"{stem}DeleteTag": lambda call: _delete_tag(call, party),
        f"{stem}GetCustomFieldTypes": lambda call: _list_field_types(call, party),
    }
