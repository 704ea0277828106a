"""The pages about deliveries: today, the list, its CSV, why."""

import csv
import io
from typing import Any

import msgspec
from litestar import Request, Response, get

from bridge.domain.ids import DeliveryId, TenantId
from bridge.entrypoints import preview
from bridge.entrypoints.access import Refused, Visit, number_of, text_of, visit
from bridge.entrypoints.console.rendering import HEADERS, page
from bridge.entrypoints.rehearsal import requests_of_story
from bridge.operations.users import Role
from bridge.reports import (
    deliveries,
    masking,
    overview,
    search,
    sources,
    story,
    timeline,
)
from bridge.reports.deliveries import CursorInvalid, DeliveryPage
from bridge.reports.overview import Banner

_VIEW = {"needs": Role.VIEWER}
CSV_ROWS = 10_000
VIEWS = (
    ("All", ""), ("Today", "today"), ("Needs a person", "outcome:review,failed"), ("Held", "outcome:held,retrying"),
    ("Refused at the door", "outcome:rejected"),
)  # fmt: skip
"""Searches that everybody needs, each a link."""


async def listed(seen: Visit, text: str, *, cursor: str = "", limit: int = 50) -> tuple[search.Query, DeliveryPage]:
    """Return a search and its page, people hidden."""
    query = search.parse(text, seen.context.local(seen.tenant_id))
    names = list(seen.context.sources_of(seen.tenant_id))
    try:
        found = await deliveries.find(
            seen.context.database, seen.tenant_id, query, limit=limit, cursor=cursor, sources=names
        )
    except CursorInvalid as bad:
        raise Refused(400, "cursor_invalid", "The link to this page of the list is broken.") from bad
    return query, msgspec.structs.replace(found, items=tuple(masking.row(row) for row in found.items))


@get("/", opt=_VIEW)
async def today(request: Request[Any, Any, Any]) -> Response[str]:
    """Four numbers, what stands still, the newest deliveries."""
    seen = visit(request)
    zone, now = seen.context.time_zone(seen.tenant_id), seen.context.clock()
    seen_today = await overview.today(seen.context.database, seen.tenant_id, time_zone=zone, now=now)
    rows = await sources.sources(
        seen.context.database,
        seen.tenant_id,
        list(seen.context.sources_of(seen.tenant_id)),
        time_zone=zone,
        since=seen_today.since,
        now=now,
    )
    quiet = tuple(
        Banner(
            tone="wait",
            text=f"{row.source_id} is quiet: normally {row.expected:.0f} by now, {row.today} came.",
            href=f"/sources/{row.source_id}",
        )
        for row in rows
        if row.is_quiet
    )
    query, found = await listed(seen, "", limit=20)
    return page(
        seen,
        "today.html",
        today=seen_today,
        banners=(*seen_today.banners, *quiet),
        found=found,
        query=query,
        live=True,
        q="",
        words=_words(seen),
    )


@get("/deliveries", opt=_VIEW)
async def delivery_list(request: Request[Any, Any, Any]) -> Response[str]:
    """Show the list with its search box; everything is in the URL."""
    seen = visit(request)
    text, cursor = text_of(request, "q"), text_of(request, "cursor", most=80)
    query = search.parse(text, seen.context.local(seen.tenant_id))
    if query.only("outcome") == "rejected":
        return await _rejected(seen, query)
    query, found = await listed(seen, text, cursor=cursor)
    if (
        len(found.items) == 1
        and not found.next
        and not cursor
        and any(term.kind in {"id", "number"} for term in query.terms)
        and text_of(request, "go")
    ):
        return Response(
            content="",
            status_code=303,
            headers={"location": f"/deliveries/{found.items[0].id}", "cache-control": "no-store"},
        )
    is_more = request.headers.get("hx-target") == "rows" or (bool(cursor) and bool(request.headers.get("hx-request")))
    template = "partials/rows.html" if is_more else "deliveries.html"
    live = text_of(request, "live") == "1" and not cursor
    return page(seen, template, query=query, found=found, q=text, live=live, views=VIEWS, words=_words(seen))


def _words(seen: Visit) -> list[str]:
    """Return what the search box completes: qualifiers, and those whose values are few with each value."""
    names = [f"source:{source_id}" for source_id in seen.context.sources_of(seen.tenant_id)]
    few = {"outcome": search.OUTCOMES, "match": tuple(search.MATCHES)}
    words = [f"{key}:{value}" for key, values in few.items() for value in values]
    return [*(f"{name}:" for name in search.QUALIFIERS), "payload.", *names, *words]


