"""Changes an outside CRM made to a person: only what differs is written, and only to the right customer."""

from bridge.domain.command import (
    AddContact,
    AddNote,
    ChangeTags,
    ContactMethod,
    CreateCustomer,
    PartyKind,
    SetCustomFields,
    SetPreferences,
    UpdateContact,
)
from bridge.domain.ids import CustomerId, LocationId
from bridge.domain.inquiry import Channel, ContactUpdate, PreferenceChange
from bridge.domain.match import Matched, Unmatched
from bridge.domain.party import KnownContact, PartyRecord
from bridge.domain.plan import Effect, Hold, Plan
from bridge.domain.reasons import Reason
from bridge.domain.reference import TAG_TYPE
from bridge.planning import custom_fields
from bridge.planning.bookings import contacts_of
from bridge.planning.guard import ask_who, guarded, is_unknown, known_party, unsure
from bridge.planning.planner import CUSTOMER, NOTE, UPDATE, Desk, nothing, replace_plan
from bridge.planning.writing import clipped, comparable, whole

_KIND_OF = {"Phone": "phone", "MobilePhone": "phone", "Email": "email", "Fax": "fax"}


def update(desk: Desk, inquiry: ContactUpdate) -> Plan:
    """Return a plan that brings a customer and its location up to date with what an outside CRM says."""
    if inquiry.is_deleted:
        return nothing(Reason.RECORD_DELETED, "nothing is deleted in ServiceTitan")
    party = known_party(desk.match)
    if party is None:
        return _unmatched(desk, inquiry) if is_unknown(desk.match) else unsure(desk)
    customer, location = party
    record = desk.context.party or PartyRecord(customer_id=customer, location_id=location)
    fields, holds = _fields(desk, inquiry, record, customer, location)
    effects = (
        *_contacts(desk, inquiry, record, customer, location),
        *fields,
        *_tags(desk, inquiry, record, customer),
        *_note(desk, inquiry, customer),
    )
    plan = guarded(desk, effects, reason=Reason.PROCESSED)
    if holds and not plan.holds and plan.reason != Reason.SHADOW_MODE.value:
        return replace_plan(plan, holds=holds, reason=holds[0].reason)
    return plan


def _unmatched(desk: Desk, inquiry: ContactUpdate) -> Plan:
    policy = desk.context.source.updates.unmatched
    if desk.wants("create_customer", by_default=policy == "create_customer"):
        # A location has one customer: whether somebody new takes over one that is known is for a person to say.
        return create_customer(desk, inquiry) if isinstance(desk.match, Unmatched) else ask_who(desk)
    if policy == "hold":
        hold = Hold(reason=Reason.PARTY_NEW.value, detail=f"record {inquiry.record_id}" if inquiry.record_id else "")
        return Plan(holds=(hold,), reason=hold.reason)
    return nothing(Reason.PARTY_UNMATCHED, f"`updates.unmatched` of source {desk.context.source_id} is {policy}")


def create_customer(desk: Desk, inquiry: ContactUpdate) -> Plan:
    """Return a plan that creates the customer with its location; held where name or address are not whole."""
    fields, tenant = desk.fields("create_customer"), desk.context.tenant
    address = whole(inquiry.person.address, region=tenant.phone_region)
    name = fields.text("name") or inquiry.person.display_name
    if not name or address is None:
        missing = "a name" if not name else "a whole address"
        hold = Hold(reason=Reason.CUSTOMER_INCOMPLETE.value, detail=f"{missing} is missing")
        return Plan(holds=(hold,), reason=hold.reason)
    tags = [desk.find(TAG_TYPE, desk.context.source.updates.tags.get(tag), where="tags") for tag in inquiry.tags_added]
    tags += [desk.find(TAG_TYPE, fields.filled(tag), where=fields.origin) for tag in fields.raw("tags") or ()]
    changes, wrong = custom_fields.wanted(desk, inquiry, None, PartyKind.CUSTOMER)
    by_rule, wrong_by_rule = custom_fields.by_rule(desk, fields, None, PartyKind.CUSTOMER)
    command = CreateCustomer(
        name=name,
        address=address,
        location_name=fields.text("location_name") or name,
        contacts=contacts_of(inquiry.person, tenant.phone_region),
        customer_type=fields.text("customer_type") or ("Commercial" if inquiry.person.company else "Residential"),
        custom_fields=(*changes, *by_rule),
        tag_type_ids=tuple(dict.fromkeys(tag.id for tag in tags if tag is not None)),
    )
    who = inquiry.record_id or next(
        (comparable(c.value, tenant.phone_region) for c in command.contacts), name.casefold()
    )
    effect = desk.effect(
        command,
        # The record, not this delivery, makes it one customer: a second update of it may come before the mirror knows.
        target=f"record:{who}",
        lane=f"party:{who}",
        default_rule="create a customer nobody knows",
        priority=CUSTOMER,
        origins={
            "name": inquiry.whence("person.name", "person.given_name", "person.surname", "person.company")
            or "the person",
            "address": inquiry.whence("person.address"),
        },
    )
    return Plan(effects=(effect,), reason=Reason.PROCESSED.value, holds=(*wrong, *wrong_by_rule))


