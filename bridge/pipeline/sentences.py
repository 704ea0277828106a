"""What was decided, in one sentence without anything personal: the head of the why page and the row of every list."""

from typing import assert_never

from bridge.domain.command import kind_of
from bridge.domain.match import Ambiguous, Match, Matched, Unmatched
from bridge.domain.reasons import advice_for
from bridge.intake.ledger import Decided

_WANTED = {
    "create_booking": "A booking",
    "update_booking": "A change of the booking",
    "add_booking_contact": "A contact of the booking",
    "dismiss_booking": "The dismissal of the booking",
    "create_customer": "A new customer with its location",
    "create_location": "A new location",
    "add_contact": "A new contact",
    "update_contact": "A changed contact",
    "set_custom_fields": "Custom fields",
    "change_tags": "Tags",
    "add_note": "A note",
    "set_preferences": "Contact preferences",
    "create_lead": "A lead",
    "submit_lead_form": "A lead form",
    "follow_up_lead": "A follow-up",
    "dismiss_lead": "The dismissal of the lead",
}
"""What the first effect of a plan is called; attribution never comes first."""


def sentence(decided: Decided) -> str:
    """Return the sentence for one decision that was planned."""
    if decided.plan is None or decided.plan.joins is not None or not decided.plan.effects:
        return advice_for(decided.reason).text
    wanted = _WANTED.get(kind_of(decided.plan.effects[0].command), "An effect")
    return f"{wanted} for {_who(decided.match)}."


def _who(match: Match | None) -> str:
    match match:
        case Matched():
            return f"customer {match.customer_id}"
        case Ambiguous(is_newcomer=True):
            return "somebody new at a known address"
        case Ambiguous():
            return "somebody who may be a customer already; the candidates are named"
        case Unmatched() | None:
            return "somebody new to ServiceTitan"
        case _:
            assert_never(match)
