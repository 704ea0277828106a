"""One command, performed or looked up: the table from kind to code, closed by the type checker."""

from collections.abc import Callable
from datetime import datetime
from typing import assert_never

from bridge.domain.command import (
    AddBookingContact,
    AddContact,
    AddNote,
    AttributeBooking,
    ChangeTags,
    CreateBooking,
    CreateCustomer,
    CreateLead,
    CreateLocation,
    DismissBooking,
    DismissLead,
    FollowUpLead,
    SendAlert,
    SetCustomFields,
    SetPreferences,
    SubmitLeadForm,
    UpdateBooking,
    UpdateContact,
)
from bridge.domain.ids import TenantId
from bridge.domain.outcome import Outcome, Rejected
from bridge.domain.reasons import Reason
from bridge.sending.effects import bookings, contacts, fields, leads, notes, parties, preferences, tags
from bridge.sending.effects.sightings import NewestOf, Sightings, nothing_kept
from bridge.sending.effects.wire import ReferenceMissingError, Refs
from bridge.sending.findings import Finding, Unknowable
from bridge.sending.settings import SendingSettings
from bridge.sending.store import Loaded
from bridge.servicetitan.client import ServiceTitan


class Performer:
    """Performs commands and looks them up. `guid_of` gives a tenant's External Data Application GUID, empty if none.

    `http_timeout` bounds all requests of one command together: a lease and what is in doubt are reckoned by it.
    `newest_of` tells when a customer or location was last changed, as far as is known beyond this process.
    """

    def __init__(
        self,
        guid_of: Callable[[TenantId], str] = lambda _: "",
        *,
        http_timeout: float = SendingSettings.http_timeout,
        newest_of: NewestOf = nothing_kept,
    ) -> None:
        self._guid_of = guid_of
        self._http_timeout = http_timeout
        self._sightings = Sightings(newest_of)

    async def execute(  # noqa: PLR0911  a table
        self, client: ServiceTitan, loaded: Loaded, refs: Refs, *, now: datetime
    ) -> Outcome:
        """Perform a command and return what came of it; the body of a success is the ids it created, by part."""
        del now
        client = client.within(self._http_timeout)
        command, key = loaded.command, loaded.key
        guid = self._guid_of(TenantId(client.credentials.tenant_id))
        try:
            match command:
                case CreateBooking():
                    return await bookings.create(client, command, key)
                case UpdateBooking():
                    return await bookings.update(client, command, refs)
                case AddBookingContact():
                    return await bookings.add_contact(client, command, refs)
                case DismissBooking():
                    return await bookings.dismiss(client, command, refs)
                case AttributeBooking():
                    return await bookings.attribute(client, command, refs)
                case CreateCustomer():
                    return await parties.create_customer(client, command, key, guid)
                case CreateLocation():
                    return await parties.create_location(client, command, key, refs, guid)
                case AddContact():
                    return await contacts.add(client, command, refs)
                case UpdateContact():
                    return await contacts.update(client, command, refs)
                case SetCustomFields():
                    return await fields.set_custom_fields(client, command, refs, self._sightings)
                case ChangeTags():
                    return await tags.change(client, command, refs)
                case AddNote():
                    return await notes.add(client, command, key, refs)
                case SetPreferences():
                    return await preferences.change(client, command, refs)
                case CreateLead():
                    return await leads.create(client, command, key)
                case SubmitLeadForm():
                    return await leads.submit(client, command, key)
                case FollowUpLead():
                    return await leads.follow_up(client, command, refs)
                case DismissLead():
                    return await leads.dismiss(client, command, refs)
                case SendAlert() | None:  # alerts have a far side of their own
                    return Rejected(reason=Reason.COMMAND_UNREADABLE)
                case _:
                    assert_never(command)
        except ReferenceMissingError as error:
            return Rejected(reason=Reason.REFERENCE_UNKNOWN, detail=str(error))

    async def look_up(  # noqa: PLR0911  a table
        self, client: ServiceTitan, loaded: Loaded, refs: Refs, *, sent_at: datetime
    ) -> Finding:
        """Tell whether the effect of a command exists."""
        client = client.within(self._http_timeout)
        command, key = loaded.command, loaded.key
        guid = self._guid_of(TenantId(client.credentials.tenant_id))
        try:
            match command:
                case CreateBooking():
                    return await bookings.find_created(client, key)
                case UpdateBooking():
                    return await bookings.find_updated(client, command, refs)
                case AddBookingContact():
                    return await bookings.find_contact(client, command, refs)
                case DismissBooking():
                    return await bookings.find_dismissed(client, command, refs)
                case AttributeBooking():
                    return await bookings.find_attributed(client, command, refs, sent_at=sent_at)
                case CreateCustomer():
                    return await parties.find_customer(client, command, key, guid, sent_at=sent_at)
                case CreateLocation():
                    return await parties.find_location(client, command, key, refs, guid, sent_at=sent_at)
                case AddContact():
                    return await contacts.find(client, command, refs)
                case UpdateContact():
                    return await contacts.find_updated(client, command, refs)
                case SetCustomFields():
                    return await fields.find_custom_fields(client, command, refs, self._sightings)
                case ChangeTags():
                    return await tags.find(client, command, refs)
                case AddNote():
                    return await notes.find(client, command, key, refs, sent_at=sent_at)
                case SetPreferences():
                    return await preferences.find(client, command, refs)
                case CreateLead() | SubmitLeadForm():
                    return await leads.find(client, key, sent_at=sent_at)
                case FollowUpLead():
                    return await leads.find_followed(client, command, refs)
                case DismissLead():
                    return await leads.find_dismissed(client, command, refs)
                case SendAlert() | None:
                    return Unknowable(detail="this version cannot read the command")
                case _:
                    assert_never(command)
        except ReferenceMissingError as error:
            return Unknowable(detail=str(error))
