"""One effect wanted in ServiceTitan, each kind a frozen imperative. A new kind is a type error until every stage answers it."""

from datetime import date, datetime
from enum import StrEnum

import msgspec

from bridge.domain.ids import EffectKey
from bridge.domain.inquiry import Attribution, PostalAddress


class CreatedBy(msgspec.Struct, frozen=True, tag="created_by"):
    """Stands for an id that does not exist yet: whatever the effect of this key creates. `part` names which (customer, location)."""

    effect_key: EffectKey
    part: str = ""


Target = int | CreatedBy
"""An id of ServiceTitan, or the promise of one."""


class ContactMethod(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One way to reach somebody; `type` is ServiceTitan's: Phone, Email, Fax or MobilePhone."""

    type: str
    value: str
    memo: str = ""


class PartyKind(StrEnum):
    """Which of the two records of a party a command writes to."""

    CUSTOMER = "customer"
    LOCATION = "location"


class FieldPolicy(StrEnum):
    """What happens when ours and theirs both moved away from the base."""

    OURS = "ours"
    THEIRS = "theirs"
    NEWEST = "newest"
    FILL_IF_EMPTY = "fill_if_empty"
    HOLD = "hold"


class FieldChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A custom field wanted at a value: base is what was last seen or written, None if never."""

    type_id: int
    value: str
    name: str = ""
    base: str | None = None
    policy: FieldPolicy = FieldPolicy.OURS
    changed_at: datetime | None = None


class CreateBooking(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="create_booking"):
    """A new booking on the Calls screen; `externalId` is the effect key and is added when it is sent."""

    source: str
    name: str
    summary: str
    is_first_time_client: bool
    contacts: tuple[ContactMethod, ...] = ()
    address: PostalAddress | None = None
    customer_type: str = ""
    start: datetime | None = None
    campaign_id: int | None = None
    business_unit_id: int | None = None
    job_type_id: int | None = None
    priority: str = ""
    uploaded_images: tuple[str, ...] = ()
    send_confirmation_email: bool | None = None


class UpdateBooking(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="update_booking"):
    """Change of a booking that exists; None leaves a field alone. `append_summary` is added to what stands there."""

    booking: Target
    name: str | None = None
    append_summary: str = ""
    start: datetime | None = None
    address: PostalAddress | None = None
    campaign_id: int | None = None
    business_unit_id: int | None = None
    job_type_id: int | None = None
    priority: str | None = None


class AddBookingContact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="add_booking_contact"):
    """One more way to reach the person of a booking."""

    booking: Target
    contact: ContactMethod


class DismissBooking(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="dismiss_booking"):
    """The booking is off."""

    booking: Target
    call_reason_id: int | None = None
    memo: str = ""


class AttributeBooking(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="attribute_booking"):
    """Tells ServiceTitan's Marketing where the booking came from."""

    booking: Target
    attribution: Attribution


class CreateCustomer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="create_customer"):
    """A customer with its first location; found again by `externalData` under the app's GUID."""

    name: str
    address: PostalAddress
    location_name: str = ""
    location_address: PostalAddress | None = None
    contacts: tuple[ContactMethod, ...] = ()
    customer_type: str = "Residential"
    custom_fields: tuple[FieldChange, ...] = ()
    tag_type_ids: tuple[int, ...] = ()


class CreateLocation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="create_location"):
    """One more location of a customer."""

    customer: Target
    name: str
    address: PostalAddress
    contacts: tuple[ContactMethod, ...] = ()


class AddContact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="add_contact"):
    """A contact that the customer or location does not have yet."""

    party: PartyKind
    target: Target
    contact: ContactMethod


class UpdateContact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="update_contact"):
    """Another value or memo for a contact; the type is kept. `base` is the value it had when this was planned."""

    party: PartyKind
    target: Target
    contact_id: int
    value: str
    memo: str | None = None
    base: str = ""


class SetCustomFields(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="set_custom_fields"):
    """Custom fields wanted at values: three-way merged at the moment of writing, read back afterwards."""

    party: PartyKind
    target: Target
    changes: tuple[FieldChange, ...]


class ChangeTags(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="change_tags"):
    """Tags added and removed, one by one: the set of the others is never touched."""

    party: PartyKind
    target: Target
    added: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()


class AddNote(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="add_note"):
    """A note at a customer, location or lead (`on`)."""

    on: str
    target: Target
    text: str
    pin_to_top: bool = False


class SetPreferences(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="set_preferences"):
    """Do-not-mail on the customer; marketing preferences of the contacts whose value is named. None leaves alone."""

    customer: Target
    do_not_mail: bool | None = None
    marketing: bool | None = None
    contact_value: str = ""


class CreateLead(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="create_lead"):
    """A lead with a follow-up date or call reason."""

    campaign_id: int
    summary: str
    customer_id: int | None = None
    location_id: int | None = None
    business_unit_id: int | None = None
    job_type_id: int | None = None
    priority: str = ""
    call_reason_id: int | None = None
    follow_up_date: datetime | None = None
    name: str = ""
    phone: str = ""
    email: str = ""
    address: PostalAddress | None = None


class SubmitLeadForm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="submit_lead_form"):
    """The simplest door: no campaign needed."""

    name: str
    email: str = ""
    phone: str = ""
    address: PostalAddress | None = None
    summary: str = ""


class FollowUpLead(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="follow_up_lead"):
    """The next follow-up of a lead."""

    lead: Target
    on: date
    text: str = ""


class DismissLead(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="dismiss_lead"):
    """The lead is off, with a call reason."""

    lead: Target
    call_reason_id: int


class SendAlert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="send_alert"):
    """Tells an address of the config (by its name: the URL is a secret) what is wrong with a tenant, or that it is over."""

    address: str
    tenant: int
    kind: str
    subject: str
    text: str
    at: datetime
    is_over: bool = False


Command = (
    CreateBooking
    | UpdateBooking
    | AddBookingContact
    | DismissBooking
    | AttributeBooking
    | CreateCustomer
    | CreateLocation
    | AddContact
    | UpdateContact
    | SetCustomFields
    | ChangeTags
    | AddNote
    | SetPreferences
    | CreateLead
    | SubmitLeadForm
    | FollowUpLead
    | DismissLead
    | SendAlert
)


def kind_of(command: Command) -> str:
    """Return the command's tag, as stored, logged and counted."""
    return str(command.__struct_config__.tag)
