"""Expressions of the config: one small, fuel-limited engine for `map:` of a source and for the rules of planning.

An expression is `payload.data["Your phone"] | e164`, or a text with `{{ … }}` in it. It sees plain dicts, lists, texts
and numbers only, so that no method of ours can be called; what is missing reads as empty, so that a mapping never breaks a
delivery for an answer that a person left out.
"""

import re
import textwrap
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import lru_cache, wraps
from threading import local
from typing import Any

import msgspec
from minijinja import Environment, TemplateError

from bridge.domain.values import (
    digits_of,
    email_address,
    is_date_only,
    moment,
    phone_e164,
    postal_address,
    title_case,
)  # fmt: skip

FUEL = 20_000
"""Instructions per evaluation: a mapping needs tens, a rule hundreds; an endless loop stops within a millisecond."""
MAX_LENGTH = 4_000
"""Characters of one expression."""
MAX_CALLS = 1_000
"""Calls of filters of ours in one evaluation; one takes up to 40 µs."""
_READ_AT_MOST = 20_000
_METHOD = re.compile(r"\.\s*([A-Za-z_]\w*)\s*\(")
_ARGUMENTS = re.compile(r"_?(\w+)\(\) (?:missing|takes|got)")
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'" + r'|"(?:[^"\\]|\\.)*"', re.DOTALL)
_TAG = re.compile(rf"\{{#.*?#\}}|\{{[{{%](?:{_QUOTED.pattern}|(?![%}}]\}}).)*[%}}]\}}", re.DOTALL)
_STATEMENT = re.compile(r"\{%[-+]?\s*(\w*)(.*?)%\}", re.DOTALL)
_KNOWN_STATEMENTS = frozenset({"if", "elif", "else", "endif", "for", "endfor"})
_FILLED_LITERAL = re.compile(r"(?:^|[(,|\s])[\[({]\s*[^\s\])}]")
_NUMBER = r"(?:int|float|abs|length|count|round(?:\([^()]*\))?)"
_NUMBER_BEFORE = re.compile(rf"(?:(?<![\w.\])])\d[\d_.]*|\|\s*{_NUMBER})\s*$")
_NUMBER_AFTER = re.compile(rf"\s*(?:-?\s*\d|[\w.]+(?:\[[^\]]*\])*\s*\|\s*{_NUMBER}\b)")
_UNBOUNDED = re.compile(r"\.\s*format\s*\(|\b(namespace|debug|cycler|joiner)\s*\(")
_MANY_PARTS = 32
_LONG_TEXT = 100_000
"""So many characters in one text are nothing a person wrote; more than so many parts in one expression do not meet it."""


class ExpressionFault(ValueError):
    """An expression that cannot be read or did not come to an end; the text names no value, only the place."""

    def __init__(
        self, what: str, *, line: int | None = None, column: int | None = None, is_stopped: bool = False
    ) -> None:
        super().__init__(what)
        self.what = what
        self.is_stopped = is_stopped
        """True where it met a limit, and not only data that it cannot read."""
        self.line = line
        self.column = column


class PlainContext(dict[str, Any]):
    """A context already made of plain data, so that many expressions over it copy it once, or never where it `is_plain`."""

    def __init__(self, context: Mapping[str, Any], *, is_plain: bool = False) -> None:
        super().__init__(context if is_plain else {name: plain(value) for name, value in context.items()})


def evaluate(expression: str, context: Mapping[str, Any]) -> Any:
    """Return what an expression comes to over plain data, None for what is missing; raise ExpressionFault."""
    if refused := _refused(expression):
        raise ExpressionFault(refused.what, line=refused.line, column=refused.column)
    _used.calls = 0
    try:
        given = _given(expression, context)
        if _is_template(expression):
            return _environment().render_str(expression, **given)
        return _environment().eval_expr(expression, **given)
    except TemplateError as error:
        raise _fault(error) from None
    except ExpressionFault:
        raise
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ExpressionFault(f"a filter cannot read its input ({type(error).__name__})") from None


