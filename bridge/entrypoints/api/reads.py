"""What the API shows: the reports of the console, people hidden unless a token with `pii` asks with `reveal=true`."""

from datetime import timedelta
from typing import Annotated, Any

import msgspec
from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import PathParameter, QueryParameter

from bridge.domain.ids import DeliveryId, TenantId
from bridge.entrypoints.access import Refused, Visit, visit
from bridge.entrypoints.console.places import masked_party
from bridge.operations import audit
from bridge.operations.users import Role
from bridge.reports import (
    deliveries,
    flow,
    health,
    masking,
    outbox,
    overview,
    people,
    review,
    search,
    sources,
    story,
    timeline,
)
from bridge.reports.health import Check
from bridge.reports.outbox import AlertSeen, MessageSeen, OutboxSeen, ProblemSeen, RunSeen
from bridge.reports.overview import Today
from bridge.reports.people import AuditSeen, PartyStory, TokenSeen, UserSeen
from bridge.reports.review import HoldView
from bridge.reports.sources import RejectedSeen, SourceSeen
from bridge.reports.timeline import Moment

_VIEW = {"needs": Role.VIEWER}
_ADMIN = {"needs": Role.ADMIN}
Id = Annotated[int, PathParameter(gt=0, le=2**63 - 1)]
Limit = Annotated[int, QueryParameter(ge=1, le=500)]
After = Annotated[int | None, QueryParameter(ge=0, le=2**63 - 1)]
Text = Annotated[str, QueryParameter(max_length=400)]
Cursor = Annotated[str, QueryParameter(max_length=80)]
Flag = Annotated[bool, QueryParameter()]
Tenant = Annotated[
    int | None, QueryParameter(gt=0, le=2**63 - 1, description="A tenant of the token's; its first one by default.")
]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page of deliveries; `understood` says how the search was read."""

    items: list[deliveries.DeliveryRow]
    next: str = ""
    understood: list[str] = []
    notes: list[str] = []


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery's story with its moments in order."""

    sentence: str
    status: str
    remedy: str
    moments: list[Moment]
    story: dict[str, Any]


def cleartext(seen: Visit, reveal: bool) -> bool:
    """Tell whether people are shown; raises Refused for a token that may not see them."""
    if reveal and not seen.person.may_reveal:
        raise Refused(403, "scope_missing", "Personal data needs a token with the scope pii.")
    return reveal


@get("/deliveries", opt=_VIEW, summary="Find deliveries")
async def list_deliveries(
    request: Request[Any, Any, Any],
    q: Text = "",
    cursor: Cursor = "",
    limit: Limit = 50,
    reveal: Flag = False,
    tenant: Tenant = None,
) -> Page:
    """Return deliveries, the newest first; `q` is what the console's search box takes."""
    del tenant
    seen = visit(request)
    query = search.parse(q, seen.context.local(seen.tenant_id))
    names = list(seen.context.sources_of(seen.tenant_id))
    found = await deliveries.find(
        seen.context.database, seen.tenant_id, query, limit=limit, cursor=cursor, sources=names
    )
    rows = list(found.items)
    if cleartext(seen, reveal):
        await audit.reveal(
            seen.context.database, seen.act(), tenant_id=seen.tenant_id, subject=f"list of {len(rows)} deliveries"
        )
    else:
        rows = [masking.row(row) for row in rows]
    return Page(items=rows, next=found.next, understood=[term.said for term in query.terms], notes=list(query.notes))


async def _told(request: Request[Any, Any, Any], delivery_id: int, reveal: bool) -> story.Story:
    seen = visit(request)
    tenant_id = await story.tenant_of(seen.context.database, DeliveryId(delivery_id))
    found = (
        await story.tell(seen.context.database, tenant_id, DeliveryId(delivery_id))
        if tenant_id is not None and seen.person.may_see(tenant_id)
        else None
    )
    if found is None or tenant_id is None:
        raise Refused(404, "unknown", "There is no such delivery.")
    if not cleartext(seen, reveal):
        return timeline.masked(found)
    await audit.reveal(
        seen.context.database,
        seen.act(),
        tenant_id=TenantId(tenant_id),
        subject=f"delivery:{delivery_id}",
        delivery_id=DeliveryId(delivery_id),
    )
    return found


