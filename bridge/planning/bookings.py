"""From a booking inquiry to a booking: at once, whoever it is; the same ask again adds to the one that is open."""

from bridge.domain.command import (
    AddBookingContact,
    AttributeBooking,
    ContactMethod,
    CreateBooking,
    CreatedBy,
    Target,
    UpdateBooking,
)
from bridge.domain.ids import EffectKey
from bridge.domain.inquiry import BookingInquiry, Person
from bridge.domain.match import Ambiguous, Match, Matched, Unmatched
from bridge.domain.plan import Effect, Hold, Plan
from bridge.domain.reasons import Reason
from bridge.planning import catalogue
from bridge.planning.context import OpenBooking
from bridge.planning.planner import ADDITION, ATTRIBUTION, BOOKING, Desk, nothing
from bridge.planning.writing import answers_of, clipped, comparable, is_new_in, summary_of, whole

CREATE, UPDATE, CONTACT, ATTRIBUTE = "create_booking", "update_booking", "add_booking_contact", "attribute_booking"
_CLOSED = frozenset({"Converted", "Dismissed"})


def book(desk: Desk, inquiry: BookingInquiry) -> Plan:
    """Return a plan that books, or adds to the open booking of the same party."""
    key = desk.key(CREATE, "booking")
    earlier = desk.context.open_booking
    # A replay of the inquiry that opened the ask finds its own booking there: that is no second ask.
    if earlier is not None and earlier.effect_key != key and earlier.booking.status not in _CLOSED:
        return _join(desk, inquiry, earlier)
    if not desk.wants(CREATE, by_default=True):
        return nothing(Reason.IGNORED_BY_RULE, f"no booking, says {desk.applied.never[CREATE]}")
    command, origins = _booking(desk, inquiry)
    lane = f"booking:{key}"
    effects = [
        desk.effect(
            command, target="booking", lane=lane, default_rule="book at once", priority=BOOKING, origins=origins
        )
    ]
    if not command.contacts and command.address is None:
        hold = Hold(reason=Reason.BOOKING_INCOMPLETE.value, effects=tuple(effects))
        return Plan(holds=(hold,), reason=hold.reason)
    if inquiry.attribution and desk.wants(ATTRIBUTE, by_default=True):
        effects.append(_attribution(desk, inquiry, CreatedBy(key), key, lane))
    return Plan(effects=tuple(effects), reason=Reason.PROCESSED.value, opens_ask=True)


def _booking(desk: Desk, inquiry: BookingInquiry) -> tuple[CreateBooking, dict[str, str]]:
    """Return the booking, and for each field where its value comes from."""
    fields, tenant, source = desk.fields(CREATE), desk.context.tenant, desk.context.source
    rule = fields.origin
    campaign, campaign_origin = catalogue.campaign(desk, inquiry, fields)
    pair = catalogue.service_pair(desk, inquiry, fields)
    address = whole(inquiry.person.address, region=tenant.phone_region)
    start, start_origin = catalogue.start(desk, inquiry, fields)
    priority, priority_origin = catalogue.priority(desk, inquiry, fields)
    confirmation = fields.value("confirmation_email")
    if confirmation is None:
        confirmation = _first(source.booking.confirmation_email, tenant.defaults.confirmation_email)
    summary = fields.text("summary") or summary_of(inquiry, desk.match)
    if added := fields.text("append_summary"):
        summary = clipped(f"{summary}\n{added}")
    command = CreateBooking(
        source=fields.text("source") or source.title or str(desk.context.source_id),
        name=fields.text("name") or name_of(inquiry.person),
        summary=summary,
        is_first_time_client=is_first_time(desk.match),
        contacts=contacts_of(inquiry.person, tenant.phone_region),
        address=address,
        customer_type=fields.text("customer_type")
        or source.booking.customer_type
        or ("Commercial" if inquiry.person.company and not inquiry.person.name else tenant.defaults.customer_type),
        start=start,
        campaign_id=campaign,
        business_unit_id=pair.business_unit,
        job_type_id=pair.job_type,
        priority=priority,
        send_confirmation_email=None if confirmation is None else catalogue.yes(confirmation),
    )
    origins = {
        "source": rule if "source" in fields else f"source {desk.context.source_id}",
        "name": rule
        if "name" in fields
        else inquiry.whence("person.name", "person.given_name", "person.surname", "person.company") or "the person",
        "summary": rule if "summary" in fields else "message, answers, match and ways to reach the person",
        "is_first_time_client": f"the match ({desk.match.__struct_config__.tag})",
        "contacts": inquiry.whence("person.phones", "person.emails") or "the person's phones and e-mails",
        "campaign_id": campaign_origin,
        "business_unit_id": pair.business_unit_origin,
        "job_type_id": pair.job_type_origin,
        "priority": priority_origin,
        "start": start_origin,
    }
    if address is not None:
        origins["address"] = inquiry.whence("person.address") or "the person's address"
    return command, {name: origin for name, origin in origins.items() if origin}


