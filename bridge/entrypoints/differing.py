"""What two decisions about the same inquiry do differently, in words that hold no personal data (pure)."""

from collections.abc import Iterator, Mapping

import msgspec

from bridge.domain.command import Command, kind_of
from bridge.domain.inquiry import Inquiry
from bridge.domain.match import Match, Matched
from bridge.domain.plan import Plan

_WHO = {"matched": "match a customer", "ambiguous": "match several customers", "unmatched": "match nobody"}


def between(was: tuple[Inquiry, Match, Plan], will: tuple[Inquiry, Match, Plan]) -> Iterator[str]:
    """Yield each difference as what happens to the inquiry: `get another campaign`, `would match a customer`."""
    names = fields_read_differently(was[0], will[0])
    if names:
        yield f"would be read differently: {', '.join(names)}"
    yield from _matches(was[1], will[1])
    yield from plans(was[2], will[2])


def plans(was: Plan, will: Plan) -> Iterator[str]:
    """Yield what one plan holds and wants differently from another."""
    held, will_hold = {hold.reason for hold in was.holds}, {hold.reason for hold in will.holds}
    yield from (f"would be held ({reason})" for reason in sorted(will_hold - held))
    yield from (f"would no longer be held ({reason})" for reason in sorted(held - will_hold))
    yield from _commands(_by_kind(was), _by_kind(will))
    if was.reason != will.reason and not (will_hold ^ held):
        yield f"would end as {will.reason}, not {was.reason}"


def fields_read_differently(was: Inquiry, will: Inquiry) -> list[str]:
    """Return the fields of an inquiry that are not as they were; where each value came from is no field."""
    old, new = msgspec.to_builtins(was), msgspec.to_builtins(will)
    return sorted(name for name in {*old, *new} - {"origins"} if old.get(name) != new.get(name))


def counted(count: int, label: str) -> str:
    """Return a difference with how often it is there: `7 get another campaign`, `1 gets another campaign`."""
    return f"{count} {f'gets {label[4:]}' if count == 1 and label.startswith('get ') else label}"


def sentence(total: int, counts: Mapping[str, int]) -> str:
    """Return the sum of all differences: `of 812: 7 get another campaign, 2 would match a customer, 1 would be held (…)`."""
    told = ", ".join(counted(count, label) for label, count in counts.items())
    return f"of {total}: {told or 'nothing would come out differently'}"


def _matches(was: Match, will: Match) -> Iterator[str]:
    before, after = str(was.__struct_config__.tag), str(will.__struct_config__.tag)
    if before != after:
        yield f"would {_WHO[after]}"
    elif isinstance(was, Matched) and isinstance(will, Matched):
        if was.customer_id != will.customer_id:
            yield "would match another customer"
        elif was.location_id != will.location_id:
            yield "would match another location"
        if was.may_write != will.may_write:
            yield f"would {'' if will.may_write else 'not '}be sure enough to write to the customer"


def _by_kind(plan: Plan) -> dict[str, list[Command]]:
    found: dict[str, list[Command]] = {}
    for effect in plan.effects:
        found.setdefault(kind_of(effect.command), []).append(effect.command)
    return found


def _commands(before: dict[str, list[Command]], after: dict[str, list[Command]]) -> Iterator[str]:
    for kind in sorted({*before, *after}):
        one, other = before.get(kind, []), after.get(kind, [])
        called = kind.replace("_", " ")
        if not one or not other:
            yield f"would get {called}" if other else f"would get no {called}"
        elif len(one) != len(other):
            yield f"would get {len(other)} {called}, not {len(one)}"
        else:
            names = {name for old, new in zip(one, other, strict=True) for name in _fields(old, new)}
            suffix = "" if kind == "create_booking" else f" ({called})"
            yield from (f"get another {name}{suffix}" for name in sorted(names))


def _fields(old: Command, new: Command) -> Iterator[str]:
    if type(old) is type(new):
        for name in old.__struct_fields__:
            if getattr(old, name) != getattr(new, name):
                yield name.removesuffix("_id").replace("_", " ")