def check(expression: str) -> ExpressionFault | None:
    """Return why an expression cannot be read, with line and column; None where it can."""
    if refused := _refused(expression):
        return ExpressionFault(refused.what, line=refused.line, column=refused.column)
    source = expression if _is_template(expression) else "{{ " + expression + " }}"
    shift = 0 if _is_template(expression) else 3
    _used.calls = 0
    try:
        _environment().undeclared_variables_in_str(source)
        _environment().render_str(source)
    except TemplateError as error:
        if error.kind not in _ALWAYS_WRONG:
            return _unknown_method(expression)
        fault = _fault(error, shift=shift)
        if fault.line is not None and fault.line > 1 and fault.column is not None:
            # The engine counts from the start of all, in bytes.
            before = expression.encode()[: fault.column - 1].decode(errors="ignore")
            fault.column = len(before) - before.rfind("\n")
        return fault
    except TypeError as error:
        named = _ARGUMENTS.match(str(error))
        return ExpressionFault(f"filter {named[1]} takes other arguments") if named else _unknown_method(expression)
    except ValueError:
        return _unknown_method(expression)
    return _unknown_method(expression)


def _unknown_method(expression: str) -> ExpressionFault | None:
    """Return that a text, list or block has no such method; without data nothing else would tell."""
    for found in _METHOD.finditer(_code_of(expression)):
        if not _is_method(found[1]):
            what = f'nothing has a method "{found[1]}"; filters go with a bar: `text | {found[1]}`'
            return _refusal(expression, found.start(1), what)
    return None


@lru_cache(maxsize=256)
def _is_method(name: str) -> bool:
    for sample in ("'a'", "[1]", "{'a': 1}"):
        try:
            _environment().eval_expr(f"{sample}.{name}()")
        except TemplateError as error:
            if error.kind == "UnknownMethod":
                continue
        return True
    return False


def variables(expression: str) -> frozenset[str]:
    """Return the top-level names an expression reads; raise ExpressionFault where it cannot be read."""
    source = expression if _is_template(expression) else "{{ " + expression + " }}"
    try:
        return frozenset(_environment().undeclared_variables_in_str(source))
    except TemplateError as error:
        raise _fault(error) from None


@lru_cache(maxsize=4096)
def conjuncts(expression: str) -> tuple[str, ...]:
    """Return the parts that an expression joins with `and`, so that an explanation can name the one that is not so."""
    bare, parts, depth, start = _code_of(expression), [], 0, 0
    if _is_template(expression):
        return (expression.strip(),)
    for word in re.finditer(r"[\[({]|[\])}]|\b(?:and|or|if)\b", bare):
        if word[0] in "[({":
            depth += 1
        elif word[0] in "])}":
            depth -= 1
        elif depth == 0 and word[0] == "and":
            parts.append(expression[start : word.start()].strip())
            start = word.end()
        elif depth == 0:
            return (expression.strip(),)
    return (*parts, expression[start:].strip())


def is_true(value: Any) -> bool:
    """Tell whether a result counts as yes; the texts of a rendered template (`False`, `no`, `0`, empty) count as no."""
    if isinstance(value, str):
        return value.strip().lower() not in ("", "false", "no", "0", "none")
    return bool(value)


def as_text(value: Any) -> str:
    """Return a result as the text a field takes; None is empty, whole floats lose their point."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, list):
        return ", ".join(filter(None, (as_text(item) for item in value)))
    return str(value).strip()


def plain(value: Any) -> Any:
    """Return data made of dict, list, str, numbers, bool and None alone; structs become dicts, times ISO text."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, msgspec.Struct):
        return plain(msgspec.to_builtins(value))
    raise ExpressionFault(f"{type(value).__name__} is no plain data")


def _is_template(expression: str) -> bool:
    return "{{" in expression or "{%" in expression