@get("/deliveries/{delivery_id:int}", opt=_VIEW, summary="Show a delivery")
async def show_delivery(request: Request[Any, Any, Any], delivery_id: Id, reveal: Flag = False) -> dict[str, Any]:
    """Return everything known about one delivery."""
    found: dict[str, Any] = msgspec.to_builtins(await _told(request, delivery_id, reveal))
    return found


@get("/deliveries/{delivery_id:int}/why", opt=_VIEW, summary="Explain a delivery")
async def why(request: Request[Any, Any, Any], delivery_id: Id, reveal: Flag = False) -> Why:
    """Return what happened to a delivery and why, as the why page tells it."""
    found = await _told(request, delivery_id, reveal)
    return Why(
        sentence=found.sentence,
        status=found.status.value,
        remedy=found.remedy,
        moments=list(timeline.moments(found)),
        story=msgspec.to_builtins(found),
    )


@get("/rejected", opt=_VIEW, summary="List refused requests")
async def rejected(
    request: Request[Any, Any, Any],
    source: Text = "",
    reason: Text = "",
    before: After = None,
    limit: Limit = 50,
    tenant: Tenant = None,
) -> list[RejectedSeen]:
    """Return requests that were not taken in, the newest first."""
    del tenant
    seen = visit(request)
    return await sources.rejected(
        seen.context.database,
        seen.tenant_id,
        source_id=source,
        reason=reason,
        before_id=before,
        limit=limit,
    )


@get("/today", opt=_VIEW, summary="Today's numbers")
async def today(request: Request[Any, Any, Any], tenant: Tenant = None) -> Today:
    """Return what came in today and what stands still."""
    del tenant
    seen = visit(request)
    return await overview.today(
        seen.context.database,
        seen.tenant_id,
        time_zone=seen.context.time_zone(seen.tenant_id),
        now=seen.context.clock(),
    )


@get("/review", opt=_VIEW, summary="List what waits for a person")
async def holds(
    request: Request[Any, Any, Any],
    after: After = None,
    source: Text = "",
    limit: Limit = 50,
    reveal: Flag = False,
    tenant: Tenant = None,
) -> list[HoldView]:
    """Return open holds, the oldest first."""
    del tenant
    seen = visit(request)
    clear = cleartext(seen, reveal)
    rows = [
        await review.full(seen.context.database, seen.tenant_id, hold)
        for hold in await review.waiting(
            seen.context.database, seen.tenant_id, after_id=after, source_id=source, limit=min(limit, 100)
        )
    ]
    if clear:
        await audit.reveal(
            seen.context.database, seen.act(), tenant_id=seen.tenant_id, subject=f"list of {len(rows)} holds"
        )
        return rows
    return [review.masked(row) for row in rows]


@get("/outbox", opt=_VIEW, summary="Show the outbox")
async def show_outbox(request: Request[Any, Any, Any], tenant: Tenant = None) -> OutboxSeen:
    """Return counts, pauses, breakers and the budget."""
    del tenant
    seen = visit(request)
    return await outbox.outbox(seen.context.database, seen.tenant_id, now=seen.context.clock())


@get("/outbox/messages", opt=_VIEW, summary="List messages")
async def messages(
    request: Request[Any, Any, Any],
    standing: Annotated[str, QueryParameter(name="state", pattern="^(|ready|waiting|held|in_doubt|dead)$")] = "",
    source: Text = "", reason: Text = "", kind: Text = "", after: After = None, limit: Limit = 50, tenant: Tenant = None,
) -> list[MessageSeen]:  # fmt: skip
    """Return messages of a state, oldest first."""
    del tenant
    seen = visit(request)
    return await outbox.messages(
        seen.context.database,
        seen.tenant_id,
        state=standing,
        source_id=source,
        reason=reason,
        kind=kind,
        after_id=after,
        limit=limit,
        now=seen.context.clock(),
    )


