"""Commands that only rules want, whatever the inquiry: notes, fields, tags, locations, leads."""

from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from bridge.domain.command import (
    AddNote,
    ChangeTags,
    Command,
    CreatedBy,
    CreateLead,
    CreateLocation,
    DismissLead,
    FollowUpLead,
    PartyKind,
    SetCustomFields,
    SetPreferences,
    SubmitLeadForm,
    Target,
    kind_of,
)
from bridge.domain.inquiry import Activity, BookingInquiry, ContactUpdate
from bridge.domain.match import Matched
from bridge.domain.party import PartyRecord
from bridge.domain.plan import Effect, Hold, Plan
from bridge.domain.reasons import Reason
from bridge.domain.reference import BUSINESS_UNIT, CALL_REASON, CAMPAIGN, JOB_TYPE, TAG_TYPE
from bridge.planning import catalogue, custom_fields
from bridge.planning.bookings import contacts_of, name_of
from bridge.planning.guard import guarded, unsure
from bridge.planning.planner import CUSTOMER, NOTE, UPDATE, Desk, replace_plan
from bridge.planning.writing import answers_of, clipped, match_note, reach_of, summary_of, whole

_TO_CUSTOMER = ("add_note", "set_custom_fields", "change_tags", "create_location", "set_preferences")
_ADDITIVE = frozenset({"set_custom_fields", "change_tags"})
"""What a rule wants of these comes beside what the source's mapping wants."""
_LEADS = ("create_lead", "submit_lead_form", "follow_up_lead", "dismiss_lead")
_NEW_LEADS = frozenset({"create_lead", "submit_lead_form"})


def extra(desk: Desk, plan: Plan) -> Plan:
    """Return the plan with what rules want beside what the kind of inquiry wants by itself."""
    done = {
        kind_of(effect.command) for effect in (*plan.effects, *(each for hold in plan.holds for each in hold.effects))
    }
    asked = [kind for kind in desk.applied.chosen if kind not in done or kind in _ADDITIVE]
    leads: list[Effect] = []
    holds: list[Hold] = []
    for_customer: list[Effect] = []
    for kind in asked:
        if kind in _TO_CUSTOMER:
            found, wrong = _to_customer(desk, kind)
            for_customer += found
            holds += wrong
        elif kind in _NEW_LEADS and plan.joins is not None:
            desk.note(kind, "left out: the same ask was made before")
        elif kind in _LEADS:
            made = _lead(desk, kind)
            leads += [made] if isinstance(made, Effect) else []
            holds += [made] if isinstance(made, Hold) else []
        elif kind not in desk.used:
            desk.note(kind, f"means nothing for a {desk.inquiry.__struct_config__.tag} that was planned like this")
    checked = Plan()
    if for_customer:
        checked = guarded(desk, tuple(for_customer), reason=Reason.PROCESSED)
    elif any(kind in _TO_CUSTOMER for kind in asked) and not isinstance(desk.match, Matched):
        checked = unsure(desk)
    effects = (*plan.effects, *leads, *checked.effects)
    together = joined((*plan.holds, *holds, *checked.holds))
    reason = plan.reason
    if len(effects) > len(plan.effects) and not plan.effects:
        reason = Reason.PROCESSED.value
    if together:
        reason = together[0].reason
    return replace_plan(plan, effects=effects, holds=together, reason=reason)


def joined(holds: Sequence[Hold]) -> tuple[Hold, ...]:
    """Return the holds with those of one question made one: a person is asked once."""
    merged: dict[tuple[str, str], Hold] = {}
    for hold in holds:
        known = merged.get((hold.reason, hold.detail))
        effects = (*known.effects, *hold.effects) if known else hold.effects
        merged[hold.reason, hold.detail] = Hold(reason=hold.reason, detail=hold.detail, effects=effects)
    return tuple(merged.values())


