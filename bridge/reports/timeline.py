"""A story as a line of moments, oldest first, each one sentence; and the same story with its people hidden. Pure."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, assert_never

import msgspec

from bridge.domain.match import Ambiguous, Match, Matched, Unmatched
from bridge.domain.reasons import advice_for
from bridge.reports import masking
from bridge.reports.story import DecisionSeen, EffectSeen, Story


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened; `tone` is good, wait, bad or plain, `part` is where the page tells more."""

    at: datetime
    title: str
    detail: str = ""
    tone: str = "plain"
    part: str = ""
    by: str = ""


def verb(kind: str) -> str:
    """Return a command kind as words: create_booking → create booking."""
    return kind.replace("_", " ")


def moments(story: Story) -> tuple[Moment, ...]:
    """Return everything that happened, in order."""
    found = [*_arrival(story), *(moment for one in story.decisions for moment in _decided(one))]
    found += [moment for effect in story.effects for moment in _sent(effect)]
    for hold in story.holds:
        found.append(
            Moment(
                at=hold.opened_at,
                title=f"Held for a person: {advice_for(hold.reason).text}",
                detail=hold.detail,
                tone="wait",
                part=f"hold-{hold.id}",
            )
        )
    found += [
        Moment(at=one.at, title=f"{one.by} {said(one.action)}", detail=one.reason, by=one.by, part="actions")
        for one in story.actions
    ]
    order = {id(moment): number for number, moment in enumerate(found)}
    return tuple(sorted(found, key=lambda moment: (moment.at, order[id(moment)])))


def said(action: str) -> str:
    """Return an action of the audit as what somebody did: delivery.replayed → replayed the delivery."""
    subject, _, done = action.partition(".")
    if subject == "user" and done.startswith("logged"):
        return done.replace("_", " ")
    return f"{done.replace('_', ' ')} the {subject.replace('_', ' ')}" if done else action


def match_sentence(match: Match | None) -> str:
    """Return who it is, and how sure, as a sentence."""
    match match:
        case None:
            return "No person was looked up."
        case Matched():
            how = {"link": "known from an earlier decision", "person": "a person chose it"}.get(
                match.evidence.decided_by, f"{match.probability:.1%} sure"
            )
            writes = "" if match.may_write else "; not sure enough to change the record"
            return (
                f"Matched customer {match.customer_id}"
                + (f", location {match.location_id}" if match.location_id else "")
                + f" ({how}{writes})."
            )
        case Ambiguous():
            return f"{len(match.evidence.candidates)} customers could be this person; nobody's record is changed on a guess."
        case Unmatched():
            return "Nobody in ServiceTitan is this person."
        case _:
            assert_never(match)


def _arrival(story: Story) -> Iterator[Moment]:
    yield Moment(
        at=story.received_at,
        title=f"Received through {story.source_id}",
        detail=f"{story.event_type} · {story.request.size:,} bytes",
        part="payload",
    )
    scheme, _, secret = story.verified_by.partition(":")
    unsigned = scheme == "unsigned"
    yield Moment(
        at=story.received_at,
        title="Taken unsigned, as the config of this source says" if unsigned else f"Verified by {scheme}",
        detail=f"with the secret “{secret}”" if secret else "",
        tone="bad" if unsigned else "good",
    )
    for one in story.fetched:
        yield Moment(at=one.fetched_at, title=f"Fetched {one.name}", detail=f"HTTP {one.status}", part="payload")


def _decided(one: DecisionSeen) -> Iterator[Moment]:
    again = f"Replayed by {one.by}: " if one.by else ""
    if one.inquiry is None:
        yield Moment(
            at=one.decided_at,
            title=f"{again}{advice_for(one.reason).text}",
            tone=_tone(one.state),
            part=f"decision-{one.id}",
        )
        return
    kind = str(one.inquiry.__struct_config__.tag)
    yield Moment(
        at=one.decided_at,
        title=f"{again}Read as {_article(verb(kind))}",
        detail=f"{len(one.inquiry.origins)} values, each from a named place of the payload"
        if one.inquiry.origins
        else "",
        part=f"decision-{one.id}",
    )
    if one.match is not None:
        tone = "good" if isinstance(one.match, Matched) else "wait" if isinstance(one.match, Ambiguous) else "plain"
        yield Moment(at=one.decided_at, title=match_sentence(one.match), tone=tone, part=f"match-{one.id}")
    if one.plan is not None:
        wanted = ", ".join(verb(str(effect.command.__struct_config__.tag)) for effect in one.plan.effects)
        rules = ", ".join(dict.fromkeys(effect.rule for effect in one.plan.effects if effect.rule))
        yield Moment(
            at=one.decided_at,
            title=f"Planned: {wanted}" if wanted else f"Planned nothing to send: {advice_for(one.plan.reason).text}",
            detail=(f"by rule {rules} · " if rules else "") + f"config {one.config_version}",
            tone=_tone(one.state),
            part=f"plan-{one.id}",
        )


