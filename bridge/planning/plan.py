"""The decision: one inquiry with its match and what is known → a plan. Pure: the same in, the same out."""

from datetime import datetime
from typing import assert_never

from bridge.domain.command import AddNote
from bridge.domain.inquiry import (
    MAP_STOPPED,
    Activity,
    BookingChange,
    BookingInquiry,
    ContactUpdate,
    Inquiry,
    PreferenceChange,
    ServiceTitanChange,
)
from bridge.domain.match import Match, Matched
from bridge.domain.plan import Hold, Plan
from bridge.domain.reasons import Reason
from bridge.planning import bookings, changes, parties
from bridge.planning.answers import respected
from bridge.planning.context import PlanContext
from bridge.planning.extras import extra, note_text
from bridge.planning.guard import guarded, unsure
from bridge.planning.planner import NOTE, Desk, nothing, replace_plan
from bridge.planning.rules import Applied, MapStopped, RuleBroken
from bridge.planning.view import view_of


def plan(inquiry: Inquiry, match: Match, context: PlanContext, *, now: datetime) -> Plan:
    """Return what should happen about one inquiry, with every rule that was tried; raise RuleBroken or MapStopped."""
    if isinstance(inquiry, ServiceTitanChange):
        return Plan(reason=Reason.MIRROR_UPDATED.value)
    for field, origin in inquiry.origins.items():
        if origin.startswith(MAP_STOPPED):
            raise MapStopped(field, context.source.map_at, origin.removeprefix(MAP_STOPPED))
    applied = Applied()
    if context.rules.rules:
        view = view_of(inquiry, match, context, now=now)
        applied = context.rules.apply(view, tenant_key=context.tenant.key, source_id=context.source_id)
    desk = Desk(inquiry=inquiry, match=match, context=context, applied=applied, now=now)
    if inquiry.is_test and not context.source.book_tests:
        return desk.finished(nothing(Reason.TEST_INQUIRY, "tests do nothing (`book_tests` of the source is false)"))
    if applied.ignore is not None:
        return desk.finished(nothing(Reason.IGNORED_BY_RULE, applied.ignore[1]))
    try:
        made = extra(desk, _by_kind(desk, inquiry))
    except RuleBroken as broken:
        broken.before = applied.trials
        raise
    if applied.hold is not None:
        made = _held(desk, made)
    return desk.finished(respected(made, context.answers))


def _by_kind(desk: Desk, inquiry: Inquiry) -> Plan:
    match inquiry:
        case BookingInquiry():
            return bookings.book(desk, inquiry)
        case BookingChange():
            return changes.change(desk, inquiry)
        case ContactUpdate():
            return parties.update(desk, inquiry)
        case PreferenceChange():
            return parties.prefer(desk, inquiry)
        case Activity():
            return _note_activity(desk, inquiry)
        case ServiceTitanChange():
            return Plan(reason=Reason.MIRROR_UPDATED.value)
        case _:
            assert_never(inquiry)


def _note_activity(desk: Desk, inquiry: Activity) -> Plan:
    """Return a note at the customer who called or wrote; nobody known, nothing to note."""
    if not desk.wants("add_note", by_default=desk.context.source.updates.notes):
        return nothing(Reason.PROCESSED, "notes are not wanted")
    if not isinstance(desk.match, Matched):
        return unsure(desk)
    customer = int(desk.match.customer_id)
    fields = desk.fields("add_note")
    if fields.raw("on") == "location":
        return Plan(reason=Reason.ACTIVITY_NOTED.value)  # the rule's note is made like any other of a rule
    text = fields.text("text") or note_text(desk)
    pinned = bool(fields.raw("pin_to_top"))
    effect = desk.effect(
        AddNote(on="customer", target=customer, text=text, pin_to_top=pinned),
        target=f"customer:{customer}:activity",
        lane=f"party:{customer}",
        default_rule="a note at the customer",
        priority=NOTE,
        origins={"text": inquiry.whence("message") or "the activity"},
    )
    return guarded(desk, (effect,), reason=Reason.ACTIVITY_NOTED)


def _held(desk: Desk, made: Plan) -> Plan:
    """Return the plan with everything waiting for a person, because a rule says so."""
    rule, words = desk.applied.hold or ("", "")
    hold = Hold(
        reason=Reason.HELD_BY_RULE.value, detail=f"{words} (rule {rule})" if words else rule, effects=made.effects
    )
    return replace_plan(made, effects=(), holds=(hold, *made.holds), reason=hold.reason, opens_ask=False)
