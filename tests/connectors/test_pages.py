"""The pages cannot lie: they are what the connectors declare, and the worked example of the guide really works."""

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import get_args

import msgspec
import pytest
from ruamel.yaml import YAML

from bridge.connectors import pages
from bridge.connectors.credentials import SharedValue
from bridge.connectors.dialect import proofs_from
from bridge.connectors.schemes import Algorithm, Scheme
from tests.connectors.casefiles import Case

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", sorted(pages.pages()))
def test_a_page_is_what_the_connector_declares(name: str) -> None:
    assert (DOCS / "connectors" / name).read_text() == pages.pages()[name]


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


def test_the_example_of_the_guide_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (DOCS / "adding-a-connector.md").read_text()
    case, code = (
        re.findall(r"```json\n(.*?)```", guide, re.DOTALL)[0],
        re.findall(r"```python\n(.*?)```", guide, re.DOTALL)[0],
    )
    module = ModuleType("bridge.connectors.acme")
    exec(code, module.__dict__)  # noqa: S102 - the guide's own text
    monkeypatch.setitem(sys.modules, "bridge.connectors.acme", module)
    monkeypatch.setitem(__import__("bridge.connectors", fromlist=["REGISTRY"]).REGISTRY, "acme", "acme:Acme")
    path = tmp_path / "acme" / "lead.json"
    path.parent.mkdir()
    path.write_text(case)
    found = Case(path)
    assert found.outcome() == msgspec.json.decode(case)["expect"]
