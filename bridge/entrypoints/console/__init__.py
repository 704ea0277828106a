"""The console: pages rendered on the server, made lively by htmx; it translates, reports and operations do the rest."""

from typing import Any

from litestar import Request, Response, Router
from litestar.exceptions import HTTPException
from litestar.static_files import create_static_files_router

from bridge.db.database import UNREACHABLE
from bridge.entrypoints.access import PUBLIC, LoginNeeded, Refused, authorize
from bridge.entrypoints.console import actions, administration, live, login, pages, places, review
from bridge.entrypoints.console.rendering import HERE, plain, toast
from bridge.entrypoints.context import AppContext
from bridge.entrypoints.problems import RETRY_AFTER_SECONDS, log_break


def console_router(context: AppContext) -> Router:
    """Return everything people use in a browser, below /."""
    static = create_static_files_router(
        path="/static", directories=[HERE / "static"], opt={"needs": PUBLIC}, cache_control=None
    )
    return Router(
        path="/",
        route_handlers=[
            *login.HANDLERS,
            *pages.HANDLERS,
            *places.HANDLERS,
            *review.HANDLERS,
            *actions.HANDLERS,
            *administration.HANDLERS,
            *live.HANDLERS,
            static,
        ],
        guards=[authorize],
        opt={"context": context},
        include_in_schema=False,
        exception_handlers={LoginNeeded: _to_login, Refused: _refuse, HTTPException: _refuse, Exception: _break},
    )


def _to_login(request: Request[Any, Any, Any], _error: Exception) -> Response[Any]:
    """Send a page to the log-in and back; a part of a page makes the whole page go."""
    from urllib.parse import quote  # noqa: PLC0415

    if request.headers.get("hx-request"):
        return Response(content="", status_code=200, headers={"hx-redirect": "/login"})
    if request.headers.get("accept", "").startswith("text/event-stream"):
        return Response(content="", status_code=204)
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return Response(
        content="", status_code=303, headers={"location": f"/login?next={quote(target)}", "cache-control": "no-store"}
    )


def _refuse(request: Request[Any, Any, Any], error: Exception) -> Response[str]:
    """Say what may not be, without a trace of how."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    known = {404: "There is no such page.", 405: "This page does not take that."}
    text = error.detail if isinstance(error, Refused) else known.get(status, "The request cannot be read.")
    if request.headers.get("hx-request"):
        return toast(text, tone="bad", refresh=False)
    return plain("error.html", status=status, text=text, tone="bad", code=status)


def no_such_page(status: int) -> Response[str]:
    """Answer a browser that asks for what is nobody's page."""
    text = "There is no such page." if status == 404 else "The request cannot be read."
    return plain("error.html", status=status, text=text, tone="bad", code=status)


def _break(request: Request[Any, Any, Any], error: Exception) -> Response[str]:
    """Log where it broke, and tell the person nothing of it but whether to wait."""
    log_break("page.failed", request, error)
    is_away = isinstance(error, UNREACHABLE)
    status = 503 if is_away else 500
    text = (
        "The database does not answer; try again in a moment."
        if is_away
        else "Something broke on our side; it is in the log."
    )
    if request.headers.get("hx-request"):
        return toast(text, tone="bad", refresh=False)
    answer = plain("error.html", status=status, text=text, tone="bad", code=status)
    if is_away:
        answer.headers["retry-after"] = RETRY_AFTER_SECONDS
    return answer
