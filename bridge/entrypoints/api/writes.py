"""What the API does: the operations of the console, each once per Idempotency-Key."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody, PathParameter, QueryParameter

from bridge.domain.budget import RATE
from bridge.domain.ids import DeliveryId, EffectId, TenantId
from bridge.domain.inquiry import BookingInquiry, Person, PostalAddress
from bridge.domain.match import Match
from bridge.entrypoints import preview
from bridge.entrypoints.access import Refused, Visit, readable, visit
from bridge.entrypoints.problems import MEDIA_TYPE, problem
from bridge.operations import audit, bulk, deliveries, outbox, review, tokens
from bridge.operations.audit import Done
from bridge.operations.tokens import KeptAnswer, Mismatch, Running
from bridge.operations.users import Role
from bridge.reports import deliveries as listing
from bridge.reports import masking, search, story
from bridge.reports.reading import reading

_ACT = {"needs": Role.OPERATOR}
Id = Annotated[int, PathParameter(gt=0, le=2**63 - 1)]
Tenant = Annotated[
    int | None, QueryParameter(gt=0, le=2**63 - 1, description="A tenant of the token's; its first one by default.")
]
Short = Annotated[str, msgspec.Meta(max_length=500)]
Positive = Annotated[int, msgspec.Meta(gt=0, le=2**63 - 1)]


class Why(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The reason, where one is wanted or worth giving; `force` makes effects a second time."""

    reason: Short = ""
    force: bool = False


class Choice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who it is: a candidate, or nothing where the held writes may just happen."""

    customer_id: Positive | None = None
    location_id: Positive | None = None
    reason: Short = ""


class Scope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is paused or resumed."""

    scope: Literal["tenant", "source", "lane"] = "tenant"
    name: Short = ""
    reason: Short = ""


class Rate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many requests a second a tenant may send, fewer than its share; null for its whole share."""

    per_second: Annotated[float, msgspec.Meta(gt=0, le=RATE)] | None
    reason: Short


class BreakerOverride(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a breaker is held at, whatever happens: closed (all goes), open (nothing goes), or left to itself."""

    family: Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(map(re.escape, outbox.FAMILIES))})$")]
    error_class: Literal["server", "timeout", "connection", "auth"]
    override: Literal["closed", "open", "itself"]
    reason: Short


