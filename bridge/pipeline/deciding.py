"""Deciding about a batch of deliveries: what they ask for, what should happen, and what is written down of it."""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from bridge.connectors.base import PayloadMalformed
from bridge.db.database import Database, Tx
from bridge.domain.delivery import Delivery
from bridge.domain.ids import EffectKey, SourceId, TenantId
from bridge.domain.inquiry import BookingChange, Inquiry, ServiceTitanChange
from bridge.domain.match import Match
from bridge.domain.plan import Effect, Plan
from bridge.domain.reasons import Reason, advice_for, reason_of
from bridge.intake import ledger
from bridge.intake.gate import Door
from bridge.intake.ledger import Decided, Story
from bridge.intake.queue import Queued
from bridge.pipeline.completing import Completed, Unfetched
from bridge.pipeline.known import Known
from bridge.pipeline.sentences import sentence
from bridge.planning.rules import RuleBroken
from bridge.sending import outbox
from bridge.sending.outbox import Fresh, Wanted

_FAILURES = frozenset({Reason.EVENT_UNSUPPORTED, Reason.HYDRATION_MISSING})
"""Reasons to ask for nothing that a person must hear of: an unknown message, and a record nobody could fetch."""


class Deciders(Protocol):
    """What one version of the config decides with; `bootstrap` builds it."""

    config_version: str
    doors: Mapping[SourceId, Door]

    async def complete(
        self, database: Database, loaded: Sequence[tuple[Queued, Delivery]], *, epoch: int, now: datetime
    ) -> list[Completed]:
        """Return deliveries with what was fetched for them; None for one that went back while its records are fetched."""

    async def match(
        self, tx: Tx, asked: Mapping[TenantId, Sequence[tuple[SourceId, Inquiry]]]
    ) -> dict[TenantId, list[Match]]:
        """Say for each inquiry who and where it is, in one round trip."""

    async def gather(
        self, tx: Tx, asked: Mapping[TenantId, Sequence[tuple[Inquiry, Match]]], *, now: datetime
    ) -> dict[TenantId, list[Known]]:
        """Return for each inquiry what planning it needs of the database, read for all of them together."""

    async def as_recorded(
        self, tx: Tx, tenant_id: TenantId, asked: Sequence[tuple[Delivery, Inquiry]], known: Sequence[Known]
    ) -> list[Known]:
        """Return what planning needs of inquiries that were decided before: what each joined when it came, it joins again."""

    async def plan(
        self,
        tx: Tx,
        delivery: Delivery,
        inquiry: Inquiry,
        match: Match,
        *,
        known: Known,
        nonce: str,
        pending: Mapping[EffectKey, Effect],
        now: datetime,
    ) -> Plan:
        """Say what should happen, with what the mirror and earlier inquiries know; `pending` is decided, not written."""

    async def apply(self, tx: Tx, tenant_id: TenantId, change: ServiceTitanChange, *, now: datetime) -> None:
        """Bring a change that ServiceTitan told into the mirror."""

    def remember(self, known: Known, delivery: Delivery, decided: Decided, *, now: datetime) -> None:
        """Open what later inquiries of the same party may join."""

    async def keep(self, tx: Tx, known: Mapping[TenantId, Sequence[Known]]) -> None:
        """Write down what was opened."""


class Ready(NamedTuple):
    """A delivery to decide about, and what stays missing of it for good."""

    queued: Queued
    delivery: Delivery
    unfetched: Unfetched | None = None


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """What a connector said about a delivery; `beside` says why parts ask for nothing where other parts do."""

    inquiries: tuple[Inquiry, ...] = ()
    reason: Reason = Reason.PROCESSED
    failed: bool = False
    detail: str = ""
    beside: tuple[Reason, ...] = ()


