"""The image's build finds what the package is built from."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.pure


def test_the_build_stage_holds_what_the_wheel_includes_where_the_wheel_looks_for_it() -> None:
    build = (ROOT / "Dockerfile").read_text().split("\nFROM ")[1]
    copied = [line.split()[1:] for line in build.splitlines() if line.startswith("COPY ")]
    there = {name if target in ("./", name) else target for *names, target in copied for name in names}
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {*wheel["packages"], *wheel["force-include"], "pyproject.toml"} <= there
