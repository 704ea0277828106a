"""The config's rules, tried in order: for each kind of command the first rule that fits wins."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from bridge.domain.expressions import ExpressionFault, PlainContext, as_text, conjuncts, evaluate, is_true
from bridge.domain.ids import SourceId
from bridge.domain.plan import Plan, RuleTrial
from bridge.domain.reasons import Reason
from bridge.settings import RuleSettings, Settings

_ALWAYS = frozenset({"", "true", "True"})
_SHOWN = re.compile(
    r"(?<![\w.])((?:match|tenant|source)\.\w+|inquiry\.(?:kind|service|priority|channel|activity|change))\b"
)
"""Names whose values an explanation may repeat: none of them is a person's."""


class RuleBroken(Exception):
    """A rule's expression failed on an inquiry; the text names the rule and its place, and no value."""

    reason = Reason.RULE_FAILED

    def __init__(self, rule: str, at: str, what: str) -> None:
        super().__init__(f'rule "{rule}" at {at}: {what}')
        self.rule = rule
        self.at = at
        self.what = what
        self.before: tuple[RuleTrial, ...] = ()
        """The rules that were tried before, for the explanation."""

    def plan(self) -> Plan:
        """Return the plan of an inquiry whose rule broke: nothing happens, and the rule is named."""
        broke = RuleTrial(rule=self.rule, applied=False, why=f"broke: {self.what}", at=self.at)
        return Plan(reason=self.reason.value, trials=(*self.before, broke))


class MapStopped(RuleBroken):
    """A mapping of the source did not come to an end on an inquiry; the text names the field and the place."""

    reason = Reason.MAP_STOPPED

    def __init__(self, field: str, at: str, what: str) -> None:
        super().__init__(f"map of {field}", at, what)
        self.args = (f"The mapping of {field} ({at}) {what}",)