class Many(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An action on everything that a search matches now."""

    action: Literal["retry", "replay", "hold", "resume", "dismiss"]
    q: Annotated[str, msgspec.Meta(max_length=400)]
    reason: Short = ""
    dry_run: bool = False


class Caller(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is this? What is known about somebody who calls or writes."""

    name: Short = ""
    phones: Annotated[tuple[Short, ...], msgspec.Meta(max_length=10)] = ()
    emails: Annotated[tuple[Short, ...], msgspec.Meta(max_length=10)] = ()
    street: Short = ""
    city: Short = ""
    state: Short = ""
    zip: Short = ""


async def _once(request: Request[Any, Any, Any], do: Callable[[Visit], Awaitable[Done]]) -> Response[bytes]:
    """Do it once per Idempotency-Key, and answer a repetition as the first was answered."""
    seen = visit(request)
    key = request.headers.get("idempotency-key", "")
    if not key:
        return _respond(await do(seen))
    if len(key) > 200 or not key.isascii() or not key.isprintable():
        raise Refused(400, "idempotency_key_invalid", "An Idempotency-Key is up to 200 printable ASCII characters.")
    asked = f"{request.method} {request.url.path}?{request.url.query}\n".encode() + await request.body()
    before = await tokens.begin_once(
        seen.context.database, token_id=seen.person.token_id, key=key, request=asked, now=seen.context.clock()
    )
    if isinstance(before, Mismatch):
        raise Refused(422, "idempotency_key_reused", "This Idempotency-Key was used with another request.")
    if isinstance(before, Running):
        raise Refused(409, "idempotency_key_running", "The first request of this Idempotency-Key is not answered yet.")
    if isinstance(before, KeptAnswer):
        return Response(
            content=before.body,
            status_code=before.status,
            media_type=before.media_type,
            headers={"idempotent-replayed": "true"},
        )
    kept: KeptAnswer | None = None
    try:
        answer = _respond(await do(seen._replace(once=before)))
        kept = KeptAnswer(int(answer.status_code or 200), str(answer.media_type), answer.content)
    except audit.KeyTaken:
        raise Refused(409, "idempotency_key_running", "Another request took this Idempotency-Key meanwhile.") from None
    finally:
        await tokens.end_once(seen.context.database, before, answer=kept)
    return answer


def _respond(done: Done) -> Response[bytes]:
    if done.is_done:
        return Response(content=msgspec.json.encode(done), status_code=200, media_type="application/json")
    status = {
        "unknown": 404,
        "reason_missing": 422,
        "choice_missing": 422,
        "nothing_matches": 422,
        "rate_refused": 422,
        "breaker_unknown": 422,
    }.get(done.refusal, 409)
    return Response(
        content=problem(status, done.refusal, detail=done.text), status_code=status, media_type=MEDIA_TYPE.decode()
    )


async def _owner(seen: Visit, delivery_id: int) -> TenantId:
    tenant_id = await story.tenant_of(seen.context.database, DeliveryId(delivery_id))
    if tenant_id is None or not seen.person.may_see(tenant_id):
        raise Refused(404, "unknown", "There is no such delivery.")
    return tenant_id


_Done = Response[Done]


@post("/deliveries/{delivery_id:int}/retry", opt=_ACT, status_code=200, summary="Send again what failed")
async def retry(request: Request[Any, Any, Any], delivery_id: Id, data: JSONBody[Why]) -> _Done:
    """Send a delivery's dead and sleeping messages again."""

    async def do(seen: Visit) -> Done:
        return await deliveries.retry(
            seen.context.database,
            seen.act(data.reason),
            tenant_id=await _owner(seen, delivery_id),
            delivery_id=DeliveryId(delivery_id),
        )

    return await _once(request, do)  # type: ignore[return-value]  # the encoded form of the same


@post("/deliveries/{delivery_id:int}/replay", opt=_ACT, status_code=200, summary="Decide again with today's config")
async def replay(request: Request[Any, Any, Any], delivery_id: Id, data: JSONBody[Why]) -> _Done:
    """Run a stored delivery through the flow again; effects already made are not made again unless forced."""

    async def do(seen: Visit) -> Done:
        tenant_id = await _owner(seen, delivery_id)
        return await deliveries.replay(
            seen.context.database,
            seen.act(data.reason),
            tenant_id=tenant_id,
            delivery_id=DeliveryId(delivery_id),
            force=data.force,
        )

    return await _once(request, do)  # type: ignore[return-value]


@post("/deliveries/{delivery_id:int}/hold", opt=_ACT, status_code=200, summary="Hold what waits of a delivery")
async def hold(request: Request[Any, Any, Any], delivery_id: Id, data: JSONBody[Why]) -> _Done:
    """Pause the lanes of a delivery."""

    async def do(seen: Visit) -> Done:
        return await deliveries.hold(
            seen.context.database,
            seen.act(data.reason),
            tenant_id=await _owner(seen, delivery_id),
            delivery_id=DeliveryId(delivery_id),
        )

    return await _once(request, do)  # type: ignore[return-value]


@post("/deliveries/{delivery_id:int}/resume", opt=_ACT, status_code=200, summary="Let a held delivery go on")
async def resume_delivery(request: Request[Any, Any, Any], delivery_id: Id, data: JSONBody[Why]) -> _Done:
    """Resume the lanes of a delivery."""

    async def do(seen: Visit) -> Done:
        return await deliveries.resume(
            seen.context.database,
            seen.act(data.reason),
            tenant_id=await _owner(seen, delivery_id),
            delivery_id=DeliveryId(delivery_id),
        )

    return await _once(request, do)  # type: ignore[return-value]


@post("/deliveries/{delivery_id:int}/dismiss", opt=_ACT, status_code=200, summary="Say no to what waits of a delivery")
async def dismiss(request: Request[Any, Any, Any], delivery_id: Id, data: JSONBody[Why]) -> _Done:
    """Dismiss a delivery's holds and cancel its unsent messages."""

    async def do(seen: Visit) -> Done:
        return await deliveries.dismiss(
            seen.context.database,
            seen.act(data.reason),
            tenant_id=await _owner(seen, delivery_id),
            delivery_id=DeliveryId(delivery_id),
        )

    return await _once(request, do)  # type: ignore[return-value]


@post("/runs", opt=_ACT, status_code=200, summary="Act on everything that matches")
async def start_run(request: Request[Any, Any, Any], data: JSONBody[Many], tenant: Tenant = None) -> _Done:
    """Start an action in the background on everything that a search matches now; the list is frozen."""
    del tenant

    async def do(seen: Visit) -> Done:
        query = search.parse(data.q, seen.context.local(seen.tenant_id))
        names = list(seen.context.sources_of(seen.tenant_id))
        ids = await listing.matching_ids(seen.context.database, seen.tenant_id, query, sources=names)
        if data.dry_run:
            return Done(text=f"{len(ids)} deliveries match.", count=len(ids))
        return await bulk.start(
            seen.context.database,
            seen.act(data.reason),
            tenant_id=seen.tenant_id,
            action=data.action,
            query=data.q,
            delivery_ids=ids,
        )

    return await _once(request, do)  # type: ignore[return-value]


@post("/runs/{run_id:int}/stop", opt=_ACT, status_code=200, summary="Stop a background action")
async def stop_run(request: Request[Any, Any, Any], run_id: Id, tenant: Tenant = None) -> _Done:
    """Stop a run; what was done stays done."""
    del tenant

    async def do(seen: Visit) -> Done:
        return await bulk.stop(seen.context.database, seen.act(), tenant_id=seen.tenant_id, run_id=run_id)

    return await _once(request, do)  # type: ignore[return-value]


@post("/review/{hold_id:int}/{choice:str}", opt=_ACT, status_code=200, summary="Decide a hold")
async def decide(
    request: Request[Any, Any, Any], hold_id: Id, choice: Annotated[str, PathParameter(pattern="^(accept|new|dismiss|undo)$")],
    data: JSONBody[Choice], tenant: Tenant = None,
) -> _Done:  # fmt: skip
    """Accept (a candidate), say `new` (none of these), dismiss, or undo."""
    del tenant

    async def do(seen: Visit) -> Done:
        here: dict[str, Any] = {"tenant_id": seen.tenant_id, "hold_id": hold_id}
        act, region = seen.act(data.reason), seen.context.region(seen.tenant_id)
        if choice == "accept":
            return await review.accept(
                seen.context.database,
                act,
                **here,
                customer_id=data.customer_id,
                location_id=data.location_id,
                region=region,
            )
        if choice == "new":
            return await review.none_of_these(seen.context.database, act, **here, region=region)
        plain = {"dismiss": review.dismiss, "undo": review.undo}.get(choice)
        if plain is None:
            raise Refused(404, "unknown", "There is no such choice.")
        return await plain(seen.context.database, act, **here)

    return await _once(request, do)  # type: ignore[return-value]


@post("/outbox/pause", opt=_ACT, status_code=200, summary="Pause sending")
async def pause(request: Request[Any, Any, Any], data: JSONBody[Scope], tenant: Tenant = None) -> _Done:
    """Let nothing new of a tenant, source or lane be sent."""
    del tenant

    async def do(seen: Visit) -> Done:
        return await outbox.pause(
            seen.context.database,
            seen.act(data.reason),
            tenant_id=seen.tenant_id,
            scope=data.scope,
            name=readable(data.name),
        )

    return await _once(request, do)  # type: ignore[return-value]


@post("/outbox/resume", opt=_ACT, status_code=200, summary="Resume sending")
async def resume(request: Request[Any, Any, Any], data: JSONBody[Scope], tenant: Tenant = None) -> _Done:
    """Let a tenant, source or lane be sent again."""
    del tenant

    async def do(seen: Visit) -> Done:
        return await outbox.resume(
            seen.context.database,
            seen.act(data.reason),
            tenant_id=seen.tenant_id,
            scope=data.scope,
            name=readable(data.name),
        )

    return await _once(request, do)  # type: ignore[return-value]


@post("/outbox/rate", opt=_ACT, status_code=200, summary="Set how fast a tenant is sent for")
async def set_rate(request: Request[Any, Any, Any], data: JSONBody[Rate], tenant: Tenant = None) -> _Done:
    """Let a tenant send fewer requests a second than its share, or its whole share again."""
    del tenant

    async def do(seen: Visit) -> Done:
        return await outbox.set_rate(
            seen.context.database, seen.act(data.reason), tenant_id=seen.tenant_id, rate=data.per_second
        )

    return await _once(request, do)  # type: ignore[return-value]


@post("/outbox/breaker", opt=_ACT, status_code=200, summary="Hold a breaker open or closed")
async def override_breaker(
    request: Request[Any, Any, Any], data: JSONBody[BreakerOverride], tenant: Tenant = None
) -> _Done:
    """Hold the breaker of a family of requests, or leave it to itself again."""
    del tenant

    async def do(seen: Visit) -> Done:
        return await outbox.override_breaker(
            seen.context.database, seen.act(data.reason), tenant_id=seen.tenant_id,
            family=data.family, error_class=data.error_class, override=data.override,
        )  # fmt: skip

    return await _once(request, do)  # type: ignore[return-value]


@post("/outbox/messages/{effect_id:int}/{action:str}", opt=_ACT, status_code=200, summary="Act on one message")
async def act_on_message(
    request: Request[Any, Any, Any],
    effect_id: Id,
    action: Annotated[str, PathParameter(pattern="^(retry|cancel|release)$")],
    data: JSONBody[Why],
    tenant: Tenant = None,
) -> _Done:
    """Retry, cancel or release a message."""
    del tenant

    async def do(seen: Visit) -> Done:
        if action not in {"retry", "cancel", "release"}:
            raise Refused(404, "unknown", "There is no such action.")
        return await outbox.act_on(
            seen.context.database,
            seen.act(data.reason),
            tenant_id=seen.tenant_id,
            effect_id=EffectId(effect_id),
            action=action,
        )

    return await _once(request, do)  # type: ignore[return-value]


@post("/match", opt={"needs": Role.VIEWER}, status_code=200, summary="Who is this caller?")
async def match(
    request: Request[Any, Any, Any],
    data: JSONBody[Caller],
    reveal: Annotated[bool, QueryParameter()] = False,
    tenant: Tenant = None,
) -> Match:
    """Return who somebody is, with the evidence, decided as a delivery's person would be. Nothing is kept."""
    del tenant
    seen = visit(request)
    if reveal and not seen.person.may_reveal:
        raise Refused(403, "scope_missing", "Personal data needs a token with the scope pii.")
    address = PostalAddress(
        street=readable(data.street), city=readable(data.city), state=readable(data.state), zip=readable(data.zip)
    )
    person = Person(
        name=readable(data.name),
        phones=tuple(map(readable, data.phones)),
        emails=tuple(map(readable, data.emails)),
        address=address,
    )
    async with reading(seen.context.database) as tx:
        found = await preview.who(seen.context, tx, seen.tenant_id, BookingInquiry(key="who", person=person), "")
    if not reveal:
        hidden: Match = msgspec.convert(masking.tree(msgspec.to_builtins(found)), Match)
        return hidden
    await audit.reveal(seen.context.database, seen.act(), tenant_id=seen.tenant_id, subject="caller")
    return found


HANDLERS: list[HTTPRouteHandler] = [
    retry, replay, hold, resume_delivery, dismiss, start_run, stop_run, decide, pause, resume, set_rate, override_breaker, act_on_message, match,
]  # fmt: skip