async def _rejected(seen: Visit, query: search.Query) -> Response[str]:
    rows = await sources.rejected(
        seen.context.database,
        seen.tenant_id,
        source_id=query.only("source"),
        reason=query.only("reason"),
        before_id=number_of(seen.request, "before"),
    )
    return page(
        seen, "rejected.html", rows=rows, q=query.text, query=query, live=False, views=VIEWS, words=_words(seen)
    )


_FORMULA = tuple("=+-@|%\t\r\n")


def _cell(text: str) -> str:
    """Return a text that no spreadsheet runs as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


@get("/deliveries.csv", opt={"needs": Role.OPERATOR})
async def delivery_csv(request: Request[Any, Any, Any]) -> Response[str]:
    """Everything that matches as CSV, people hidden, up to 10,000 lines."""
    seen = visit(request)
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(
        [
            "id",
            "received_at",
            "source",
            "event",
            "outcome",
            "reason",
            "name",
            "phone",
            "email",
            "zip",
            "campaign",
            "servicetitan_ids",
        ]
    )
    cursor, lines = "", 0
    while lines < CSV_ROWS:
        _, found = await listed(seen, text_of(request, "q"), cursor=cursor, limit=500)
        for row in found.items:
            cells = [
                row.id,
                row.received_at.isoformat(),
                row.source_id,
                row.event_type,
                row.status.value,
                row.reason,
                row.name,
                " ".join(row.phones),
            ]
            cells += [" ".join(row.emails), row.zip, row.campaign, " ".join(map(str, row.servicetitan_ids))]
            writer.writerow([_cell(str(cell)) for cell in cells])
        lines += len(found.items)
        cursor = found.next
        if not cursor:
            break
    headers = {**HEADERS, "content-disposition": 'attachment; filename="deliveries.csv"'}
    return Response(content=written.getvalue(), media_type="text/csv", headers=headers)


async def told(request: Request[Any, Any, Any]) -> tuple[Visit, story.Story]:
    """Return the story that a URL names; the delivery's own tenant is the one looked at."""
    seen = visit(request)
    delivery_id = DeliveryId(int(request.path_params["delivery_id"]))
    if not 0 < delivery_id < 2**63:
        raise Refused(404, "unknown", "There is no such delivery.")
    tenant_id = await story.tenant_of(seen.context.database, delivery_id)
    if tenant_id is None or not seen.person.may_see(tenant_id):
        raise Refused(404, "unknown", "There is no such delivery.")
    seen = seen._replace(tenant_id=TenantId(tenant_id))
    found = await story.tell(seen.context.database, tenant_id, delivery_id)
    if found is None:
        raise Refused(404, "unknown", "There is no such delivery.")
    return seen, found


async def why_page(
    seen: Visit, found: story.Story, *, hidden: bool = True, template: str = "delivery.html"
) -> Response[str]:
    """Return the why page of a story, its people hidden or not."""
    tenant = seen.context.tenant(found.tenant_id)
    known = found.personal() if hidden else None
    requests = await requests_of_story(seen.context.database, tenant, found, known=known) if tenant else {}
    if hidden:
        found = timeline.masked(found)
    source = seen.context.settings.sources.get(found.source_id)  # type: ignore[call-overload]  # a NewType of str
    return page(seen, template, story=found, moments=timeline.moments(found), source=source, requests=requests)


@get("/deliveries/{delivery_id:int}", opt=_VIEW)
async def why(request: Request[Any, Any, Any]) -> Response[str]:
    """Why is it as it is."""
    seen, found = await told(request)
    is_part = request.headers.get("hx-target") == "story"
    return await why_page(seen, found, template="partials/story.html" if is_part else "delivery.html")


@get("/deliveries/{delivery_id:int}/replay", opt={"needs": Role.OPERATOR})
async def replay_preview(request: Request[Any, Any, Any]) -> Response[str]:
    """Show what a replay with today's config would change, before it does."""
    seen, found = await told(request)
    change = await preview.of_delivery(seen.context, found, now=seen.context.clock())
    return page(seen, "partials/replay.html", story=found, change=preview.masked(change, found))


HANDLERS = [today, delivery_list, delivery_csv, why, replay_preview]
