"""The pages cannot lie: they are what the connectors declare."""

import re
from pathlib import Path
from typing import get_args

import pytest
from ruamel.yaml import YAML

from bridge.connectors import pages
from bridge.connectors.credentials import SharedValue
from bridge.connectors.dialect import proofs_from
from bridge.connectors.schemes import Algorithm, Scheme
from bridge.domain.expressions import FILTERS, PlainContext, evaluate

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", sorted(pages.pages()))
def test_a_page_is_what_the_connector_declares(name: str) -> None:
    assert (DOCS / "connectors" / name).read_text() == pages.pages()[name]


def test_the_filters_of_the_guide_give_what_it_says() -> None:
    guide = (DOCS / "adding-a-connector.md").read_text()
    rows = re.findall(r"^\| `(.+? \\\| .+?)` \| `(.+?)` \|$", guide, re.MULTILINE)
    assert {name for expression, _ in rows for name in FILTERS if f"| {name}" in expression} >= FILTERS.keys() - {
        "tojson",
        "wordwrap",
    }
    for expression, gives in rows:
        assert evaluate(expression.replace("\\|", "|"), PlainContext({})) == gives, expression


def test_no_page_is_left_of_a_connector_that_went() -> None:
    assert {path.name for path in (DOCS / "connectors").glob("*.md")} == set(pages.pages())


def test_the_examples_and_parts_of_the_generic_page_are_those_of_a_scheme() -> None:
    page = (DOCS / "connectors" / "generic.md").read_text()
    examples = [line for line in page.splitlines() if line.startswith("verify: ")]
    assert len(examples) >= 9
    for example in examples:
        rows, shared = proofs_from(YAML(typ="safe").load(example)["verify"])
        assert rows or shared
    told = set(re.findall(r"`([a-z_0-9-]+)`", page))
    assert {*Scheme.__struct_fields__} - {"name", "key_prefix", "when", "url_variants", "body_hash_parameter"} <= told
    assert {*get_args(Algorithm), *SharedValue.__struct_fields__} - {"name"} <= told