def _sent(effect: EffectSeen) -> Iterator[Moment]:
    what = verb(effect.kind)
    said_of = {
        "succeeded": (f"Done: {what}", "good"),
        "found": (f"Found in ServiceTitan, so done: {what}", "good"),
        "absent": (f"Not found in ServiceTitan, so it is sent again: {what}", "wait"),
        "rejected": (f"ServiceTitan refused: {what}", "bad"),
        "deferred": (f"Not now: {what}", "wait"),
        "held": (f"Held: {what}", "wait"),
        "in_doubt": (f"No answer; looked up before anything is sent again: {what}", "wait"),
        "crashed": (f"The worker ended while this was under way: {what}", "wait"),
        "retried": (f"Sent again by hand: {what}", "plain"),
        "released": (f"Released: {what}", "plain"),
        "cancelled": (f"Cancelled: {what}", "plain"),
    }
    for attempt in effect.attempts:
        title, tone = said_of.get(attempt.outcome, (f"{attempt.outcome}: {what}", "plain"))
        if attempt.settles == 2:
            title, tone = f"Given up: {what}", "bad"
        facts = [
            f"attempt {attempt.number}",
            f"HTTP {attempt.status}" if attempt.status else "",
            f"{attempt.milliseconds} ms" if attempt.milliseconds is not None else "",
        ]
        if attempt.reason and attempt.reason != "ok":
            facts.append(advice_for(attempt.reason).text)
        if attempt.created:
            facts.append(", ".join(f"{name or 'id'} {value}" for name, value in attempt.created.items()))
        yield Moment(
            at=attempt.at,
            title=title,
            detail=" · ".join(filter(None, facts)),
            tone=tone,
            part=f"effect-{effect.id}",
            by=attempt.by,
        )


def _tone(state: str) -> str:
    return {"held": "wait", "failed": "bad", "processed": "good"}.get(state, "plain")


def _article(words: str) -> str:
    return f"{'an' if words[:1] in 'aeiou' else 'a'} {words}"


def masked(story: Story) -> Story:
    """Return the story with its people hidden: shapes for their data, the payload as kinds and lengths."""
    known = story.personal()
    request = msgspec.structs.replace(
        story.request,
        body=_payload(story.request.body),
        url=masking.prose(story.request.url, known),
        headers=tuple((name, masking.prose(value, known)) for name, value in story.request.headers),
    )
    decisions = tuple(
        msgspec.structs.replace(
            one,
            inquiry_key=one.inquiry_key,
            inquiry=hidden(one.inquiry, known) if one.inquiry else None,
            match=hidden(one.match, known) if one.match else None,
            plan=hidden(one.plan, known) if one.plan else None,
        )
        for one in story.decisions
    )
    effects = tuple(
        msgspec.structs.replace(
            one,
            command=masking.tree(one.command, known),
            lane=masking.prose(one.lane, known),
            attempts=tuple(
                msgspec.structs.replace(
                    attempt, detail=masking.prose(attempt.detail, known), problem=masking.tree(attempt.problem, known)
                )
                for attempt in one.attempts
            ),
        )
        for one in story.effects
    )
    return msgspec.structs.replace(
        story,
        name=masking.name(story.name),
        sentence=masking.prose(story.sentence, known),
        request=request,
        fetched=tuple(msgspec.structs.replace(one, body=_payload(one.body)) for one in story.fetched),
        decisions=decisions,
        effects=effects,
        holds=tuple(
            msgspec.structs.replace(
                one, detail=masking.prose(one.detail, known), commands=masking.tree(one.commands, known)
            )
            for one in story.holds
        ),
        is_masked=True,
    )


def hidden(value: Any, known: tuple[str, ...]) -> Any:
    """Return a struct with its people hidden; where what is hidden no longer fits its type, the struct is built without checks."""
    return msgspec.json.decode(msgspec.json.encode(masking.tree(msgspec.to_builtins(value), known)), type=type(value))


def _payload(body: str) -> str:
    try:
        return msgspec.json.format(msgspec.json.encode(masking.payload(msgspec.json.decode(body)))).decode()
    except (msgspec.DecodeError, RecursionError):
        return f"({len(body)} characters, hidden)" if body else ""
