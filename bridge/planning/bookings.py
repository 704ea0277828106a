"""From a booking inquiry to a booking: at once, whoever it is; the same ask again adds to the one that is open."""

from bridge.domain.command import (
    AddBookingContact,
    AttributeBooking,
    ContactMethod,
    CreateBooking,
    CreatedBy,
    UpdateBooking,
)
from bridge.domain.ids import EffectKey
from bridge.domain.inquiry import BookingInquiry, Person, PostalAddress
from bridge.domain.match import Ambiguous, Candidate, Match, Matched
from bridge.domain.plan import Effect, Plan, RuleTrial, effect_key
from bridge.domain.reasons import Reason
from bridge.domain.reference import BUSINESS_UNIT, CAMPAIGN, JOB_TYPE
from bridge.domain.values import phone_e164
from bridge.planning.context import OpenBooking, PlanContext

BOOKING_PRIORITY = 0
ADDITION_PRIORITY = 3
ATTRIBUTION_PRIORITY = 6
_SUMMARY_LIMIT = 6000  # characters; ServiceTitan names no limit, and no CSR reads more
_PRIORITIES = {"low": "Low", "normal": "Normal", "high": "High", "urgent": "Urgent", "emergency": "Urgent"}


def book(inquiry: BookingInquiry, match: Match, context: PlanContext) -> Plan:
    """Return a plan that books, or adds to the open booking of the same party; a test is planned only where wanted."""
    if inquiry.is_test and not context.source.book_tests:
        return Plan(reason=Reason.TEST_INQUIRY.value, trials=(_trial("test inquiries are not booked"),))
    if context.open_booking is not None:
        return _join(inquiry, match, context, context.open_booking)
    key = _key(context, inquiry, CreateBooking, "booking")
    command = CreateBooking(
        source=context.source.title or context.source_id,
        name=inquiry.person.display_name or "Unknown caller",
        summary=summary_of(inquiry, match),
        is_first_time_client=not isinstance(match, Matched),
        contacts=contacts_of(inquiry.person, context.tenant.phone_region),
        address=_complete(inquiry.person.address),
        customer_type=context.tenant.defaults.customer_type,
        start=inquiry.preferred_start,
        campaign_id=campaign_of(inquiry, context),
        business_unit_id=_default(context, BUSINESS_UNIT, context.tenant.defaults.business_unit),
        job_type_id=_job_type(inquiry, context),
        priority=_PRIORITIES.get(inquiry.priority.lower(), context.tenant.defaults.priority or ""),
        send_confirmation_email=context.tenant.defaults.confirmation_email,
    )
    lane = f"booking:{key}"
    effects = [Effect(key=key, command=command, lane=lane, rule="default: book at once", priority=BOOKING_PRIORITY)]
    if inquiry.attribution:
        attribution = AttributeBooking(booking=CreatedBy(key), attribution=inquiry.attribution)
        effects.append(
            Effect(
                key=_key(context, inquiry, AttributeBooking, key),
                command=attribution,
                lane=lane,
                rule="default: attribute the booking",
                priority=ATTRIBUTION_PRIORITY,
                waits_for=(key,),
            )
        )
    return Plan(effects=tuple(effects), trials=(_trial("somebody wants service"),), opens_ask=True)


def _join(inquiry: BookingInquiry, match: Match, context: PlanContext, open_booking: OpenBooking) -> Plan:
    """Add what is new to the booking that is open, instead of making its twin."""
    first = open_booking.effect_key
    lane = f"booking:{first}"
    target = open_booking.booking.id or CreatedBy(first)
    effects = [
        Effect(
            key=_key(context, inquiry, UpdateBooking, first),
            command=UpdateBooking(booking=target, append_summary=summary_of(inquiry, match)),
            lane=lane,
            rule="default: the same ask joins the open booking",
            priority=ADDITION_PRIORITY,
            waits_for=(first,),
        )
    ]
    known = {_comparable(value, context.tenant.phone_region) for value in open_booking.known_contacts}
    effects += [
        Effect(
            key=_key(context, inquiry, AddBookingContact, f"{first}:{contact.value}"),
            command=AddBookingContact(booking=target, contact=contact),
            lane=lane,
            rule="default: the same ask joins the open booking",
            priority=ADDITION_PRIORITY,
            waits_for=(first,),
        )
        for contact in contacts_of(inquiry.person, context.tenant.phone_region)
        if _comparable(contact.value, context.tenant.phone_region) not in known
    ]
    return Plan(
        effects=tuple(effects),
        reason=Reason.DUPLICATE_ASK.value,
        joins=first,
        trials=(RuleTrial(rule="the same ask again", applied=True, why="a booking of this party is open"),),
    )


