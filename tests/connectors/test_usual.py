"""The shortcut of verification: it believes the usual request, and leaves everything else to the whole engine."""

from datetime import timedelta

import msgspec
import pytest

from bridge.connectors import schemes
from bridge.connectors.base import Secret
from bridge.connectors.schemes import Scheme
from bridge.connectors.signing import signed_request
from bridge.connectors.usual import usual_check
from bridge.domain.delivery import HookRequest
from tests.connectors.casefiles import NOW

KEY = Secret("current", "c2VjcmV0LW9mLXRoZS10ZXN0cw==")
OTHER = Secret("next", "bmV4dC1zZWNyZXQtb2YtdGVzdHM=")
BARE = HookRequest(
    method="POST",
    url="https://b.example.com/hooks/x",
    headers=(("content-type", "application/json"),),
    body=b'{"a": 1}',
)
USUAL = [schemes.STANDARD_WEBHOOKS, schemes.GITHUB, schemes.CALLRAIL, schemes.WEBFLOW, schemes.CALL_TRACKING_METRICS]
THOROUGH = [schemes.STRIPE, schemes.TWILIO, schemes.HUBSPOT, schemes.HIGHLEVEL, schemes.KLAVIYO]


def name(rows: tuple[Scheme, ...]) -> str:
    return rows[0].name


@pytest.mark.parametrize("rows", USUAL, ids=name)
def test_a_genuine_request_takes_the_shortcut_with_any_of_the_secrets(rows: tuple[Scheme, ...]) -> None:
    check = usual_check(rows, secrets=(OTHER, KEY), tolerance=300)
    assert check is not None
    found = check(signed_request(BARE, rows[0], secret=KEY, now=NOW), NOW)
    assert found is not None
    assert (found.scheme, found.secret_name) == (rows[0].name, "current")


@pytest.mark.parametrize("length", [1, 63, 64, 65, 200])
def test_a_secret_of_any_length_is_read_as_the_standard_says(length: int) -> None:
    secret = Secret("long", "k" * length)
    check = usual_check(schemes.GITHUB, secrets=(secret,), tolerance=300)
    assert check is not None
    assert check(signed_request(BARE, schemes.GITHUB[0], secret=secret, now=NOW), NOW) is not None


@pytest.mark.parametrize("rows", USUAL, ids=name)
def test_what_differs_in_anything_is_left_to_the_whole_engine(rows: tuple[Scheme, ...]) -> None:
    check = usual_check(rows, secrets=(KEY,), tolerance=300)
    assert check is not None
    genuine = signed_request(BARE, rows[0], secret=KEY, now=NOW)
    change = msgspec.structs.replace
    assert check(change(genuine, body=genuine.body + b" "), NOW) is None
    assert check(signed_request(BARE, rows[0], secret=OTHER, now=NOW), NOW) is None
    for place, (header, value) in enumerate(genuine.headers[1:], 1):
        without = genuine.headers[:place] + genuine.headers[place + 1 :]
        assert check(change(genuine, headers=without), NOW) is None
        assert check(change(genuine, headers=(*genuine.headers, (header, value))), NOW) is None
        assert check(change(genuine, headers=(*without, (header, value + "A"))), NOW) is None
        assert check(change(genuine, headers=(*without, (header, value + "\u00e9"))), NOW) is None
    if rows[0].timestamp:
        for seconds in (-301, 301):
            assert check(genuine, NOW + timedelta(seconds=seconds)) is None


@pytest.mark.parametrize("rows", THOROUGH, ids=name)
def test_a_scheme_with_more_to_it_has_no_shortcut(rows: tuple[Scheme, ...]) -> None:
    assert usual_check(rows, secrets=(KEY,), tolerance=300) is None


def test_a_secret_that_is_no_key_opens_nothing() -> None:
    check = usual_check(schemes.STANDARD_WEBHOOKS, secrets=(Secret("public", "whpk_%%%"),), tolerance=300)
    assert check is not None
    assert check(signed_request(BARE, schemes.STANDARD_WEBHOOKS[0], secret=KEY, now=NOW), NOW) is None
