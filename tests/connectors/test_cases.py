"""Every case means what its file says, is believed when signed, and every handled kind of message has one."""

import os
import re
from pathlib import Path

import msgspec
import pytest

from bridge.connectors import get_connector, kinds
from tests.connectors.casefiles import NOW, Case, name_of, paths, secret_for


@pytest.mark.parametrize("path", paths(), ids=name_of)
def test_a_case_means_what_its_file_says(path: Path) -> None:
    case = Case(path)
    found = case.outcome()
    if os.environ.get("BRIDGE_WRITE_CASES"):
        path.write_bytes(msgspec.json.format(msgspec.json.encode({**case.data, "expect": found}), indent=2) + b"\n")
        return
    assert found == case.data["expect"]


@pytest.mark.parametrize("path", paths(), ids=name_of)
def test_a_signed_case_is_believed_and_an_unsigned_one_is_not(path: Path) -> None:
    case = Case(path)
    secret = secret_for(case.kind)
    verified = case.connector.verify(case.signed, secrets=(secret,), options=case.options, now=NOW)
    assert verified.secret_name == "primary"
    assert case.connector.verifier(secrets=(secret,), options=case.options)(case.signed, NOW) == verified


@pytest.mark.parametrize("path", paths(), ids=name_of)
def test_normalizing_twice_gives_the_same(path: Path) -> None:
    assert Case(path).outcome() == Case(path).outcome()


@pytest.mark.parametrize("kind", kinds())
def test_every_handled_kind_of_message_has_a_case(kind: str) -> None:
    cases = [Case(path) for path in paths() if path.parent.name == kind]
    assert cases
    seen = {case.data["expect"]["event_type"] for case in cases}
    connector = get_connector(kind)
    assert connector.handled - {"*", "lead", "message", *_OLDER} <= seen
    assert not connector.handled & connector.ignored


_OLDER = {
    "NegotiationCreatedV3", "NegotiationCreated", "MessageCreatedV3", "MessageCreated",
    "create.person", "change.person", "delete.person",
}  # fmt: skip
"""Names of older versions that share the code of the current one."""


def test_a_case_holds_no_personal_data_but_invented() -> None:
    for path in paths():
        text = path.read_text()
        hosts = re.findall(r"[\w.+-]+@([\w-]+\.[\w.]+)", text)
        assert set(hosts) <= {"example.com"}, path
