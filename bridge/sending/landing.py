"""From what came of a send to what is written down (pure)."""

from datetime import datetime, timedelta
from typing import assert_never

import msgspec
from msgspec.structs import replace

from bridge.domain.ids import EffectKey
from bridge.domain.outcome import Deferred, InDoubt, Outcome, Rejected, Succeeded
from bridge.domain.reasons import Reason
from bridge.sending.holds import HOLDS
from bridge.sending.message import Message
from bridge.sending.outbox import HELD, IN_DOUBT, READY
from bridge.sending.records import DEAD, DONE, NOT_SETTLED, Record
from bridge.sending.retry import Again, Dead, Done, LookFirst, backoff, look_first, next_step
from bridge.sending.store import Loaded

DETAIL_MAX = 500

_encode = msgspec.json.Encoder().encode

ACCEPTED = frozenset({Reason.FIELD_NOT_KEPT})
"""Doubts after a success: what is still not there when reads show everything is for a person; sending it again would not help."""


class Intent:
    """A committed intent and how many of its messages have no recorded outcome yet."""

    __slots__ = ("epoch", "id", "left", "shard", "tenant_id")

    def __init__(self, *, tenant_id: int, id: int, shard: int, epoch: int) -> None:  # noqa: A002  its name
        self.tenant_id = tenant_id
        self.id = id
        self.shard = shard
        self.epoch = epoch
        self.left = 0


class Flight(msgspec.Struct, frozen=True, gc=False):
    """A message whose intent is committed: it may be sent once."""

    message: Message
    loaded: Loaded
    refs: dict[EffectKey, dict[str, int]]
    intent: Intent
    sent_at: datetime


class Landed(msgspec.Struct, frozen=True, gc=False):
    """A flight and what came of it."""

    flight: Flight
    outcome: Outcome
    at: datetime


def record_of(landed: Landed, *, now: datetime) -> Record:
    """Return what is written down for an outcome, with what the message becomes."""
    message, outcome = landed.flight.message, landed.outcome
    if type(outcome) is Succeeded:
        plain = _plain(landed, outcome)
        if plain is not None:
            return plain
    step = next_step(
        outcome,
        policy=message.policy,
        spent=message.spent,
        seed=message.id,
        first_due=message.created_at,
        sent_at=landed.at,
        now=now,
    )
    record = _evidence(landed)
    match step:
        case Done():
            return replace(record, settles=DONE)
        case Dead(reason=reason) if reason in HOLDS:
            return replace(record, state=HELD, spent=message.spent, due_at=now)
        case Dead():
            return replace(record, settles=DEAD)
        case Again(due_at=due_at, spends=spends):
            return replace(record, state=READY, spent=message.spent + spends, due_at=due_at)
        case LookFirst(due_at=due_at):
            return replace(record, state=IN_DOUBT, spent=message.spent, due_at=due_at)
        case _:
            assert_never(step)


def _plain(landed: Landed, outcome: Succeeded) -> Record | None:
    """Return the record of a success with one id or none, which is nearly every one; None for others."""
    flight = landed.flight
    body = outcome.body if isinstance(outcome.body, dict) else None
    if body and (len(body) != 1 or "" not in body):
        return None
    message = flight.message
    made = body[""] if body else 0
    return Record(
        message.tenant_id,
        message.id,
        message.sends,
        "succeeded",
        DONE,
        flight.intent.epoch,
        flight.sent_at,
        int((landed.at - flight.sent_at).total_seconds() * 1000),
        200,
        "ok",
        "",
        None,
        None,
        made=made,
    )


def _evidence(landed: Landed) -> Record:
    flight, outcome = landed.flight, landed.outcome
    milliseconds = int((landed.at - flight.sent_at) / timedelta(milliseconds=1))
    record = Record(
        flight.message.tenant_id,
        flight.message.id,
        flight.message.sends,
        "",
        NOT_SETTLED,
        flight.intent.epoch,
        flight.sent_at,
        milliseconds,
        outcome.status,
        outcome.reason,
        "",
        None,
        None,
    )
    match outcome:
        case Succeeded(body=body):
            return replace(
                record, outcome="succeeded", created=_encode(body).decode() if isinstance(body, dict) and body else None
            )
        case Rejected(detail=detail, problem=problem):
            name = "rejected"
        case Deferred(detail=detail, problem=problem):
            name = "deferred"
        case InDoubt(detail=detail, problem=problem):
            name = "in_doubt"
        case _:
            assert_never(outcome)
    return replace(
        record,
        outcome=name,
        detail=detail[:DETAIL_MAX].replace("\x00", "\ufffd"),
        problem=None if problem is None else _encode(problem).decode().replace("\\u0000", "\ufffd"),
    )


