"""Answers taken apart one by one: waits, titles, problem details, and the page that explains them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as some

from bridge.domain.outcome import Deferred, InDoubt, Rejected, Succeeded
from bridge.servicetitan import guide
from bridge.servicetitan.classify import classify, was_never_sent
from bridge.servicetitan.operations import OPERATIONS

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
WRITE = OPERATIONS["bookings.create"]
READ = OPERATIONS["bookings.get"]
EMPTY = OPERATIONS["bookings.dismiss"]


def meaning(answer: Any, operation: Any = WRITE) -> Any:
    return classify(answer, operation=operation, now=NOW)


@pytest.mark.parametrize(
    ("headers", "title", "seconds"),
    [
        ({"retry-after": "7"}, "", 7.0),
        ({"retry-after": "1.5"}, "", 1.5),
        ({"retry-after": "Tue, 24 Nov 2026 15:00:12 GMT"}, "", 12.0),
        ({"retry-after": "Tue, 24 Nov 2026 14:00:00 GMT"}, "", 0.0),
        ({"retry-after": "soon"}, "Try again in 9 seconds.", 9.0),
        ({}, "Rate limit is exceeded. Try again in 30 seconds.", 30.0),
        ({}, "Rate limit is exceeded.", None),
        ({"retry-after": "-5"}, "", None),
        ({"retry-after": "9" * 400}, "", 86_400.0),
    ],
)
def test_the_wait_of_a_429(headers: dict[str, str], title: str, seconds: float | None) -> None:
    outcome = meaning(httpx.Response(429, headers=headers, json={"title": title}))
    assert (outcome.retry_after, outcome.backpressure) == (seconds, True)


@pytest.mark.parametrize(
    ("title", "kind", "reason"),
    [
        ("Customer 12 was not found.", Rejected, "reference_missing"),
        ("Tax zone does not exist", Rejected, "reference_missing"),
        ("The service is suspended for maintenance, try again later.", Deferred, "maintenance"),
        ("Tag is already assigned", Rejected, "conflict"),
    ],
)
def test_the_title_of_a_409_decides(title: str, kind: type, reason: str) -> None:
    outcome = meaning(httpx.Response(409, json={"title": title, "status": 409}))
    assert (type(outcome), outcome.reason, outcome.problem.title) == (kind, reason, title)


def test_problem_details_are_kept_whole() -> None:
    body = {
        "type": "https://example.com/errors/400",
        "title": "One or more validation errors occurred.",
        "status": 400,
        "traceId": "00-abc-def-00",
        "errors": {"Summary": ["The Summary field is required."]},
        "data": {"ErrorCode": "x"},
    }
    problem = meaning(httpx.Response(400, json=body)).problem
    assert (problem.type, problem.status, problem.trace_id) == (body["type"], 400, "00-abc-def-00")
    assert (problem.errors, problem.data) == (body["errors"], body["data"])


@pytest.mark.parametrize(
    "body", ["null", "[]", "[" * 100_000, '"no"', '{"errors": null}', '{"errors": {"A": "b"}}', '{"status": "x"}']
)
def test_a_strange_error_body_is_still_an_answer(body: str) -> None:
    assert isinstance(meaning(httpx.Response(400, text=body)), Rejected)


def test_an_html_error_leaves_a_line_a_person_can_read() -> None:
    page = "<html><head><style>p {}</style></head><body><h1>502</h1><p>Bad gateway</p></body></html>"
    outcome = meaning(httpx.Response(502, html=page))
    assert isinstance(outcome, InDoubt)
    assert outcome.detail == "502 Bad gateway"


def test_an_empty_body_is_an_answer_only_where_none_is_documented() -> None:
    assert meaning(httpx.Response(200), EMPTY) == Succeeded(status=200)
    assert meaning(httpx.Response(200, text="null"), OPERATIONS["locations.preferred_technician"]).body is None
    assert isinstance(meaning(httpx.Response(200)), InDoubt)
    assert isinstance(meaning(httpx.Response(200), READ), Deferred)


def test_a_login_page_with_status_200_is_no_success() -> None:
    page = httpx.Response(200, html="<html>Sign in</html>")
    assert isinstance(meaning(page), InDoubt)
    assert isinstance(meaning(page, EMPTY), InDoubt)


def test_a_record_without_its_id_is_no_record() -> None:
    assert isinstance(meaning(httpx.Response(200, json={"name": "x"})), InDoubt)


def test_the_stock_transports_connect_timeout_is_not_believed() -> None:
    hung_up = httpx.ConnectTimeout("Server disconnected")
    hung_up.__cause__ = aiohttp.ServerDisconnectedError()
    assert not was_never_sent(hung_up)
    assert isinstance(meaning(hung_up), InDoubt)
    assert was_never_sent(httpx.ConnectTimeout("no route"))


@given(
    status=some.integers(200, 599),
    content=some.binary(max_size=60) | some.sampled_from([b"{}", b"[]", b"null", b'{"id":1}', b'{"title":3}']),
    retry=some.text(some.characters(min_codepoint=32, max_codepoint=126), max_size=12),
    operation=some.sampled_from(sorted(OPERATIONS)),
)
def test_any_answer_has_a_meaning_and_a_read_is_never_in_doubt(
    status: int, content: bytes, retry: str, operation: str
) -> None:
    outcome = meaning(httpx.Response(status, content=content, headers={"retry-after": retry}), OPERATIONS[operation])
    assert isinstance(outcome, Succeeded | Rejected | Deferred | InDoubt)
    assert not (isinstance(outcome, InDoubt) and OPERATIONS[operation].is_read)
    assert not (isinstance(outcome, Deferred) and status >= 500 and not OPERATIONS[operation].is_read)


def test_the_page_says_what_the_code_does() -> None:
    page = (Path(__file__).parents[2] / "docs" / "servicetitan.md").read_text()
    assert guide.outcome_table() in page, "run python -m bridge.servicetitan.guide and paste the table"
    assert guide.scope_table() in page, "run python -m bridge.servicetitan.guide and paste the table"
