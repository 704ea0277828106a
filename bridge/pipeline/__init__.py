"""The story, top to bottom. Each step takes the last step's noun and returns the next."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol, assert_never

import msgspec

from bridge.connectors.base import Identity, PayloadMalformed
from bridge.db.database import UNREACHABLE, Database, Tx
from bridge.db.ownership import LeaseLost, fence, shard_of
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.ids import DeliveryId, EffectKey, SourceId, TenantId
from bridge.domain.inquiry import BookingChange, Inquiry, ServiceTitanChange
from bridge.domain.match import Match
from bridge.domain.plan import Effect, Plan
from bridge.domain.reasons import Reason, advice_for, reason_of
from bridge.intake import ledger, queue
from bridge.intake.gate import Accepted, Answered, Door, Refused, judge, without_secrets
from bridge.intake.ledger import Decided, Story
from bridge.intake.queue import Queued
from bridge.intake.rows import Arrival
from bridge.intake.store import DeliveryStore, Stored
from bridge.pipeline.completing import Completed, Unfetched
from bridge.pipeline.sentences import sentence
from bridge.planning.rules import RuleBroken
from bridge.sending import outbox
from bridge.sending.outbox import Wanted

_FAILURES = frozenset({Reason.EVENT_UNSUPPORTED, Reason.HYDRATION_MISSING})
"""Reasons to ask for nothing that a person must hear of: an unknown message, and a record nobody could fetch."""
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
    names = {name for name, _ in request.headers}
    written = "\n".join([request.url, *[value for _, value in request.headers]])
    if names.isdisjoint(_CREDENTIAL_HEADERS) and not any(secret.value in written for secret in door.secrets):
        return request
    kept = tuple(
        (name, without_secrets(value, door.secrets))
        for name, value in request.headers
        if name not in _CREDENTIAL_HEADERS
    )
    url = without_secrets(request.url, door.secrets)
    return HookRequest(method=request.method, url=url, headers=kept, body=request.body)


class Deciders(Protocol):
    """What one version of the config decides with; `bootstrap` builds it."""

    config_version: str
    doors: Mapping[SourceId, Door]

    async def complete(
        self, database: Database, loaded: Sequence[tuple[Queued, Delivery]], *, epoch: int, now: datetime
    ) -> list[Completed]:
        """Return deliveries with what was fetched for them; None for one that went back while its records are fetched."""

    async def match(self, tx: Tx, tenant_id: TenantId, inquiries: Sequence[tuple[SourceId, Inquiry]]) -> list[Match]:
        """Say for each inquiry who and where it is, in one round trip."""

    async def plan(
        self,
        tx: Tx,
        delivery: Delivery,
        inquiry: Inquiry,
        match: Match,
        *,
        nonce: str,
        pending: Mapping[EffectKey, Effect],
        now: datetime,
    ) -> Plan:
        """Say what should happen, with what the mirror and earlier inquiries know; `pending` is decided, not written."""

    async def apply(self, tx: Tx, tenant_id: TenantId, change: ServiceTitanChange, *, now: datetime) -> None:
        """Bring a change that ServiceTitan told into the mirror."""

    async def remember(self, tx: Tx, delivery: Delivery, decided: Decided, *, now: datetime) -> None:
        """Open what later inquiries of the same party may join."""


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


class _Ready(NamedTuple):
    """A delivery to decide about, and what stays missing of it for good."""

    queued: Queued
    delivery: Delivery
    unfetched: Unfetched | None = None


async def _complete(
    database: Database, deciders: Deciders, tenant_id: TenantId, queued: Sequence[Queued], *, epoch: int, now: datetime
) -> tuple[list[_Ready], list[DeliveryId]]:
    """Load the deliveries; thin ones whose records are not there yet go back and wait, and hold up nobody."""
    async with database.connection() as connection:
        stored = await queue.load(connection, tenant_id, [one.delivery_id for one in queued])
    loaded = [(one, stored[one.delivery_id]) for one in queued if one.delivery_id in stored]
    completed = await deciders.complete(database, loaded, epoch=epoch, now=now)
    ready: list[_Ready] = []
    waiting: list[DeliveryId] = []
    for (one, _), found in zip(loaded, completed, strict=True):
        match found:
            case None:
                waiting.append(one.delivery_id)
            case Unfetched(delivery=delivery):
                ready.append(_Ready(one, delivery, found))
            case Delivery():
                ready.append(_Ready(one, found))
            case _:
                assert_never(found)
    return ready, waiting


async def _decide_and_write(
    database: Database, deciders: Deciders, tenant_id: TenantId, ready: Sequence[_Ready], *, epoch: int, now: datetime
) -> list[Story]:
    """Decide about the deliveries in the order they came and write everything in one fenced transaction."""
    if not ready:
        return []
    read = {one.delivery.id: _read(deciders.doors, one) for one in ready}
    async with database.begin() as tx:
        await fence(tx, shard=shard_of(tenant_id), epoch=epoch)
        mine = await queue.finish(tx, tenant_id, [delivery.id for _, delivery, _ in ready])
        asked = [
            (delivery.source_id, inquiry)
            for _, delivery, _ in ready
            if delivery.id in mine
            for inquiry in read[delivery.id].inquiries
        ]
        matches = iter(await deciders.match(tx, tenant_id, asked) if asked else [])
        stories: list[Story] = []
        unwritten: list[Story] = []
        pending: dict[EffectKey, Effect] = {}
        for one, delivery, _ in ready:
            if delivery.id not in mine:
                continue
            if any(isinstance(inquiry, BookingChange) for inquiry in read[delivery.id].inquiries):
                # It may speak of a booking that this very batch wants: that must be there to be found.
                await _write(tx, unwritten, config_version=deciders.config_version, now=now)
                unwritten.clear()
            made = await _decide(tx, deciders, one, delivery, read[delivery.id], matches, pending=pending, now=now)
            unwritten.append(made)
            stories.append(made)
        await _write(tx, unwritten, config_version=deciders.config_version, now=now)
    return stories


async def _decide_alone(
    database: Database, deciders: Deciders, tenant_id: TenantId, one: _Ready, *, epoch: int, now: datetime
) -> list[Story]:
    queued, delivery, _ = one
    try:
        return await _decide_and_write(database, deciders, tenant_id, [one], epoch=epoch, now=now)
    except (*UNREACHABLE, LeaseLost):
        raise
    except Exception as broken:  # noqa: BLE001  the delivery fails visibly, with the place; a person replays it after the fix
        reason = getattr(broken, "reason", Reason.PROCESS_FAILED)
        reason = reason if isinstance(reason, Reason) else Reason.PROCESS_FAILED
        story = _story(delivery, queued, state="failed", reason=reason, sentence=_place_of(broken, reason))
        async with database.begin() as tx:
            await fence(tx, shard=shard_of(tenant_id), epoch=epoch)
            if await queue.finish(tx, tenant_id, [delivery.id]):
                await _write(tx, [story], config_version=deciders.config_version, now=now)
        return [story]


async def _decide(
    tx: Tx,
    deciders: Deciders,
    queued: Queued,
    delivery: Delivery,
    read: "_Read",
    matches: Iterator[Match],
    *,
    pending: dict[EffectKey, Effect],
    now: datetime,
) -> Story:
    """Match and plan every inquiry of one delivery, in order; `pending` grows by the effects it wants."""
    decided: list[Decided] = []
    broken = ""
    for ordinal, inquiry in enumerate(read.inquiries):
        match = next(matches)
        if isinstance(inquiry, ServiceTitanChange):
            await deciders.apply(tx, delivery.tenant_id, inquiry, now=now)
        try:
            plan = await deciders.plan(tx, delivery, inquiry, match, nonce=queued.nonce, pending=pending, now=now)
        except RuleBroken as rule:  # the other inquiries of the delivery go on
            broken = broken or f"{rule.reason.advice.text} {rule}."
            failed = rule.plan()
            decided.append(
                Decided(
                    ordinal=ordinal, inquiry=inquiry, match=match, plan=failed, state="failed", reason=failed.reason
                )
            )
            continue
        made = Decided(
            ordinal=ordinal,
            inquiry=inquiry,
            match=match,
            plan=plan,
            state="held" if plan.holds else "processed" if plan.effects or plan.joins else "ignored",
            reason=plan.holds[0].reason if plan.holds else plan.reason,
        )
        pending.update((effect.key, effect) for effect in plan.effects)
        await deciders.remember(tx, delivery, made, now=now)
        decided.append(made)
    # What is known was done; what is missing or was never seen stays visible beside it, and can be replayed.
    decided += [
        Decided(ordinal=len(decided) + place, state="failed", reason=why) for place, why in enumerate(read.beside)
    ]
    if not decided:
        state = "failed" if read.failed else "ignored"
        decided = [Decided(state=state, reason=read.reason.value)]
        return _story(delivery, queued, state=state, reason=read.reason, sentence=read.detail, decided=tuple(decided))
    states = {made.state for made in decided}
    state = next(name for name in ("failed", "held", "processed", "ignored") if name in states)
    reason = next(made.reason for made in decided if made.state == state)
    said = sentence(decided[0]) if state == "processed" else broken
    return _story(delivery, queued, state=state, reason=reason, sentence=said, decided=tuple(decided))


async def _write(tx: Tx, stories: Sequence[Story], *, config_version: str, now: datetime) -> None:
    """Write decisions, holds and states, and put the effects into the outbox."""
    ids = await ledger.write(tx, stories, config_version=config_version, now=now)
    wanted = [
        Wanted(story.tenant_id, story.source_id, story.delivery_id, decision_id, decided.plan.effects)
        for story, decision_ids in zip(stories, ids, strict=True)
        for decided, decision_id in zip(story.decided, decision_ids, strict=True)
        if decided.plan is not None and decided.plan.effects
    ]
    if wanted:
        await outbox.put_many(tx, wanted, now=now)


class _Read(msgspec.Struct, frozen=True, kw_only=True):
    """What a connector said about a delivery; `beside` says why parts ask for nothing where other parts do."""

    inquiries: tuple[Inquiry, ...] = ()
    reason: Reason = Reason.PROCESSED
    failed: bool = False
    detail: str = ""
    beside: tuple[Reason, ...] = ()


def _read(doors: Mapping[SourceId, Door], one: _Ready) -> _Read:
    """Let the source's connector say in our words what the delivery asks for."""
    door = doors.get(one.delivery.source_id)
    if door is None:
        return _Read(reason=Reason.SOURCE_UNKNOWN, failed=True)
    try:
        normalized = door.connector.normalize(one.delivery, options=door.options)
    except PayloadMalformed as no:
        return _Read(reason=Reason.NORMALIZE_FAILED, failed=True, detail=no.detail)
    amiss = {part.reason: "" for part in normalized.skipped if part.reason in _FAILURES}
    if one.unfetched is not None:  # says more than that something is missing
        amiss.pop(Reason.HYDRATION_MISSING, None)
        amiss[reason_of(one.unfetched.reason)] = one.unfetched.detail
    if normalized.inquiries or not amiss:
        return _Read(inquiries=normalized.inquiries, reason=normalized.reason, beside=tuple(amiss))
    reason, detail = next(reversed(amiss.items()))
    return _Read(
        reason=reason, failed=True, detail=f"{reason.advice.text} {detail}.".strip(" .") + "." if detail else ""
    )


def _story(
    delivery: Delivery,
    queued: Queued,
    *,
    state: str,
    reason: str,
    sentence: str = "",
    decided: tuple[Decided, ...] = (),
) -> Story:
    return Story(
        tenant_id=delivery.tenant_id,
        delivery_id=delivery.id,
        source_id=delivery.source_id,
        received_at=delivery.received_at,
        trace_id=delivery.trace_id,
        state=state,
        reason=str(reason),
        sentence=sentence or advice_for(str(reason)).text,
        decided=decided or (Decided(state=state, reason=str(reason)),),
        by=queued.by,
    )


def _place_of(broken: BaseException, reason: Reason) -> str:
    """Say where it broke without what it broke on: the text of an exception may quote a person's data."""
    trace = broken.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace is not None else "unknown place"
    return f"{reason.advice.text} {type(broken).__name__} at {place}."
