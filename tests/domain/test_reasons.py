"""Every reason slug has a text, a remedy and its line in the docs; the page is printed from the table."""

import os
from pathlib import Path

import pytest

from bridge.domain.reasons import Reason, advice_for

PAGE = Path(__file__).parents[2] / "docs" / "reasons.md"


def page() -> str:
    lines = [
        "# Reasons",
        "",
        "Each slug is log field, metric label and console text at once. Printed from `bridge/domain/reasons.py`;",
        "`BRIDGE_WRITE_PAGES=1 pytest tests/domain` prints it anew.",
        "",
        "| slug | what happened | what to do |",
        "| --- | --- | --- |",
    ]
    lines += [f"| `{one.value}` | {one.advice.text} | {one.advice.remedy} |" for one in sorted(Reason)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("reason", list(Reason))
def test_each_reason_says_what_happened_and_what_to_do(reason: Reason) -> None:
    assert reason.value == reason.value.lower()
    assert reason.advice.text.endswith(".")
    assert reason.advice.remedy
    assert advice_for(reason.value) == reason.advice


def test_the_page_is_what_the_table_says() -> None:
    if os.environ.get("BRIDGE_WRITE_PAGES"):
        PAGE.write_text(page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page()
