"""The pages cannot lie: they are what the connectors declare, and the worked example of the guide really works."""

import re
import sys
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from bridge.connectors import pages
from tests.connectors.casefiles import Case

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", sorted(pages.pages()))
def test_a_page_is_what_the_connector_declares(name: str) -> None:
    assert (DOCS / "connectors" / name).read_text() == pages.pages()[name]


def test_no_page_is_left_of_a_connector_that_went() -> None:
    assert {path.name for path in (DOCS / "connectors").glob("*.md")} == set(pages.pages())


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
