"""The desk at which one inquiry is planned: its facts, what the rules say, and how an effect gets its name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bridge.domain.command import Command, kind_of
from bridge.domain.ids import EffectKey
from bridge.domain.inquiry import Inquiry
from bridge.domain.match import Match
from bridge.domain.plan import Effect, Plan, RuleTrial, effect_key
from bridge.domain.reasons import Reason
from bridge.domain.reference import ListEntry
from bridge.planning.context import PlanContext
from bridge.planning.rules import Applied, Fields

BOOKING = 0
CUSTOMER = 2
ADDITION = 3
UPDATE = 4
ATTRIBUTION = 6
NOTE = 8
"""Priorities: a lead's booking goes before everything, a note after everything."""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What planning one inquiry needs at hand. `notes` collects what an explanation should say beside the rules."""

    inquiry: Inquiry
    match: Match
    context: PlanContext
    applied: Applied
    now: datetime
    notes: list[RuleTrial] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    """Kinds of command whose fields were asked for: what a rule says of them was heard."""

    def wants(self, kind: str, *, by_default: bool) -> bool:
        """Tell whether a kind of command is wanted: by a rule, or by default unless a rule forbids it."""
        return kind not in self.applied.never and (by_default or kind in self.applied.chosen)

    def fields(self, kind: str) -> Fields:
        """Return what the winning rule sets for a kind of command."""
        self.used.add(kind)
        return self.applied.fields(kind)

    def key(self, kind: str, target: str, *, version: str = "") -> EffectKey:
        """Return the name of an effect of this inquiry."""
        return effect_key(
            tenant_id=self.context.tenant_id,
            kind=kind,
            target=target,
            inquiry_key=f"{self.context.source_id}:{self.inquiry.key}",
            version=version,
            nonce=self.context.nonce,
        )

    def effect(
        self,
        command: Command,
        *,
        target: str,
        lane: str,
        default_rule: str,
        priority: int,
        version: str = "",
        waits_for: tuple[EffectKey, ...] = (),
        origins: Mapping[str, str] | None = None,
        is_mapped: bool = False,
    ) -> Effect:
        """Return the effect of a command, named, and with the rule that wants it; one that is mapped has no rule."""
        kind = kind_of(command)
        chosen = None if is_mapped else self.applied.chosen.get(kind)
        return Effect(
            key=self.key(kind, target, version=version),
            command=command,
            lane=lane,
            rule=chosen.rule if chosen else f"default: {default_rule}",
            priority=priority,
            waits_for=waits_for,
            origins=dict(origins or {}),
        )

    def find(self, kind: str, reference: Any, *, where: str) -> ListEntry | None:
        """Return the one record a config means by an id or name; where there is none, the explanation says so."""
        if reference is None or reference == "":
            return None
        lists = self.context.reference
        entry = lists.find(kind, reference)
        if entry is not None:
            return entry
        if isinstance(reference, int) and not lists.is_loaded:
            return ListEntry(id=reference, name=str(reference))
        several = len(lists.candidates(kind, reference))
        what = f"{several} records go by that name" if several else "no record goes by that name"
        self.note(f"{where}: {kind} {reference!r}", f"left out, {what}")
        return None

    def note(self, rule: str, why: str, *, applied: bool = False) -> None:
        """Add a line to the explanation."""
        self.notes.append(RuleTrial(rule=rule, applied=applied, why=why))

    def finished(self, plan: Plan) -> Plan:
        """Return the plan with everything that was tried, in the order it was."""
        return replace_plan(plan, trials=(*self.applied.trials, *self.notes, *plan.trials))


def replace_plan(plan: Plan, **changes: Any) -> Plan:
    """Return a plan with some parts changed."""
    return Plan(**{**{name: getattr(plan, name) for name in plan.__struct_fields__}, **changes})


def nothing(reason: Reason, why: str) -> Plan:
    """Return a plan that does nothing, with its reason."""
    return Plan(reason=reason.value, trials=(RuleTrial(rule=f"default: {reason.value}", applied=True, why=why),))


__all__ = ["ADDITION", "ATTRIBUTION", "BOOKING", "CUSTOMER", "NOTE", "UPDATE", "Desk", "nothing", "replace_plan"]
