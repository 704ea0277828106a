"""What no type can tell: names that name nothing, rules that never get their turn, expressions that cannot be read."""

import re
from collections.abc import Collection, Iterator, Mapping

from pydantic import BaseModel

from bridge.domain.expressions import ExpressionFault, check, evaluate, is_true, variables
from bridge.settings.faults import Fault, Place, did_you_mean
from bridge.settings.reading import Written, dotted
from bridge.settings.rules import Do, Rule
from bridge.settings.schema import Config
from bridge.settings.vocabulary import NAMES, VALUES

_STRINGS = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_PATH = re.compile(r"(?<![\w.])(" + "|".join(n for n in NAMES if "." not in n) + r")((?:\.\w+)+)")
_COMPARED = re.compile(
    r"(?<![\w.])(" + "|".join(map(re.escape, VALUES)) + r")\s*(?:==|!=)\s*(?:'([^']*)'|\"([^\"]*)\")"
)
_FUNCTIONS = frozenset({"range", "dict", "namespace", "debug", "loop", "true", "false", "none"})
_EVERYTHING = frozenset({"*"})
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def check_config(config: Config, tree: Written, *, kinds: Collection[str]) -> Iterator[Fault]:
    """Yield every fault of a config whose shape is right."""
    yield from _sources(config, tree, kinds)
    yield from _tenants(config, tree)
    yield from _rules(config, tree)


def _fault(tree: Written, path: tuple[str | int, ...], message: str, hint: str = "", *, at_key: bool = False) -> Fault:
    found, _ = tree.at(path)
    return Fault(
        place=found.key_place if at_key else found.place, path=dotted(path), message=message, hint=hint
    )  # fmt: skip


def _keys(tree: Written, block: str) -> Collection[str]:
    """Return the names in a block as they stand in the files: one with a fault is still a name."""
    found = tree.child(block)
    return found.data if found is not None and isinstance(found.data, dict) else ()


def _sources(config: Config, tree: Written, kinds: Collection[str]) -> Iterator[Fault]:
    for name, source in config.sources.items():
        path = ("sources", name)
        if not _NAME.fullmatch(name):
            what = "a source's name is part of its URL: lower-case letters, digits, - and _, at most 64"
            yield _fault(tree, path, what, at_key=True)
        if kinds and source.connector not in kinds:
            hint = did_you_mean(source.connector, kinds)
            yield _fault(tree, (*path, "connector"), f'no connector is called "{source.connector}"', hint)
        if source.tenant not in _keys(tree, "tenants"):
            hint = did_you_mean(source.tenant, _keys(tree, "tenants"))
            yield _fault(tree, (*path, "tenant"), f'no tenant is called "{source.tenant}"', hint)
        names = [secret.name or secret.env or secret.file for secret in source.secrets]
        for index, known in enumerate(names):
            if known in names[:index]:
                yield _fault(tree, (*path, "secrets", index), f'another secret of this source is called "{known}" too')
        for target, expression in source.map.items():
            if not expression.strip():
                yield _fault(tree, (*path, "map", target), "is mapped to nothing")
            elif (wrong := check(expression)) is not None:
                yield _unreadable(tree, (*path, "map", target), wrong)
        if source.unsigned and source.secrets:
            yield _fault(tree, (*path, "unsigned"), "is true though secrets are given: one of the two is meant")


def _tenants(config: Config, tree: Written) -> Iterator[Fault]:
    first: dict[int, str] = {}
    for name, tenant in config.tenants.items():
        if tenant.tenant_id in first:
            other = first[tenant.tenant_id]
            yield _fault(tree, ("tenants", name, "tenant_id"), f'is the tenant id of "{other}" too')
        first.setdefault(tenant.tenant_id, name)
        if tenant.thresholds.review > tenant.thresholds.auto:
            yield _fault(tree, ("tenants", name, "thresholds", "review"), "is above the auto threshold")
        for mapping in ("campaigns", "services"):
            for key, target in getattr(tenant, mapping).items():
                if target == "":
                    yield _fault(tree, ("tenants", name, mapping, key), "is mapped to nothing")


def _rules(config: Config, tree: Written) -> Iterator[Fault]:
    """Check the rules; their conditions as they stand in the files, for a rule whose commands are wrong has one too."""
    written = tree.child("rules")
    listed = written.data if written is not None and isinstance(written.data, list) else []
    places: dict[str, int] = {}
    for index, rule in enumerate(listed):
        name, when = rule.child("name"), rule.child("when")
        if name is not None and str(name.data) in places:
            yield _fault(tree, ("rules", index, "name"), f'another rule is called "{name.data}" too')
        elif name is not None:
            places[str(name.data)] = index
        if when is not None and isinstance(when.data, str):
            faults = list(_expression(tree, ("rules", index, "when"), when.data))
            yield from faults
            if not faults and _constant(when.data) is False:
                yield _fault(tree, ("rules", index, "when"), "is never true")
    for index, rule in enumerate(config.rules):
        yield from _rule(tree, rule, config.rules[:index], ("rules", places.get(rule.name, index)))


