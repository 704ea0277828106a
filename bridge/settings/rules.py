"""What a rule may say: when it fits, and which commands it wants with which fields.

A text with `{{ … }}` in it is filled in for each inquiry; any other text stands for itself.
"""

from typing import Literal

from pydantic import Field, model_validator

from bridge.settings.base import Block, Reference

Written = str | int | float | bool
"""A value, or a text with `{{ … }}` in it."""

Kind = Literal[
    "create_booking",
    "update_booking",
    "add_booking_contact",
    "dismiss_booking",
    "attribute_booking",
    "create_customer",
    "create_location",
    "add_contact",
    "update_contact",
    "set_custom_fields",
    "change_tags",
    "add_note",
    "set_preferences",
    "create_lead",
    "submit_lead_form",
    "follow_up_lead",
    "dismiss_lead",
]


class CreateBookingFields(Block):
    """Fields of a new booking; those left out are filled as without a rule."""

    source: Written | None = None
    name: Written | None = None
    summary: Written | None = Field(None, description="Replaces the whole summary.")
    append_summary: Written | None = Field(None, description="Is added at the end of the summary.")
    campaign: Reference | None = None
    business_unit: Reference | None = None
    job_type: Reference | None = None
    priority: Written | None = None
    customer_type: Written | None = None
    start: Written | None = None
    confirmation_email: Written | None = None


class UpdateBookingFields(Block):
    """Fields of a booking that exists."""

    append_summary: Written | None = None
    campaign: Reference | None = None
    business_unit: Reference | None = None
    job_type: Reference | None = None
    priority: Written | None = None
    start: Written | None = None


class AddBookingContactFields(Block):
    """The memo of contacts added to an open booking."""

    memo: Written | None = None


class DismissBookingFields(Block):
    """Why a booking is off."""

    reason: Reference | None = None
    memo: Written | None = None


class AttributeBookingFields(Block):
    """Where the booking came from; nothing to fill in."""


class FieldWish(Block):
    """A custom field wanted at a value."""

    value: Written
    policy: Literal["ours", "theirs", "newest", "fill_if_empty", "hold"] = "ours"


class CreateCustomerFields(Block):
    """A new customer with its location; both need a name and a whole address."""

    name: Written | None = None
    customer_type: Literal["Residential", "Commercial"] | None = None
    location_name: Written | None = None
    tags: list[Reference] = Field([], description="Tags it starts with.")
    fields: dict[str, FieldWish] = Field({}, description="Custom fields it starts with, by name.")


class CreateLocationFields(Block):
    """One more location of the matched customer."""

    name: Written | None = None


class AddContactFields(Block):
    """Contacts the customer or location lacks."""

    memo: Written | None = None
    on: Literal["customer", "location"] | None = None


class UpdateContactFields(Block):
    """The one contact of its kind that gets the new value."""

    memo: Written | None = None


class SetCustomFieldsFields(Block):
    """Custom fields by name; a field not named is never touched."""

    on: Literal["customer", "location"] = "customer"
    fields: dict[str, FieldWish] = Field(min_length=1)


class ChangeTagsFields(Block):
    """Tags by name; the others are never touched."""

    on: Literal["customer", "location"] = "customer"
    add: list[Reference] = Field([], description="Tags to add.")
    remove: list[Reference] = Field([], description="Tags to take away.")


class AddNoteFields(Block):
    """A note at the matched customer or location."""

    text: Written | None = None
    on: Literal["customer", "location"] = "customer"
    pin_to_top: bool = False


class SetPreferencesFields(Block):
    """Do-not-mail and marketing."""

    do_not_mail: bool | None = None
    marketing: bool | None = None


class CreateLeadFields(Block):
    """A lead instead of, or beside, a booking."""

    campaign: Reference | None = None
    summary: Written | None = None
    business_unit: Reference | None = None
    job_type: Reference | None = None
    priority: Written | None = None
    call_reason: Reference | None = None
    follow_up_in_days: float | None = Field(None, ge=0)


class SubmitLeadFormFields(Block):
    """The simplest door of ServiceTitan: no campaign needed."""

    summary: Written | None = None


class FollowUpLeadFields(Block):
    """The next follow-up of the lead that this sender's record made."""

    in_days: float = Field(1, ge=0)
    text: Written | None = None


class DismissLeadFields(Block):
    """Why the lead that this sender's record made is off."""

    reason: Reference | None = None


class Do(Block):
    """Commands by name, each with the fields it should get; `never` keeps commands from happening at all."""

    create_booking: CreateBookingFields | None = None
    update_booking: UpdateBookingFields | None = None
    add_booking_contact: AddBookingContactFields | None = None
    dismiss_booking: DismissBookingFields | None = None
    attribute_booking: AttributeBookingFields | None = None
    create_customer: CreateCustomerFields | None = None
    create_location: CreateLocationFields | None = None
    add_contact: AddContactFields | None = None
    update_contact: UpdateContactFields | None = None
    set_custom_fields: SetCustomFieldsFields | None = None
    change_tags: ChangeTagsFields | None = None
    add_note: AddNoteFields | None = None
    set_preferences: SetPreferencesFields | None = None
    create_lead: CreateLeadFields | None = None
    submit_lead_form: SubmitLeadFormFields | None = None
    follow_up_lead: FollowUpLeadFields | None = None
    dismiss_lead: DismissLeadFields | None = None
    never: list[Kind] = Field([], description="These commands do not happen.")
    hold: str | None = Field(None, description="Wait for a person, with this reason.")
    ignore: str | None = Field(None, description="Do nothing, with this reason.")

    @model_validator(mode="after")
    def _wants_something(self) -> "Do":
        if not self.model_fields_set:
            raise ValueError("says nothing; name a command, `never`, `hold` or `ignore`")
        return self


class Rule(Block):
    """When an inquiry looks like this, do that; for each kind of command the first rule that fits wins."""

    name: str = Field(min_length=1)
    when: str = Field("true", description="An expression over inquiry, match, tenant, source and party.")
    tenant: str | None = Field(None, description="Only for this tenant.")
    source: str | None = Field(None, description="Only for this source.")
    do: list[Do] = Field(min_length=1)
