"""The pages around deliveries: outbox, problems, sources, party, flow, health, help."""

from datetime import timedelta
from typing import Any

import httpx
import msgspec
from litestar import Request, Response, get, post

from bridge.domain.budget import RATE
from bridge.domain.ids import DeliveryId
from bridge.entrypoints import preview, samples
from bridge.entrypoints.access import Refused, Visit, context_of, form_of, number_of, text_of, visit
from bridge.entrypoints.console.rendering import page, toast
from bridge.operations import audit
from bridge.operations import outbox as operation
from bridge.operations.users import Role
from bridge.reports import flow, health, masking, outbox, overview, people, review, search, sources, story, timeline
from bridge.reports.deliveries import DeliveryPage

_VIEW = {"needs": Role.VIEWER}


@get("/outbox", opt=_VIEW)
async def outbox_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show what waits to be sent, and what will not be."""
    seen = visit(request)
    state, now = text_of(request, "state", most=20), seen.context.clock()
    filters = {name: text_of(request, name) for name in ("source", "reason", "kind")}
    rows = await outbox.messages(
        seen.context.database, seen.tenant_id, state=state, source_id=filters["source"], reason=filters["reason"], kind=filters["kind"],
        after_id=number_of(request, "after"), now=now,
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
        sources=list(seen.context.sources_of(seen.tenant_id)),
        families=operation.FAMILIES,
        error_classes=operation.ERROR_CLASSES,
        share=RATE,
        alerts=await outbox.alerts(seen.context.database, seen.tenant_id),
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
    tenant = seen.context.tenant(seen.tenant_id)
    values: dict[str, Any] = {
        "source": source,
        "row": row,
        "secrets": secrets,
        "refused": await sources.rejected(seen.context.database, seen.tenant_id, source_id=source_id, limit=5),
        "hook": seen.context.settings.hook_url(source.id),
        "samples": list(samples.cases_of(source)),
        "is_simulator": bool(tenant and tenant.is_simulator),
        "quiet_at": f"{sources.QUIET_AT:g}",
    }
    return page(seen, "source.html", **values, **await _mapping(seen, source_id, row.sample_id))


async def _mapping(seen: Visit, source_id: str, newest: int | None) -> dict[str, Any]:
    """Return a real delivery of a source as today's config reads it: the one that was asked for, else the newest."""
    number = number_of(seen.request, "delivery") or newest
    sample = await story.tell(seen.context.database, seen.tenant_id, DeliveryId(number)) if number else None
    if sample is None or sample.source_id != source_id:
        return {"sample": None, "inquiries": [], "fault": ""}
    change = await preview.of_delivery(seen.context, sample, now=seen.context.clock())
    known = sample.personal()
    return {
        "sample": timeline.masked(sample),
        "inquiries": [timeline.hidden(one.inquiry, known) for one in change.anew],
        "fault": masking.prose(change.fault, known),
    }


@post("/sources/{source_id:str}/sample", opt={"needs": Role.OPERATOR}, status_code=200)
async def send_sample(request: Request[Any, Any, Any]) -> Response[str]:
    """Send a sample to our own door as the sender would, and say where it went."""
    seen = visit(request)
    source_id = str(request.path_params["source_id"])
    source = next((one for name, one in seen.context.sources_of(seen.tenant_id).items() if name == source_id), None)
    if source is None:
        raise Refused(404, "source_unknown", "There is no such source.")
    settings = seen.context.settings
    try:
        sample = samples.signed(
            settings, source, name=(await form_of(request)).get("case", ""), now=seen.context.clock()
        )
    except samples.SampleInvalid as invalid:
        raise Refused(404, "unknown", str(invalid)) from invalid
    await audit.note(seen.context.database, seen.act(), "sample.sent", f"source:{source_id}", tenant_id=seen.tenant_id)
    async with httpx.AsyncClient(timeout=10, follow_redirects=False) as client:
        try:
            answer = await client.request(
                sample.method, samples.address(settings, sample), headers=list(sample.headers), content=sample.body
            )
        except httpx.HTTPError as error:
            return toast(f"The door does not answer: {type(error).__name__}.", tone="bad", refresh=False)
    try:
        told = msgspec.json.decode(answer.content, type=dict[str, Any])
    except msgspec.DecodeError:
        told = {}
    return page(seen, "partials/sample.html", status=200, answered=answer.status_code, told=told)


async def _party(request: Request[Any, Any, Any]) -> tuple[Visit, people.PartyStory]:
    seen = visit(request)
    customer_id = int(request.path_params["customer_id"])
    if not 0 < customer_id < 2**63:
        raise Refused(404, "unknown", "There is no such customer.")
    region = seen.context.region(seen.tenant_id)
    return seen, await people.party_story(seen.context.database, seen.tenant_id, customer_id, region=region)


@get("/party/{customer_id:int}", opt=_VIEW)
async def party(request: Request[Any, Any, Any]) -> Response[str]:
    """Show a customer's whole story across sources."""
    seen, found = await _party(request)
    hidden = masked_party(found)
    return page(seen, "party.html", party=hidden, found=DeliveryPage(items=hidden.deliveries), is_masked=True)


@post("/party/{customer_id:int}/reveal", opt={"needs": Role.OPERATOR}, status_code=200)
async def reveal_party(request: Request[Any, Any, Any]) -> Response[str]:
    """Show the customer in clear, after writing down who looked."""
    seen, found = await _party(request)
    await audit.reveal(
        seen.context.database, seen.act(), tenant_id=seen.tenant_id, subject=f"customer:{found.customer_id}"
    )
    return page(seen, "party.html", party=found, found=DeliveryPage(items=found.deliveries), is_masked=False)


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
    days = min(number_of(request, "days") or 7, 90)
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
    outbox_page,
    problems,
    source_list,
    source_page,
    send_sample,
    party,
    reveal_party,
    flow_page,
    health_page,
    help_page,
]
