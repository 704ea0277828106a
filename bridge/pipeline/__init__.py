"""The story, top to bottom. Each step takes the last step's noun and returns the next."""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice
from typing import assert_never

import msgspec

from bridge.connectors.base import Identity
from bridge.db.database import UNREACHABLE, Database
from bridge.db.ownership import LeaseLost
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.ids import DeliveryId, TenantId
from bridge.domain.reasons import Reason
from bridge.intake import queue
from bridge.intake.gate import Accepted, Answered, Door, Refused, judge, without_secrets
from bridge.intake.ledger import Story
from bridge.intake.queue import Queued
from bridge.intake.rows import Arrival
from bridge.intake.store import DeliveryStore, Stored
from bridge.pipeline.completing import Unfetched
from bridge.pipeline.deciding import Deciders, Ready, decide_stretch, place_of, read_of, story_of, stretches, write

_CREDENTIAL_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})


Received = tuple[Accepted, Stored] | Answered | Refused


def receive(
    store: DeliveryStore,
    door: Door,
    request: HookRequest,
    *,
    trace_id: str,
    now: datetime,
    tell: Callable[[Received], None],
) -> None:
    """Check who sent the bytes and store them once; call `tell` after the commit, or at once with why not."""
    judgement = judge(door, request, now=now)
    if not isinstance(judgement, Accepted):
        tell(judgement)
        return
    arrival = Arrival(
        tenant_id=door.tenant_id,
        source_id=door.source_id,
        dedup_key=_dedup_key(judgement.identity, now=now),
        event_type=judgement.identity.event_type,
        received_at=now,
        request=_without_credentials(door.connector.scrub(request), door),
        verified_by=judgement.verified_by,
        trace_id=trace_id,
    )
    store.put(arrival, lambda outcome: tell((judgement, outcome) if isinstance(outcome, Stored) else outcome))


def _dedup_key(identity: Identity, *, now: datetime) -> str:
    """Return the key under which the delivery is unique.

    A sender that gives no id is known by its body alone: the same body again is the same delivery within the connector's
    window only, since two people may honestly send the same words on different days.
    """
    if identity.window_seconds is None:
        return identity.dedup_key
    return f"{identity.dedup_key}|{int(now.timestamp()) // identity.window_seconds}"


def _without_credentials(request: HookRequest, door: Door) -> HookRequest:
    """Return what is kept of a request: the body as it came, no credential of the URL or the headers."""
    written, has_credentials = [request.url], False
    for name, value in request.headers:
        written.append(value)
        has_credentials |= name in _CREDENTIAL_HEADERS
    if not has_credentials:
        text = "\n".join(written)
        for secret in door.secrets:
            if secret.value in text:
                break
        else:
            return request
    kept = tuple(
        (name, without_secrets(value, door.secrets))
        for name, value in request.headers
        if name not in _CREDENTIAL_HEADERS
    )
    url = without_secrets(request.url, door.secrets)
    return HookRequest(method=request.method, url=url, headers=kept, body=request.body)


class Processed(msgspec.Struct, frozen=True, kw_only=True):
    """What one step of processing did: the stories it wrote, and the deliveries that wait for another try."""

    stories: tuple[Story, ...] = ()
    waiting: tuple[DeliveryId, ...] = ()


async def process(
    database: Database, deciders: Deciders, tenant_id: TenantId, queued: Sequence[Queued], *, epoch: int, now: datetime
) -> Processed:
    """Turn deliveries of one tenant into decisions and outbox messages: a batch in one transaction, or none of it.

    Where a batch cannot be written whole, each delivery is tried by itself, so that one which breaks fails alone and
    visibly. Raises LeaseLost where another worker owns the tenant now.
    """
    ready, waiting = await _complete(database, deciders, tenant_id, queued, epoch=epoch, now=now)
    try:
        stories = await _decide_and_write(database, deciders, tenant_id, ready, epoch=epoch, now=now)
    except (*UNREACHABLE, LeaseLost):
        raise
    except Exception:  # noqa: BLE001  whatever our code or a stranger's payload did, only its own delivery may fail
        stories = []
        for one in ready:
            stories += await _decide_alone(database, deciders, tenant_id, one, epoch=epoch, now=now)
    return Processed(stories=tuple(stories), waiting=tuple(waiting))


async def _complete(
    database: Database, deciders: Deciders, tenant_id: TenantId, queued: Sequence[Queued], *, epoch: int, now: datetime
) -> tuple[list[Ready], list[DeliveryId]]:
    """Load the deliveries; thin ones whose records are not there yet go back and wait, and hold up nobody."""
    async with database.connection() as connection:
        stored = await queue.load(connection, tenant_id, [one.delivery_id for one in queued])
    loaded = [(one, stored[one.delivery_id]) for one in queued if one.delivery_id in stored]
    completed = await deciders.complete(database, loaded, epoch=epoch, now=now)
    ready: list[Ready] = []
    waiting: list[DeliveryId] = []
    for (one, _), found in zip(loaded, completed, strict=True):
        match found:
            case None:
                waiting.append(one.delivery_id)
            case Unfetched(delivery=delivery):
                ready.append(Ready(one, delivery, found))
            case Delivery():
                ready.append(Ready(one, found))
            case _:
                assert_never(found)
    return ready, waiting


async def _decide_and_write(
    database: Database, deciders: Deciders, tenant_id: TenantId, ready: Sequence[Ready], *, epoch: int, now: datetime
) -> list[Story]:
    """Decide about the deliveries in the order they came and write everything in one fenced transaction."""
    if not ready:
        return []
    read = {one.delivery.id: read_of(deciders.doors, one) for one in ready}
    async with database.begin() as tx:
        mine = await queue.finish(tx, tenant_id, [delivery.id for _, delivery, _ in ready], epoch=epoch)
        ready = [one for one in ready if one.delivery.id in mine]
        asked = [(one.delivery.source_id, inquiry) for one in ready for inquiry in read[one.delivery.id].inquiries]
        matches = iter(await deciders.match(tx, tenant_id, asked) if asked else [])
        matched = [
            (one, read[one.delivery.id], list(islice(matches, len(read[one.delivery.id].inquiries)))) for one in ready
        ]
        stories: list[Story] = []
        for stretch in stretches(matched):
            stories += await decide_stretch(tx, deciders, tenant_id, stretch, now=now)
    return stories


async def _decide_alone(
    database: Database, deciders: Deciders, tenant_id: TenantId, one: Ready, *, epoch: int, now: datetime
) -> list[Story]:
    queued, delivery, _ = one
    try:
        return await _decide_and_write(database, deciders, tenant_id, [one], epoch=epoch, now=now)
    except (*UNREACHABLE, LeaseLost):
        raise
    except Exception as broken:  # noqa: BLE001  the delivery fails visibly, with the place; a person replays it after the fix
        reason = getattr(broken, "reason", Reason.PROCESS_FAILED)
        reason = reason if isinstance(reason, Reason) else Reason.PROCESS_FAILED
        story = story_of(
            deciders.doors, delivery, queued, state="failed", reason=reason, sentence=place_of(broken, reason)
        )
        async with database.begin() as tx:
            if await queue.finish(tx, tenant_id, [delivery.id], epoch=epoch):
                await write(tx, [story], config_version=deciders.config_version, now=now)
        return [story]
