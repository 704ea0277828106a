"""What an answer, or the lack of one, means: `Succeeded | Rejected | Deferred | InDoubt` with its reason (pure).

The line that matters runs between *nothing was done* and *something may have been done*. A write that left this machine
and got no readable answer is in doubt, whatever the status; a read never is.
"""

import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import httpx
import msgspec

from bridge.domain.outcome import Deferred, InDoubt, Outcome, Problem, Rejected, Succeeded
from bridge.domain.reasons import Reason
from bridge.servicetitan.operation import Operation

WAIT_MAX = 86_400.0  # seconds; a day is longer than any wait ServiceTitan was seen to ask for
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # of a body; the last for one nested too deep
DETAIL_MAX = 300  # characters of a foreign text that are kept beside an outcome

MAINTENANCE = re.compile(r"maintenance|suspended|try(?:ing)? again|temporar|unavailable", re.IGNORECASE)
REFERENCE = re.compile(
    r"not found|does ?n[o']t exist|do not exist|unknown|no such|cannot find|can't find", re.IGNORECASE
)
SECONDS = re.compile(r"(\d+(?:\.\d+)?)\s*(?:s|sec|second|seconds)\b", re.IGNORECASE)
PLAIN_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
MARKUP = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>", re.IGNORECASE | re.DOTALL)

# A connection that never stood carried no bytes. The stock `httpx-aiohttp` transport reports a server that hung up
# after reading the request as httpx.ConnectTimeout (it maps the base class of both), so aiohttp's own error decides.
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.ProxyError)
NEVER_SENT_AIOHTTP = ("ClientConnectorError", "ConnectionTimeoutError", "InvalidURL")


class Answered(Protocol):
    """What an answer must have to be understood; an httpx.Response has it."""

    @property
    def status_code(self) -> int:
        """Return the HTTP status."""
        ...

    @property
    def content(self) -> bytes:
        """Return the body as it came."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers; their names are compared without case."""
        ...


def classify(answer: Answered | Exception, *, operation: Operation, now: datetime) -> Outcome:
    """Return what the answer to a request of the operation means; `now` is for a Retry-After that names a date."""
    if isinstance(answer, Exception):
        return _unanswered(answer, operation=operation)
    if 200 <= answer.status_code < 300:
        return _read(answer, operation=operation)
    return _refused(answer, operation=operation, now=now)


def classify_token(answer: Answered | Exception, *, now: datetime) -> Deferred:
    """Return why there is no token. Nothing of ours was sent in any case, so nothing is ever in doubt here."""
    if isinstance(answer, Exception):
        return Deferred(reason=Reason.TOKEN_UNAVAILABLE, detail=_described(answer))
    problem, detail = read_problem(answer)
    match answer.status_code:
        case 400 | 401 | 403:  # the issuer answers a wrong client with 400 {"error": "invalid_client"}
            return Deferred(
                reason=Reason.CREDENTIALS_REFUSED,
                status=answer.status_code,
                problem=problem,
                pauses_tenant=True,
                detail=_oauth_error(answer) or detail,
            )
        case 429:
            return Deferred(
                reason=Reason.RATE_LIMITED,
                status=429,
                problem=problem,
                retry_after=retry_after(answer, problem, now=now),
                backpressure=True,
                detail=detail,
            )
        case status:
            return Deferred(
                reason=Reason.TOKEN_UNAVAILABLE,
                status=status,
                problem=problem,
                retry_after=retry_after(answer, problem, now=now),
                detail=detail,
            )


def was_never_sent(error: Exception) -> bool:
    """Return whether the error proves that no byte of the request left this machine."""
    cause = error.__cause__
    if isinstance(cause, TimeoutError) or _is_of_aiohttp(cause, "ClientError"):
        return _is_of_aiohttp(cause, *NEVER_SENT_AIOHTTP)
    return isinstance(error, NEVER_SENT)