@lru_cache(maxsize=4096)
def _refused(expression: str) -> ExpressionFault | None:
    """Return what of an expression the engine could not bound; None where there is nothing of the kind.

    Fuel counts steps and the texts they make, not what a list unfolds to: one that holds itself twice forty times over is
    made in a few steps and read out in hours. Without names for values in between and without lists times a number there
    is none.
    """
    if len(expression) > MAX_LENGTH:
        return ExpressionFault(f"longer than {MAX_LENGTH} characters")
    bare = _code_of(expression)
    for statement in _STATEMENT.finditer(bare):
        word, head = statement[1], statement[2]
        if word not in _KNOWN_STATEMENTS:
            instead = "write the value where it is used" if word in ("set", "with") else "`if` and `for` are"
            return _refusal(expression, statement.start(), f"{{% {word} %}} is not known here; {instead}")
        if word == "for" and _FILLED_LITERAL.search(head.partition(" in ")[2]):
            return _refusal(expression, statement.start(), "`for` goes over what there is, not over a list made here")
    if found := _UNBOUNDED.search(bare):
        what = f"{found[1]}() is not known here" if found[1] else "format() is not known here; texts are joined with ~"
        return _refusal(expression, found.start(), what)
    for star in re.finditer(r"\*\*?", bare):
        if not (_NUMBER_BEFORE.search(bare[: star.start()]) and _NUMBER_AFTER.match(bare, star.end())):
            return _refusal(expression, star.start(), "only numbers are multiplied; say so: `a | float * 2`")
    return None


def _code_of(expression: str) -> str:
    """Return an expression with its texts blanked, each character where it was."""
    blank = expression
    if _is_template(expression):
        blank, end = "", 0
        for tag in _TAG.finditer(expression):
            blank += " " * (tag.start() - end) + (" " * len(tag[0]) if tag[0].startswith("{#") else tag[0])
            end = tag.end()
        rest = expression[end:]
        blank += rest if _is_template(rest) else ""  # what is no whole tag is looked at as if it were one
    return _QUOTED.sub(lambda found: f"'{' ' * (len(found[0]) - 2)}'", blank)


def _refusal(expression: str, at: int, what: str) -> ExpressionFault:
    before = expression[:at]
    return ExpressionFault(what, line=before.count("\n") + 1, column=at - before.rfind("\n"))


def _given(expression: str, context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data an expression sees; what joins many parts sees no text that is huge."""
    given = context if isinstance(context, PlainContext) else PlainContext(context)
    if expression.count(",") > _MANY_PARTS and _longest(given) > _LONG_TEXT:
        raise ExpressionFault("joins too much text", is_stopped=True)
    return given


def _longest(value: Any) -> int:
    """Return the length of the longest text in plain data."""
    if isinstance(value, str):
        return len(value)
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max(map(_longest, inside), default=0)


_ALWAYS_WRONG = (
    "SyntaxError", "UnknownFilter", "UnknownTest", "UnknownFunction", "OutOfFuel", "TooManyArguments", "MissingArgument",
)  # fmt: skip
"""What goes wrong whatever the data is."""


_SAID = {
    "OutOfFuel": "did not come to an end",
    "SyntaxError": "cannot be read",
    "UnknownFilter": "unknown filter",
    "UnknownTest": "unknown test",
    "UnknownFunction": "unknown function",
    "TooManyArguments": "too many arguments; they may have names, as in `batch(2, fill_with=0)`",
    "MissingArgument": "an argument is missing",
    "InvalidOperation": "cannot be done with these values (a division by zero, a text plus a number)",
    "UnknownMethod": "calls a method that the value does not have",
}
_UNKNOWN = re.compile(r"^(?:filter|test|function) | is unknown$")


def _fault(error: TemplateError, *, shift: int = 0) -> ExpressionFault:
    """Tell what went wrong without the values minijinja would print: they are people's data."""
    start = error.range[0] - shift + 1 if error.range else None
    said = _SAID.get(error.kind, error.kind)
    if error.kind in ("UnknownFilter", "UnknownTest", "UnknownFunction"):
        word = _UNKNOWN.sub("", error.detail or "")
        return ExpressionFault(f'{said} "{word}"', line=error.line, column=start)
    detail = error.detail if error.kind == "SyntaxError" else ""
    stopped = error.kind == "OutOfFuel"
    return ExpressionFault(f"{said}: {detail}" if detail else said, line=error.line, column=start, is_stopped=stopped)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        debug=False, fuel=FUEL, undefined_behavior="chainable", auto_escape_callback=lambda _name: False, pycompat=True
    )
    for name, function in FILTERS.items():
        environment.add_filter(name, _counted(function))
    return environment


