"""What answers mean, by the senders' own error documents, and how long a fetch is tried."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from bridge.domain.outcome import Deferred, Outcome, Rejected, Succeeded
from bridge.domain.reasons import Reason
from bridge.hydration.answers import outcome_of, retry_after
from bridge.hydration.bounds import BOUNDS, USUAL, GivenUp, Kept, Waits, verdict_of

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)


def meaning(
    status: int, data: Any = None, *, looks: int = 0, expect: tuple[int, ...] = (200, 404), **headers: str
) -> Outcome:
    body = data if isinstance(data, bytes) else msgspec.json.encode({} if data is None else data)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return outcome_of(status, named, body, expect=expect, looks=looks, now=NOW)


def graph_error(code: int, **more: Any) -> dict[str, Any]:
    return {"error": {"code": code, "fbtrace_id": "x", "message": "…", **more}}


@pytest.mark.parametrize(
    ("status", "data", "reason"),
    [
        (500, None, Reason.FETCH_UNANSWERED), (502, b"<html>", Reason.FETCH_UNANSWERED), (503, None, Reason.FETCH_UNANSWERED),
        (408, None, Reason.FETCH_UNANSWERED), (425, None, Reason.FETCH_UNANSWERED), (200, b"<html>", Reason.FETCH_UNANSWERED),
        (401, None, Reason.HYDRATION_REFUSED), (403, None, Reason.HYDRATION_REFUSED), (400, graph_error(190), Reason.HYDRATION_REFUSED),
        (400, graph_error(2), Reason.FETCH_UNANSWERED), (400, graph_error(100, is_transient=True), Reason.FETCH_UNANSWERED),
        (200, {"errors": [{"message": "no"}], "data": {"client": None}}, Reason.HYDRATION_REFUSED),
        (200, {"errors": [{"extensions": {"code": "INTERNAL_SERVER_ERROR"}}]}, Reason.FETCH_UNANSWERED),
    ],
)  # fmt: skip
def test_these_are_tried_again_and_count(status: int, data: Any, reason: Reason) -> None:
    said = meaning(status, data)
    assert isinstance(said, Deferred)
    assert (said.reason, said.backpressure) == (reason, False)


@pytest.mark.parametrize(
    ("status", "data", "headers"),
    [
        (429, None, {}), (503, None, {"retry_after": "9"}), (400, graph_error(4), {}), (400, graph_error(80004), {}),
        (200, {"errors": [{"extensions": {"code": "THROTTLED"}}]}, {}),
    ],
)  # fmt: skip
def test_a_far_side_that_asks_to_slow_down_spends_nothing(status: int, data: Any, headers: dict[str, str]) -> None:
    said = meaning(status, data, **headers)
    assert isinstance(said, Deferred)
    assert (said.reason, said.backpressure) == (Reason.FETCH_LIMITED, True)


def test_jobber_says_when_its_points_are_back() -> None:
    cost = {"requestedQueryCost": 900, "throttleStatus": {"currentlyAvailable": 100, "restoreRate": 50}}
    said = meaning(200, {"errors": [{"extensions": {"code": "THROTTLED"}}], "extensions": {"cost": cost}})
    assert isinstance(said, Deferred)
    assert said.retry_after == 16.0


def test_a_partial_graphql_answer_is_kept() -> None:
    assert isinstance(meaning(200, {"errors": [{"message": "deprecated"}], "data": {"client": {"id": 1}}}), Succeeded)


def test_what_is_not_there_gets_a_second_look() -> None:
    first, second = meaning(404, looks=0), meaning(404, looks=1)
    assert isinstance(first, Deferred)
    assert (first.reason, first.retry_after) == (Reason.RECORD_GONE, 10.0)
    assert isinstance(second, Succeeded)


def test_other_refusals_are_final() -> None:
    assert isinstance(meaning(405), Rejected)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("17", 17.0), ("Tue, 24 Nov 2026 15:01:00 GMT", 60.0), ("Tue, 24 Nov 2026 14:00:00 GMT", 0.0), ("soon", None), ("", None),
        ("-5", None), ("99999999999999999999", 86_400.0), ("٣", None),
    ],
)  # fmt: skip
def test_retry_after(text: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": text}, now=NOW) == seconds


def refused(**parts: Any) -> Deferred:
    return Deferred(reason=Reason.FETCH_UNANSWERED, **parts)


def verdict(*outcomes: Outcome, spent: int = 0, age: timedelta = timedelta(0)) -> Any:
    return verdict_of(outcomes, spent=spent, seed=7, received_at=NOW - age, now=NOW)


def test_waits_grow_and_stay_bounded() -> None:
    pauses = [(verdict(refused(), spent=spent).due_at - NOW).total_seconds() for spent in range(30)]
    assert 5 <= pauses[0] <= 6
    assert pauses == sorted(pauses) or max(pauses) <= USUAL.cap * 1.2
    assert max(pauses) <= USUAL.cap * 1.2


def test_a_fetch_is_given_up_when_attempts_and_window_are_passed() -> None:
    assert isinstance(verdict(refused(), spent=50, age=timedelta(hours=1)), Waits)
    assert isinstance(verdict(refused(), spent=3, age=timedelta(days=9)), Waits)
    assert isinstance(verdict(refused(), spent=50, age=timedelta(days=4)), GivenUp)
    attempts = BOUNDS[Reason.HYDRATION_REFUSED].attempts
    assert verdict(Deferred(reason=Reason.HYDRATION_REFUSED), spent=attempts - 1) == GivenUp(
        reason=Reason.HYDRATION_REFUSED
    )


def test_backpressure_waits_the_whole_retry_after_and_spends_no_attempt() -> None:
    limited = Deferred(reason=Reason.FETCH_LIMITED, backpressure=True, retry_after=100)
    said = verdict(limited, spent=500, age=timedelta(days=30))
    assert isinstance(said, Waits)
    assert not said.spends
    assert 100 <= (said.due_at - NOW).total_seconds() <= 110


def test_all_of_a_delivery_is_waited_for_before_any_of_it_is_given_up() -> None:
    no = Rejected(reason=Reason.FETCH_FORBIDDEN)
    assert isinstance(verdict(no, refused(), Succeeded(status=200)), Waits)
    assert verdict(no, Succeeded(status=200)) == GivenUp(reason=Reason.FETCH_FORBIDDEN)
    assert verdict(Succeeded(status=200)) == Kept()
