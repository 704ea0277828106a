"""The clicks that do something; each answers with a short message and lets the page fetch itself anew."""

from typing import Any

from litestar import Request, Response, get, post

from bridge.domain.ids import DeliveryId, EffectId
from bridge.entrypoints import preview
from bridge.entrypoints.access import Refused, Visit, form_of, visit
from bridge.entrypoints.console.pages import told, why_page
from bridge.entrypoints.console.rendering import page, toast
from bridge.operations import audit, bulk, deliveries, outbox, review
from bridge.operations.audit import Done
from bridge.operations.users import Role
from bridge.reports import deliveries as listing
from bridge.reports import search, timeline
from bridge.sending.bulk import Filter

_ACT = {"needs": Role.OPERATOR}


def _say(done: Done) -> Response[str]:
    return toast(done.text, tone="good" if done.is_done else "bad")


@post("/deliveries/{delivery_id:int}/reveal", opt=_ACT, status_code=200)
async def reveal(request: Request[Any, Any, Any]) -> Response[str]:
    """Show the personal data of one delivery, after writing down who looked."""
    seen, found = await told(request)
    subject = f"delivery:{found.id}"
    await audit.reveal(
        seen.context.database, seen.act(), tenant_id=seen.tenant_id, subject=subject, delivery_id=DeliveryId(found.id)
    )
    return await why_page(seen, found, hidden=False, template="partials/story.html")


_ONE = {"retry": deliveries.retry, "hold": deliveries.hold, "resume": deliveries.resume, "dismiss": deliveries.dismiss}


@post("/deliveries/{delivery_id:int}/{action:str}", opt=_ACT, status_code=200)
async def act(request: Request[Any, Any, Any]) -> Response[str]:
    """Retry, hold, resume or dismiss one delivery, or refuse its match."""
    seen, found = await told(request)
    filled = await form_of(request)
    action = str(request.path_params["action"])
    who = seen.act(filled.get("reason", ""))
    here = {"tenant_id": seen.tenant_id, "delivery_id": DeliveryId(found.id)}
    if action in _ONE:
        return _say(await _ONE[action](seen.context.database, who, **here))  # type: ignore[arg-type]  # one shape for all
    customer = filled.get("customer_id", "")
    if action == "not-this-customer" and customer.isdigit():
        return _say(
            await review.not_this_customer(
                seen.context.database,
                who,
                tenant_id=seen.tenant_id,
                delivery_id=DeliveryId(found.id),
                customer_id=int(customer[:18]),
                region=seen.context.region(seen.tenant_id),
            )
        )
    raise Refused(404, "unknown", "There is no such action.")


@post("/deliveries/{delivery_id:int}/replay", opt=_ACT, status_code=200)
async def replay(request: Request[Any, Any, Any]) -> Response[str]:
    """Run one delivery through the flow again; its path is its own, for the preview is a GET of the same."""
    seen, found = await told(request)
    filled = await form_of(request)
    return _say(
        await deliveries.replay(
            seen.context.database,
            seen.act(filled.get("reason", "")),
            tenant_id=seen.tenant_id,
            delivery_id=DeliveryId(found.id),
            force=filled.get("force") == "1",
        )
    )


@get("/deliveries/{delivery_id:int}/edit", opt=_ACT)
async def edit_form(request: Request[Any, Any, Any]) -> Response[str]:
    """Ask before the payload is shown in clear: the form itself comes by POST, and is written down."""
    seen, found = await told(request)
    return page(seen, "partials/edit.html", story=timeline.masked(found), body=None, change=None)


@post("/deliveries/{delivery_id:int}/edit", opt=_ACT, status_code=200)
async def edit(request: Request[Any, Any, Any]) -> Response[str]:
    """Open the payload for correction, show what the corrected one would do, then send it."""
    seen, found = await told(request)
    filled = await form_of(request)
    step = filled.get("step", "open")
    body = filled.get("body", found.request.body)
    if step == "send":
        who = seen.act(filled.get("reason", ""))
        done = await deliveries.edit(
            seen.context.database,
            who,
            tenant_id=seen.tenant_id,
            delivery_id=DeliveryId(found.id),
            body=body,
            force=filled.get("force") == "1",
        )
        if done.is_done:
            return Response(content="", status_code=200, headers={"hx-redirect": f"/deliveries/{done.id}"})
        return toast(done.text, tone="bad", refresh=False)
    change = None
    if step == "preview":
        change = await preview.of_delivery(seen.context, found, now=seen.context.clock(), body=body)
    else:
        subject = f"delivery:{found.id}"
        await audit.reveal(
            seen.context.database,
            seen.act("to edit"),
            tenant_id=seen.tenant_id,
            subject=subject,
            delivery_id=DeliveryId(found.id),
        )
    return page(seen, "partials/edit.html", story=found, body=body, change=change)


@post("/deliveries/bulk", opt=_ACT, status_code=200)
async def bulk_deliveries(request: Request[Any, Any, Any]) -> Response[str]:
    """Start an action on the chosen deliveries, or on everything that the search matches now."""
    seen = visit(request)
    filled = await request.form()
    chosen = [int(value) for value in filled.getall("id", []) if str(value).isdigit() and len(str(value)) < 19]
    text, action = str(filled.get("q", ""))[:400], str(filled.get("action", ""))
    if filled.get("all") == "1":
        chosen = await _everything(seen, text)
    done = await bulk.start(
        seen.context.database,
        seen.act(str(filled.get("reason", ""))),
        tenant_id=seen.tenant_id,
        action=action,
        query=text,
        delivery_ids=chosen,
    )
    return _say(done)


async def _everything(seen: Visit, text: str) -> list[int]:
    query = search.parse(text, seen.context.local(seen.tenant_id))
    return await listing.matching_ids(
        seen.context.database, seen.tenant_id, query, sources=list(seen.context.sources_of(seen.tenant_id))
    )


