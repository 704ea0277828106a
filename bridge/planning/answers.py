"""What people answered to holds before: a question that was settled is not asked a second time."""

import msgspec

from bridge.domain.command import CreateBooking
from bridge.domain.plan import Effect, Hold, Plan, RuleTrial
from bridge.domain.reasons import Reason

REMEMBERED = frozenset(
    {
        Reason.MATCH_AMBIGUOUS.value,
        Reason.MATCH_BELOW_AUTO.value,
        Reason.PARTY_NEW.value,
        Reason.CUSTOMER_INCOMPLETE.value,
        Reason.FIELD_VALUE_INVALID.value,
    }
)
"""Questions about a customer's record: a no to one holds for later inquiries of the same record and person too.

A no to a booking is a no to that booking alone: the next lead of the same person is asked about again.
"""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A person's yes or no to one hold; `is_same` where it was a hold of this very inquiry, else of an earlier one like it."""

    reason: str
    detail: str
    is_yes: bool
    is_same: bool = True


def respected(plan: Plan, answers: tuple[Answer, ...]) -> Plan:
    """Return the plan with the holds that a person settled before carried out or left out."""
    effects: list[Effect] = list(plan.effects)
    holds: list[Hold] = []
    trials: list[RuleTrial] = list(plan.trials)
    said = ""
    for hold in plan.holds:
        answer = next((one for one in answers if _answers(one, hold)), None)
        if answer is None:
            holds.append(hold)
        elif answer.is_yes:
            effects += hold.effects
            trials.append(RuleTrial(rule=f"hold: {hold.reason}", applied=False, why="a person released it"))
        else:
            said = said or Reason.DISMISSED.value
            trials.append(RuleTrial(rule=f"hold: {hold.reason}", applied=False, why="a person said no before"))
    if len(holds) == len(plan.holds):
        return plan
    reason = holds[0].reason if holds else Reason.PROCESSED.value if effects else said or Reason.PROCESSED.value
    return Plan(
        effects=tuple(effects),
        holds=tuple(holds),
        reason=reason,
        trials=tuple(trials),
        joins=plan.joins,
        opens_ask=plan.opens_ask or any(isinstance(effect.command, CreateBooking) for effect in effects),
    )


def _answers(answer: Answer, hold: Hold) -> bool:
    return answer.reason == hold.reason and (answer.is_same or answer.detail == hold.detail)
