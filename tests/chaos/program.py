"""`python -m tests.chaos.program POINT HITS ROLE`: the role as it is, but killed at a named point, the HITS-th time it comes by.

An empty point lives. Two times of the product can be shortened, so that what a kill leaves behind is cleared up within a test's time:
CHAOS_ABSENT is how many seconds after a send "not found" counts (280), CHAOS_SILENT how long a dead worker is silent before it counts
as dead (3).
"""

import os
import random
import signal
import sys
import threading
from datetime import timedelta
from functools import partial
from typing import Any

SERVE = (
    "before_intake_commit",
    "during_intake_commit",
    "after_intake_commit",
    "before_answer",  # of one of a batch: others of it may have theirs
    "after_answer",
)
DECIDE = ("before_decision_commit", "during_decision_commit", "after_decision_commit")
SEND = (
    "before_intent_commit",
    "during_intent_commit",
    "after_intent_commit",
    "amid_batch",
    "after_bytes_sent",
    "after_answer_came",
    "before_outcome_commit",
    "during_outcome_commit",
    "after_outcome_commit",
)
LOOK = ("before_look_commit", "after_look_commit")  # reached only where something came into doubt
MOMENT = 0.003  # seconds: about as long as a commit or a request takes here


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Doom:
    """The point where this process ends, and how often it still passes it."""

    def __init__(self, point: str, hits: int) -> None:
        self._point = point
        self._left = hits

    def at(self, point: str) -> None:
        """Die here if it is the point."""
        if self._is_now(point):
            die()

    def within_a_moment(self, point: str) -> None:
        """Die while what is begun now is under way or has just ended; a thread does it, whatever the loop is at."""
        if self._is_now(point):
            threading.Timer(random.random() * MOMENT, die).start()

    def _is_now(self, point: str) -> bool:
        if point != self._point:
            return False
        self._left -= 1
        return self._left == 0

    def around(self, owner: Any, name: str, what: str) -> None:
        """Put points before, during and after a coroutine function of a class or module."""
        original = getattr(owner, name)

        async def wrapped(*arguments: Any, **parts: Any) -> Any:
            self.at(f"before_{what}")
            self.within_a_moment(f"during_{what}")
            result = await original(*arguments, **parts)
            self.at(f"after_{what}")
            return result

        setattr(owner, name, wrapped)


def patch_server(doom: Doom) -> None:
    """Put points around the commit of a batch of deliveries and around each answer."""
    from bridge.db.direct import DirectConnection
    from bridge.entrypoints import hook_protocol

    send, answer = DirectConnection.send, hook_protocol._Exchange.answer

    def send_or_die(self: DirectConnection, name: str, parameters: Any, then: Any) -> None:
        if name != "insert":
            send(self, name, parameters, then)
            return

        def then_or_die(answer: Any) -> None:
            doom.at("after_intake_commit")
            then(answer)

        doom.at("before_intake_commit")
        send(self, name, parameters, then_or_die)
        doom.within_a_moment("during_intake_commit")

    def answer_or_die(self: Any, status: int, *parts: Any) -> None:
        doom.at("before_answer")
        answer(self, status, *parts)
        doom.within_a_moment("after_answer")

    DirectConnection.send = send_or_die  # type: ignore[method-assign]
    hook_protocol._Exchange.answer = answer_or_die  # type: ignore[method-assign, assignment]


def patch_worker(doom: Doom) -> None:
    """Put points around the commits of decisions, intents, outcomes and looks, and around each request."""
    from bridge import pipeline
    from bridge.sending import store
    from bridge.sending.handing import HandOver
    from bridge.sending.reconciler import Reconciler
    from bridge.sending.recorder import Recorder
    from bridge.sending.sender import Sender
    from bridge.servicetitan.transport import Transport

    decide = pipeline.decide_stretch

    async def decide_or_die(*arguments: Any, **parts: Any) -> Any:
        stories = await decide(*arguments, **parts)
        doom.at("before_decision_commit")  # all is written, nothing is committed
        doom.within_a_moment("during_decision_commit")
        return stories

    pipeline.decide_stretch = decide_or_die
    at_once = pipeline._Deciding.at_once

    async def write_or_die(*arguments: Any, **parts: Any) -> Any:
        stories = await at_once(*arguments, **parts)
        doom.at("after_decision_commit")
        return stories

    pipeline._Deciding.at_once = write_or_die  # type: ignore[method-assign]
    doom.around(store, "intend", "intent_commit")
    intend, committed = HandOver.intend, HandOver.committed

    async def intend_or_die(self: HandOver, *arguments: Any, **parts: Any) -> None:
        await intend(self, *arguments, **parts)
        if self.intents:
            doom.at("before_intent_commit")
            doom.within_a_moment("during_intent_commit")

    async def committed_or_die(self: HandOver, **parts: Any) -> Any:
        if self.intents:
            doom.at("after_intent_commit")
        return await committed(self, **parts)

    HandOver.intend = intend_or_die  # type: ignore[method-assign]
    HandOver.committed = committed_or_die  # type: ignore[method-assign]
    doom.around(Recorder, "_write", "outcome_commit")
    doom.around(Reconciler, "_settle", "look_commit")

    send, exchange = Sender.send, Transport.exchange
    begun: set[int] = set()

    async def send_or_die(self: Sender, flight: Any) -> None:
        if id(flight.intent) in begun:  # one of the same batch has gone before
            doom.at("amid_batch")
        begun.add(id(flight.intent))
        await send(self, flight)

    async def exchange_or_die(self: Transport, method: str, url: str, **parts: Any) -> Any:
        if method != "POST" or "/bookings" not in url:
            return await exchange(self, method, url, **parts)
        doom.within_a_moment("after_bytes_sent")
        reply = await exchange(self, method, url, **parts)
        doom.at("after_answer_came")
        return reply

    Sender.send = send_or_die  # type: ignore[method-assign]
    Transport.exchange = exchange_or_die  # type: ignore[method-assign]


def hasten() -> None:
    """Let absence count, and a dead worker be seen, as early as the environment says."""
    from bridge.entrypoints import worker
    from bridge.sending import retry

    if absent := os.environ.get("CHAOS_ABSENT"):
        retry.FAR_SIDE_TIMEOUT = retry.READ_LAG = timedelta(seconds=float(absent)) / 2
    if silent := os.environ.get("CHAOS_SILENT"):
        hasty = partial(worker.Ownership, renew_every=float(silent) / 3, silence=float(silent))
        worker.Ownership = hasty  # type: ignore[misc,assignment]


def main() -> None:
    point, hits, role = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    doom = Doom(point, hits)
    if role == "work":
        patch_worker(doom)
        hasten()
    else:
        patch_server(doom)
    from bridge.entrypoints.cli import main as bridge

    sys.argv = ["bridge", role]
    bridge()


if __name__ == "__main__":
    main()
