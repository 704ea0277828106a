"""What a delivery asks for, in our words: six kinds, closed by `assert_never` wherever one is read."""

from datetime import datetime
from enum import StrEnum

import msgspec

MAP_STOPPED = "map stopped: "
"""Begins the origin of a field whose expression in `map:` met a limit: such an inquiry is not planned."""


class PostalAddress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A postal address as the sender gave it; `raw` keeps the text it was read from. Empty text means not given."""

    street: str = ""
    unit: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    country: str = ""
    raw: str = ""

    def __bool__(self) -> bool:
        """Tell whether anything at all was given."""
        return any((self.street, self.city, self.zip, self.state, self.unit, self.raw))


class Person(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who asks, as the sender gave it: values untouched, several phones and e-mails in the order of their worth."""

    name: str = ""
    given_name: str = ""
    surname: str = ""
    company: str = ""
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    address: PostalAddress = PostalAddress()

    @property
    def display_name(self) -> str:
        """The name to show: the full one, else its parts, else the company."""
        return self.name or " ".join(filter(None, (self.given_name, self.surname))) or self.company


class Attribution(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the person came from: campaign parameters, click ids and pages, as ServiceTitan's `webSessionData` wants them."""

    utm_source: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""
    utm_term: str = ""
    utm_content: str = ""
    utm_adgroup: str = ""
    gclid: str = ""
    gbraid: str = ""
    wbraid: str = ""
    fbclid: str = ""
    msclkid: str = ""
    ga_client_id: str = ""
    referrer: str = ""
    landing_page: str = ""
    campaign: str = ""
    """The sender's own name or id of the campaign, ad or tracking number."""

    def __bool__(self) -> bool:
        """Tell whether anything at all is known."""
        return any(getattr(self, name) for name in self.__struct_fields__)


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """A question of the form with its answer that no field took: it goes into the summary, so nothing is lost."""

    label: str
    value: str


class Stem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every kind of inquiry carries.

    `key` is the sender's id of this wish that survives a redelivery (unique within the source).
    `record_id` is the sender's id of the person or record it is about (a Link remembers what it is in ServiceTitan).
    `origins` names for each value the place of the payload it came from, for the explanation.
    """

    key: str
    record_id: str = ""
    person: Person = Person()
    occurred_at: datetime | None = None
    is_test: bool = False
    origins: dict[str, str] = {}

    def whence(self, *names: str) -> str:
        """Return the places of the payload that values came from (`person.phones` means all of them); empty where none is told."""
        found = (
            place
            for asked in names
            for name, place in self.origins.items()
            if name == asked or name.startswith(f"{asked}.")
        )
        return ", ".join(dict.fromkeys(filter(None, found)))


class BookingInquiry(Stem, frozen=True, kw_only=True, omit_defaults=True, tag="booking_inquiry"):
    """Somebody wants service."""

    message: str = ""
    service: str = ""
    preferred_start: datetime | None = None
    preferred_time: str = ""
    priority: str = ""
    consent: str = ""
    answers: tuple[Answer, ...] = ()
    attribution: Attribution = Attribution()
    channel: str = "form"
    """form | call | message | ad | marketplace | scheduler"""


class ChangeKind(StrEnum):
    """What a BookingChange wants of the earlier booking."""

    RESCHEDULE = "reschedule"
    CANCEL = "cancel"


class BookingChange(Stem, frozen=True, kw_only=True, omit_defaults=True, tag="booking_change"):
    """The time moved, or it is off; `refers_to` is the `record_id` of the inquiry that made the booking."""

    change: ChangeKind
    refers_to: str
    new_start: datetime | None = None
    note: str = ""
    message: str = ""
    answers: tuple[Answer, ...] = ()


class ContactUpdate(Stem, frozen=True, kw_only=True, omit_defaults=True, tag="contact_update"):
    """An outside CRM changed a person. Fields carry the sender's names; the config maps them to custom fields and tags."""

    fields: dict[str, str] = {}
    tags_added: tuple[str, ...] = ()
    tags_removed: tuple[str, ...] = ()
    note: str = ""
    changed: tuple[str, ...] = ()
    """The sender's names of what changed, where it says so; empty means the whole record."""
    is_new: bool = False
    is_deleted: bool = False
    version: str = ""
    """What makes two updates of one record different (a time or number of the sender); part of effect keys."""


class Channel(StrEnum):
    """A way of reaching somebody that can be switched off."""

    SMS = "sms"
    EMAIL = "email"
    MAIL = "mail"
    PHONE = "phone"


class PreferenceChange(Stem, frozen=True, kw_only=True, omit_defaults=True, tag="preference_change"):
    """Somebody said STOP, unsubscribed, or opted in again."""

    channel: Channel
    opted_in: bool
    note: str = ""


class ActivityKind(StrEnum):
    """What happened with a person."""

    CALL = "call"
    MESSAGE = "message"
    FORM = "form"
    NOTE = "note"
    APPOINTMENT = "appointment"
    OPPORTUNITY = "opportunity"


class Activity(Stem, frozen=True, kw_only=True, omit_defaults=True, tag="activity"):
    """A call, a message or a form of somebody: a note at the known customer, by rule something to follow up."""

    activity: ActivityKind
    text: str = ""
    inbound: bool = True
    duration_seconds: int | None = None
    recording_url: str = ""
    answers: tuple[Answer, ...] = ()
    attribution: Attribution = Attribution()


class ServiceTitanChange(Stem, frozen=True, kw_only=True, omit_defaults=True, tag="servicetitan_change"):
    """ServiceTitan's own webhook: a booking or lead moved on; `data` is its record as sent."""

    entity: str
    """booking | lead | job | call"""
    event: str
    entity_id: int
    data: msgspec.Raw = msgspec.Raw(b"{}")


Inquiry = BookingInquiry | BookingChange | ContactUpdate | PreferenceChange | Activity | ServiceTitanChange
