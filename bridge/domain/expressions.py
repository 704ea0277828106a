"""Expressions of the config: one small, fuel-limited engine for `map:` of a source and for the rules of planning.

An expression is `payload.data["Your phone"] | e164`, or a text with `{{ … }}` in it. It sees plain dicts, lists, texts
and numbers only, so that no method of ours can be called; what is missing reads as empty, so that a mapping never breaks a
delivery for an answer that a person left out.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import lru_cache
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
_PRINTED = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)
_FORMAT = re.compile(r"\.\s*format\s*\(")
# Fuel counts steps, not what a value unfolds to: a list times a billion, or one that holds itself twice forty times over, is
# made in a few steps and read out in hours. Walked inside the engine first, it runs out of fuel instead.
_WALK = (
    "{% macro walk_(v) %}{% if v is mapping %}{% for k in v %}{{ walk_(v[k]) }}{% endfor %}"
    "{% elif v is iterable and v is not string %}{% for i in v %}{{ walk_(i) }}{% endfor %}{% endif %}{% endmacro %}"
)


class ExpressionFault(ValueError):
    """An expression that cannot be read or did not come to an end; the text names no value, only the place."""

    def __init__(self, what: str, *, line: int | None = None, column: int | None = None) -> None:
        super().__init__(what)
        self.line = line
        self.column = column


def evaluate(expression: str, context: Mapping[str, Any]) -> Any:
    """Return what an expression comes to over plain data, None for what is missing; raise ExpressionFault."""
    if len(expression) > MAX_LENGTH:
        raise ExpressionFault(f"longer than {MAX_LENGTH} characters")
    if _FORMAT.search(expression):
        raise ExpressionFault("format() is not known here; texts are joined with ~")
    given = {name: plain(value) for name, value in context.items()}
    try:
        if _is_template(expression):
            return _environment().render_str(_bounded(expression), **given)
        if "*" in expression:
            _environment().render_str(f"{_WALK}{{{{ walk_({expression}) }}}}", **given)
        return _environment().eval_expr(expression, **given)
    except TemplateError as error:
        raise _fault(error) from None
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ExpressionFault(f"a filter cannot read its input ({type(error).__name__})") from None


def check(expression: str) -> ExpressionFault | None:
    """Return why an expression cannot be read, with line and column; None where it can."""
    if len(expression) > MAX_LENGTH:
        return ExpressionFault(f"longer than {MAX_LENGTH} characters")
    source = expression if _is_template(expression) else "{{ " + expression + " }}"
    shift = 0 if _is_template(expression) else 3
    try:
        _environment().undeclared_variables_in_str(source)
        _environment().render_str(_bounded(source))
    except TemplateError as error:
        fault = _fault(error, shift=shift)
        return fault if error.kind in ("SyntaxError", "UnknownFilter", "UnknownTest", "UnknownFunction") else None
    except (TypeError, ValueError):
        return None
    return None


def variables(expression: str) -> frozenset[str]:
    """Return the top-level names an expression reads; raise ExpressionFault where it cannot be read."""
    source = expression if _is_template(expression) else "{{ " + expression + " }}"
    try:
        return frozenset(_environment().undeclared_variables_in_str(source))
    except TemplateError as error:
        raise _fault(error) from None


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


def _bounded(template: str) -> str:
    """Return a template that walks what it prints first, where it could unfold to more than it took to make."""
    if "*" not in template and "{%" not in template:
        return template
    return _WALK + _PRINTED.sub(lambda found: f"{{{{ walk_({found[1]}) }}}}{found[0]}", template)


def _fault(error: TemplateError, *, shift: int = 0) -> ExpressionFault:
    """Tell what went wrong without the values minijinja would print: they are people's data."""
    start = error.range[0] - shift + 1 if error.range else None
    kind = {"OutOfFuel": "did not come to an end", "SyntaxError": "cannot be read"}.get(error.kind, error.kind)
    detail = error.detail if error.kind in ("SyntaxError", "UnknownFilter", "UnknownTest", "UnknownFunction") else ""
    return ExpressionFault(f"{kind}: {detail}" if detail else kind, line=error.line, column=start)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        debug=False, fuel=FUEL, undefined_behavior="chainable", auto_escape_callback=lambda _name: False, pycompat=True
    )
    for name, function in FILTERS.items():
        environment.add_filter(name, function)
    return environment


def _text(value: Any) -> str:
    return as_text(value)


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


def _date(value: Any, written: str = "", zone: str = "UTC") -> str:
    """Return an ISO date or time of what a person or sender wrote, empty where it is none."""
    found = moment(value, time_zone=zone, written=written)
    if found is None:
        return ""
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


FILTERS: dict[str, Callable[..., Any]] = {
    "e164": _e164, "email": _email, "title": _title, "digits": _digits, "first": _first, "last": _last,
    "date": _date, "address": _address, "lookup": _lookup,
}  # fmt: skip
"""The filters beside minijinja's own, by name; `docs/adding-a-connector.md` shows each with an example."""