def _rule(tree: Written, rule: Rule, before: list[Rule], path: tuple[str | int, ...]) -> Iterator[Fault]:
    if rule.tenant is not None and rule.tenant not in _keys(tree, "tenants"):
        hint = did_you_mean(rule.tenant, _keys(tree, "tenants"))
        yield _fault(tree, (*path, "tenant"), f'no tenant is called "{rule.tenant}"', hint)
    if rule.source is not None and rule.source not in _keys(tree, "sources"):
        hint = did_you_mean(rule.source, _keys(tree, "sources"))
        yield _fault(tree, (*path, "source"), f'no source is called "{rule.source}"', hint)
    for place, text in _templates(rule):
        yield from _expression(tree, (*path, *place), text)
    for earlier in before:
        if _hides(earlier, rule):
            yield _fault(tree, path, f'never gets its turn: "{earlier.name}" before it always fits first')
            break


def _hides(earlier: Rule, later: Rule) -> bool:
    """Tell whether a rule takes everything that a later one wants, whenever the later one fits."""
    if earlier.tenant not in (None, later.tenant) or earlier.source not in (None, later.source):
        return False
    if _constant(earlier.when) is not True and _squeezed(earlier.when) != _squeezed(later.when):
        return False
    taken, wanted = _wanted(earlier), _wanted(later)
    return taken == _EVERYTHING or (wanted != _EVERYTHING and wanted <= taken)


def _constant(expression: str) -> bool | None:
    """Return what a condition is whatever comes in; None where that depends, or where it cannot be evaluated."""
    try:
        return None if variables(expression) else is_true(evaluate(expression, {}))
    except ExpressionFault:
        return None


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _wanted(rule: Rule) -> frozenset[str]:
    names: set[str] = set()
    for do in rule.do:
        if do.hold is not None or do.ignore is not None:
            return _EVERYTHING
        names |= do.model_fields_set - {"never"}
        names.update(do.never)
    return frozenset(names)


def _templates(rule: Rule) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield every text of a rule's commands that is to be filled in, with its path."""
    for index, do in enumerate(rule.do):
        yield from _texts(do, ("do", index))


def _texts(
    block: BaseModel | Mapping[str, object], path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    items = (
        block.items()
        if isinstance(block, Mapping)
        else ((name, getattr(block, name)) for name in block.model_fields_set)
    )
    for name, value in sorted(items):
        if isinstance(value, str) and ("{{" in value or "{%" in value):
            yield (*path, name), value
        elif isinstance(value, BaseModel | Mapping):
            yield from _texts(value, (*path, name))


def _expression(tree: Written, path: tuple[str | int, ...], text: str) -> Iterator[Fault]:
    wrong = check(text)
    if wrong is not None:
        yield _unreadable(tree, path, wrong)
        return
    unknown = sorted(variables(text) - set(NAMES) - _FUNCTIONS)
    for name in unknown:
        known = [known for known in NAMES if "." not in known]
        yield _in_text(tree, path, text, name, f'nothing is called "{name}" here', did_you_mean(name, known))
    without_strings = _STRINGS.sub(lambda found: " " * len(found[0]), text)
    for found in _PATH.finditer(without_strings):
        here = found[1]
        for part in found[2].split(".")[1:]:
            known_parts = NAMES.get(here)
            if known_parts is None:
                break
            if part not in known_parts:
                hint = did_you_mean(part, known_parts)
                yield _in_text(tree, path, text, part, f'{here} has no "{part}"', hint, after=found.start())
                break
            here = f"{here}.{part}"
    for found in _COMPARED.finditer(text):
        value = found[2] if found[2] is not None else found[3]
        if value not in VALUES[found[1]]:
            hint = (
                did_you_mean(value, VALUES[found[1]])
                or f"it is one of {', '.join(sorted(filter(None, VALUES[found[1]])))}"
            )
            yield _in_text(tree, path, text, value, f'{found[1]} is never "{value}"', hint, after=found.start())


def _unreadable(tree: Written, path: tuple[str | int, ...], wrong: ExpressionFault) -> Fault:
    found, _ = tree.at(path)
    place = _inside(found, max((wrong.column or 1) - 1, 0)) if (wrong.line or 1) == 1 else found.place
    message = str(wrong)
    hint = ""
    if named := re.search(r"filter (\w+) is unknown|unknown filter:? (?:filter )?(\w+)", message, re.IGNORECASE):
        from bridge.domain.expressions import FILTERS  # noqa: PLC0415 - only a fault needs them

        word = named[1] or named[2]
        message, hint = f'unknown filter "{word}"', did_you_mean(word, {*FILTERS, *_BUILT_IN_FILTERS})
        shown = found.place.text.find(word, found.place.column - 1)
        place = found.place.moved(shown + 1 - found.place.column) if shown >= 0 else place
    return Fault(place=place, path=dotted(path), message=message, hint=hint)


_BUILT_IN_FILTERS = (
    "trim", "upper", "lower", "capitalize", "replace", "default", "join", "length", "split", "int", "float", "round",
    "abs", "sort", "unique", "reverse", "min", "max", "sum", "list", "items", "map", "select", "reject", "string", "bool",
)  # fmt: skip


def _in_text(
    tree: Written, path: tuple[str | int, ...], text: str, word: str, message: str, hint: str, *, after: int = 0
) -> Fault:
    found, _ = tree.at(path)
    index = text.find(word, after)
    return Fault(place=_inside(found, max(index, 0)), path=dotted(path), message=message, hint=hint)


def _inside(found: Written, by: int) -> Place:
    """Return the place so far into a value; a quoted one starts one character later, a folded one keeps its start."""
    if isinstance(found.data, str) and "\n" not in found.data and found.data in found.place.text:
        start = found.place.text.find(found.data, found.place.column - 1)
        if start >= 0:
            return found.place.moved(start - (found.place.column - 1) + by)
    return found.place


__all__ = ["Do", "check_config"]