def moved(message: Message, record: Record) -> Message:
    """Return the message as it stands after its record was written."""
    sent_at = record.sent_at
    if sent_at is not None and record.milliseconds is not None:
        sent_at += timedelta(milliseconds=record.milliseconds)  # its last byte may have left as late as that
    return replace(
        message,
        state=record.state,
        sends=message.sends + 1,
        spent=record.spent,
        due_at=record.due_at or message.due_at,
        sent_at=sent_at,
        reason=record.reason,
    )


class Found(msgspec.Struct, frozen=True, kw_only=True, tag="found"):
    """ServiceTitan has it; `ids` are what it created, by part."""

    ids: dict[str, int] = {}


class Absent(msgspec.Struct, frozen=True, kw_only=True, tag="absent"):
    """ServiceTitan has it not, as of now."""


class Unknowable(msgspec.Struct, frozen=True, kw_only=True, tag="unknowable"):
    """There is no way to look."""

    detail: str = ""


class Repeatable(msgspec.Struct, frozen=True, kw_only=True, tag="repeatable"):
    """There is no way to look, and a second one does less harm than none; `once`: only a single time, for it would be seen."""

    once: bool


class LookFailed(msgspec.Struct, frozen=True, kw_only=True, tag="look_failed"):
    """ServiceTitan did not answer the question."""

    outcome: Outcome


Finding = Found | Absent | Unknowable | Repeatable | LookFailed


def record_of_look(
    message: Message, finding: Finding, *, looks: int, epoch: int, asked_at: datetime, now: datetime
) -> Record | LookFirst:
    """Return what a look at an effect in doubt leads to: a record, or the next look.

    Absence is as old as the question: what was asked before the time was over proves nothing, however late the answer came.
    """
    sent_at = message.sent_at or message.due_at
    plan = look_first(sent_at=sent_at, looks=looks, now=now)
    record = Record(message.tenant_id, message.id, message.sends, "", 0, epoch, sent_at, None, None, "", "", None, None)
    match finding:
        case Found(ids=ids):
            created = _encode(ids).decode() if ids else None
            return replace(record, outcome="found", settles=DONE, reason=Reason.FOUND_DONE.value, created=created)
        case Absent() if asked_at < plan.settles_at:
            return plan
        case Absent():
            return _absent(replace(record, outcome="absent", reason=Reason.FOUND_ABSENT.value), message, now=now)
        case Unknowable(detail=detail):
            if asked_at < plan.settles_at:
                return plan  # a late answer may still tell
            reason = Reason.UNPROVABLE.value
            return replace(
                record, outcome="unknowable", state=HELD, spent=message.spent, due_at=now, reason=reason, detail=detail
            )
        case Repeatable(once=once):
            return _repeated(replace(record, outcome="repeated"), message, once=once, now=now)
        case LookFailed(outcome=outcome):
            if isinstance(outcome, Deferred) and outcome.retry_after:
                later = now + timedelta(seconds=outcome.retry_after)
                return LookFirst(due_at=max(plan.due_at, later), settles_at=plan.settles_at)
            return plan
        case _:
            assert_never(finding)


def _absent(record: Record, message: Message, *, now: datetime) -> Record:
    """Return what it leads to that an effect is surely not there."""
    policy, spent = message.policy, message.spent + 1
    if message.reason in ACCEPTED:
        return replace(record, state=HELD, spent=message.spent, due_at=now, reason=message.reason)
    if spent >= policy.attempts and now - message.created_at >= policy.window:
        return replace(record, settles=DEAD)
    return replace(record, state=READY, spent=spent, due_at=now)


def _repeated(record: Record, message: Message, *, once: bool, now: datetime) -> Record:
    """Return what it leads to that an effect may be there and may be made again.

    Where `once` bounds it, the first doubt takes all the attempts there are: a second one finds none left.
    """
    policy = message.policy
    is_last = message.spent >= policy.attempts and (once or now - message.created_at >= policy.window)
    if is_last:
        return replace(record, settles=DEAD, reason=Reason.ALERT_UNANSWERED.value)
    spent = policy.attempts if once else message.spent + 1
    due_at = now + timedelta(seconds=backoff(policy, message.spent))
    return replace(record, state=READY, spent=spent, due_at=due_at, reason=Reason.ALERT_REPEATED.value)