@get("/deliveries/count", opt=_ACT)
async def count(request: Request[Any, Any, Any]) -> Response[str]:
    """Say how many deliveries a search matches, for the button that takes them all."""
    seen = visit(request)
    found = len(await _everything(seen, str(request.query_params.get("q", ""))[:400]))
    return page(seen, "partials/count.html", count=found, bound=10_000)


@post("/runs/{run_id:int}/stop", opt=_ACT, status_code=200)
async def stop_run(request: Request[Any, Any, Any]) -> Response[str]:
    """Stop a background action."""
    seen = visit(request)
    return _say(
        await bulk.stop(
            seen.context.database, seen.act(), tenant_id=seen.tenant_id, run_id=int(request.path_params["run_id"])
        )
    )


@post("/outbox/pause", opt=_ACT, status_code=200)
async def pause(request: Request[Any, Any, Any]) -> Response[str]:
    """Let nothing new be sent."""
    seen = visit(request)
    filled = await form_of(request)
    scope = filled.get("scope", "tenant")
    if scope not in {"tenant", "source", "lane"}:
        raise Refused(400, "scope_unknown", "A tenant, a source or a lane can be paused.")
    return _say(
        await outbox.pause(
            seen.context.database,
            seen.act(filled.get("reason", "")),
            tenant_id=seen.tenant_id,
            scope=scope,
            name=filled.get("name", ""),
        )
    )


@post("/outbox/resume", opt=_ACT, status_code=200)
async def resume(request: Request[Any, Any, Any]) -> Response[str]:
    """Let it be sent again."""
    seen = visit(request)
    filled = await form_of(request)
    scope = filled.get("scope", "tenant")
    if scope not in {"tenant", "source", "lane"}:
        raise Refused(400, "scope_unknown", "A tenant, a source or a lane can be resumed.")
    return _say(
        await outbox.resume(
            seen.context.database, seen.act(), tenant_id=seen.tenant_id, scope=scope, name=filled.get("name", "")
        )
    )


@post("/outbox/rate", opt=_ACT, status_code=200)
async def set_rate(request: Request[Any, Any, Any]) -> Response[str]:
    """Let fewer requests a second be sent than the tenant's share, or the whole share again."""
    seen = visit(request)
    filled = await form_of(request)
    wanted = filled.get("per_second", "").strip()
    try:
        rate = float(wanted) if wanted else None
    except ValueError:
        raise Refused(
            400, "rate_refused", "How many requests a second? A number, or nothing for the whole share."
        ) from None
    return _say(
        await outbox.set_rate(
            seen.context.database, seen.act(filled.get("reason", "")), tenant_id=seen.tenant_id, rate=rate
        )
    )


@post("/outbox/breaker", opt=_ACT, status_code=200)
async def override_breaker(request: Request[Any, Any, Any]) -> Response[str]:
    """Hold a breaker open or closed, or leave it to itself again."""
    seen = visit(request)
    filled = await form_of(request)
    return _say(
        await outbox.override_breaker(
            seen.context.database,
            seen.act(filled.get("reason", "")),
            tenant_id=seen.tenant_id,
            family=filled.get("family", ""),
            error_class=filled.get("error_class", ""),
            override=filled.get("override", ""),
        )
    )


@post("/outbox/bulk", opt=_ACT, status_code=200)
async def bulk_messages(request: Request[Any, Any, Any]) -> Response[str]:
    """Start an action on every message the filter matches now."""
    seen = visit(request)
    filled = await form_of(request)
    state, action = filled.get("state", ""), filled.get("action", "")
    if state not in {"dead", "waiting", "in_doubt", "held"} or action not in {"retry", "cancel", "release"}:
        raise Refused(400, "filter_unknown", "Choose a state and an action.")
    matching = Filter(
        state=state, kind=filled.get("kind", ""), source_id=filled.get("source", ""), reason=filled.get("why", "")
    )
    return _say(
        await outbox.bulk(
            seen.context.database,
            seen.act(filled.get("reason", "")),
            tenant_id=seen.tenant_id,
            action=action,
            matching=matching,
        )
    )


@post("/messages/{effect_id:int}/{action:str}", opt=_ACT, status_code=200)
async def act_on_message(request: Request[Any, Any, Any]) -> Response[str]:
    """Retry, cancel or release one message."""
    seen = visit(request)
    filled = await form_of(request)
    action = str(request.path_params["action"])
    if action not in {"retry", "cancel", "release"}:
        raise Refused(404, "unknown", "There is no such action.")
    return _say(
        await outbox.act_on(
            seen.context.database, seen.act(filled.get("reason", "")), tenant_id=seen.tenant_id,
            effect_id=EffectId(int(request.path_params["effect_id"])), action=action, is_done=filled.get("is_done") == "1",
        )
    )  # fmt: skip


@post("/problems/mark", opt=_ACT, status_code=200)
async def mark_problem(request: Request[Any, Any, Any]) -> Response[str]:
    """Resolve a group of failures, or keep it quiet for a day."""
    seen = visit(request)
    filled = await form_of(request)
    problem = (filled.get("why", ""), filled.get("kind", ""), filled.get("source", ""))
    hours = 24.0 if filled.get("action") == "mute" else 0.0
    return _say(
        await outbox.mark_problem(
            seen.context.database, seen.act(), tenant_id=seen.tenant_id, problem=problem, mute_hours=hours
        )
    )


HANDLERS = [
    reveal, act, replay, edit_form, edit, bulk_deliveries, count, stop_run, pause, resume, set_rate, override_breaker, bulk_messages, act_on_message,
    mark_problem,
]  # fmt: skip
