"""Reschedule and cancel of a booking that an earlier inquiry made."""

from typing import assert_never
from zoneinfo import ZoneInfo

from bridge.domain.command import AddNote, CreatedBy, DismissBooking, Target, UpdateBooking
from bridge.domain.inquiry import BookingChange, ChangeKind
from bridge.domain.match import Matched
from bridge.domain.plan import Effect, Hold, Plan
from bridge.domain.reasons import Reason
from bridge.domain.reference import CALL_REASON
from bridge.planning.context import OpenBooking
from bridge.planning.planner import ADDITION, NOTE, Desk, nothing
from bridge.planning.writing import answers_of, clipped


def change(desk: Desk, inquiry: BookingChange) -> Plan:
    """Return a plan that moves or dismisses the booking, or tells the office where that can no longer be done."""
    earlier = desk.context.earlier_booking
    if earlier is None:
        return _tell(desk, inquiry, Reason.EARLIER_UNKNOWN)
    if earlier.booking.job_id is not None or earlier.booking.status == "Converted":
        return _tell(desk, inquiry, Reason.BOOKING_IS_JOB)
    if earlier.booking.status == "Dismissed":
        if inquiry.change is ChangeKind.CANCEL:
            return nothing(Reason.NOTHING_DIFFERS, "the booking is dismissed already")
        return _tell(desk, inquiry, Reason.BOOKING_DISMISSED)
    effect = _effect(desk, inquiry, earlier)
    effects = () if effect is None else (effect,)
    return Plan(effects=effects, reason=Reason.PROCESSED.value, joins=earlier.effect_key)


def _effect(desk: Desk, inquiry: BookingChange, earlier: OpenBooking) -> Effect | None:
    first = earlier.effect_key
    target: Target = earlier.booking.id or CreatedBy(first)
    command: UpdateBooking | DismissBooking
    match inquiry.change:
        case ChangeKind.RESCHEDULE:
            fields = desk.fields("update_booking")
            command = UpdateBooking(
                booking=target,
                start=inquiry.new_start,
                append_summary=fields.text("append_summary") or words_of(desk, inquiry),
                priority=fields.text("priority"),
            )
        case ChangeKind.CANCEL:
            command = _dismissal(desk, inquiry, target)
        case _:
            assert_never(inquiry.change)
    if not desk.wants(str(command.__struct_config__.tag), by_default=True):
        return None
    return desk.effect(
        command,
        target=str(first),
        lane=f"booking:{first}",
        default_rule=f"{inquiry.change.value} the booking",
        priority=ADDITION,
        waits_for=(first,),
        origins={"booking": f"the booking of record {inquiry.refers_to}"},
    )


def _dismissal(desk: Desk, inquiry: BookingChange, target: Target) -> DismissBooking:
    fields, tenant, source = desk.fields("dismiss_booking"), desk.context.tenant, desk.context.source
    wanted = fields.value("reason") or source.booking.dismiss_reason or tenant.defaults.dismiss_reason
    entry = desk.find(CALL_REASON, wanted, where=fields.origin or "dismiss_reason")
    return DismissBooking(
        booking=target,
        call_reason_id=entry.id if entry else None,
        memo=fields.text("memo") or words_of(desk, inquiry),
    )


def _tell(desk: Desk, inquiry: BookingChange, reason: Reason) -> Plan:
    """Leave a note where the customer is known, else hold it for a person."""
    words = words_of(desk, inquiry)
    found = desk.match
    if not isinstance(found, Matched) or not desk.wants("add_note", by_default=True):
        return Plan(holds=(Hold(reason=reason.value, detail=words),), reason=reason.value)
    text = desk.fields("add_note").text("text") or words
    note = AddNote(on="customer", target=found.customer_id, text=text, pin_to_top=True)
    effect = desk.effect(
        note,
        target=f"customer:{found.customer_id}",
        lane=f"party:{found.customer_id}",
        default_rule="a note where the booking cannot be changed",
        priority=NOTE,
    )
    if not found.may_write:
        return Plan(holds=(Hold(reason=reason.value, detail=words, effects=(effect,)),), reason=reason.value)
    return Plan(effects=(effect,), reason=reason.value)


def words_of(desk: Desk, inquiry: BookingChange) -> str:
    """Return what the office reads about the change, times in the tenant's zone."""
    title = desk.context.source.title
    if inquiry.change is ChangeKind.CANCEL:
        head = f"Cancelled by {title}."
    elif inquiry.new_start is not None:
        local = inquiry.new_start.astimezone(ZoneInfo(desk.context.tenant.time_zone))
        head = f"Rescheduled by {title} to {local:%a %d %b %Y %H:%M}."
    else:
        head = f"Rescheduled by {title}."
    said = [inquiry.note, inquiry.message if inquiry.message != inquiry.note else "", *answers_of(inquiry.answers)]
    return clipped("\n".join((head, *filter(None, said))))
