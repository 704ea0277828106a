"""The decision: one inquiry with its match and what is known → a plan. Pure: the same in, the same out."""

from datetime import datetime
from typing import assert_never

from bridge.domain.inquiry import (
    Activity,
    BookingChange,
    BookingInquiry,
    ContactUpdate,
    Inquiry,
    PreferenceChange,
    ServiceTitanChange,
)
from bridge.domain.match import Match
from bridge.domain.plan import Plan
from bridge.domain.reasons import Reason
from bridge.planning import bookings
from bridge.planning.context import PlanContext


def plan(inquiry: Inquiry, match: Match, context: PlanContext, *, now: datetime) -> Plan:
    """Return what should happen about one inquiry, with every rule that was tried."""
    del now
    match inquiry:
        case BookingInquiry():
            return bookings.book(inquiry, match, context)
        case BookingChange() | ContactUpdate() | PreferenceChange() | Activity():
            return Plan(reason=Reason.EVENT_IGNORED.value)
        case ServiceTitanChange():
            return Plan(reason=Reason.PROCESSED.value)
        case _:
            assert_never(inquiry)