def read_of(doors: Mapping[SourceId, Door], one: Ready) -> Read:
    """Let the source's connector say in our words what the delivery asks for."""
    door = doors.get(one.delivery.source_id)
    if door is None:
        return Read(reason=Reason.SOURCE_UNKNOWN, failed=True)
    try:
        normalized = door.connector.normalize(one.delivery, options=door.options)
    except PayloadMalformed as no:
        return Read(reason=Reason.NORMALIZE_FAILED, failed=True, detail=no.detail)
    amiss = {part.reason: "" for part in normalized.skipped if part.reason in _FAILURES}
    if one.unfetched is not None:  # says more than that something is missing
        amiss.pop(Reason.HYDRATION_MISSING, None)
        amiss[reason_of(one.unfetched.reason)] = one.unfetched.detail
    if normalized.inquiries or not amiss:
        return Read(inquiries=normalized.inquiries, reason=normalized.reason, beside=tuple(amiss))
    reason, detail = next(reversed(amiss.items()))
    return Read(
        reason=reason, failed=True, detail=f"{reason.advice.text} {detail}.".strip(" .") + "." if detail else ""
    )


Asked = tuple[Ready, "Read", list[Match]]
_Row = TypeVar("_Row", bound=tuple[Any, ...])


def stretches(batch: Sequence[Asked]) -> Iterator[list[Asked]]:
    """Cut a batch where what was read before no longer holds, or where what was decided must be written to be found.

    A change of an earlier booking may speak of one that this very batch wants; what ServiceTitan tells changes the mirror.
    """
    stretch: list[Asked] = []
    is_told = True
    for one in batch:
        inquiries = one[1].inquiries
        tells = any(isinstance(inquiry, ServiceTitanChange) for inquiry in inquiries)
        if stretch and ((tells and not is_told) or any(isinstance(inquiry, BookingChange) for inquiry in inquiries)):
            yield stretch
            stretch, is_told = [], True
        stretch.append(one)
        is_told = is_told and all(isinstance(inquiry, ServiceTitanChange) for inquiry in inquiries)
    if stretch:
        yield stretch


async def match_of(tx: Tx, deciders: Deciders, batch: Sequence[tuple[Ready, "Read"]]) -> list[Asked]:
    """Return the deliveries with a match for each of their inquiries, tenant by tenant, each tenant's in its order."""
    tenants = dict(_tenants(batch))
    asked = {
        tenant_id: [(one.delivery.source_id, inquiry) for one, read in own for inquiry in read.inquiries]
        for tenant_id, own in tenants.items()
    }
    found = await deciders.match(tx, {tenant_id: own for tenant_id, own in asked.items() if own})
    matched: list[Asked] = []
    for tenant_id, own in tenants.items():
        matches = iter(found.get(tenant_id, ()))
        matched += [(one, read, list(islice(matches, len(read.inquiries)))) for one, read in own]
    return matched


async def together(*reads: Coroutine[Any, Any, Any]) -> list[Any]:
    """Run what reads on one connection side by side: piped, all ask before the first waits for its answer."""
    if len(reads) == 1:
        return [await reads[0]]
    answers = await asyncio.gather(*reads, return_exceptions=True)  # to the end of each: none is left on the connection
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers


def _tenants(batch: Sequence[_Row]) -> Iterator[tuple[TenantId, list[_Row]]]:
    """Return rows that begin with a delivery by its tenant."""
    groups: dict[TenantId, list[_Row]] = {}
    for row in batch:
        groups.setdefault(row[0].delivery.tenant_id, []).append(row)
    yield from groups.items()


async def decide_stretch(
    tx: Tx, deciders: Deciders, stretch: Sequence[Asked], *, now: datetime
) -> tuple[list[Story], Sequence[Fresh]]:
    """Decide about deliveries in their order, with what is known read once, and write it all; return what is in the outbox now too."""
    tenants = dict(_tenants(stretch))
    asked = {
        tenant_id: [pair for _, read, matches in own for pair in zip(read.inquiries, matches, strict=True)]
        for tenant_id, own in tenants.items()
    }
    for tenant_id, pairs in asked.items():
        for inquiry, _ in pairs:
            if isinstance(inquiry, ServiceTitanChange):
                await deciders.apply(tx, tenant_id, inquiry, now=now)
    gathered = await deciders.gather(tx, {tenant_id: pairs for tenant_id, pairs in asked.items() if pairs}, now=now)

    async def of_tenant(tenant_id: TenantId, own: Sequence[Asked]) -> list[Story]:
        known = gathered.get(tenant_id, [])
        if known and any(ready.queued.by for ready, _, _ in own):  # replays, which were decided before
            of = [(ready.delivery, inquiry) for ready, read, _ in own for inquiry in read.inquiries]
            recorded = await deciders.as_recorded(tx, tenant_id, of, known)
            # The others are decided now: what was opened by a clock that went a little before ours is open for them.
            known = [
                then if then.recorded is not None and then.recorded.is_decided else one
                for one, then in zip(known, recorded, strict=True)
            ]
        left = iter(known)
        pending: dict[EffectKey, Effect] = {}
        stories: list[Story] = []
        for one, read, matches in own:
            pairs = list(zip(read.inquiries, matches, left, strict=False))
            stories.append(await _decide(tx, deciders, one, read, pairs, pending=pending, now=now))
        return stories

    decided = await together(*(of_tenant(*tenant) for tenant in tenants.items()))
    stories = [story for own in decided for story in own]
    fresh = await write(tx, stories, config_version=deciders.config_version, now=now)
    await deciders.keep(tx, gathered)
    return stories, fresh


