"""The story, top to bottom. Each step takes the last step's noun and returns the next."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, assert_never

import msgspec

from bridge.connectors.base import Identity
from bridge.db.database import UNREACHABLE, Database
from bridge.db.ownership import LeaseLost, shard_of
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.ids import DeliveryId, TenantId
from bridge.domain.inquiry import ServiceTitanChange
from bridge.domain.reasons import Reason
from bridge.intake import queue
from bridge.intake.gate import Accepted, Answered, Door, Refused, judge, without_secrets
from bridge.intake.ledger import Story
from bridge.intake.queue import Claimed
from bridge.intake.rows import Arrival
from bridge.intake.store import DeliveryStore, Stored
from bridge.pipeline.completing import Unfetched
from bridge.pipeline.deciding import (
    Deciders,
    Ready,
    decide_stretch,
    match_of,
    place_of,
    read_of,
    story_of,
    stretches,
    together,
    write,
)
from bridge.sending.handing import HandOver
from bridge.sending.outbox import Fresh

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


TOGETHER_SECONDS = 2.0
"""How long several tenants share a transaction: one whose locks or searches take longer goes on alone, the others without it."""

Epochs = Mapping[int, int]
"""Shard → the epoch under which we own it."""


class Processed(msgspec.Struct, frozen=True, kw_only=True):
    """What one step of processing did: the stories it wrote, the deliveries that wait for another try, and the tenants lost.

    A tenant is lost where another worker owns it now: nothing was written for it.
    """

    stories: tuple[Story, ...] = ()
    waiting: tuple[DeliveryId, ...] = ()
    lost: tuple[TenantId, ...] = ()


class Sender(Protocol):
    """Who sends what is decided here, in the same process; `sending.sender` is one."""

    def handing_over(self, epochs: Epochs) -> AbstractAsyncContextManager[HandOver]:
        """Take over what a transaction puts into the outbox: around it, so that what goes at once goes with its commit."""


async def process(
    database: Database,
    deciders: Deciders,
    claimed: Sequence[Claimed],
    *,
    epochs: Epochs,
    now: datetime,
    sender: Sender | None = None,
) -> Processed:
    """Turn deliveries into decisions and outbox messages: those of all tenants in one transaction, or none of it.

    A commit costs as much as two deliveries do, so tenants that have one each share it. Where a batch cannot be written
    whole, each tenant is tried by itself, and then each delivery: one which breaks fails alone and visibly. `epochs` has at
    least the shards of the tenants. What the deliveries want is handed over to the `sender`; without one, somebody will read it.
    """
    ready: list[Ready] = []
    waiting: list[DeliveryId] = []
    lost: list[TenantId] = []
    for tenant_id, own in _by_tenant(claimed):
        try:
            completed = await deciders.complete(database, own, epoch=epochs[shard_of(tenant_id)], now=now)
        except LeaseLost:
            lost.append(tenant_id)
            continue
        for (one, _), found in zip(own, completed, strict=True):
            match found:
                case None:  # thin, and its records are not there yet: it went back to wait, and holds up nobody
                    waiting.append(one.delivery_id)
                case Unfetched(delivery=delivery):
                    ready.append(Ready(one, delivery, found))
                case Delivery():
                    ready.append(Ready(one, found))
                case _:
                    assert_never(found)
    deciding = _Deciding(database=database, deciders=deciders, epochs=epochs, now=now, sender=sender)
    stories, without = await deciding.together(ready)
    return Processed(stories=tuple(stories), waiting=tuple(waiting), lost=(*lost, *without))


def _by_tenant(claimed: Iterable[Claimed]) -> Iterator[tuple[TenantId, list[Claimed]]]:
    groups: dict[TenantId, list[Claimed]] = {}
    for one in claimed:
        groups.setdefault(one.delivery.tenant_id, []).append(one)
    yield from groups.items()


@dataclass(frozen=True, kw_only=True)
class _Deciding:
    """What deciding about a batch needs, however small its parts become."""

    database: Database
    deciders: Deciders
    epochs: Epochs
    now: datetime
    sender: Sender | None

    async def together(self, ready: Sequence[Ready]) -> tuple[list[Story], list[TenantId]]:
        """Decide about deliveries together; where that fails, tenant by tenant, then one by one. Return the tenants lost too."""
        tenants = dict.fromkeys(one.delivery.tenant_id for one in ready)
        try:
            async with asyncio.timeout(TOGETHER_SECONDS if len(tenants) > 1 else None):
                return await self.at_once(ready), []
        except UNREACHABLE:
            raise
        except LeaseLost:
            if len(tenants) == 1:
                return [], list(tenants)
        except Exception:  # noqa: BLE001  whatever our code or a stranger's payload did, only its own delivery may fail
            if len(tenants) == 1:
                return await self.each(ready)
        stories: list[Story] = []
        lost: list[TenantId] = []
        for tenant_id in tenants:
            written, without = await self.together([one for one in ready if one.delivery.tenant_id == tenant_id])
            stories += written
            lost += without
        return stories, lost

    async def each(self, ready: Sequence[Ready]) -> tuple[list[Story], list[TenantId]]:
        """Decide about a tenant's deliveries one by one."""
        stories: list[Story] = []
        for one in ready:
            try:
                stories += await self.alone(one)
            except LeaseLost:
                return stories, [one.delivery.tenant_id]
        return stories, []

    async def alone(self, one: Ready) -> list[Story]:
        """Decide about one delivery, which fails visibly, with the place, where it breaks; a person replays it after the fix."""
        queued, delivery, _ = one
        try:
            return await self.at_once([one])
        except (*UNREACHABLE, LeaseLost):
            raise
        except Exception as broken:  # noqa: BLE001  whatever it was
            reason = getattr(broken, "reason", Reason.PROCESS_FAILED)
            reason = reason if isinstance(reason, Reason) else Reason.PROCESS_FAILED
            story = story_of(
                self.deciders.doors, delivery, queued, state="failed", reason=reason, sentence=place_of(broken, reason)
            )
            async with self.database.begin() as tx:
                if await queue.finish(tx, [(delivery.tenant_id, delivery.id)], epochs=self.epochs):
                    await write(tx, [story], config_version=self.deciders.config_version, now=self.now)
            return [story]

    async def at_once(self, ready: Sequence[Ready]) -> list[Story]:
        """Decide about the deliveries in the order they came and write everything in one fenced transaction."""
        if not ready:
            return []
        read = {one.delivery.id: read_of(self.deciders.doors, one) for one in ready}
        tells = any(isinstance(inquiry, ServiceTitanChange) for one in read.values() for inquiry in one.inquiries)
        handing = nullcontext() if self.sender is None else self.sender.handing_over(self.epochs)
        async with handing as hand_over, self.database.begin(piped=not tells) as tx:
            finishing = queue.finish(
                tx, [(delivery.tenant_id, delivery.id) for _, delivery, _ in ready], epochs=self.epochs
            )
            matching = match_of(tx, self.deciders, [(one, read[one.delivery.id]) for one in ready])
            mine, matched = await together(finishing, matching)
            stories: list[Story] = []
            fresh: list[Fresh] = []
            for stretch in stretches([one for one in matched if one[0].delivery.id in mine]):
                decided, put = await decide_stretch(tx, self.deciders, stretch, now=self.now)
                stories += decided
                fresh += put
            if hand_over is not None:
                await hand_over.intend(tx, fresh, born=self.now)
        return stories
