"""Known bugs that can be switched on again, so that the simulation is seen to find them."""

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from bridge.db.database import Tx
from bridge.domain.outcome import Deferred, InDoubt
from bridge.intake import queue
from bridge.pipeline.deciders import ConfiguredDeciders
from bridge.sending import claimer, handing, landing, owner, reconciler, records, retry, store
from bridge.sending.backlog import Backlog
from bridge.sending.horizon import Horizon
from bridge.sending.message import Message
from tests.simulation.scene import Lease, Worker

NAMES = {
    "no_fence": "a worker that lost its lease still writes",
    "retry_instead_of_doubt": "a lost answer is sent again at once",
    "crash_is_ready": "what a crashed worker had begun is sent again at once",
    "entity_key": "the key names the customer, not the wish",
    "skipped_late_commit": "ids below the highest seen are never read again",
    "notify_only": "nothing is read without a wake-up",
    "no_settle_time": "finding nothing counts at once",
    "pause_unseen": "the owner's memory of a pause is believed",
    "partial_patch": "custom fields are written without those of others",
    "no_order": "what stands behind another of its lane is sent beside it",
    "no_join": "the same ask of the same party makes a second booking",
    "replay_is_new": "a replay names its effects anew",
}


class Bugs:
    """The bugs that are on."""

    def __init__(self, name: str = "") -> None:
        if name and name not in NAMES:
            raise SystemExit(f"no such bug: {name}; there are {', '.join(NAMES)}")
        self.name = name

    def may_claim(self, worker: Worker) -> bool:
        """Tell whether the worker reads now: it polls, unless only wake-ups count."""
        if self.name != "notify_only":
            return True
        was_woken = worker.dispatcher.wake_ups.is_stale
        worker.dispatcher.wake_ups.is_stale = False
        return was_woken

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        """Put the bug in force."""
        with contextlib.ExitStack() as stack:
            for target, name, value in self._patches():
                stack.enter_context(patch.object(target, name, value))
            yield

    def _patches(self) -> list[tuple[Any, str, Any]]:
        match self.name:
            case "no_fence":
                return [
                    *((module, "fence_all", _no_fence) for module in (owner, claimer, reconciler)),
                    (store, "fences", _nothing_to_hold),
                    (records, "fences", _nothing_to_hold),
                    (Lease, "holds", lambda self, shard, epoch: True),
                ]
            case "retry_instead_of_doubt":
                real = landing.next_step

                def again(outcome: Any, **parts: Any) -> Any:
                    return real(Deferred(reason=outcome.reason) if isinstance(outcome, InDoubt) else outcome, **parts)

                return [(landing, "next_step", again)]
            case "crash_is_ready":
                return [(store, "recover", _forget_intents)]
            case "entity_key":
                from tests.simulation import asks

                real_key = asks.effect_key

                def by_entity(**parts: Any) -> Any:
                    return real_key(**{**parts, "inquiry_key": "", "version": ""})

                return [(asks, "effect_key", by_entity)]
            case "skipped_late_commit":
                return [(Horizon, "advance", lambda self, now: 2**62)]
            case "no_settle_time":
                return [(retry, "FAR_SIDE_TIMEOUT", timedelta(0)), (retry, "READ_LAG", timedelta(0))]
            case "pause_unseen":
                return [
                    (module, "_INTEND", _with(module._INTEND, "version = (", "version >= 0 * ("))
                    for module in (store, handing)
                ]
            case "partial_patch":
                from bridge.sending.effects import fields

                real_merge = fields.merge_fields

                def ours_only(*arguments: Any, **parts: Any) -> Any:
                    merged = real_merge(*arguments, **parts)
                    return merged._replace(values=merged.written)

                return [(fields, "merge_fields", ours_only)]
            case "no_order":
                real_add = Backlog.add

                def beside(self: Backlog, message: Message, *, now: Any) -> None:
                    real_add(self, replace(message, lane=f"{message.lane} {message.id}"), now=now)

                return [(Backlog, "add", beside), (Backlog, "is_free_for", lambda self, message: not message.waits_for)]
            case "no_join":
                return [(ConfiguredDeciders, "_open_booking", _none_is_open)]
            case "replay_is_new":
                real_replay = queue.replay

                async def anew(tx: Tx, tenant_id: Any, delivery_id: Any, *, by: str, nonce: str = "") -> None:
                    await real_replay(tx, tenant_id, delivery_id, by=by, nonce=nonce or "anew")

                return [(queue, "replay", anew)]
            case _:
                return []


def _none_is_open(*_: Any, **__: Any) -> None:
    return None


async def _no_fence(tx: Tx, epochs: dict[int, int]) -> None:
    return None


def _nothing_to_hold(epochs: dict[int, int]) -> dict[str, object]:
    return {"shards": "{}", "epochs": "{}", "fenced": 0}


async def _forget_intents(tx: Tx, *, tenants: list[int], **_: Any) -> int:
    await tx.execute("DELETE FROM intents WHERE tenant_id = ANY(%s)", [tenants])
    return 0


def _with(statement: str, part: str, other: str) -> str:
    assert part in statement
    return statement.replace(part, other)
