"""Bookings and booking provider tags: who may use which path, create, change, contacts, dismiss."""

from typing import Any

from bridge.simulator.call import Call, Handler
from bridge.simulator.paging import contains, feed, list_of, page
from bridge.simulator.problems import Problem, invalid, not_found
from bridge.simulator.tables import Row

CONTACT_TYPES = {"phone": "Phone", "email": "Email", "fax": "Fax", "mobilephone": "MobilePhone"}


def provider_of(call: Call) -> int:
    """Return the booking provider tag of the path if it exists and this app may use it."""
    try:
        tag_id = int(call.path["booking_provider"])
    except ValueError as error:
        raise invalid("booking_provider", f"The value '{call.path['booking_provider']}' is not valid.") from error
    granted = call.client.booking_provider if call.client else tag_id
    refused = tag_id != granted if granted is not None else not call.switches.unrestricted_may_use_provider_paths
    if refused:
        raise Problem(
            call.switches.provider_not_granted_status,
            f"Booking provider {tag_id} is not granted to this app.",
            settled=True,
        )
    if call.account.booking_provider_tags.get(tag_id) is None:
        title = f"Booking provider {tag_id} was not found."
        raise Problem(call.switches.unknown_provider_status, title, settled=True)
    return tag_id


def _unrestricted(call: Call) -> None:
    if call.client is not None and call.client.booking_provider is not None:
        raise Problem(
            call.switches.provider_not_granted_status,
            "This app is restricted to a booking provider; tenant-wide bookings are not available to it.",
            settled=True,
        )


def _provider_booking(call: Call) -> Row:
    tag_id = provider_of(call)
    booking = call.row(call.account.bookings, call.path["id"], "Booking")
    if booking["bookingProviderId"] != tag_id:
        raise not_found("Booking", call.path["id"])
    return booking


def _list(call: Call, tag_id: int | None) -> Any:
    bookings = call.account.bookings
    keeps = [] if tag_id is None else [lambda row: row["bookingProviderId"] == tag_id]
    external_id = call.query.get("externalId")
    if external_id is None:
        return list_of(call, bookings, keeps)
    if call.switches.external_id_filter_partial:
        return list_of(call, bookings, [*keeps, *contains(call, "externalId")])
    found = bookings.where("externalId", external_id)
    return page(call, found, keeps)


def list_for_provider(call: Call) -> Any:
    """List the bookings of one provider."""
    return _list(call, provider_of(call))


def list_all(call: Call) -> Any:
    """List the bookings of the tenant."""
    _unrestricted(call)
    return _list(call, None)


def get_for_provider(call: Call) -> Any:
    """Return one booking of a provider."""
    return _provider_booking(call)


def get_any(call: Call) -> Any:
    """Return one booking of the tenant."""
    _unrestricted(call)
    return call.row(call.account.bookings, call.path["id"], "Booking")


def _check(call: Call, body: Row) -> None:
    """Refuse references to records that are not there and blank names."""
    account = call.account
    call.check_reference(account.campaigns, "campaignId", body.get("campaignId"))
    call.check_reference(account.business_units, "businessUnitId", body.get("businessUnitId"))
    call.check_reference(account.job_types, "jobTypeId", body.get("jobTypeId"))
    if "name" in body and body["name"] is not None and not body["name"].strip():
        raise invalid("Name", "The Name field is required.")
    if body.get("customerType") not in {None, "Residential", "Commercial"}:
        raise invalid("CustomerType", f"The value '{body['customerType']}' is not valid.")


def create(call: Call) -> Any:
    """Create a booking: a name and either an address or a contact are needed; the same externalId twice makes two."""
    tag_id = provider_of(call)
    account, body, switches = call.account, call.body, call.switches
    _check(call, body)
    contacts = body.pop("contacts", None) or []
    if switches.booking_needs_contact_or_address and not contacts and not body.get("address"):
        raise invalid("Contacts", "Either an address or at least one contact is required.")
    external_id = body["externalId"]
    if switches.duplicate_external_id_conflicts and any(
        row["bookingProviderId"] == tag_id for row in account.bookings.where("externalId", external_id)
    ):
        raise Problem(409, f"A booking with external id {external_id} exists.", settled=True)
    booking = call.new(
        {**body, "status": "New", "bookingProviderId": tag_id, "jobId": None, "dismissingReasonId": None}
    )
    if not booking.get("start"):
        booking["start"] = None if switches.booking_start_default_null else call.now
    account.bookings.put(booking)
    for contact in contacts:
        _put_contact(call, booking, contact)
    call.effect("booking.created", booking["id"], external_id=external_id, booking_id=booking["id"])
    if booking.get("isSendConfirmationEmail"):
        call.effect("confirmation.sent", booking["id"], external_id=external_id, booking_id=booking["id"])
    return booking


def _put_contact(call: Call, booking: Row, body: Row) -> Row:
    memo = body.get("memo")
    if memo is None and not call.switches.booking_memo_default_null:
        memo = ""
    contact = call.new({"type": body["type"], "value": body["value"], "memo": memo, "bookingId": booking["id"]})
    return call.account.booking_contacts.put(contact)


def update(call: Call) -> Any:
    """Change the members sent; contacts, status and the confirmation mail are not among them."""
    booking = _provider_booking(call)
    _check(call, call.body)
    fields = dict(call.body)
    if "uploadedImages" in fields and not call.switches.images_replaced:
        fields["uploadedImages"] = [*(booking.get("uploadedImages") or []), *(fields["uploadedImages"] or [])]
    booking = call.account.bookings.put(call.changed(booking, fields))
    call.effect(
        "booking.updated",
        booking["id"],
        external_id=booking["externalId"],
        booking_id=booking["id"],
        detail={"fields": sorted(fields)},
    )
    call.simulator.announce(call, "tn.crm.booking-updated", booking)
    return booking