def _to_customer(desk: Desk, kind: str) -> tuple[list[Effect], tuple[Hold, ...]]:
    """Return the writes that a rule wants on the matched customer; whether they may happen is decided by the guard."""
    if not isinstance(desk.match, Matched):
        return [], ()
    customer, location = desk.match.customer_id, desk.match.location_id
    fields = desk.fields(kind)
    party = PartyKind(fields.raw("on") or "customer")
    target = customer if party is PartyKind.CUSTOMER else location
    if target is None:
        desk.note(fields.origin, "the location is not known")
        return [], ()
    record = desk.context.party or PartyRecord(customer_id=customer, location_id=location)
    command: Command | None
    wrong: tuple[Hold, ...] = ()
    match kind:
        case "add_note":
            text = fields.text("text") or note_text(desk)
            pinned = bool(fields.raw("pin_to_top"))
            command = (
                AddNote(on=party.value, target=int(target), text=clipped(text), pin_to_top=pinned) if text else None
            )
        case "set_custom_fields":
            changes, wrong = custom_fields.by_rule(desk, fields, record, party)
            command = SetCustomFields(party=party, target=int(target), changes=changes) if changes else None
        case "change_tags":
            command = _tags(desk, party, int(target), record)
        case "set_preferences":
            command = _preferences(desk, int(customer), record)
        case _:
            command = _location(desk, int(customer))
    if command is None:
        return [], wrong
    effect = desk.effect(
        command,
        target=f"{party.value}:{target}:{kind}",
        lane=f"party:{customer}",
        default_rule=kind,
        priority=NOTE if kind == "add_note" else UPDATE,
    )
    return [effect], wrong


def _tags(desk: Desk, party: PartyKind, target: int, record: PartyRecord) -> ChangeTags | None:
    fields = desk.fields("change_tags")
    held = record.customer_tags if party is PartyKind.CUSTOMER else record.location_tags

    def ids(name: str) -> list[int]:
        entries = [desk.find(TAG_TYPE, fields.filled(tag), where=fields.origin) for tag in fields.raw(name) or ()]
        return [entry.id for entry in entries if entry is not None]

    added = tuple(tag for tag in ids("add") if tag not in held)
    removed = tuple(tag for tag in ids("remove") if tag in held)
    return ChangeTags(party=party, target=target, added=added, removed=removed) if added or removed else None


def _preferences(desk: Desk, customer: int, record: PartyRecord) -> SetPreferences | None:
    fields = desk.fields("set_preferences")
    do_not_mail, marketing = fields.raw("do_not_mail"), fields.raw("marketing")
    if do_not_mail == record.do_not_mail:
        do_not_mail = None
    if do_not_mail is None and marketing is None:
        return None
    return SetPreferences(customer=customer, do_not_mail=do_not_mail, marketing=marketing)


def _location(desk: Desk, customer: int) -> CreateLocation | None:
    region = desk.context.tenant.phone_region
    person = desk.inquiry.person
    address = whole(person.address, region=region)
    if address is None:
        desk.note("create_location", "left out: the address is not whole")
        return None
    name = desk.fields("create_location").text("name") or name_of(person)
    return CreateLocation(customer=customer, name=name, address=address, contacts=contacts_of(person, region))


def _lead(desk: Desk, kind: str) -> Effect | Hold:
    command = _lead_command(desk, kind)
    if isinstance(command, Hold):
        return command
    who = desk.inquiry.record_id or desk.inquiry.key
    return desk.effect(command, target="lead", lane=f"lead:{who}", default_rule=kind, priority=CUSTOMER)


