"""Who may do what, decided in this one place for every route of the console and the API.

A route says what it needs in its `opt`: `needs` is a Role, or PUBLIC. A route that says nothing answers nobody.
"""

import secrets
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler

from bridge.domain.ids import TenantId
from bridge.entrypoints.context import AppContext
from bridge.operations import tokens, users
from bridge.operations.audit import Act, Once
from bridge.operations.users import Person, Role, same_text

PUBLIC = "public"
SESSION_COOKIE = "bridge_session"
DOOR_COOKIE = "bridge_door"
BY_THEMSELVES = frozenset({"runs", "numbers"})
"""Parts of pages that fetch themselves anew while nobody may be there."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Refused(HTTPException):
    """A request that may not be answered; `reason` is a slug."""

    def __init__(self, status: int, reason: str, detail: str) -> None:
        super().__init__(detail=detail, status_code=status)
        self.reason = reason


class LoginNeeded(Exception):
    """Nobody is logged in."""


class Visit(NamedTuple):
    """One request of somebody known: who, about which tenant, with what."""

    request: Request[Any, Any, Any]
    context: AppContext
    person: Person
    tenant_id: TenantId
    once: Once | None = None

    def act(self, reason: str = "") -> Act:
        """Return who does it, when and why, for the audit."""
        return Act(self.person.by, self.context.clock(), readable(reason).strip(), self.once)

    def may(self, role: Role) -> bool:
        """Tell whether the person may do what a role may."""
        return self.person.role.includes(role)


def readable(text: str) -> str:
    """Return a text without the one sign that PostgreSQL cannot keep."""
    return text.replace("\0", "")


async def form_of(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Return the fields of a form, the last one of a name."""
    return {str(name): readable(str(value)) for name, value in (await request.form()).multi_items()}


def text_of(request: Request[Any, Any, Any], name: str, *, most: int = 400) -> str:
    """Return a value of the address, empty where it has none, cut where it is longer than any that makes sense."""
    return str(request.query_params.get(name, ""))[:most]


def number_of(request: Request[Any, Any, Any], name: str) -> int | None:
    """Return a number of the address, None where it is none."""
    text = text_of(request, name, most=18)
    return int(text) if text.isdecimal() else None


def context_of(connection: ASGIConnection[Any, Any, Any, Any]) -> AppContext:
    """Return the context the router was built with."""
    context = connection.route_handler.opt["context"]
    if not isinstance(context, AppContext):
        raise TypeError("the router was built without its context")
    return context


async def authorize(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let a request pass that its route's needs allow; raises LoginNeeded or Refused."""
    needs = handler.opt.get("needs")
    if needs == PUBLIC:
        _check_address(connection)
        return
    if not isinstance(needs, Role):
        raise Refused(403, "access_undeclared", "The route does not say who may use it.")
    is_api = bool(handler.opt.get("api"))
    person = await (_bearer(connection) if is_api else _session(connection))
    if not person.role.includes(needs):
        raise Refused(403, "role_missing", f"This needs the role {needs.value}.")
    if needs is Role.ADMIN and person.tenant_ids is not None:
        raise Refused(403, "role_missing", "Users and tokens are administered by who may see every tenant.")
    _check_address(connection)
    if not is_api and str(connection.scope.get("method", "GET")) not in _SAFE:
        await _check_form(connection, person)
    connection.scope["bridge_person"] = person  # type: ignore[typeddict-unknown-key]  # read by `visit` alone


def _check_address(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Refuse an address with the one sign that PostgreSQL cannot keep; after the credentials, for nobody else is told anything."""
    if b"%00" in connection.scope.get("query_string", b"") or "\0" in connection.scope.get("path", ""):
        raise Refused(400, "request_unreadable", "The address holds a sign that is none.")


async def _session(connection: ASGIConnection[Any, Any, Any, Any]) -> Person:
    token = connection.cookies.get(SESSION_COOKIE, "")
    context = context_of(connection)
    is_there = connection.url.path != "/live" and connection.headers.get("hx-trigger") not in BY_THEMSELVES
    person = (
        await users.whose_session(context.database, token, now=context.clock(), is_there=is_there) if token else None
    )
    if person is None:
        raise LoginNeeded
    return person


async def _bearer(connection: ASGIConnection[Any, Any, Any, Any]) -> Person:
    kind, _, text = connection.headers.get("authorization", "").partition(" ")
    context = context_of(connection)
    person = (
        await tokens.whose(context.database, text.strip(), now=context.clock())
        if kind.lower() == "bearer" and text
        else None
    )
    if person is None:
        raise Refused(401, "token_missing", "Send a token that is in force: Authorization: Bearer brg_…")
    return person


async def _check_form(connection: ASGIConnection[Any, Any, Any, Any], person: Person) -> None:
    """Refuse a write that did not start from a page of ours: wrong origin, or without the session's own token."""
    check_origin(connection)
    given = connection.headers.get("x-csrf-token", "")
    if not given and isinstance(connection, Request):
        given = str((await connection.form()).get("csrf", ""))
    if not same_text(given, person.csrf):
        raise Refused(403, "form_expired", "The page is from an older session: reload it.")


def check_origin(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Refuse a write that another site's page sends."""
    origin = connection.headers.get("origin", "")
    host = connection.headers.get("host", "")
    if (origin and origin != "null" and urlsplit(origin).netloc != host) or connection.headers.get(
        "sec-fetch-site"
    ) == "cross-site":
        raise Refused(403, "origin_foreign", "The request comes from another site's page.")


def visit(request: Request[Any, Any, Any]) -> Visit:
    """Return the visit of a request that was let pass; raises Refused for a tenant that is not theirs to see."""
    context = context_of(request)
    person = request.scope["bridge_person"]  # type: ignore[typeddict-item]
    asked = request.query_params.get("tenant", "")
    known = [tenant_id for tenant_id in context.settings.tenants if person.may_see(tenant_id)]
    if asked:
        if not asked.isdigit() or len(asked) > 18 or TenantId(int(asked)) not in known:
            raise Refused(404, "tenant_unknown", "There is no such tenant, or it is not yours to see.")
        return Visit(request, context, person, TenantId(int(asked)))
    if not known:
        raise Refused(403, "tenant_unknown", "None of your tenants is configured here.")
    chosen = TenantId(person.tenant_id) if person.tenant_id in known else known[0]
    return Visit(request, context, person, chosen)


def new_door_token() -> str:
    """Return what ties a log-in form to the browser it was shown to."""
    return secrets.token_urlsafe(24)
