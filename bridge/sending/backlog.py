"""One tenant's waiting messages as its owner holds them in memory: order per lane, due times, who waits for whom (pure)."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from heapq import heappop, heappush
from typing import NamedTuple

import msgspec

from bridge.domain.ids import TenantId
from bridge.sending.lanes import DEPTH, Lanes
from bridge.sending.message import Message
from bridge.sending.outbox import HELD, IN_DOUBT

UNKNOWN_VERSION = -1  # of a tenant's settings; none has it


class Doubt(NamedTuple):
    """A message in doubt: when to look next and how often it was looked at."""

    due_at: datetime
    looks: int
    message: Message


class Backlog:
    """What one tenant has waiting. It knows of a message in one place at a time, and hands each out once.

    `position` is the id up to which the table was read. A lane's first message owns the lane: it is ready, sleeping until
    it is due, in flight, or in doubt and holding; those behind wait.
    """

    def __init__(
        self, tenant_id: TenantId, *, lane_depth: int = DEPTH, busy: dict[TenantId, None] | None = None
    ) -> None:
        self.tenant_id = tenant_id
        self._busy = {} if busy is None else busy
        """Who has something in memory: the owner of many looks at those only."""
        self.position = 0
        self.version = UNKNOWN_VERSION
        self.paused = False
        self.paused_sources: frozenset[str] = frozenset()
        self.paused_lanes: frozenset[str] = frozenset()
        self.in_flight: dict[int, Message] = {}
        self.doubts: dict[int, Doubt] = {}
        self.unresolved: dict[int, Message] = {}
        self._held: dict[int, Message] = {}
        self._lanes = Lanes(lane_depth)
        self._ready: dict[str, list[tuple[int, int]]] = {}
        self._sleeping: list[tuple[datetime, int]] = []
        self._waiters: dict[int, list[int]] = {}
        self._holding: set[int] = set()  # in doubt and keeping their lane
        self._finished: set[int] | None = None

    def __len__(self) -> int:
        """Return how many messages are held in memory, in flight and in doubt included."""
        return len(self._held) + len(self.in_flight) + len(self.doubts)

    @property
    def is_blocked(self) -> bool:
        """Tell whether nothing held could go out even with all the budget of the world."""
        return not self.in_flight and not any(self._ready.values())

    @property
    def is_still(self) -> bool:
        """Tell whether messages are held and none of them moves by itself: what they wait for is elsewhere, or forgotten."""
        return bool(self._held) and not (self.in_flight or self.doubts or self._sleeping or any(self._ready.values()))

    def begin_read(self) -> None:
        """From here to `end_read`, messages that end are remembered: the read may still show them."""
        self._finished = set()

    def end_read(self) -> None:
        """Forget what ended during the read."""
        self._finished = None

    def add(self, message: Message, *, now: datetime) -> None:
        """Take in a row that was read; one that is known, or ended while it was read, changes nothing."""
        id_ = message.id
        if id_ in self._held or id_ in self.in_flight or id_ in self.doubts:
            return
        if self._finished is not None and id_ in self._finished:
            return
        if message.state == HELD:
            return
        self._busy[self.tenant_id] = None
        if message.state == IN_DOUBT:
            self._add_doubt(message)
            return
        lane = message.lane
        if lane not in self._lanes:
            self._held[id_] = message
            self._lanes.take(lane)
            self._offer(message, now=now)
            return
        if self._lanes.is_full(lane):
            self._lanes.leave_out(lane, id_)
            return
        self._held[id_] = message
        self._lanes.queue(lane, id_)

    def take(self, *, now: datetime, limit: int, families: Mapping[str, int] | None = None) -> Iterator[Message]:
        """Hand out up to `limit` messages that may be sent now, most urgent first; each is in flight from then on.

        `families` limits how many of each family may go (None: all). The caller may stop early; what it was handed is
        its own.
        """
        self.wake(now=now)
        left = dict.fromkeys(self._ready, limit) if families is None else dict(families)
        for _ in range(limit):
            first: list[tuple[int, int]] | None = None
            for family, heap in self._ready.items():
                if heap and left.get(family, 0) > 0 and (first is None or heap[0] < first[0]):
                    first, best = heap, family
            if first is None:
                return
            left[best] -= 1
            _, id_ = heappop(first)
            message = self._held.pop(id_)
            self.in_flight[id_] = message
            yield message

    def is_free_for(self, message: Message) -> bool:
        """Tell whether a message that is new, and the newest of all, could go at once: nothing of its lane waits or flies."""
        return (
            message.lane not in self._lanes
            and message.lane not in self.paused_lanes
            and message.source_id not in self.paused_sources
            and not message.waits_for
        )

    def begin(self, message: Message) -> None:
        """Hand out a message that is free to go and was never taken in: it is in flight and has its lane."""
        self._busy[self.tenant_id] = None
        self._lanes.take(message.lane)
        self.in_flight[message.id] = message

    def drop(self, message: Message, *, now: datetime) -> None:
        """Forget a message that was handed out and did not go: if the table has it, it is read, after what stands before it there."""
        if self.in_flight.pop(message.id, None) is not None:
            self._pass_lane(message.lane, now=now)
        self.read_anew()

    def known_beyond(self) -> list[int]:
        """Return the ids beyond the place reached of what is held in memory all the same."""
        return [id_ for ids in (self._held, self.in_flight, self.doubts) for id_ in ids if id_ > self.position]

    def give_back(self, message: Message, *, now: datetime) -> None:
        """Take back a message that was handed out and not sent."""
        if self.in_flight.pop(message.id, None) is not None:
            self._held[message.id] = message
            self._offer(message, now=now)

    def wake(self, *, now: datetime) -> None:
        """Make ready what has become due."""
        while self._sleeping and self._sleeping[0][0] <= now:
            _, id_ = heappop(self._sleeping)
            message = self._held.get(id_)
            if message is not None:
                heappush(self._ready.setdefault(message.policy.family, []), (message.priority, id_))

    def next_due(self, *, now: datetime) -> datetime | None:
        """Return when the next sleeping message or look falls due; looks that are due are waited for by whoever looks."""
        times = [self._sleeping[0][0]] if self._sleeping else []
        times += [doubt.due_at for doubt in self.doubts.values() if doubt.due_at > now]
        return min(times, default=None)

    def is_runnable(self) -> bool:
        """Tell whether something is ready now."""
        return any(self._ready.values())

    def runnable_families(self) -> list[str]:
        """Return the families that have something ready."""
        return [family for family, heap in self._ready.items() if heap]

    def end(self, id_: int, *, now: datetime) -> None:
        """Let go of a message that is done, dead, cancelled or held: its lane goes on, its dependents are asked about again."""
        message = self.in_flight.pop(id_, None)
        if message is None:
            doubt = self.doubts.pop(id_, None)
            message = doubt.message if doubt is not None else self._held.pop(id_, None)
            if doubt is not None and id_ not in self._holding:
                self._lanes.step_out(doubt.message.lane, id_)
                self._forget(id_)  # its lane went on without it, or has not come to it
                return
        self._holding.discard(id_)
        if message is not None:
            self._pass_lane(message.lane, now=now)
        self._forget(id_)

    def sleep(self, message: Message, *, now: datetime) -> None:
        """Put back a message from flight or doubt, as it now stands in the table, to be sent again from its `due_at` on."""
        was_flying = self.in_flight.pop(message.id, None) is not None
        doubt = self.doubts.pop(message.id, None)
        if doubt is not None and message.id not in self._holding:
            if self._lanes.step_out(doubt.message.lane, message.id):
                self._held[message.id] = message
                self._lanes.queue(message.lane, message.id)
                return
            # Its lane went on without it; it goes out beside whatever runs there now.
            self._held[message.id] = msgspec.structs.replace(message, lane=f"\x00{message.id}")
            self._lanes.take(f"\x00{message.id}")
        elif was_flying or doubt is not None:
            self._held[message.id] = message
        else:
            return
        self._holding.discard(message.id)
        self._offer(self._held[message.id], now=now)

    def doubt(self, message: Message, *, due_at: datetime, looks: int, now: datetime) -> None:
        """Keep a message that came into doubt, or stays in it, to be looked at from `due_at` on."""
        self._busy[self.tenant_id] = None
        if self.in_flight.pop(message.id, None) is not None:
            if message.policy.holds_lane:
                self._holding.add(message.id)
            else:
                self._pass_lane(message.lane, now=now)
        self.doubts[message.id] = Doubt(due_at, looks, message)

    def due_doubts(self, *, now: datetime) -> list[Doubt]:
        """Return the messages to look up now, longest due first."""
        return sorted((d for d in self.doubts.values() if d.due_at <= now), key=lambda d: d.due_at)

    def reach_back(self, low: int) -> None:
        """Read again from `low` on: a transaction that committed late may show rows there."""
        self.position = min(self.position, low)

    def read_anew(self) -> None:
        """Let the next claim read everything but what is in flight from the start, as if an operator had changed something.

        To read one message again is not enough where what stood behind it may have taken its lane, and may wait for it.
        """
        self.version = UNKNOWN_VERSION

    @property
    def is_outdated(self) -> bool:
        """Tell whether everything is to be read anew."""
        return self.version == UNKNOWN_VERSION

    def await_effects(self, message: Message, effects: Iterable[int]) -> None:
        """Let an unresolved message wait until one of the effects ends."""
        effects = list(effects)
        if self._finished is not None and not self._finished.isdisjoint(effects):
            return  # one ended while it was asked about: ask again
        self.unresolved.pop(message.id, None)
        for effect in effects:
            self._waiters.setdefault(effect, []).append(message.id)

    def resolve(self, message: Message, *, now: datetime) -> None:
        """Everything the message waited for is done."""
        if self.unresolved.pop(message.id, None) is not None:
            self._schedule(message, now=now)

    def forget_waiting(self) -> None:
        """Drop everything but what is in flight, to be read anew: an operator changed something."""
        busy = {message.lane for message in self.in_flight.values()}
        self._held.clear()
        self.doubts.clear()
        self.unresolved.clear()
        self._ready.clear()
        self._sleeping.clear()
        self._waiters.clear()
        self._holding.clear()
        self._lanes.keep_heads(busy)
        self.position = 0

    def _offer(self, message: Message, *, now: datetime) -> None:
        if message.lane in self.paused_lanes or message.source_id in self.paused_sources:
            return  # it keeps its lane; the change that ends the pause reads everything anew
        if message.waits_for:
            self.unresolved[message.id] = message
            return
        self._schedule(message, now=now)

    def _schedule(self, message: Message, *, now: datetime) -> None:
        if message.due_at <= now:
            heappush(self._ready.setdefault(message.policy.family, []), (message.priority, message.id))
        else:
            heappush(self._sleeping, (message.due_at, message.id))

    def _add_doubt(self, message: Message) -> None:
        self.doubts[message.id] = Doubt(message.due_at, 0, message)
        if not message.policy.holds_lane:
            return
        if message.lane not in self._lanes:
            self._lanes.take(message.lane)
            self._holding.add(message.id)
        else:  # one before it is there again (a person's retry, a late commit): the lane is held once it comes to this one
            self._lanes.queue(message.lane, message.id)

    def _pass_lane(self, lane: str, *, now: datetime) -> None:
        """Let the next of a lane have its turn; where that was left out, it is read again."""
        id_ = self._lanes.pass_on(lane)
        if id_ is None:
            left_out = self._lanes.left_out(lane)
            if left_out is not None:
                self.position = min(self.position, left_out - 1)
        elif id_ in self.doubts:
            self._holding.add(id_)
        else:
            self._offer(self._held[id_], now=now)

    def _forget(self, id_: int) -> None:
        if self._finished is not None:
            self._finished.add(id_)
        if not self._waiters:
            return
        for waiter in self._waiters.pop(id_, ()):
            message = self._held.get(waiter)
            if message is not None:
                self.unresolved[waiter] = message
