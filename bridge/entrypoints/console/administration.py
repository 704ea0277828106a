"""Settings: users and roles, API tokens, secrets in use, retention, the audit."""

from typing import Any

from litestar import Request, Response, get, post

from bridge.entrypoints.access import Refused, Visit, form_of, readable, visit
from bridge.entrypoints.console.rendering import page, toast
from bridge.operations import tokens, users
from bridge.operations.users import SCOPES, Role
from bridge.reports import people, sources

_ADMIN = {"needs": Role.ADMIN}


@get("/settings", opt={"needs": Role.VIEWER})
async def settings(request: Request[Any, Any, Any]) -> Response[str]:
    """Everything that is set; people and tokens only for an admin."""
    return await _page(visit(request))


async def _page(seen: Visit, *, shown_once: str = "", path: str = "") -> Response[str]:
    """Return the page; the `path` of a one-time link is shown as the address that can be sent to somebody."""
    base = seen.context.settings.server.public_url or str(seen.request.base_url)
    is_admin = seen.may(Role.ADMIN)
    values: dict[str, Any] = {
        "users": await people.users(seen.context.database) if is_admin else [],
        "tokens": await people.tokens(seen.context.database) if is_admin else [],
        "secrets": await sources.secrets(seen.context.database, seen.tenant_id),
        "retention": seen.context.settings.retention,
        "settings": seen.context.settings,
        "scopes": SCOPES,
        "shown_once": shown_once,
        "link": base.rstrip("/") + path if path else "",
    }
    return page(seen, "settings.html", **values)


@get("/audit", opt={"needs": Role.OPERATOR})
async def audit_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show what people did."""
    seen = visit(request)
    before = str(request.query_params.get("before", ""))[:18]
    tenants = [int(seen.tenant_id), *([0] if seen.may(Role.ADMIN) else [])]
    rows = await people.audit(
        seen.context.database, tenants, before_id=int(before) if before.isdigit() else None,
        by=str(request.query_params.get("by", ""))[:200], action=str(request.query_params.get("action", ""))[:60],
    )  # fmt: skip
    return page(seen, "audit.html", rows=rows)


@post("/settings/users", opt=_ADMIN, status_code=200)
async def add_user(request: Request[Any, Any, Any]) -> Response[str]:
    """Add a user and show the one-time link that lets them in."""
    seen = visit(request)
    filled = await form_of(request)
    login = filled.get("login", "")
    done = await users.add(
        seen.context.database,
        seen.act(),
        login=login,
        role=_role(filled.get("role")),
        password=filled.get("password", ""),
    )
    if not done.is_done:
        return toast(done.text, tone="bad", refresh=False)
    _, path = await users.make_link(seen.context.database, seen.act(), login=login)
    return await _page(seen, path=path)


def _role(text: object) -> Role:
    try:
        return Role(str(text))
    except ValueError as unknown:
        raise Refused(400, "role_unknown", "Roles are viewer, operator and admin.") from unknown


@post("/settings/users/{login:str}", opt=_ADMIN, status_code=200)
async def change_user(request: Request[Any, Any, Any]) -> Response[str]:
    """Change a role, switch a user off or on, or make a new one-time link."""
    seen = visit(request)
    filled = await form_of(request)
    login, action = str(request.path_params["login"]), filled.get("action", "")
    if login == seen.person.by and action != "link":
        return toast("Let another admin change your own standing.", tone="bad", refresh=False)
    if action == "link":
        done, path = await users.make_link(seen.context.database, seen.act(), login=login)
        return await _page(seen, path=path) if done.is_done else toast(done.text, tone="bad")
    if action in {"disable", "enable"}:
        done = await users.change(seen.context.database, seen.act(), login=login, is_disabled=action == "disable")
    else:
        done = await users.change(seen.context.database, seen.act(), login=login, role=_role(filled.get("role")))
    return toast(done.text, tone="good" if done.is_done else "bad")


@post("/settings/tokens", opt=_ADMIN, status_code=200)
async def make_token(request: Request[Any, Any, Any]) -> Response[str]:
    """Make an API token and show it this once."""
    seen = visit(request)
    filled = await request.form()
    days = str(filled.get("days", "90"))[:4]
    done, text = await tokens.make(
        seen.context.database, seen.act(), name=readable(str(filled.get("name", ""))), scopes=tuple(str(scope) for scope in filled.getall("scope", [])),
        days=int(days) if days.isdigit() else 0,
    )  # fmt: skip
    return await _page(seen, shown_once=text) if done.is_done else toast(done.text, tone="bad", refresh=False)


@post("/settings/tokens/{token_id:int}/revoke", opt=_ADMIN, status_code=200)
async def revoke_token(request: Request[Any, Any, Any]) -> Response[str]:
    """Make a token useless at once."""
    seen = visit(request)
    done = await tokens.revoke(seen.context.database, seen.act(), token_id=int(request.path_params["token_id"]))
    return toast(done.text, tone="good" if done.is_done else "bad")


HANDLERS = [settings, audit_page, add_user, change_user, make_token, revoke_token]
