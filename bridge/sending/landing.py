"""A message under way: its intent, its flight, what landed, and from that what is written down (pure)."""

from datetime import datetime, timedelta
from typing import assert_never

import msgspec
from msgspec.structs import replace

from bridge.domain.ids import EffectKey
from bridge.domain.outcome import Deferred, InDoubt, Outcome, Rejected, Succeeded
from bridge.sending.holds import HOLDS
from bridge.sending.message import Message
from bridge.sending.outbox import HELD, IN_DOUBT, READY
from bridge.sending.records import DEAD, DONE, NOT_SETTLED, Record
from bridge.sending.retry import Again, Dead, Done, LookFirst, next_step
from bridge.sending.store import Loaded

DETAIL_MAX = 500

_encode = msgspec.json.Encoder().encode


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
