"""An expression ends soon and small, whatever stands in it and whatever it reads."""

import resource
import subprocess
import sys

import pytest

from bridge.domain.expressions import ExpressionFault, check, evaluate

pytestmark = pytest.mark.slow

DATA = {"m": "x" * 1_000_000, "a": "a" * 1000, "l": [{"n": "x" * 100}] * 5000}
GROWING = [
    "a | replace('a', a) | replace('a', a) | replace('a', a)",
    "m | join(m)",
    "m | indent(1000000000)",
    "'%1000000000d' | format(1)",
    "l | tojson(indent=1000000)",
    "[1] | batch(1000000000, m)",
    "range(100000000) | list",
    "{% for i in range(5000) %}{{ m }}{% endfor %}",
    " ~ ".join(["m"] * 900),
    f"[{', '.join(['m'] * 1000)}] | join",
    "9 ** 9 ** 9 ** 9",
    "m | wordwrap(width=1)",
    "m | title",
    "l | map('e164') | list",
    "(" * 1900 + "1" + ")" * 1900,
    "1" * 5000,
]
REFUSED = [
    ("a * 1000", "only numbers are multiplied", 3),
    ("([m] * 5000) | join", "only numbers are multiplied", 6),
    ("a2 * 1000", "only numbers are multiplied", 4),
    ("{% set x = [l, l] %}{{ x }}", "{% set %} is not known here", 1),
    ("don't {% set x = l %} it's", "{% set %} is not known here", 7),
    ("{# {{ ' #}{% with x = l %}{{ '' }}", "{% with %} is not known here", 11),
    ("{% macro f() %}{% endmacro %}", "{% macro %} is not known here", 1),
    ("{% for x in [l, l] %}{{ x }}{% endfor %}", "`for` goes over what there is", 1),
    ("{% if a %}{% for x in (l, l) %}{% endfor %}{% endif %}", "`for` goes over what there is", 11),
    ("a.lowwer()", 'nothing has a method "lowwer"', 3),
    ("a | batch(1, 2, 3, 4)", "too many arguments", None),
    ("a | lookup", "filter lookup takes other arguments", None),
    ("a is containing('b')", 'unknown test "containing"', 6),
    ("now()", 'unknown function "now"', 1),
    ("namespace(x=l)", "namespace() is not known here", 1),
    ("debug()", "debug() is not known here", 1),
    ("'{:>1000000000}'.format(1)", "format() is not known here", 17),
    ("{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}", "did not come to an end", None),
]
FINE = [
    ("amount | float * 100", 250.0),
    ("3 * answers['n'] | int", 12),
    ("{{ 'a * b' }} * c", "a * b * c"),
    ("{% for x in list | default([]) %}{{ x }};{% endfor %}", "1;2;"),
    ("{% if amount %}it's {{ amount }}{% else %}no{% endif %}", "it's 2.5"),
    ("list | tojson", "[1,2]"),
    ("'x' in (long | lower)", True),
    ("amount if amount > 2 else 'few'", 2.5),
    ("nope.deeper | default('none')", "none"),
    ("'b' is in list or 'a b'.split()[1] == 'b' and not nope", True),
    ("{% for n in list if n > 1 %}{{ loop.index }}:{{ n }}{% else %}none{% endfor %}", "1:2"),
    ("{% if amount > 3 %}a{% elif amount > 2 %}b{% else %}c{% endif %}", "b"),
    ("'one two three' | truncate(9)", "one two…"),
    ("'one two three' | wordwrap(7)", "one two\nthree"),
    ("answers.items() | list | length", 1),
]


@pytest.mark.parametrize("expression", GROWING)
def test_what_grows_is_stopped(expression: str) -> None:
    with pytest.raises(ExpressionFault):
        evaluate(expression, DATA)


@pytest.mark.parametrize(("expression", "what", "column"), REFUSED)
def test_what_has_no_bound_is_refused_at_its_place_before_it_runs(
    expression: str, what: str, column: int | None
) -> None:
    fault = check(expression)
    assert fault is not None
    assert fault.what.startswith(what)
    if column is not None:
        assert (fault.line, fault.column) == (1, column)
    with pytest.raises(ExpressionFault):
        evaluate(expression, DATA)


@pytest.mark.parametrize(("expression", "expected"), FINE)
def test_what_people_write_still_works(expression: str, expected: object) -> None:
    given = {"amount": 2.5, "answers": {"n": "4"}, "list": [1, 2], "long": "X" * 90_000}
    assert check(expression) is None
    assert evaluate(expression, given) == expected


def test_data_that_nests_too_deeply_is_a_fault_and_no_crash() -> None:
    deep: object = 0
    for _ in range(20_000):
        deep = {"a": deep}
    with pytest.raises(ExpressionFault):
        evaluate("p | tojson", {"p": deep})


def test_all_of_them_together_take_little_memory() -> None:
    """In a process of its own that may have 1 GB: a bomb that is built before it is counted would end it."""
    code = (
        "from bridge.domain.expressions import ExpressionFault, evaluate\n"
        "from tests.planning.test_limits import DATA, GROWING, REFUSED\n"
        "for expression in [*GROWING, *(one[0] for one in REFUSED)]:\n"
        "    try: evaluate(expression, DATA)\n"
        "    except ExpressionFault: print('stopped')\n"
    )

    def bounded() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))

    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, preexec_fn=bounded
    )  # fmt: skip
    assert ran.stdout.split() == ["stopped"] * (len(GROWING) + len(REFUSED))
