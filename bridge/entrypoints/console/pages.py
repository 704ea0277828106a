"""The pages that show: today, deliveries, why, outbox, problems, sources, party, flow, health."""

import csv
import io
from datetime import timedelta
from typing import Any

import msgspec
from litestar import Request, Response, get

from bridge.domain.ids import DeliveryId, TenantId
from bridge.entrypoints import preview
from bridge.entrypoints.access import Refused, Visit, context_of, visit
from bridge.entrypoints.console.rendering import HEADERS, page
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
from bridge.reports.deliveries import CursorInvalid, DeliveryPage
from bridge.reports.overview import Banner

_VIEW = {"needs": Role.VIEWER}
CSV_ROWS = 10_000


def _text(request: Request[Any, Any, Any], name: str, *, most: int = 400) -> str:
    return str(request.query_params.get(name, ""))[:most]


def _number(request: Request[Any, Any, Any], name: str) -> int | None:
    text = _text(request, name, most=18)
    return int(text) if text.isdigit() else None


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
    )


@get("/deliveries", opt=_VIEW)
async def delivery_list(request: Request[Any, Any, Any]) -> Response[str]:
    """Show the list with its search box; everything is in the URL."""
    seen = visit(request)
    text, cursor = _text(request, "q"), _text(request, "cursor", most=80)
    query = search.parse(text, seen.context.local(seen.tenant_id))
    if query.only("outcome") == "rejected":
        return await _rejected(seen, query)
    query, found = await listed(seen, text, cursor=cursor)
    if (
        len(found.items) == 1
        and not found.next
        and not cursor
        and any(term.kind in {"id", "number"} for term in query.terms)
        and _text(request, "go")
    ):
        return Response(
            content="",
            status_code=303,
            headers={"location": f"/deliveries/{found.items[0].id}", "cache-control": "no-store"},
        )
    is_more = request.headers.get("hx-target") == "rows" or (bool(cursor) and bool(request.headers.get("hx-request")))
    template = "partials/rows.html" if is_more else "deliveries.html"
    live = _text(request, "live") == "1" and not cursor
    return page(seen, template, query=query, found=found, q=text, live=live, qualifiers=search.QUALIFIERS)