def _contacts(
    desk: Desk, inquiry: ContactUpdate, record: PartyRecord, customer: CustomerId, location: LocationId | None
) -> list[Effect]:
    """Return what adds the contacts that are missing, or gives the one of its kind the new value; none is ever deleted."""
    policy, region = desk.context.source.updates, desk.context.tenant.phone_region
    if policy.contacts == "ignore":
        return []
    effects: list[Effect] = []
    for where in policy.contacts_on:
        target = customer if where == "customer" else location
        if target is None:
            continue
        mine = [each for each in record.contacts if (each.location_id is None) == (where == "customer")]
        known = {comparable(each.value, region) for each in mine}
        for contact in contacts_of(inquiry.person, region):
            same = comparable(contact.value, region)
            if same not in known:
                effects.append(_contact(desk, inquiry, contact, mine, PartyKind(where), target, customer, same))
    return [effect for effect in effects if desk.wants(str(effect.command.__struct_config__.tag), by_default=True)]


def _contact(
    desk: Desk,
    inquiry: ContactUpdate,
    contact: ContactMethod,
    mine: list[KnownContact],
    party: PartyKind,
    target: int,
    customer: CustomerId,
    same: str,
) -> Effect:
    alike = [each for each in mine if _KIND_OF.get(each.type) == _KIND_OF.get(contact.type)]
    source = desk.context.source
    command: AddContact | UpdateContact
    if source.updates.contacts == "replace_single" and len(alike) == 1:
        command = UpdateContact(
            party=party,
            target=target,
            contact_id=int(alike[0].id),
            value=contact.value,
            memo=desk.fields("update_contact").text("memo"),
            base=alike[0].value,
        )
    else:
        memo = desk.fields("add_contact").text("memo") or f"from {source.title}"
        command = AddContact(
            party=party, target=target, contact=ContactMethod(type=contact.type, value=contact.value, memo=memo)
        )
    return desk.effect(
        command,
        target=f"{party.value}:{target}:{same}",
        lane=f"party:{customer}",
        default_rule="contacts that are missing",
        priority=UPDATE,
        version=inquiry.version,
        origins={"value": inquiry.whence(f"person.{_KIND_OF.get(contact.type, '')}s") or "the person"},
    )


def _fields(
    desk: Desk, inquiry: ContactUpdate, record: PartyRecord, customer: CustomerId, location: LocationId | None
) -> tuple[list[Effect], tuple[Hold, ...]]:
    effects: list[Effect] = []
    holds: list[Hold] = []
    for party, target in ((PartyKind.CUSTOMER, customer), (PartyKind.LOCATION, location)):
        if target is None:
            continue
        changes, wrong = custom_fields.wanted(desk, inquiry, record, party)
        holds += wrong
        if changes and desk.wants("set_custom_fields", by_default=True):
            effects.append(
                desk.effect(
                    SetCustomFields(party=party, target=int(target), changes=changes),
                    target=f"{party.value}:{target}:fields",
                    lane=f"party:{customer}",
                    default_rule="custom fields that differ",
                    priority=UPDATE,
                    version=inquiry.version,
                    is_mapped=True,
                    origins={
                        change.name: change_origin for change, change_origin in custom_fields.origins(desk, changes)
                    },
                )
            )
    return effects, tuple(holds)


