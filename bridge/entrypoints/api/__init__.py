"""The same reports and operations as JSON under /api/v1: tokens, cursors, idempotent writes, problem JSON, an OpenAPI document."""

from typing import Any

from litestar import Request, Response, Router, get
from litestar.exceptions import HTTPException

from bridge.db.database import UNREACHABLE
from bridge.entrypoints.access import Refused, authorize
from bridge.entrypoints.api import document, reads, writes
from bridge.entrypoints.context import AppContext
from bridge.entrypoints.problems import MEDIA_TYPE, RETRY_AFTER_SECONDS, log_break, problem
from bridge.operations.users import Role
from bridge.reports.deliveries import CursorInvalid

_SLUGS = {
    400: "request_unreadable",
    404: "unknown",
    405: "method_unsupported",
    413: "body_too_large",
    415: "content_type_unsupported",
}


def api_router(context: AppContext) -> Router:
    """Return the API, below /api/v1."""
    return Router(
        path="/api/v1",
        route_handlers=[*reads.HANDLERS, *writes.HANDLERS, openapi],
        guards=[authorize],
        opt={"context": context, "api": True},
        exception_handlers={CursorInvalid: _cursor, Refused: _refuse, HTTPException: _refuse, Exception: _break},
    )


@get("/openapi.json", opt={"needs": Role.VIEWER}, include_in_schema=False, sync_to_thread=False)
def openapi() -> Response[dict[str, Any]]:
    """Return the document of this API."""
    return Response(content=document.openapi([*reads.HANDLERS, *writes.HANDLERS]))


def _answer(status: int, reason: str, detail: str) -> Response[bytes]:
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}
    return Response(
        content=problem(status, reason, detail=detail),
        status_code=status,
        media_type=MEDIA_TYPE.decode(),
        headers=headers,
    )


def _cursor(_request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    return _answer(400, "cursor_invalid", str(error))


def _refuse(_request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Say what is wrong with a request, and nothing of how we know."""
    if isinstance(error, Refused):
        return _answer(error.status_code, error.reason, error.detail)
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _answer(status, _SLUGS.get(status, "request_unreadable"), "")


def _break(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Log where it broke, and tell the client nothing of it but whether to wait."""
    log_break("api.failed", request, error)
    if not isinstance(error, UNREACHABLE):
        return _answer(500, "internal_error", "")
    answer = _answer(503, "database_unreachable", "The database does not answer; ask again.")
    answer.headers["retry-after"] = RETRY_AFTER_SECONDS
    return answer