async def _rejected(seen: Visit, query: search.Query) -> Response[str]:
    rows = await sources.rejected(
        seen.context.database,
        seen.tenant_id,
        source_id=query.only("source"),
        reason=query.only("reason"),
        before_id=_number(seen.request, "before"),
    )
    return page(seen, "rejected.html", rows=rows, q=query.text, query=query, live=False, qualifiers=search.QUALIFIERS)


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
        _, found = await listed(seen, _text(request, "q"), cursor=cursor, limit=500)
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
    return Response(content=written.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


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


def why_page(seen: Visit, found: story.Story, *, template: str = "delivery.html") -> Response[str]:
    """Return the why page of a story, hidden or not."""
    source = seen.context.settings.sources.get(found.source_id)  # type: ignore[call-overload]  # a NewType of str
    return page(seen, template, story=found, moments=timeline.moments(found), source=source)


@get("/deliveries/{delivery_id:int}", opt=_VIEW)
async def why(request: Request[Any, Any, Any]) -> Response[str]:
    """Why is it as it is."""
    seen, found = await told(request)
    is_part = request.headers.get("hx-target") == "story"
    return why_page(seen, timeline.masked(found), template="partials/story.html" if is_part else "delivery.html")


@get("/deliveries/{delivery_id:int}/replay", opt={"needs": Role.OPERATOR})
async def replay_preview(request: Request[Any, Any, Any]) -> Response[str]:
    """Show what a replay with today's config would change, before it does."""
    seen, found = await told(request)
    change = await preview.of_delivery(seen.context, found, now=seen.context.clock())
    return page(seen, "partials/replay.html", story=found, change=preview.masked(change, found))


@get("/outbox", opt=_VIEW)
async def outbox_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show what waits to be sent, and what will not be."""
    seen = visit(request)
    state, now = _text(request, "state", most=20), seen.context.clock()
    filters = {name: _text(request, name) for name in ("source", "reason", "kind")}
    rows = await outbox.messages(
        seen.context.database, seen.tenant_id, state=state, source_id=filters["source"], reason=filters["reason"], kind=filters["kind"],
        after_id=_number(request, "after"), now=now,
    )  # fmt: skip
    standing = await outbox.outbox(seen.context.database, seen.tenant_id, now=now)
    runs = await outbox.runs(seen.context.database, seen.tenant_id, limit=8)
    is_part = request.headers.get("hx-target") == "runs"
    return page(
        seen,
        "partials/runs.html" if is_part else "outbox.html",
        rows=rows,
        standing=standing,
        runs=runs,
        state=state,
        filters=filters,
        states=outbox.STATES,
    )


@get("/problems", opt=_VIEW)
async def problems(request: Request[Any, Any, Any]) -> Response[str]:
    """Failures grouped by what they have in common."""
    seen = visit(request)
    now = seen.context.clock()
    rows = await outbox.problems(seen.context.database, seen.tenant_id, since=now - timedelta(days=14), now=now)
    return page(seen, "problems.html", rows=rows)


@get("/sources", opt=_VIEW)
async def source_list(request: Request[Any, Any, Any]) -> Response[str]:
    """Every configured source and how it behaves."""
    seen = visit(request)
    return page(
        seen,
        "sources.html",
        rows=await _sources(seen),
        configured=seen.context.sources_of(seen.tenant_id),
        settings=seen.context.settings,
    )


async def _sources(seen: Visit) -> list[sources.SourceSeen]:
    zone, now = seen.context.time_zone(seen.tenant_id), seen.context.clock()
    names = list(seen.context.sources_of(seen.tenant_id))
    return await sources.sources(
        seen.context.database, seen.tenant_id, names, time_zone=zone, since=overview.midnight(now, zone), now=now
    )


@get("/sources/{source_id:str}", opt=_VIEW)
async def source_page(request: Request[Any, Any, Any]) -> Response[str]:
    """One source: its URL, its proof, its rhythm, and its mapping shown on the newest delivery."""
    seen = visit(request)
    source_id = str(request.path_params["source_id"])
    configured = seen.context.sources_of(seen.tenant_id)
    source = next((one for name, one in configured.items() if name == source_id), None)
    if source is None:
        raise Refused(404, "source_unknown", "There is no such source.")
    row = next(one for one in await _sources(seen) if one.source_id == source_id)
    secrets = [
        one for one in await sources.secrets(seen.context.database, seen.tenant_id) if one.source_id == source_id
    ]
    refused = await sources.rejected(seen.context.database, seen.tenant_id, source_id=source_id, limit=5)
    sample = (
        await story.tell(seen.context.database, seen.tenant_id, DeliveryId(row.sample_id)) if row.sample_id else None
    )
    values: dict[str, Any] = {
        "source": source,
        "row": row,
        "secrets": secrets,
        "refused": refused,
        "hook": seen.context.settings.hook_url(source.id),
    }
    return page(seen, "source.html", sample=timeline.masked(sample) if sample else None, **values)


@get("/party/{customer_id:int}", opt=_VIEW)
async def party(request: Request[Any, Any, Any]) -> Response[str]:
    """Show a customer's whole story across sources."""
    seen = visit(request)
    customer_id = int(request.path_params["customer_id"])
    if not 0 < customer_id < 2**63:
        raise Refused(404, "unknown", "There is no such customer.")
    tenant = seen.context.tenant(seen.tenant_id)
    found = await people.party_story(
        seen.context.database, seen.tenant_id, customer_id, region=tenant.phone_region if tenant else "US"
    )
    return page(seen, "party.html", party=masked_party(found), found=DeliveryPage(items=masked_party(found).deliveries))


def masked_party(found: people.PartyStory) -> people.PartyStory:
    """Return a customer's story with the customer hidden."""
    known = found.party
    if known is not None:
        known = review.Party(
            customer_id=known.customer_id, name=masking.name(known.name), address=masking.shape(known.address),
            contacts=tuple(masking.email(one) if "@" in one else masking.phone(one) for one in known.contacts), flags=known.flags,
        )  # fmt: skip
    return msgspec.structs.replace(found, party=known, deliveries=tuple(masking.row(row) for row in found.deliveries))


@get("/flow", opt=_VIEW)
async def flow_page(request: Request[Any, Any, Any]) -> Response[str]:
    """From source to outcome, and how fast."""
    seen = visit(request)
    days = min(_number(request, "days") or 7, 90)
    found = await flow.flow(seen.context.database, seen.tenant_id, since=seen.context.clock() - timedelta(days=days))
    return page(seen, "flow.html", flow=found, days=days)


@get("/health", opt=_VIEW)
async def health_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Is everything at work."""
    seen = visit(request)
    return page(
        seen,
        "health.html",
        checks=await health.checks(seen.context.database, seen.tenant_id, now=context_of(request).clock()),
    )


@get("/help", opt=_VIEW)
async def help_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Keys, search words, outcomes."""
    return page(visit(request), "help.html", qualifiers=search.QUALIFIERS, outcomes=search.OUTCOMES)


HANDLERS = [
    today, delivery_list, delivery_csv, why, replay_preview, outbox_page, problems, source_list, source_page, party, flow_page, health_page, help_page,
]  # fmt: skip