def _first(*values: bool | None) -> bool | None:
    return next((value for value in values if value is not None), None)


def _attribution(desk: Desk, inquiry: BookingInquiry, target: Target, key: EffectKey, lane: str) -> Effect:
    return desk.effect(
        AttributeBooking(booking=target, attribution=inquiry.attribution),
        target=f"booking:{key}",
        lane=lane,
        default_rule="attribute the booking",
        priority=ATTRIBUTION,
        waits_for=(key,),
    )


def _join(desk: Desk, inquiry: BookingInquiry, earlier: OpenBooking) -> Plan:
    """Add what is new to the booking that is open, instead of making its twin."""
    first, region = earlier.effect_key, desk.context.tenant.phone_region
    target: Target = earlier.booking.id or CreatedBy(first)
    lane = f"booking:{first}"
    effects: list[Effect] = []
    known = {comparable(value, region) for value in earlier.known_contacts}
    memo = desk.fields(CONTACT).text("memo") or f"from {desk.context.source.title}"
    for contact in contacts_of(inquiry.person, region):
        if comparable(contact.value, region) in known or not desk.wants(CONTACT, by_default=True):
            continue
        effects.append(
            desk.effect(
                AddBookingContact(
                    booking=target, contact=ContactMethod(type=contact.type, value=contact.value, memo=memo)
                ),
                target=f"{first}:{comparable(contact.value, region)}",
                lane=lane,
                default_rule="the same ask joins the open booking",
                priority=ADDITION,
                waits_for=(first,),
            )
        )
    update = _additions(desk, inquiry, earlier, target)
    if update is not None and desk.wants(UPDATE, by_default=True):
        effects.append(
            desk.effect(
                update,
                target=str(first),
                lane=lane,
                default_rule="the same ask joins the open booking",
                priority=ADDITION,
                waits_for=(first,),
            )
        )
    return Plan(effects=tuple(effects), reason=Reason.DUPLICATE_ASK.value, joins=first)


def _additions(desk: Desk, inquiry: BookingInquiry, earlier: OpenBooking, target: Target) -> UpdateBooking | None:
    """Return the change that adds what the open booking does not say yet, None where it says everything."""
    fields = desk.fields(UPDATE)
    said = [inquiry.message, f"Service: {inquiry.service}" if inquiry.service else ""]
    said += [
        f"Preferred time: {inquiry.preferred_time}" if inquiry.preferred_time else "",
        *answers_of(inquiry.answers),
    ]
    new = [line for line in said if line and is_new_in(line, earlier.summary)]
    append = fields.text("append_summary")
    if append is None:
        append = clipped("\n".join((f"Also asked by {desk.context.source.title}:", *new))) if new else ""
    start = inquiry.preferred_start if earlier.start is None and inquiry.preferred_start is not None else None
    if start is not None and start <= desk.now:
        start = None
    priority = fields.text("priority")
    if not append and start is None and priority is None:
        return None
    return UpdateBooking(booking=target, append_summary=append, start=start, priority=priority)


def is_first_time(match: Match) -> bool:
    """Tell whether the office should greet a new client: nobody known, or a known address with another name."""
    match match:
        case Matched():
            return False
        case Ambiguous(location_customer_differs=differs, is_newcomer=is_newcomer):
            return differs or is_newcomer
        case Unmatched():
            return True


def name_of(person: Person) -> str:
    """Return a name for the booking, which needs one: the person's, else how to reach them."""
    return person.display_name or next(iter((*person.phones, *person.emails)), "") or "Unknown caller"


def contacts_of(person: Person, region: str) -> tuple[ContactMethod, ...]:
    """Return how to reach the person, each once, phones before e-mails, in the order of their worth."""
    found: dict[str, ContactMethod] = {}
    for phone in person.phones:
        if phone.strip():
            found.setdefault(comparable(phone, region), ContactMethod(type="Phone", value=phone.strip()))
    for email in person.emails:
        if email.strip():
            found.setdefault(comparable(email, region), ContactMethod(type="Email", value=email.strip()))
    return tuple(found.values())