def _is_of_aiohttp(error: BaseException | None, *names: str) -> bool:
    """Tell whether an error is one of these of aiohttp's. Who meets one has it imported; who only serves spares its 8 MB."""
    aiohttp = sys.modules.get("aiohttp")
    return aiohttp is not None and isinstance(error, tuple(getattr(aiohttp, name) for name in names))


def _unanswered(error: Exception, *, operation: Operation) -> Outcome:
    detail = _described(error)
    if was_never_sent(error):
        reason = Reason.CONNECTIONS_BUSY if isinstance(error, httpx.PoolTimeout) else Reason.CONNECT_FAILED
        return Deferred(reason=reason, detail=detail)
    is_timeout = isinstance(error, httpx.TimeoutException | TimeoutError) and not _is_of_aiohttp(
        error.__cause__, "ServerDisconnectedError", "ClientOSError"
    )
    reason = Reason.ANSWER_TIMEOUT if is_timeout else Reason.CONNECTION_LOST
    return _lost(reason, operation=operation, detail=detail)


def _lost(
    reason: Reason,
    *,
    operation: Operation,
    detail: str,
    status: int | None = None,
    problem: Problem | None = None,
    wait: float | None = None,
) -> Outcome:
    """Return the outcome of a request whose effect cannot be told: in doubt for a write, later again for a read."""
    if operation.is_read:
        return Deferred(reason=reason, status=status, problem=problem, detail=detail, retry_after=wait)
    return InDoubt(reason=reason, status=status, problem=problem, detail=detail)


def _read(answer: Answered, *, operation: Operation) -> Outcome:
    status = answer.status_code
    content = answer.content
    reader = operation.reader
    if not content.strip():
        if reader is None or reader.takes_null or status == 204:
            return Succeeded(status=status)
        # An empty 200 where a record belongs proves nothing, and holds no id to keep.
        return _lost(Reason.ANSWER_EMPTY, operation=operation, status=status, detail="")
    try:
        body = msgspec.json.decode(content) if reader is None else reader.read(content)
    except UNREADABLE as error:  # ValidationError is one
        detail = f"{error}; {_excerpt(answer)}"[:DETAIL_MAX]
        return _lost(Reason.ANSWER_UNREADABLE, operation=operation, status=status, detail=detail)
    if reader is not None and body is None and not reader.takes_null:
        return _lost(Reason.ANSWER_EMPTY, operation=operation, status=status, detail="null")
    return Succeeded(status=status, body=body)


def _refused(answer: Answered, *, operation: Operation, now: datetime) -> Outcome:  # noqa: PLR0911 - a table
    status = answer.status_code
    problem, detail = read_problem(answer)
    match status:
        case 401:
            return Deferred(
                reason=Reason.UNAUTHORIZED, status=status, problem=problem, pauses_tenant=True, detail=detail
            )
        case 403 if operation.scope.startswith("tn.crm.contacts:"):
            # The only operations that document a 403: accounts not migrated to Contact Management answer so. Pausing
            # everything else of the tenant for it would be wrong.
            return Rejected(reason=Reason.CONTACTS_NOT_ENABLED, status=status, problem=problem, detail=detail)
        case 403:
            return Deferred(reason=Reason.FORBIDDEN, status=status, problem=problem, pauses_tenant=True, detail=detail)
        case 404:
            return Rejected(reason=Reason.NOT_FOUND, status=status, problem=problem, detail=detail)
        case 409:
            return _conflict(answer, problem, detail, now=now)
        case 425 | 429:
            return Deferred(
                reason=Reason.RATE_LIMITED,
                status=status,
                problem=problem,
                retry_after=retry_after(answer, problem, now=now),
                backpressure=True,
                detail=detail,
            )
        case 408 | 499:
            return _lost(Reason.ANSWER_TIMEOUT, operation=operation, status=status, problem=problem, detail=detail)
        case 400 | 422:
            return Rejected(reason=Reason.VALIDATION_FAILED, status=status, problem=problem, detail=detail)
        case _ if status >= 500:
            return _lost(
                Reason.SERVER_ERROR,
                operation=operation,
                status=status,
                problem=problem,
                detail=detail,
                wait=retry_after(answer, problem, now=now),
            )
        case _ if status < 400:  # the API documents no redirect: the configured address is another server's
            return Deferred(
                reason=Reason.REDIRECTED, status=status, detail=answer.headers.get("location", "")[:DETAIL_MAX]
            )
        case _:
            return Rejected(reason=Reason.REQUEST_REFUSED, status=status, problem=problem, detail=detail)


