"""What a replay would do, shown before it does it: read, match and plan again in a transaction that is thrown away."""

from datetime import datetime

import msgspec

from bridge import bootstrap
from bridge.connectors.base import PayloadMalformed
from bridge.db.database import Tx
from bridge.domain.command import Command, kind_of
from bridge.domain.ids import DeliveryId, SourceId, TenantId
from bridge.domain.inquiry import Inquiry
from bridge.domain.match import Match
from bridge.domain.plan import Plan
from bridge.entrypoints.context import AppContext
from bridge.entrypoints.differing import between, counted
from bridge.intake import queue
from bridge.pipeline.deciders import ConfiguredDeciders
from bridge.planning.rules import RuleBroken
from bridge.reports import masking
from bridge.reports.reading import reading
from bridge.reports.story import Story


class Anew(msgspec.Struct, frozen=True, kw_only=True):
    """One inquiry as it would be decided now."""

    inquiry: Inquiry
    match: Match
    plan: Plan


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """An effect of the new decision: new, known and done, or known with another content."""

    kind: str
    verdict: str
    command: Command
    rule: str = ""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What would be different; `fault` says why it cannot be told."""

    anew: tuple[Anew, ...] = ()
    effects: tuple[Wanted, ...] = ()
    differences: tuple[str, ...] = ()
    fault: str = ""


async def of_delivery(
    context: AppContext, story: Story, *, now: datetime, body: str | None = None, nonce: str = ""
) -> Change:
    """Return what replaying a delivery with today's config would do, with another body where one is given; nothing is kept.

    With a nonce, as where a person forces it, no effect is known already.
    """
    tenant_id = TenantId(story.tenant_id)
    doors = bootstrap.doors_of(context.settings)
    door = next((one for name, one in doors.items() if name == story.source_id), None)
    if door is None:
        return Change(fault="Its source is not configured any more.")
    deciders = ConfiguredDeciders(context.settings, doors=doors)
    async with reading(context.database) as tx:
        loaded = await queue.load(tx, [(tenant_id, DeliveryId(story.id))])
        delivery = loaded[DeliveryId(story.id)]
        if body is not None:
            request = msgspec.structs.replace(delivery.request, body=body.encode())
            delivery = msgspec.structs.replace(delivery, request=request)
        try:
            normalized = door.connector.normalize(delivery, options=door.options)
        except PayloadMalformed as bad:
            return Change(fault=f"The payload cannot be read: {bad.detail or bad.reason.advice.text}")
        asked = [(delivery.source_id, inquiry) for inquiry in normalized.inquiries]
        matches = (await deciders.match(tx, {tenant_id: asked}))[tenant_id]
        pairs = list(zip(normalized.inquiries, matches, strict=True))
        gathered = (await deciders.gather(tx, {tenant_id: pairs}, now=now))[tenant_id]
        of = [(delivery, inquiry) for inquiry in normalized.inquiries]
        gathered = await deciders.as_recorded(tx, tenant_id, of, gathered)
        anew = []
        for (inquiry, match), known in zip(pairs, gathered, strict=True):
            try:
                plan = await deciders.plan(tx, delivery, inquiry, match, known=known, nonce=nonce, pending={}, now=now)
            except RuleBroken as broken:
                plan = broken.plan()
            anew.append(Anew(inquiry=inquiry, match=match, plan=plan))
    if not anew:
        return Change(fault=normalized.reason.advice.text)
    return Change(anew=tuple(anew), effects=_effects(story, anew), differences=_differences(story, anew))


async def who(context: AppContext, tx: Tx, tenant_id: TenantId, inquiry: Inquiry, source_id: str) -> Match:
    """Return who an inquiry is about, decided as a delivery's would be."""
    deciders = ConfiguredDeciders(context.settings, doors={})
    found = await deciders.match(tx, {tenant_id: [(SourceId(source_id), inquiry)]})
    return found[tenant_id][0]


def _effects(story: Story, anew: list[Anew]) -> tuple[Wanted, ...]:
    known = {effect.key: effect for effect in story.effects}
    wanted = []
    for one in anew:
        for effect in one.plan.effects:
            before = known.get(effect.key)
            if before is None:
                verdict = "new: it will be sent"
            elif before.command == msgspec.json.decode(msgspec.json.encode(effect.command)):
                verdict = (
                    "done already: nothing is sent"
                    if before.state == "done"
                    else f"known already ({before.state}): left as it is"
                )
            else:
                verdict = "known already with other content: the first stays, the difference is noted"
            wanted.append(
                Wanted(kind=kind_of(effect.command), verdict=verdict, command=effect.command, rule=effect.rule)
            )
    return tuple(wanted)


def _differences(story: Story, anew: list[Anew]) -> tuple[str, ...]:
    """Return what the new decisions say differently, as short sentences without personal data."""
    found = []
    for before, now in zip(story.latest, anew, strict=False):
        if before.inquiry is None or before.match is None or before.plan is None:
            continue
        was = (before.inquiry, before.match, before.plan)
        found += [
            f"It {counted(1, label).removeprefix('1 ')}." for label in between(was, (now.inquiry, now.match, now.plan))
        ]
    return tuple(found)


def masked(change: Change, story: Story) -> Change:
    """Return the change with people hidden."""
    known = story.personal()
    effects = tuple(msgspec.structs.replace(one, command=_hidden(one.command, known)) for one in change.effects)
    return msgspec.structs.replace(change, anew=(), effects=effects, fault=masking.prose(change.fault, known))


def _hidden(command: Command, known: tuple[str, ...]) -> Command:
    hidden: Command = msgspec.convert(masking.tree(msgspec.to_builtins(command), known), Command)
    return hidden