async def _decide(
    tx: Tx,
    deciders: Deciders,
    ready: Ready,
    read: "Read",
    asked: Sequence[tuple[Inquiry, Match, Known]],
    *,
    pending: dict[EffectKey, Effect],
    now: datetime,
) -> Story:
    """Plan every inquiry of one delivery, in order; `pending` grows by the effects it wants."""
    queued, delivery, _ = ready
    decided: list[Decided] = []
    broken = ""
    for ordinal, (inquiry, match, known) in enumerate(asked):
        try:
            plan = await deciders.plan(
                tx, delivery, inquiry, match, known=known, nonce=queued.nonce, pending=pending, now=now
            )
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
        deciders.remember(known, delivery, made, now=now)
        decided.append(made)
    # What is known was done; what is missing or was never seen stays visible beside it, and can be replayed.
    decided += [
        Decided(ordinal=len(decided) + place, state="failed", reason=why) for place, why in enumerate(read.beside)
    ]
    if not decided:
        state = "failed" if read.failed else "ignored"
        decided = [Decided(state=state, reason=read.reason.value)]
        return story_of(
            deciders.doors,
            delivery,
            queued,
            state=state,
            reason=read.reason,
            sentence=read.detail,
            decided=tuple(decided),
        )
    states = {made.state for made in decided}
    state = next(name for name in ("failed", "held", "processed", "ignored") if name in states)
    reason = next(made.reason for made in decided if made.state == state)
    said = sentence(decided[0]) if state == "processed" else broken
    return story_of(deciders.doors, delivery, queued, state=state, reason=reason, sentence=said, decided=tuple(decided))


async def write(tx: Tx, stories: Sequence[Story], *, config_version: str, now: datetime) -> Sequence[Fresh]:
    """Write decisions, holds and states, put the effects into the outbox, and return those that are new there."""
    effects = [
        (story.tenant_id, effect)
        for story in stories
        for decided in story.decided
        if decided.plan is not None
        for effect in decided.plan.effects
    ]
    ids, named = await together(
        ledger.write(tx, stories, config_version=config_version, now=now), outbox.name_many(tx, effects)
    )
    wanted = [
        Wanted(story.tenant_id, story.source_id, story.delivery_id, decision_id, decided.plan.effects)
        for story, decision_ids in zip(stories, ids, strict=True)
        for decided, decision_id in zip(story.decided, decision_ids, strict=True)
        if decided.plan is not None and decided.plan.effects
    ]
    return (await outbox.put_many(tx, wanted, now=now, named=named)).fresh if wanted else ()


def story_of(
    doors: Mapping[SourceId, Door],
    delivery: Delivery,
    queued: Queued,
    *,
    state: str,
    reason: str,
    sentence: str = "",
    decided: tuple[Decided, ...] = (),
) -> Story:
    """Return the story of a delivery; where it holds no inquiry, the state and reason stand for it."""
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
        region=doors[delivery.source_id].options.country if delivery.source_id in doors else "US",
    )


def place_of(broken: BaseException, reason: Reason) -> str:
    """Say where it broke without what it broke on: the text of an exception may quote a person's data."""
    trace = broken.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace is not None else "unknown place"
    return f"{reason.advice.text} {type(broken).__name__} at {place}."