class Chosen(msgspec.Struct, frozen=True):
    """What a rule says about one kind of command."""

    rule: str
    at: str
    fields: Mapping[str, Any]
    """The fields the rule sets, as written."""


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules say about one inquiry."""

    chosen: Mapping[str, Chosen] = {}
    never: Mapping[str, str] = {}
    """Kind of command → the rule that forbids it."""
    hold: tuple[str, str] | None = None
    """Rule and its words, where everything waits for a person."""
    ignore: tuple[str, str] | None = None
    trials: tuple[RuleTrial, ...] = ()
    view: Mapping[str, Any] = {}

    def fields(self, kind: str) -> "Fields":
        """Return what the winning rule sets for a kind of command; empty where no rule speaks of it."""
        return Fields(self.chosen.get(kind), self.view)


class Fields:
    """The fields a rule sets for one command, filled in for one inquiry."""

    def __init__(self, chosen: Chosen | None, view: Mapping[str, Any]) -> None:
        self._chosen = chosen
        self._view = view

    @property
    def origin(self) -> str:
        """Where the fields come from, as an explanation says it."""
        return f'rule "{self._chosen.rule}" ({self._chosen.at})' if self._chosen else ""

    def __contains__(self, name: object) -> bool:
        """Tell whether the rule sets a field."""
        return self._chosen is not None and name in self._chosen.fields

    def raw(self, name: str) -> Any:
        """Return a field as written, None where the rule does not set it."""
        return self._chosen.fields.get(name) if self._chosen else None

    def value(self, name: str) -> Any:
        """Return a field filled in, None where the rule does not set it; raise RuleBroken."""
        return self.filled(self.raw(name))

    def filled(self, written: Any) -> Any:
        """Return a written value with its `{{ … }}` filled in; raise RuleBroken."""
        if self._chosen is None or not isinstance(written, str) or ("{{" not in written and "{%" not in written):
            return written
        return _evaluate(written, self._view, self._chosen.rule, self._chosen.at)

    def text(self, name: str) -> str | None:
        """Return a field as text, None where the rule does not set it; raise RuleBroken."""
        value = self.value(name)
        return None if value is None else as_text(value)


class RuleBook(msgspec.Struct, frozen=True):
    """The rules of one config version, in order."""

    rules: tuple[RuleSettings, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> "RuleBook":
        """Return the rules of the settings."""
        return cls(settings.rules)

    def apply(self, view: Mapping[str, Any], *, tenant_key: str, source_id: SourceId) -> Applied:
        """Try every rule for this tenant and source; raise RuleBroken where one cannot be evaluated."""
        chosen: dict[str, Chosen] = {}
        never: dict[str, str] = {}
        trials: list[RuleTrial] = []
        view = view if isinstance(view, PlainContext) else PlainContext(view)
        for rule in self.rules:
            if rule.tenant_key not in (None, tenant_key):
                why = f"is for tenant {rule.tenant_key}"
                trials.append(RuleTrial(rule=rule.name, applied=False, why=why, at=rule.at))
                continue
            if rule.source_id not in (None, source_id):
                why = f"is for source {rule.source_id}"
                trials.append(RuleTrial(rule=rule.name, applied=False, why=why, at=rule.at))
                continue
            try:
                fits = rule.when.strip() in _ALWAYS or is_true(_evaluate(rule.when, view, rule.name, rule.at))
            except RuleBroken as broken:
                broken.before = tuple(trials)
                raise
            if not fits:
                trials.append(RuleTrial(rule=rule.name, applied=False, why=_why_not(rule, view), at=rule.at))
                continue
            held, ignored, lost = _take(rule, chosen, never)
            why = "; ".join(f"{kind} was taken by {winner}" for kind, winner in lost) or _shown(rule.when, view)
            trials.append(RuleTrial(rule=rule.name, applied=True, why=why, at=rule.at))
            if held is not None or ignored is not None:
                return Applied(
                    chosen=chosen,
                    never=never,
                    hold=None if held is None else (rule.name, held),
                    ignore=None if ignored is None else (rule.name, ignored),
                    trials=tuple(trials),
                    view=view,
                )
        return Applied(chosen=chosen, never=never, trials=tuple(trials), view=view)


def _take(
    rule: RuleSettings, chosen: dict[str, Chosen], never: dict[str, str]
) -> tuple[str | None, str | None, list[tuple[str, str]]]:
    """Let a rule take the kinds of command that no rule before it took; return its hold, its ignore, and what it lost."""
    held = ignored = None
    lost: list[tuple[str, str]] = []
    taken = {kind: f'"{one.rule}"' for kind, one in chosen.items()} | {
        kind: f'"{name}"' for kind, name in never.items()
    }
    for do in rule.do:
        held = do.hold if do.hold is not None else held
        ignored = do.ignore if do.ignore is not None else ignored
        for kind in sorted(do.model_fields_set - {"never", "hold", "ignore"}):
            if kind in taken:
                lost.append((kind, taken[kind]))
                continue
            block = getattr(do, kind)
            fields = (
                {name: getattr(block, name) for name in sorted(block.model_fields_set)} if block is not None else {}
            )
            chosen[kind] = Chosen(rule.name, rule.at, fields)
        for forbidden in do.never:
            if forbidden in taken:
                lost.append((forbidden, taken[forbidden]))
            else:
                never[forbidden] = rule.name
    return held, ignored, lost


def _evaluate(expression: str, view: Mapping[str, Any], rule: str, at: str) -> Any:
    try:
        return evaluate(expression, view)
    except ExpressionFault as fault:
        raise RuleBroken(rule, at, str(fault)) from None


def _why_not(rule: RuleSettings, view: Mapping[str, Any]) -> str:
    """Return why a condition does not hold: what its names stood for, and the first of its parts that is not so."""
    told = _shown(rule.when, view)
    parts = conjuncts(rule.when)
    if told and len(parts) == 1:
        return told
    fails = next((part for part in parts if not is_true(_evaluate(part, view, rule.name, rule.at))), rule.when)
    return f"{told}; not so: {fails}" if told else f"not so: {fails}"


def _shown(expression: str, view: Mapping[str, Any]) -> str:
    """Return what the names in a condition stood for, as far as they are no person's data."""
    told = []
    for path in dict.fromkeys(_SHOWN.findall(expression)):
        top, _, name = path.partition(".")
        value = view.get(top, {}).get(name)
        told.append(f"{path} is {as_text(value) or 'empty'}")
    return ", ".join(told)
