"""Problem JSON (RFC 9457) with our reason slug, the same everywhere."""

from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request

from bridge.domain.reasons import advice_for

MEDIA_TYPE = b"application/problem+json"
RETRY_AFTER_SECONDS = "5"
"""When to ask again while the database does not answer: a pool waits for it as long."""


def log_break(event: str, request: Request[Any, Any, Any], error: Exception) -> None:
    """Log where a request broke: the kind of the error and the line of code, never its text."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace is not None else ""
    structlog.get_logger().error(event, path=request.url.path, error=type(error).__name__, place=place)


def problem(status: int, reason: str, *, detail: str = "", trace_id: str = "") -> bytes:
    """Return the body of a refusal: what is wrong, why by slug, and what to do about it."""
    advice = advice_for(reason)
    members = {
        "type": f"urn:bridge:reason:{reason}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "reason": reason,
        "detail": detail or advice.text,
        "remedy": advice.remedy,
        "trace_id": trace_id,
    }
    return msgspec.json.encode({name: value for name, value in members.items() if value})
