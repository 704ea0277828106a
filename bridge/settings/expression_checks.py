"""What is wrong with an expression of the config, at its very place: names, values, filters and methods that nothing is called."""

import re
from collections.abc import Iterator, Mapping

from bridge.domain.expressions import ExpressionFault, as_text, check, evaluate, is_true, variables
from bridge.settings.faults import Fault, Place, did_you_mean
from bridge.settings.reading import Written, dotted
from bridge.settings.vocabulary import NAMES

_STRINGS = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_PATH = re.compile(r"(?<![\w.])(" + "|".join(n for n in NAMES if "." not in n) + r")((?:\.\w+)+)")
_COMPARED = re.compile(r"(?<![\w.])([a-z]+\.[a-z]+)\s*(?:==|!=)\s*(?:'([^']*)'|\"([^\"]*)\")")
_FUNCTIONS = frozenset({"range", "dict", "namespace", "debug", "loop", "true", "false", "none"})
MAPPED = frozenset({"payload", "query", "event", "fetched"})
"""What an expression of a source's `map:` may read."""
_SHOWN = 12


def expression_faults(
    tree: Written, path: tuple[str | int, ...], text: str, values: Mapping[str, frozenset[str]]
) -> Iterator[Fault]:
    """Yield what is wrong with an expression of a rule; `values` are the names that can only have some values."""
    wrong = check(text)
    if wrong is not None:
        yield unreadable(tree, path, wrong)
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
        known_values = values.get(found[1])
        value = found[2] if found[2] is not None else found[3]
        if known_values and value not in known_values:
            there = f"it is one of {', '.join(sorted(filter(None, known_values))[:_SHOWN])}"
            hint = did_you_mean(value, known_values) or there
            yield _in_text(tree, path, text, value, f'{found[1]} is never "{value}"', hint, after=found.start())


def unknown_in_map(tree: Written, path: tuple[str | int, ...], text: str) -> Iterator[Fault]:
    """Yield each name in an expression of a source's `map:` that nothing has: it would read as empty in every delivery."""
    for name in sorted(variables(text) - MAPPED - _FUNCTIONS):
        hint = did_you_mean(name, MAPPED) or f"write payload.{name}, or a text in quotes"
        yield _in_text(tree, path, text, name, f'nothing is called "{name}" here', hint)


def unreadable(tree: Written, path: tuple[str | int, ...], wrong: ExpressionFault) -> Fault:
    """Return the fault of an expression that cannot be read, at the place in it."""
    found, _ = tree.at(path)
    at, by = (wrong.line or 1) - 1, max((wrong.column or 1) - 1, 0)
    place = found.lines[at].moved(by) if at < len(found.lines) else found.place if at else _inside(found, by)
    message = str(wrong)
    hint = ""
    if named := re.fullmatch(r'unknown (filter|test|function) "(\w+)"', message):
        from bridge.domain.expressions import FILTERS  # noqa: PLC0415 - only a fault needs them

        word = named[2]
        known = {"filter": {*FILTERS, *_BUILT_IN_FILTERS}, "test": {*_BUILT_IN_TESTS}, "function": {"range", "dict"}}[
            named[1]
        ]
        hint = did_you_mean(word, known) or f"known are {', '.join(sorted(known))}"
        shown = found.place.text.find(word, found.place.column - 1)
        place = found.place.moved(shown + 1 - found.place.column) if shown >= 0 else place
    return Fault(place=place, path=dotted(path), message=message, hint=hint)


_BUILT_IN_FILTERS = (
    "trim", "upper", "lower", "capitalize", "replace", "default", "join", "length", "split", "int", "float", "round",
    "abs", "sort", "unique", "reverse", "min", "max", "sum", "list", "items", "map", "select", "reject", "string", "bool",
    "selectattr", "rejectattr", "groupby", "batch", "slice", "dictsort", "indent", "lines", "urlencode", "escape", "striptags",
)  # fmt: skip
_BUILT_IN_TESTS = (
    "defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "iterable", "sequence", "mapping", "odd",
    "even", "divisibleby", "eq", "ne", "gt", "ge", "lt", "le", "in", "true", "false", "startingwith", "endingwith", "lower",
    "upper",
)  # fmt: skip


def _in_text(
    tree: Written, path: tuple[str | int, ...], text: str, word: str, message: str, hint: str, *, after: int = 0
) -> Fault:
    found, _ = tree.at(path)
    index = max(text.find(word, after), 0)
    nth = text[:index].count(word)
    for line in found.lines:  # of a text over several lines: the line with as many such words before it
        here = [hit.start() for hit in re.finditer(re.escape(word), line.text)]
        if nth < len(here):
            return Fault(place=line.moved(here[nth] + 1 - line.column), path=dotted(path), message=message, hint=hint)
        nth -= len(here)
    return Fault(place=_inside(found, index), path=dotted(path), message=message, hint=hint)


def _inside(found: Written, by: int) -> Place:
    """Return the place so far into a value; a quoted one starts one character later, a folded one keeps its start."""
    if isinstance(found.data, str) and "\n" not in found.data and found.data in found.place.text:
        start = found.place.text.find(found.data, found.place.column - 1)
        if start >= 0:
            return found.place.moved(start - (found.place.column - 1) + by)
    return found.place


def constant(expression: str) -> bool | None:
    """Return what a condition is whatever comes in; None where that depends, or where it cannot be evaluated."""
    try:
        return None if variables(expression) else is_true(evaluate(expression, {}))
    except ExpressionFault:
        return None


def is_nothing(expression: str) -> bool:
    """Tell whether an expression is empty whatever comes in."""
    try:
        return not variables(expression) and as_text(evaluate(expression, {})) == ""
    except ExpressionFault:
        return False