def _comparable(value: str, region: str) -> str:
    return value.lower() if "@" in value else phone_e164(value, region) or value


def contacts_of(person: Person, region: str) -> tuple[ContactMethod, ...]:
    """Return how to reach the person, each once, phones before e-mails."""
    found: dict[str, ContactMethod] = {}
    for phone in person.phones:
        found.setdefault(_comparable(phone, region), ContactMethod(type="Phone", value=phone))
    for email in person.emails:
        found.setdefault(email.lower(), ContactMethod(type="Email", value=email))
    return tuple(found.values())


def summary_of(inquiry: BookingInquiry, match: Match) -> str:
    """Return what a CSR reads: the wish, every answer no field took, who it may be, how to reach them."""
    person = inquiry.person
    lines = [
        inquiry.message,
        f"Service: {inquiry.service}" if inquiry.service else "",
        f"Preferred time: {inquiry.preferred_time}" if inquiry.preferred_time else "",
        *(f"{answer.label}: {answer.value}" for answer in inquiry.answers),
        match_note(match),
        f"Company: {person.company}" if person.company and person.company != person.display_name else "",
        " / ".join((*person.phones, *person.emails)),
        person.address.raw if not _complete(person.address) else "",
        f"Consent: {inquiry.consent}" if inquiry.consent else "",
    ]
    text = "\n".join(line for line in lines if line) or f"Inquiry by {inquiry.channel}"
    return text if len(text) <= _SUMMARY_LIMIT else text[: _SUMMARY_LIMIT - 1] + "…"


def match_note(match: Match) -> str:
    """Return one line for the CSR about who this is; candidates are named, since a lead never waits for the answer."""
    match match:
        case Matched(customer_id=customer, location_id=location):
            where = f", location {location}" if location is not None else ""
            return f"Existing customer {customer}{where}."
        case Ambiguous():
            named = "; ".join(_named(candidate) for candidate in match.evidence.candidates[:3])
            return f"May be an existing customer: {named}." if named else "May be an existing customer."
        case _:
            return ""


def _named(candidate: Candidate) -> str:
    where = f" at location {candidate.location_id}" if candidate.location_id is not None else ""
    return f"{candidate.customer_name or 'customer'} ({candidate.customer_id}){where}"


def campaign_of(inquiry: BookingInquiry, context: PlanContext) -> int | None:
    """Return the campaign by the mapping of utm, ad and tracking names, else the tenant's default."""
    said = inquiry.attribution
    for name in (said.utm_campaign, said.campaign, said.utm_source):
        reference = next(
            (value for key, value in context.tenant.campaigns.items() if key.lower() == name.lower()), None
        )
        if name and reference is not None and (found := _default(context, CAMPAIGN, reference)) is not None:
            return found
    return _default(context, CAMPAIGN, context.tenant.defaults.campaign)


def _job_type(inquiry: BookingInquiry, context: PlanContext) -> int | None:
    """Return the job type the person named, else the default; only one that pairs with the business unit is sent."""
    entry = context.reference.find(JOB_TYPE, inquiry.service or None)
    entry = entry or context.reference.find(JOB_TYPE, context.tenant.defaults.job_type)
    if entry is None:
        return None
    unit = _default(context, BUSINESS_UNIT, context.tenant.defaults.business_unit)
    if entry.business_unit_ids and unit is not None and unit not in entry.business_unit_ids:
        return None
    return entry.id


def _default(context: PlanContext, kind: str, reference: int | str | None) -> int | None:
    entry = context.reference.find(kind, reference)
    if entry is not None:
        return entry.id
    return reference if isinstance(reference, int) and not context.reference.is_loaded else None


def _complete(address: PostalAddress) -> PostalAddress | None:
    """Return the address where street, city, state and ZIP are all there: ServiceTitan takes no partial one."""
    if not (address.street and address.city and address.state and address.zip):
        return None
    return (
        address
        if address.country
        else PostalAddress(
            street=address.street,
            unit=address.unit,
            city=address.city,
            state=address.state,
            zip=address.zip,
            country="USA",
        )
    )


def _key(
    context: PlanContext,
    inquiry: BookingInquiry,
    kind: type[CreateBooking | AttributeBooking | UpdateBooking | AddBookingContact],
    target: str,
) -> EffectKey:
    return effect_key(
        tenant_id=context.tenant_id,
        kind=str(kind.__struct_config__.tag),
        target=target,
        inquiry_key=f"{context.source_id}:{inquiry.key}",
        nonce=context.nonce,
    )


def _trial(why: str) -> RuleTrial:
    return RuleTrial(rule="default: book at once", applied=True, why=why)