@get("/outbox/alerts", opt=_VIEW, summary="List alerts")
async def list_alerts(request: Request[Any, Any, Any], limit: Limit = 50, tenant: Tenant = None) -> list[AlertSeen]:
    """Return what people were told or still are to be, the newest first."""
    del tenant
    seen = visit(request)
    return await outbox.alerts(seen.context.database, seen.tenant_id, limit=limit)


@get("/runs", opt=_VIEW, summary="List background actions")
async def runs(request: Request[Any, Any, Any], tenant: Tenant = None) -> list[RunSeen]:
    """Return background actions with their counts, the newest first."""
    del tenant
    seen = visit(request)
    return await outbox.runs(seen.context.database, seen.tenant_id)


@get("/problems", opt=_VIEW, summary="List failures by cause")
async def problems(request: Request[Any, Any, Any], tenant: Tenant = None) -> list[ProblemSeen]:
    """Return the failures of 14 days, grouped."""
    del tenant
    seen = visit(request)
    now = seen.context.clock()
    return await outbox.problems(seen.context.database, seen.tenant_id, since=now - timedelta(days=14), now=now)


@get("/sources", opt=_VIEW, summary="List sources")
async def list_sources(request: Request[Any, Any, Any], tenant: Tenant = None) -> list[SourceSeen]:
    """Return every source and how it behaves."""
    del tenant
    seen = visit(request)
    zone, now = seen.context.time_zone(seen.tenant_id), seen.context.clock()
    names = list(seen.context.sources_of(seen.tenant_id))
    return await sources.sources(
        seen.context.database, seen.tenant_id, names, time_zone=zone, since=overview.midnight(now, zone), now=now
    )


@get("/party/{customer_id:int}", opt=_VIEW, summary="A customer's whole story")
async def party(request: Request[Any, Any, Any], customer_id: Id, tenant: Tenant = None) -> PartyStory:
    """Return everything that came in about a customer."""
    del tenant
    seen = visit(request)
    region = seen.context.region(seen.tenant_id)
    return masked_party(await people.party_story(seen.context.database, seen.tenant_id, customer_id, region=region))


@get("/flow", opt=_VIEW, summary="From source to outcome")
async def show_flow(
    request: Request[Any, Any, Any], days: Annotated[int, QueryParameter(ge=1, le=90)] = 7, tenant: Tenant = None
) -> flow.Flow:
    """Return how deliveries went from source to outcome, and how fast."""
    del tenant
    seen = visit(request)
    return await flow.flow(seen.context.database, seen.tenant_id, since=seen.context.clock() - timedelta(days=days))


@get("/health", opt=_VIEW, summary="Is everything at work")
async def show_health(request: Request[Any, Any, Any], tenant: Tenant = None) -> list[Check]:
    """Return what was looked at."""
    del tenant
    seen = visit(request)
    return await health.checks(seen.context.database, seen.tenant_id, now=seen.context.clock())


@get("/audit", opt=_ADMIN, summary="Who did what")
async def show_audit(
    request: Request[Any, Any, Any], before: After = None, limit: Limit = 50, tenant: Tenant = None
) -> list[AuditSeen]:
    """Return the audit, the newest first."""
    del tenant
    seen = visit(request)
    return await people.audit(seen.context.database, [int(seen.tenant_id), 0], before_id=before, limit=limit)


@get("/users", opt=_ADMIN, summary="List users")
async def list_users(request: Request[Any, Any, Any]) -> list[UserSeen]:
    """Return everybody who may log in."""
    return await people.users(visit(request).context.database)


@get("/tokens", opt=_ADMIN, summary="List API tokens")
async def list_tokens(request: Request[Any, Any, Any]) -> list[TokenSeen]:
    """Return API tokens, never their text."""
    return await people.tokens(visit(request).context.database)


HANDLERS: list[HTTPRouteHandler] = [
    list_deliveries, show_delivery, why, rejected, today, holds, show_outbox, messages, list_alerts, runs, problems, list_sources, party, show_flow, show_health,
    show_audit, list_users, list_tokens,
]  # fmt: skip