def _lead_command(desk: Desk, kind: str) -> CreateLead | SubmitLeadForm | FollowUpLead | DismissLead | Hold:
    fields, person = desk.fields(kind), desk.inquiry.person
    phone, email = next(iter(person.phones), ""), next(iter(person.emails), "")
    address = whole(person.address, region=desk.context.tenant.phone_region)
    match kind:
        case "submit_lead_form":
            summary = fields.text("summary") or note_text(desk)
            return SubmitLeadForm(
                name=name_of(person), email=email, phone=phone, address=address, summary=clipped(summary)
            )
        case "create_lead":
            return _create_lead(desk)
        case "follow_up_lead":
            target = _earlier_lead(desk)
            if target is None:
                return Hold(reason=Reason.LEAD_UNKNOWN.value, detail=fields.origin)
            day = desk.now.astimezone(ZoneInfo(desk.context.tenant.time_zone)) + timedelta(
                days=float(fields.raw("in_days") or 1)
            )
            return FollowUpLead(lead=target, on=day.date(), text=fields.text("text") or "")
        case _:
            target = _earlier_lead(desk)
            entry = desk.find(CALL_REASON, fields.value("reason"), where=fields.origin)
            if target is None or entry is None:
                return Hold(reason=Reason.LEAD_UNKNOWN.value, detail=fields.origin)
            return DismissLead(lead=target, call_reason_id=entry.id)


def _earlier_lead(desk: Desk) -> Target | None:
    earlier = desk.context.earlier_lead
    return CreatedBy(earlier) if isinstance(earlier, str) else earlier


def _create_lead(desk: Desk) -> CreateLead | Hold:
    fields, inquiry, tenant = desk.fields("create_lead"), desk.inquiry, desk.context.tenant
    campaign = desk.find(CAMPAIGN, fields.value("campaign"), where=fields.origin)
    campaign_id = campaign.id if campaign else None
    if campaign_id is None and isinstance(inquiry, BookingInquiry):
        campaign_id, _ = catalogue.campaign(desk, inquiry, fields)
    if campaign_id is None:
        fallback = desk.find(CAMPAIGN, tenant.defaults.campaign, where=f"default of tenant {tenant.key}")
        campaign_id = fallback.id if fallback else None
    reason = desk.find(CALL_REASON, fields.value("call_reason"), where=fields.origin)
    days = fields.raw("follow_up_in_days")
    if campaign_id is None:
        return Hold(reason=Reason.LEAD_INCOMPLETE.value, detail="no campaign")
    if days is None and reason is None:
        days = 1.0  # ServiceTitan wants a call reason or a date; tomorrow is when somebody should look at the latest
    unit = desk.find(BUSINESS_UNIT, fields.value("business_unit"), where=fields.origin)
    job = desk.find(JOB_TYPE, fields.value("job_type"), where=fields.origin)
    matched = desk.match if isinstance(desk.match, Matched) and desk.match.may_write else None
    person = inquiry.person
    return CreateLead(
        campaign_id=campaign_id,
        summary=clipped(fields.text("summary") or note_text(desk)),
        customer_id=matched.customer_id if matched else None,
        location_id=matched.location_id if matched else None,
        business_unit_id=unit.id if unit else None,
        job_type_id=job.id if job else None,
        priority=fields.text("priority") or "",
        call_reason_id=reason.id if reason else None,
        follow_up_date=None if days is None else desk.now + timedelta(days=float(days)),
        name=name_of(person),
        phone=next(iter(person.phones), ""),
        email=next(iter(person.emails), ""),
        address=whole(person.address, region=tenant.phone_region),
    )


def note_text(desk: Desk) -> str:
    """Return what a note or lead about this inquiry says where no rule words it."""
    inquiry, title = desk.inquiry, desk.context.source.title
    if isinstance(inquiry, BookingInquiry):
        return summary_of(inquiry, desk.match)
    lines = [f"{title}:"]
    if isinstance(inquiry, Activity):
        lines = [f"{title}: {_what(inquiry)}", inquiry.text, *answers_of(inquiry.answers), inquiry.recording_url]
    elif isinstance(inquiry, ContactUpdate):
        lines += [inquiry.note, *(f"{name}: {value}" for name, value in inquiry.fields.items())]
    if not isinstance(desk.match, Matched):
        lines += [match_note(desk.match), reach_of(inquiry.person)]
    return clipped("\n".join(line for line in lines if line))


def _what(inquiry: Activity) -> str:
    way = "in" if inquiry.inbound else "out"
    length = f", {inquiry.duration_seconds} s" if inquiry.duration_seconds is not None else ""
    return f"{inquiry.activity.value} ({way}{length})"
