"""Any bytes under any content type: a connector answers with its two findings or with inquiries, and with nothing else.

The gate runs a few hundred examples; `python -m tests.connectors.fuzz` is the long run that writes docs/fuzz.json.
"""

import os
from collections import Counter
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.connectors import kinds
from bridge.domain.delivery import HookRequest
from tests.connectors.casefiles import Case, paths
from tests.connectors.test_hostile import survives

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("BRIDGE_FUZZ_EXAMPLES", "300"))
RUN = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES <= 300, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)  # fmt: skip
TYPES = (
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b1",
    "text/xml",
    "text/plain",
    "",
)

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30)
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def every_place(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values of plain data."""
    found = [path]
    if isinstance(data, dict):
        for key, value in data.items():
            found += every_place(value, (*path, key))
    elif isinstance(data, list):
        for place, value in enumerate(data):
            found += every_place(value, (*path, place))
    return found


def changed(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return plain data with another value at a path."""
    if not path:
        return value
    step, *rest = path
    if isinstance(data, dict):
        return {key: changed(item, tuple(rest), value) if key == step else item for key, item in data.items()}
    return [changed(item, tuple(rest), value) if place == step else item for place, item in enumerate(data)]


HEADERS = [
    "signature",
    "signature-input",
    "content-digest",
    "webhook-signature",
    "webhook-id",
    "webhook-timestamp",
    "authorization",
    "x-api-key",
    "stripe-signature",
    "x-hubspot-signature-v3",
    "x-hubspot-request-timestamp",
    "x-hub-signature-256",
    "calendly-webhook-signature",
    "klaviyo-signature",
    "klaviyo-timestamp",
    "x-ghl-signature",
    "x-wh-signature",
    "x-twilio-signature",
    "ce-id",
    "ce-type",
    "ce-source",
    "api-signature",
    "api-timestamp",
    "x-hook-secret",
    "tiktok-signature",
]

CASES = [Case(path) for path in paths()]


@st.composite
def bent_cases(draw: st.DrawFn) -> tuple[str, HookRequest]:
    """A case with up to three of its values replaced by anything, or a slice of its bytes changed."""
    case = draw(st.sampled_from(CASES))
    request, body = case.request, case.data["body"]
    if isinstance(body, dict | list) and draw(st.booleans()):
        for _ in range(draw(st.integers(1, 3))):
            body = changed(body, draw(st.sampled_from(every_place(body))), draw(trees))
        raw = msgspec.json.encode(body)
    else:
        edited = bytearray(request.body)
        for _ in range(draw(st.integers(1, 4))):
            start = draw(st.integers(0, max(0, len(edited) - 1)))
            edited[start : start + draw(st.integers(0, 40))] = draw(st.binary(max_size=12))
        raw = bytes(edited)
    return case.kind, HookRequest(method="POST", url=request.url, headers=request.headers, body=raw)


ENDS: dict[str, Counter[str]] = {kind: Counter() for kind in kinds()}
"""How the examples of each connector ended, for the report of the long run."""


def tried(kind: str, request: HookRequest, what: str) -> None:
    """Run one example and count how it ended."""
    ENDS[kind][survives(kind, request, what)] += 1


@RUN
@given(kind=st.sampled_from(kinds()), body=st.binary(max_size=400), content_type=st.sampled_from(TYPES))
def test_any_bytes(kind: str, body: bytes, content_type: str) -> None:
    tried(
        kind,
        HookRequest(
            method="POST",
            url=f"https://crm.example.com/hooks/{kind}",
            headers=(("content-type", content_type),),
            body=body,
        ),
        "bytes",
    )


@RUN
@given(kind=st.sampled_from(kinds()), data=trees)
def test_any_json(kind: str, data: Any) -> None:
    request = HookRequest(
        method="POST",
        url=f"https://crm.example.com/hooks/{kind}",
        headers=(("content-type", "application/json"),),
        body=msgspec.json.encode(data),
    )
    tried(kind, request, "json")


@RUN
@given(kind=st.sampled_from(kinds()), pairs=st.lists(st.tuples(st.text(max_size=20), st.text(max_size=30)), max_size=8))
def test_any_form(kind: str, pairs: list[tuple[str, str]]) -> None:
    request = HookRequest(
        method="POST", url=f"https://crm.example.com/hooks/{kind}", headers=(("content-type", TYPES[1]),),
        body=urlencode([(name.encode("utf-8", "replace"), value.encode("utf-8", "replace")) for name, value in pairs]).encode(),
    )  # fmt: skip
    tried(kind, request, "form")


@RUN
@given(bent=bent_cases())
def test_any_case_bent(bent: tuple[str, HookRequest]) -> None:
    tried(*bent, "a bent case")


@RUN
@given(
    kind=st.sampled_from(kinds()),
    headers=st.lists(st.tuples(st.sampled_from(HEADERS), st.text(max_size=60)), max_size=6),
    path=st.text(max_size=30),
)  # fmt: skip
def test_any_headers(kind: str, headers: list[tuple[str, str]], path: str) -> None:
    request = HookRequest(
        method="POST",
        url=f"https://crm.example.com/hooks/{kind}/{path}",
        headers=(("content-type", TYPES[0]), *headers),
        body=b"{}",
    )
    tried(kind, request, "headers")
