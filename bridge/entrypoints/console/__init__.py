"""The console: pages rendered on the server, made lively by htmx; it translates, reports and operations do the rest."""

from typing import Any

from litestar import Request, Response, Router
from litestar.exceptions import HTTPException
from litestar.static_files import create_static_files_router

from bridge.entrypoints.access import PUBLIC, LoginNeeded, Refused, authorize
from bridge.entrypoints.console import actions, administration, live, login, pages, places, review
from bridge.entrypoints.console.rendering import HERE, plain
from bridge.entrypoints.context import AppContext


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
    template = "toast.html" if request.headers.get("hx-request") else "error.html"
    answer = plain(template, status=status, text=text, tone="bad", code=status)
    if template == "toast.html":
        answer.headers.update({"hx-retarget": "#toast", "hx-reswap": "innerHTML"})
        answer.status_code = 200
    return answer


def _break(request: Request[Any, Any, Any], error: Exception) -> Response[str]:
    """Log where it broke, and tell the person nothing of it."""
    import structlog  # noqa: PLC0415

    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace is not None else ""
    structlog.get_logger().error("page.failed", path=request.url.path, error=type(error).__name__, place=place)
    return plain("error.html", status=500, text="Something broke on our side; it is in the log.", tone="bad", code=500)
