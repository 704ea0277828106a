"""An option that no connector reads is a fault: a misspelled one would do nothing and say nothing."""

import re
from pathlib import Path

import pytest

from bridge import connectors
from bridge.connectors.base import Secret, SourceOptions

pytestmark = pytest.mark.pure
READ = re.compile(r'options\.options(?:\.get\(|\[)"(\w+)"')


@pytest.mark.parametrize("kind", connectors.kinds())
def test_a_misspelled_option_is_named_and_a_known_one_is_not(kind: str) -> None:
    connector = connectors.get_connector(kind)

    def faults(**options: object) -> list[str]:
        found = connector.faults(secrets=(Secret("s", "a-secret"),), options=SourceOptions(options=options))
        return [fault for fault in found if ": unknown; known are" in fault]

    assert [fault.partition(":")[0] for fault in faults(verfy="x")] == ["options.verfy"]
    module = Path(str(__import__(type(connector).__module__, fromlist=["_"]).__file__))
    for name in READ.findall(module.read_text()):
        assert not faults(**{name: "x"}), name
