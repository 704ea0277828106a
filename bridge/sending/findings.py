"""From what a look at the far side found to what is written down, or to the next look (pure)."""

from datetime import datetime, timedelta
from typing import assert_never

import msgspec
from msgspec.structs import replace

from bridge.domain.outcome import Deferred, Outcome
from bridge.domain.reasons import Reason
from bridge.sending.message import Message
from bridge.sending.outbox import HELD, READY
from bridge.sending.records import DEAD, DONE, Record
from bridge.sending.retry import LookFirst, backoff, look_first

_encode = msgspec.json.Encoder().encode

ACCEPTED = frozenset({Reason.FIELD_NOT_KEPT})
"""Doubts after a success: what is still not there when reads show everything is for a person; sending it again would not help."""


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