def change_status(call: Call, booking: Row, kind: str, **fields: Any) -> Row:
    """Move a booking to another status; used by dismissal, by leads and by the operator's edits."""
    booking = call.account.bookings.put(call.changed(booking, fields))
    call.effect(kind, booking["id"], external_id=booking["externalId"], booking_id=booking["id"])
    call.simulator.announce(call, "tn.crm.booking-updated", booking)
    return booking


def dismiss(call: Call) -> Any:
    """Close a booking, with a call reason and memo if they are given."""
    booking = _provider_booking(call)
    body = call.body or {}
    call.check_reference(call.account.call_reasons, "callReasonId", body.get("callReasonId"))
    if booking["status"] in {"Dismissed", "Converted"}:
        if call.switches.dismiss_again_status == 200:
            return
        raise Problem(
            call.switches.dismiss_again_status, f"Booking {booking['id']} is {booking['status'].lower()} already."
        )
    change_status(
        call,
        booking,
        "booking.dismissed",
        status="Dismissed",
        dismissingReasonId=body.get("callReasonId"),
        dismissingMemo=body.get("dismissingMemo"),
    )


def _contacts(call: Call, booking: Row) -> Any:
    return page(call, call.account.booking_contacts.where("bookingId", booking["id"]))


def list_contacts_for_provider(call: Call) -> Any:
    """List the contacts of a provider's booking."""
    return _contacts(call, _provider_booking(call))


def list_contacts(call: Call) -> Any:
    """List the contacts of any booking."""
    _unrestricted(call)
    return _contacts(call, call.row(call.account.bookings, call.path["id"], "Booking"))


def create_contact(call: Call) -> Any:
    """Add a contact to a booking; the type is free text in the contract but must be a known one."""
    booking = _provider_booking(call)
    known = CONTACT_TYPES.get(call.body["type"].lower())
    if known is None:
        raise invalid("Type", f"The value '{call.body['type']}' is not valid.")
    contact = _put_contact(call, booking, {**call.body, "type": known})
    call.effect("booking_contact.created", contact["id"], external_id=booking["externalId"], booking_id=booking["id"])
    return contact


def _contact(call: Call, booking: Row) -> Row:
    contact = call.row(call.account.booking_contacts, call.path["contactId"], "Contact")
    if contact["bookingId"] != booking["id"]:
        raise not_found("Contact", contact["id"])
    return contact


def update_contact(call: Call) -> Any:
    """Change a contact of a booking."""
    booking = _provider_booking(call)
    contact = call.account.booking_contacts.put(call.changed(_contact(call, booking), call.body))
    call.effect("booking_contact.updated", contact["id"], external_id=booking["externalId"], booking_id=booking["id"])
    return contact


def delete_contact(call: Call) -> Any:
    """Remove a contact of a booking."""
    booking = _provider_booking(call)
    contact = _contact(call, booking)
    call.account.booking_contacts.remove(contact["id"])
    call.effect("booking_contact.deleted", contact["id"], external_id=booking["externalId"], booking_id=booking["id"])


def list_tags(call: Call) -> Any:
    """List the booking provider tags."""
    return list_of(call, call.account.booking_provider_tags, contains(call, "name", get=lambda row, _: row["tagName"]))


def get_tag(call: Call) -> Any:
    """Return one booking provider tag."""
    return call.row(call.account.booking_provider_tags, call.path["id"], "Booking provider tag")


def _check_tag_name(call: Call, name: str | None, own: int = 0) -> None:
    if name is not None and not name.strip():
        raise invalid("TagName", "The TagName field is required.")
    taken = [row for row in call.account.booking_provider_tags.where("tagName", name) if row["id"] != own]
    if taken and call.switches.duplicate_tag_name_status != 200:
        raise Problem(call.switches.duplicate_tag_name_status, f"A booking provider tag named '{name}' exists.")


def create_tag(call: Call) -> Any:
    """Create a booking provider tag."""
    _check_tag_name(call, call.body["tagName"])
    tag = call.account.booking_provider_tags.put(call.new({**call.body, "type": "V2Api"}))
    call.effect("booking_provider_tag.created", tag["id"])
    return tag


def update_tag(call: Call) -> Any:
    """Rename or describe a booking provider tag."""
    tag = get_tag(call)
    _check_tag_name(call, call.body.get("tagName"), own=tag["id"])
    tag = call.account.booking_provider_tags.put(call.changed(tag, call.body))
    call.effect("booking_provider_tag.updated", tag["id"])
    return tag


HANDLERS: dict[str, Handler] = {
    "crm.BookingProviderTags_Create": create_tag,
    "crm.BookingProviderTags_GetList": list_tags,
    "crm.BookingProviderTags_Get": get_tag,
    "crm.BookingProviderTags_Update": update_tag,
    "crm.Bookings_Get": get_any,
    "crm.Bookings_GetList": list_all,
    "crm.Bookings_GetContactList": list_contacts,
    "crm.Bookings_GetForProvider": get_for_provider,
    "crm.Bookings_Update": update,
    "crm.Bookings_GetList2": list_for_provider,
    "crm.Bookings_Create": create,
    "crm.Bookings_CreateContact": create_contact,
    "crm.Bookings_GetContactList2": list_contacts_for_provider,
    "crm.Bookings_UpdateBookingContact": update_contact,
    "crm.Bookings_DeleteContact": delete_contact,
    "crm.Bookings_DismissBooking": dismiss,
    "crm.ExportBookings_Get": feed("bookings"),
}
