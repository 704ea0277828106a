"""Who may be written to: a customer's record is never changed on a guess."""

from bridge.domain.ids import CustomerId, LocationId
from bridge.domain.match import Ambiguous, Match, Matched, Unmatched
from bridge.domain.plan import Effect, Hold, Plan
from bridge.domain.reasons import Reason
from bridge.planning.planner import Desk


def known_party(match: Match) -> tuple[CustomerId, LocationId | None] | None:
    """Return the customer and location of a match, whether or not it may be written to; None without a single one."""
    return (match.customer_id, match.location_id) if isinstance(match, Matched) else None


def is_unknown(match: Match) -> bool:
    """Tell whether the party is surely no customer: nobody agrees, or nothing but the place that somebody else has."""
    return isinstance(match, Unmatched) or (isinstance(match, Ambiguous) and match.is_newcomer)


def guarded(desk: Desk, effects: tuple[Effect, ...], *, reason: Reason) -> Plan:
    """Return the plan of writes to a customer: done where the match allows it, else held, or only recorded in shadow mode."""
    if not effects:
        return Plan(reason=Reason.NOTHING_DIFFERS.value)
    match desk.match:
        case Matched(may_write=True):
            return Plan(effects=effects, reason=reason.value)
        case Matched() if desk.context.tenant.thresholds.shadow:
            return Plan(reason=Reason.SHADOW_MODE.value)
        case Matched(customer_id=customer):
            hold = Hold(reason=Reason.MATCH_BELOW_AUTO.value, detail=f"customer {customer}", effects=effects)
            return Plan(holds=(hold,), reason=hold.reason)
        case Ambiguous() | Unmatched():
            return unsure(desk)


def unsure(desk: Desk) -> Plan:
    """Return what becomes of a wish to change a customer's record where none is known for sure.

    A person is asked only where the answer could change what is written.
    """
    if is_unknown(desk.match):
        return Plan(reason=Reason.PARTY_UNMATCHED.value)
    return ask_who(desk)


def ask_who(desk: Desk) -> Plan:
    """Return a hold that asks a person which of the candidates it is; only a record of it in shadow mode."""
    match desk.match:
        case Ambiguous() if desk.context.tenant.thresholds.shadow:
            return Plan(reason=Reason.SHADOW_MODE.value)
        case Ambiguous(evidence=evidence):
            ids = ", ".join(str(each.customer_id) for each in evidence.candidates[:5] if each.customer_id is not None)
            hold = Hold(reason=Reason.MATCH_AMBIGUOUS.value, detail=f"candidates: {ids}" if ids else "")
            return Plan(holds=(hold,), reason=hold.reason)
        case _:
            return Plan(reason=Reason.PARTY_UNMATCHED.value)
