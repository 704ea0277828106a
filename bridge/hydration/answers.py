"""What an answer of a sender's API means: a record, later, or no (pure). Facts: the senders' own error documents."""

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from bridge.domain.outcome import Deferred, Outcome, Rejected, Succeeded
from bridge.domain.reasons import Reason

_GONE = frozenset({204, 404})
_SECOND_LOOK = 10.0  # seconds: a notice may outrun the replica that answers the read
_REFUSED = frozenset({401, 403})
_BUSY = frozenset({408, 409, 421, 423, 425})
_LONGEST_WAIT = 86_400.0  # seconds: no honest Retry-After of these senders is longer than a day

# Graph answers 400 for nearly everything and says the kind in `error.code` (developers.facebook.com/docs/graph-api/guides/error-handling).
_GRAPH_LIMITED = frozenset({4, 17, 32, 341, 613}) | frozenset(range(80_000, 80_015))
_GRAPH_TRANSIENT = frozenset({1, 2})


def outcome_of(
    status: int, headers: Mapping[str, str], body: bytes, *, expect: tuple[int, ...], looks: int, now: datetime
) -> Outcome:
    """Return what an answer means; `Succeeded.body` is its bytes. `looks` counts the attempts before, names of `headers` are lower case."""
    wait = retry_after(headers, now=now)
    if status in expect:
        return _expected(status, body, looks=looks)
    if status == 429:
        return _limited(status, wait)
    if status == 503 and wait is not None:
        return _limited(status, wait)
    data = _json(body)
    code = _graph_code(data)
    if code in _GRAPH_LIMITED:
        return _limited(status, wait)
    if code in _GRAPH_TRANSIENT or _is_transient(data) or status >= 500 or status in _BUSY:
        return Deferred(reason=Reason.FETCH_UNANSWERED, status=status, retry_after=wait, detail=f"HTTP {status}")
    said = f"HTTP {status}" if code is None else f"HTTP {status}, code {code}"
    if status in _REFUSED or code is not None:
        return Deferred(reason=Reason.HYDRATION_REFUSED, status=status, retry_after=wait, detail=said)
    return Rejected(reason=Reason.HYDRATION_REFUSED, status=status, detail=said)


def retry_after(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Return the seconds that Retry-After names, as number or date; None where it names none."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_WAIT)
    try:
        seconds = (parsedate_to_datetime(text) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def _expected(status: int, body: bytes, *, looks: int) -> Outcome:
    if status in _GONE and looks == 0:
        return Deferred(reason=Reason.RECORD_GONE, status=status, retry_after=_SECOND_LOOK, detail=f"HTTP {status}")
    if not 200 <= status < 300 or status == 204:
        return Succeeded(status=status, body=body)
    data = _json(body)
    if data is None:
        return Deferred(reason=Reason.FETCH_UNANSWERED, status=status, detail="the answer is no JSON")
    return _graphql(data, status) or Succeeded(status=status, body=body)


def _graphql(data: Any, status: int) -> Outcome | None:
    """Return what a GraphQL error means, which comes with status 200; None where a record came, or there is no error."""
    errors = data.get("errors") if isinstance(data, dict) else None
    if not isinstance(errors, list) or not errors or ("data" in data and _holds(data["data"])):
        return None
    codes = {_dig(error, "extensions", "code") for error in errors}
    if "THROTTLED" in codes:
        return _limited(status, _cost_wait(data))
    if codes & {"INTERNAL_SERVER_ERROR", "TIMEOUT"}:
        return Deferred(reason=Reason.FETCH_UNANSWERED, status=status, detail="GraphQL server error")
    return Deferred(reason=Reason.HYDRATION_REFUSED, status=status, detail="GraphQL error")


def _holds(data: Any) -> bool:
    return isinstance(data, dict) and any(value is not None for value in data.values())


def _cost_wait(data: Any) -> float | None:
    """Return how long the points of a query take to come back, as Jobber's `extensions.cost` tells."""
    cost = _dig(data, "extensions", "cost")
    asked, there, rate = (
        _dig(cost, "requestedQueryCost"), _dig(cost, "throttleStatus", "currentlyAvailable"), _dig(cost, "throttleStatus", "restoreRate"),
    )  # fmt: skip
    if not all(isinstance(value, int | float) for value in (asked, there, rate)) or rate <= 0:
        return None
    return float(min(max((asked - there) / rate, 1.0), _LONGEST_WAIT))


def _limited(status: int, wait: float | None) -> Deferred:
    return Deferred(reason=Reason.FETCH_LIMITED, status=status, retry_after=wait, backpressure=True)


def _graph_code(data: Any) -> int | None:
    """Return Meta's error code; `fbtrace_id` tells its errors from those of others."""
    code = _dig(data, "error", "code")
    return code if isinstance(code, int) and _dig(data, "error", "fbtrace_id") is not None else None


def _is_transient(data: Any) -> bool:
    return _dig(data, "error", "is_transient") is True


def _dig(data: Any, *path: str) -> Any:
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
