"""One cell of the matrix: a load, a far side that misbehaves, one thing that breaks, and the count of what came of it."""

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import psycopg

from bridge.db.embedded import EmbeddedPostgres
from tests.chaos.program import DECIDE, LOOK, SEND, SERVE
from tests.chaos.senders import Senders
from tests.chaos.stage import Program, Stage

FAULTS: dict[str, dict[str, Any]] = {
    "none": {},
    "rate_limit": {"action": "rate_limit", "seconds": 1.0},
    "error_before": {"action": "error_before"},
    "error_after": {"action": "error_after"},
    "drop_after": {"action": "drop_after"},
    "timeout_after": {"action": "timeout_after", "seconds": 5.0},
}
DOUBTS = ("error_after", "drop_after", "timeout_after")
TIMES = 3  # hits of a fault at each tenant; five in a row open the breaker, which rests for longer than a cell may last
RATE = 80.0  # events a second
KILLED_WITHIN = 30.0
SETTLED_WITHIN = 120.0
POINTS = (*SERVE, *DECIDE, *SEND, *LOOK)
OUTAGES = ("postgres_restarted", "postgres_crashed", "connections_cut")


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one: `lost` were acknowledged and have no effect, `doubled` have more than one, `unwanted` nobody sent."""

    point: str
    fault: str
    was_broken: bool
    sent: int
    acknowledged: int
    effects: int
    lost: int
    doubled: int
    unwanted: int
    refused: int
    is_settled: bool
    seconds_until_settled: float

    @property
    def is_good(self) -> bool:
        """Tell whether it broke what it was to break, and each effect is there once."""
        spotless = not (self.lost or self.doubled or self.unwanted or self.refused)
        return self.was_broken and self.is_settled and spotless and self.acknowledged == self.sent


def all_cells() -> list[tuple[str, str]]:
    """Return every point and outage with every fault that can reach it."""
    kills = [(point, fault) for point in POINTS for fault in FAULTS if point not in LOOK or fault in DOUBTS]
    return kills + [(outage, fault) for outage in OUTAGES for fault in FAULTS]


class Play:
    """The cells on one stage: a server and a worker that live through all of them, and one of either that does not."""

    def __init__(self, stage: Stage, postgres: EmbeddedPostgres | None, *, seed: int) -> None:
        self._stage = stage
        self._postgres = postgres
        self._random = random.Random(seed)
        self._next = 0
        self._server = stage.start("serve")
        self._worker = stage.start("work")
        self._second: dict[str, Program] = {}

    async def cell(self, point: str, fault: str) -> Cell:
        """Play one."""
        stage = self._stage
        doomed = self._cast(point)
        await asyncio.to_thread(stage.until_up, self._server, self._worker, *self._second.values(), workers=2)
        place = stage.place()
        stage.suffer(FAULTS[fault], times=TIMES, probability=0.4)
        servers = [self._server.address, self._second["serve"].address]
        senders = Senders(servers, tenants=len(stage.tenants), first=self._next, rate=RATE)
        sending = asyncio.create_task(senders.run())
        if doomed is None:
            was_broken = await self._break(point)
        else:
            was_broken = await self._until_killed(doomed)
        broken_at = time.monotonic()
        await asyncio.sleep(0.5)
        senders.stop()
        await sending
        is_settled = await asyncio.to_thread(stage.until_idle, seconds=SETTLED_WITHIN)
        seconds = time.monotonic() - broken_at
        self._next = max(senders.sent) + 1
        booked = await asyncio.to_thread(lambda: stage.booked(after=place))
        return Cell(
            point=point,
            fault=fault,
            was_broken=was_broken,
            sent=len(senders.sent),
            acknowledged=len(senders.acknowledged),
            effects=booked.total(),
            lost=len(senders.acknowledged - booked.keys()),
            doubled=sum(count > 1 for count in booked.values()),
            unwanted=len(booked.keys() - senders.sent),
            refused=len(senders.refused),
            is_settled=is_settled,
            seconds_until_settled=round(seconds, 1),
        )

    def _cast(self, point: str) -> Program | None:
        """Have two of each role; return the one that is to die at the point, None where something else breaks."""
        role = "serve" if point in SERVE else "work" if point in POINTS else ""
        if role in self._second:  # one without a point, or with another one
            self._second.pop(role).kill()
        for one in ("serve", "work"):
            if one == role:
                self._second[one] = self._stage.start(
                    one, point=point, hits=self._random.randint(2, 12 if point not in LOOK else 2)
                )
            elif one not in self._second or self._second[one].has_ended():
                self._second[one] = self._stage.start(one)
        return self._second.get(role)

    async def _until_killed(self, doomed: Program) -> bool:
        end = time.monotonic() + KILLED_WITHIN
        while time.monotonic() < end and not doomed.has_ended():
            await asyncio.sleep(0.02)
        return doomed.process.poll() == -signal.SIGKILL

    async def _break(self, outage: str) -> bool:
        await asyncio.sleep(1.0)
        return await BREAKS[outage](self._stage, self._postgres)


async def restart(stage: Stage, postgres: EmbeddedPostgres | None) -> bool:
    """Let PostgreSQL end as at a shutdown that waits for nobody, and start it again."""
    return await again(postgres, signal.SIGINT)


async def crash(stage: Stage, postgres: EmbeddedPostgres | None) -> bool:
    """Let PostgreSQL end without a checkpoint, and recover."""
    return await again(postgres, signal.SIGQUIT)


async def again(postgres: EmbeddedPostgres | None, how: signal.Signals) -> bool:
    if postgres is None or postgres._process is None:
        return False
    postgres._process.send_signal(how)
    postgres.stop()
    postgres.start()  # from the main thread: the server dies with the thread that started it
    return True


async def cut(stage: Stage, postgres: EmbeddedPostgres | None) -> bool:
    """Cut every connection, seven times within two seconds."""
    count = 0
    async with await psycopg.AsyncConnection.connect(stage.dsn, autocommit=True) as storm:
        for _ in range(7):
            cut = await storm.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            count += cut.rowcount
            await asyncio.sleep(0.3)
    return count > 0


BREAKS: dict[str, Callable[[Stage, EmbeddedPostgres | None], Awaitable[bool]]] = {
    "postgres_restarted": restart,
    "postgres_crashed": crash,
    "connections_cut": cut,
}