def _conflict(answer: Answered, problem: Problem | None, detail: str, *, now: datetime) -> Outcome:
    """Return what a 409 means; only its title tells a missing reference, a conflict and maintenance apart."""
    title = (problem.title if problem is not None else None) or detail
    if MAINTENANCE.search(title):
        wait = retry_after(answer, problem, now=now)
        return Deferred(
            reason=Reason.MAINTENANCE, status=409, problem=problem, retry_after=wait, backpressure=True, detail=detail
        )
    reason = Reason.REFERENCE_MISSING if REFERENCE.search(title) else Reason.CONFLICT
    return Rejected(reason=reason, status=409, problem=problem, detail=detail)


def read_problem(answer: Answered) -> tuple[Problem | None, str]:
    """Return the problem details of an error answer and one line for a person; HTML gives the line only."""
    try:
        body = msgspec.json.decode(answer.content)
    except UNREADABLE:
        return None, _excerpt(answer)
    if not isinstance(body, dict):
        return None, _excerpt(answer)
    errors = _errors(body.get("errors"))
    data = body.get("data")
    problem = Problem(
        type=_text(body.get("type")),
        title=_text(body.get("title")),
        status=body["status"] if isinstance(body.get("status"), int) else None,
        trace_id=_text(body.get("traceId")),
        errors=errors,
        data=data if isinstance(data, dict) else {},
    )
    fields = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in errors.items())
    return problem, " | ".join(part for part in (problem.title, fields) if part)[:DETAIL_MAX]


def retry_after(answer: Answered, problem: Problem | None, *, now: datetime) -> float | None:
    """Return the wait in seconds the answer asks for: header in seconds or as a date, else the seconds in the title."""
    header = answer.headers.get("retry-after", "").strip()
    if header:
        seconds = float(header) if PLAIN_NUMBER.fullmatch(header) else _until(header, now=now)
        if seconds is not None:
            return min(seconds, WAIT_MAX)
    title = problem.title if problem is not None else None
    found = SECONDS.search(title or "")
    return min(float(found[1]), WAIT_MAX) if found else None


def _until(date: str, *, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - now).total_seconds(), 0.0)


def _errors(value: Any) -> dict[str, list[str]]:
    """Return field errors as the contract has them, whatever of list, text and null came in their place."""
    if isinstance(value, dict):
        return {
            str(name): [str(text) for text in texts] if isinstance(texts, list) else [str(texts)]
            for name, texts in value.items()
        }
    if isinstance(value, list) and value:
        return {"": [str(text) for text in value]}
    return {}


def _oauth_error(answer: Answered) -> str:
    try:
        body = msgspec.json.decode(answer.content)
    except UNREADABLE:
        return ""
    return str(body.get("error_description") or body.get("error") or "")[:DETAIL_MAX] if isinstance(body, dict) else ""


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _excerpt(answer: Answered) -> str:
    text = answer.content[:4_000].decode("utf-8", "replace")
    return " ".join(MARKUP.sub(" ", text).split())[:DETAIL_MAX]


def _described(error: Exception) -> str:
    cause = error.__cause__
    text = str(error) or (str(cause) if cause else "")
    return f"{type(error).__name__}: {text}"[:DETAIL_MAX].rstrip(": ")