def _tags(desk: Desk, inquiry: ContactUpdate, record: PartyRecord, customer: CustomerId) -> list[Effect]:
    mapping = {name.casefold(): tag for name, tag in desk.context.source.updates.tags.items()}

    def ids(names: tuple[str, ...]) -> list[int]:
        found = [desk.find(TAG_TYPE, mapping.get(name.casefold()), where="tags of the source") for name in names]
        return list(dict.fromkeys(entry.id for entry in found if entry is not None))

    added = tuple(tag for tag in ids(inquiry.tags_added) if tag not in record.customer_tags)
    removed = tuple(tag for tag in ids(inquiry.tags_removed) if tag in record.customer_tags)
    if not (added or removed) or not desk.wants("change_tags", by_default=True):
        return []
    return [
        desk.effect(
            ChangeTags(party=PartyKind.CUSTOMER, target=int(customer), added=added, removed=removed),
            target=f"customer:{customer}:tags",
            lane=f"party:{customer}",
            default_rule="tags that differ",
            priority=UPDATE,
            version=inquiry.version,
            is_mapped=True,
        )
    ]


def _note(desk: Desk, inquiry: ContactUpdate, customer: CustomerId) -> list[Effect]:
    if not inquiry.note or not desk.wants("add_note", by_default=desk.context.source.updates.notes):
        return []
    if desk.fields("add_note").raw("on") == "location":
        return []  # the rule's note is made like any other of a rule
    text = desk.fields("add_note").text("text") or f"{desk.context.source.title}: {inquiry.note}"
    return [
        desk.effect(
            AddNote(on="customer", target=int(customer), text=clipped(text)),
            target=f"customer:{customer}:note",
            lane=f"party:{customer}",
            default_rule="the note of the update",
            priority=NOTE,
            version=inquiry.version,
        )
    ]


def prefer(desk: Desk, inquiry: PreferenceChange) -> Plan:
    """Return a plan that switches a way of reaching somebody off or on, with a note that says who asked for it."""
    if not isinstance(desk.match, Matched):
        return unsure(desk)
    customer = int(desk.match.customer_id)
    fields = desk.fields("set_preferences")
    do_not_mail = fields.raw("do_not_mail")
    marketing = fields.raw("marketing")
    values: tuple[str, ...] = ()
    match inquiry.channel:
        case Channel.MAIL:
            do_not_mail = (not inquiry.opted_in) if do_not_mail is None else do_not_mail
        case Channel.SMS | Channel.PHONE:
            marketing, values = (inquiry.opted_in if marketing is None else marketing), inquiry.person.phones[:1]
        case Channel.EMAIL:
            marketing, values = (inquiry.opted_in if marketing is None else marketing), inquiry.person.emails[:1]
    effects: list[Effect] = []
    if desk.context.party is not None and do_not_mail == desk.context.party.do_not_mail:
        do_not_mail = None  # it stands there already
    if (do_not_mail is not None or marketing is not None) and desk.wants("set_preferences", by_default=True):
        effects.append(
            desk.effect(
                SetPreferences(
                    customer=customer,
                    do_not_mail=do_not_mail,
                    marketing=marketing,
                    contact_value=next(iter(values), ""),
                ),
                target=f"customer:{customer}:{inquiry.channel.value}",
                lane=f"party:{customer}",
                default_rule="what the person wants",
                priority=UPDATE,
            )
        )
    if desk.wants("add_note", by_default=True):
        verb = "may be reached again" if inquiry.opted_in else "wants no more"
        words = (
            desk.fields("add_note").text("text") or f"{desk.context.source.title}: {verb} by {inquiry.channel.value}."
        )
        effects.append(
            desk.effect(
                AddNote(on="customer", target=customer, text=clipped("\n".join(filter(None, (words, inquiry.note))))),
                target=f"customer:{customer}:{inquiry.channel.value}:note",
                lane=f"party:{customer}",
                default_rule="what the person wants",
                priority=NOTE,
            )
        )
    return guarded(desk, tuple(effects), reason=Reason.PROCESSED)
