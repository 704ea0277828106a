"""The guide for a new connector, followed word by word in a copy of the checkout as a newcomer would."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[2]
GUIDE = (CHECKOUT / "docs" / "adding-a-connector.md").read_text()


def block(section: int, language: str, *, number: int = 0) -> str:
    """Return a block of code of a numbered section."""
    found = re.search(rf"^## {section}\..*?(?=^## )", GUIDE, re.DOTALL | re.MULTILINE)
    assert found, section
    return re.findall(rf"```{language}\n(.*?)```", found[0], re.DOTALL)[number]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout of the newcomer's own, its bytecode with it: compiling everything anew was most of this test."""
    for name in ("bridge", "tests", "docs", "benchmarks", "alembic"):
        shutil.copytree(CHECKOUT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.png"))
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.timeout(300)
def test_the_guide_works_as_it_is_written(copy: Path) -> None:
    case = copy / "tests" / "cases" / "acme" / "lead.json"
    case.parent.mkdir()
    case.write_text(block(1, "json"))
    (copy / "bridge" / "connectors" / "acme.py").write_text(block(2, "python"))
    registry = copy / "bridge" / "connectors" / "__init__.py"
    before = '    "activecampaign":'
    assert before in registry.read_text()
    registry.write_text(registry.read_text().replace(before, block(3, "python") + before))
    (copy / "acme.yaml").write_text(block(4, "yaml"))
    # The script on the path would start the code of this checkout; the copy's is started by its own name.
    commands = 'set -e\nbridge() { python -m bridge "$@"; }\n' + block(5, "sh")
    done = subprocess.run(
        ["bash", "-c", commands], cwd=copy, capture_output=True, text=True, timeout=280, check=False,
        env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(copy), "HOME": str(copy)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    said = done.stdout
    assert re.search(r"\d\d passed", said)
    assert "failed" not in said
    assert "all within 1.0 ms of CPU" in said
    assert "fine: 1 tenants, 1 sources" in said
    assert re.search(r"^curl .*/hooks/acme-main.* 'x-acme-signature: [0-9a-f]{64}'", said, re.MULTILINE)
    assert "| [Acme Leads](acme.md) |" in (copy / "docs" / "connectors" / "README.md").read_text()
