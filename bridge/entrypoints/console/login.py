"""Coming in and going out."""

from typing import Any

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie

from bridge.entrypoints.access import (
    DOOR_COOKIE,
    PUBLIC,
    SESSION_COOKIE,
    check_origin,
    context_of,
    form_of,
    new_door_token,
    visit,
)
from bridge.entrypoints.console.rendering import plain
from bridge.operations import users
from bridge.operations.users import LoggedIn, Role, same_text

_FOREVER = int(users.SESSION.total_seconds())


def _cookie(request: Request[Any, Any, Any], name: str, value: str, seconds: int) -> Cookie:
    public = context_of(request).settings.server.public_url
    secure = request.url.scheme == "https" or public.startswith("https://")
    return Cookie(
        key=name,
        value=value,
        path="/",
        httponly=True,
        samesite="strict" if name == DOOR_COOKIE else "lax",
        max_age=seconds,
        secure=secure,
    )


def _inside(target: str) -> str:
    """Return a path of ours: a link that leads elsewhere after the log-in is dropped."""
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) and "\n" not in target else "/"


@get("/login", opt={"needs": PUBLIC})
async def form(request: Request[Any, Any, Any]) -> Response[str]:
    """Show the log-in."""
    return _form(request, text="")


def _form(request: Request[Any, Any, Any], *, text: str, status: int = 200, target: str = "") -> Response[str]:
    token = new_door_token()
    target = target or _inside(request.query_params.get("next", "/"))
    answer = plain("login.html", status=status, door=token, text=text, target=target)
    answer.set_cookie(_cookie(request, DOOR_COOKIE, token, 3600))
    return answer


@post("/login", opt={"needs": PUBLIC}, status_code=200)
async def enter(request: Request[Any, Any, Any]) -> Response[str]:
    """Open a session for the right password."""
    check_origin(request)
    context = context_of(request)
    filled = await form_of(request)
    target = _inside(filled.get("next", "/"))
    if not same_text(filled.get("door", ""), request.cookies.get(DOOR_COOKIE, "")):
        return _form(request, text="The form was too old; try again.", status=403, target=target)
    address = request.client.host if request.client else ""
    opened = await users.log_in(
        context.database,
        login=filled.get("login", ""),
        password=filled.get("password", "")[:1024],
        address=address,
        now=context.clock(),
    )
    if isinstance(opened, LoggedIn):
        return _enter(request, opened, target)
    return _form(request, text=opened.text, status=429 if opened.refusal == "throttled" else 403, target=target)


def _enter(request: Request[Any, Any, Any], opened: LoggedIn, target: str) -> Response[str]:
    answer = Response(content="", status_code=303, headers={"location": target, "cache-control": "no-store"})
    answer.set_cookie(_cookie(request, SESSION_COOKIE, opened.token, _FOREVER))
    answer.set_cookie(_cookie(request, DOOR_COOKIE, "", 0))
    return answer


@get("/login/link/{token:str}", opt={"needs": PUBLIC})
async def link(request: Request[Any, Any, Any]) -> Response[str]:
    """Ask for the click that uses a link up: a preview of the link by a mail program must not."""
    return plain("link.html", token=str(request.path_params["token"]))


@post("/login/link/{token:str}", opt={"needs": PUBLIC}, status_code=200)
async def follow(request: Request[Any, Any, Any]) -> Response[str]:
    """Open a session for who holds an unused link."""
    check_origin(request)
    context = context_of(request)
    opened = await users.follow_link(context.database, str(request.path_params["token"]), now=context.clock())
    if isinstance(opened, LoggedIn):
        return _enter(request, opened, "/")
    return plain("error.html", status=403, text=opened.text, tone="bad", code=403)


@post("/logout", opt={"needs": Role.VIEWER}, status_code=200)
async def leave(request: Request[Any, Any, Any]) -> Response[str]:
    """End the session."""
    await users.log_out(context_of(request).database, request.cookies.get(SESSION_COOKIE, ""))
    answer = Response(content="", status_code=303, headers={"location": "/login", "cache-control": "no-store"})
    answer.set_cookie(_cookie(request, SESSION_COOKIE, "", 0))
    return answer


@post("/tenant", opt={"needs": Role.VIEWER}, status_code=200)
async def choose_tenant(request: Request[Any, Any, Any]) -> Response[str]:
    """Look at another tenant from now on."""
    filled = await form_of(request)
    seen = visit(request)
    asked = filled.get("tenant_id", "")
    if (
        asked.isdigit()
        and (tenant := seen.context.tenant(int(asked[:18]))) is not None
        and seen.person.may_see(tenant.tenant_id)
    ):
        await users.look_at(seen.context.database, request.cookies.get(SESSION_COOKIE, ""), tenant_id=tenant.tenant_id)
    return Response(content="", status_code=303, headers={"location": "/", "cache-control": "no-store"})


HANDLERS = [form, enter, link, follow, leave, choose_tenant]
