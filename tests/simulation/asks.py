"""What the people of a history ask for, and the effects each ask means."""

from typing import Any

from bridge.domain.command import (
    AddContact,
    AddNote,
    ChangeTags,
    Command,
    ContactMethod,
    CreateBooking,
    CreateCustomer,
    CreatedBy,
    CreateLead,
    CreateLocation,
    DismissBooking,
    FieldChange,
    PartyKind,
    SetCustomFields,
    SetPreferences,
    UpdateBooking,
    kind_of,
)
from bridge.domain.ids import EffectKey, TenantId
from bridge.domain.inquiry import PostalAddress
from bridge.domain.plan import Effect, effect_key

KINDS = (
    *("booking", "booking", "append", "note", "field", "field", "tag", "customer", "broken"),
    *("contact", "location", "new_location", "dismiss", "lead", "preference"),
)
OURS, THEIRS = 1002, 1003  # custom fields that our effects write, and that only people in ServiceTitan write
PLACE = PostalAddress(street="2 Oak Ave", city="Austin", state="TX", zip="78702")


def effects_of(
    ask: dict[str, Any], *, tenant_id: TenantId, customers: list[int], nonce: str, config: str
) -> tuple[Effect, ...]:
    """Return the effects one ask means; a later config says more in a booking's summary, under the same key."""
    person, key = int(ask["person"]), str(ask["key"])
    customer = customers[person % len(customers)]
    lane = f"party:{customer}"

    def effect(command: Command, part: str = "", **more: Any) -> Effect:
        name = effect_key(
            tenant_id=tenant_id,
            kind=kind_of(command),
            target=f"{customer}{part}",
            inquiry_key=key,
            version=str(ask.get("version", "")),
            nonce=nonce,
        )
        return Effect(key=name, command=command, lane=lane, **more)

    booking = CreateBooking(
        source="Website",
        name=f"Person {person}",
        summary=f"asks {key}" + ("" if config == "1" else f" (config {config})"),
        is_first_time_client=False,
        contacts=(ContactMethod(type="Phone", value=f"+1512555014{person}"),),
    )
    match ask["kind"]:
        case "booking":
            return (effect(booking, priority=1),)
        case "append":
            first = effect(booking, priority=1)
            more = UpdateBooking(booking=CreatedBy(first.key), append_summary=f"and also {key}")
            return (first, effect(more))
        case "note":
            return (effect(AddNote(on="customer", target=customer, text=f"note {key}"), priority=9),)
        case "field":
            change = FieldChange(type_id=OURS, value=f"value {key} {ask.get('version', '')}".strip())
            return (effect(SetCustomFields(party=PartyKind.CUSTOMER, target=customer, changes=(change,))),)
        case "tag":
            return (effect(ChangeTags(party=PartyKind.CUSTOMER, target=customer, added=(ask["tag"],))),)
        case "contact":
            wish = ContactMethod(type="Email", value=f"{key}{nonce}@example.com")
            return (effect(AddContact(party=PartyKind.CUSTOMER, target=customer, contact=wish)),)
        case "location":
            return (effect(CreateLocation(customer=customer, name=f"Place {key}", address=PLACE)),)
        case "new_location":
            made = effect(CreateCustomer(name=f"New {key}", address=PLACE))
            second = CreateLocation(customer=CreatedBy(made.key, "customer"), name=f"Place {key}", address=PLACE)
            return (made, effect(second, "second", waits_for=(EffectKey(made.key),)))
        case "dismiss":
            first = effect(booking, priority=1)
            return (first, effect(DismissBooking(booking=CreatedBy(first.key), memo="changed their mind")))
        case "lead":
            lead = CreateLead(campaign_id=601, summary=f"lead {key}", customer_id=customer, call_reason_id=901)
            return (effect(lead),)
        case "preference":
            return (effect(SetPreferences(customer=customer, do_not_mail=True)),)
        case "customer":
            made = effect(CreateCustomer(name=f"New {key}", address=PLACE))
            note = AddNote(on="customer", target=CreatedBy(made.key, "customer"), text=f"note {key}")
            return (made, effect(note, "note", waits_for=(EffectKey(made.key),)))
        case _:
            made = effect(CreateCustomer(name=" ", address=PLACE))
            note = AddNote(on="customer", target=CreatedBy(made.key, "customer"), text=f"note {key}")
            return (made, effect(note, "note", waits_for=(EffectKey(made.key),)))
