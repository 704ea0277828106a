"""Every slug that a refusal names has its text and its remedy."""

import re
from pathlib import Path

import bridge
from bridge.domain.reasons import Reason

SLUGS = re.compile(r"""(?:Refused\(\s*\d{3},\s*|refusal=|_answer\(\d{3}, )"([a-z_]+)\"""")


def test_every_refusal_is_a_known_reason() -> None:
    found = {slug for path in Path(bridge.__file__).parent.rglob("*.py") for slug in SLUGS.findall(path.read_text())}
    assert len(found) > 20
    assert found - {one.value for one in Reason} == set()