class _Used(local):
    calls = 0


_used = _Used()


def _counted(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that stops after so many calls in one evaluation: fuel counts a step of ours like any other."""

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        _used.calls += 1
        if _used.calls > MAX_CALLS:
            raise ExpressionFault("calls a filter too often", is_stopped=True)
        return function(*arguments, **named)

    return call


def _text(value: Any) -> str:
    """Return what a filter of ours reads; a name, a number or an address is not longer."""
    text = as_text(value)
    if len(text) > _READ_AT_MOST:
        raise ExpressionFault(f"a filter reads no text longer than {_READ_AT_MOST} characters")
    return text


def _e164(value: Any, country: str = "US") -> str:
    return phone_e164(_text(value), country)


def _email(value: Any) -> str:
    return email_address(_text(value))


def _title(value: Any) -> str:
    return title_case(_text(value))


def _digits(value: Any) -> str:
    return digits_of(_text(value))


def _first(value: Any) -> Any:
    """Return the first word of a text (a given name), or the first item of a list."""
    if isinstance(value, list | tuple):
        return value[0] if value else None
    return (_text(value).split() or [""])[0]


def _last(value: Any) -> Any:
    """Return all but the first word of a text (a surname), or the last item of a list."""
    if isinstance(value, list | tuple):
        return value[-1] if value else None
    words = _text(value).split()
    return " ".join(words[1:])


def _date(value: Any, written: str = "", zone: str = "") -> str:
    """Return an ISO date or time of what a person or sender wrote, empty where it is none.

    A time that names no zone, where the expression names none either, stays without one: whoever reads it knows the tenant's.
    """
    found = moment(value, time_zone=zone or "UTC", written=written)
    if found is None:
        return ""
    if not zone and found != moment(value, time_zone="Etc/GMT+5", written=written):
        found = found.replace(tzinfo=None)
    day_only = isinstance(value, str) and is_date_only(value) and not (found.hour or found.minute)
    return found.date().isoformat() if day_only else found.isoformat()


def _address(value: Any) -> dict[str, str]:
    """Return street, unit, city, state, zip and country of an address written as one text."""
    found: dict[str, str] = msgspec.to_builtins(postal_address(_text(value)))
    return found


def _lookup(value: Any, table: Any, default: Any = None) -> Any:
    """Return the table's entry for a text, whatever the case; the default where there is none."""
    if not isinstance(table, dict):
        return default
    wanted = _text(value).casefold()
    return next((item for key, item in table.items() if str(key).casefold() == wanted), default)


def _truncate(value: Any, length: int = 255, killwords: bool = False, end: str = "…") -> str:  # noqa: FBT001, FBT002 - as in Jinja
    """Return a text no longer than so many characters, cut at a blank unless words may be cut."""
    text = as_text(value)
    if len(text) <= length:
        return text
    cut = text[: max(length - len(end), 0)]
    return (cut if killwords else cut.rsplit(" ", 1)[0]) + end


def _wordwrap(value: Any, width: int = 79) -> str:
    """Return a text in lines of so many characters; the engine's own takes minutes for a long one."""
    return "\n".join(textwrap.fill(line, max(width, 1)) for line in _text(value).splitlines())


def _tojson(value: Any) -> str:
    """Return a value as JSON on one line; the engine's own takes an indent of any width."""
    return msgspec.json.encode(value).decode()


FILTERS: dict[str, Callable[..., Any]] = {
    "e164": _e164, "email": _email, "title": _title, "digits": _digits, "first": _first, "last": _last,
    "date": _date, "address": _address, "lookup": _lookup, "tojson": _tojson,
    "truncate": _truncate, "wordwrap": _wordwrap,
}  # fmt: skip
"""The filters beside minijinja's own, by name; `docs/adding-a-connector.md` shows each with an example."""
