"""The role that keeps the mirror fresh; a config that changes the tenants or how often they are read is taken up anew."""

import asyncio
from collections.abc import Callable, Mapping

from bridge.bootstrap import Clients
from bridge.db.database import Database
from bridge.domain.ids import TenantId
from bridge.entrypoints.reloading import RESTART, Reloader
from bridge.mirror import sync as mirror
from bridge.mirror.feeds import Progress
from bridge.settings import MirrorCadence, Settings, TenantSettings


async def run(
    settings: Settings,
    database: Database,
    stop: asyncio.Event,
    *,
    report: Callable[[Progress], None] = mirror.log_progress,
) -> None:
    """Keep the mirror of every tenant fresh until `stop` is set, by the config that is in force."""
    clients = Clients(settings)
    in_force = settings
    turn = asyncio.Event()  # ends one round of syncing: for good, or to begin again by another config

    async def use(fresh: Settings) -> None:
        nonlocal in_force
        before, in_force = in_force, fresh
        if _synced(fresh) != _synced(before):
            clients.use(fresh)
            turn.set()

    async def end() -> None:
        await stop.wait()
        turn.set()

    waits = tuple(name for name in RESTART if name != "mirror")
    beside = [
        asyncio.create_task(Reloader(settings, use=use, waits=waits).run(), name="config.watch"),
        asyncio.create_task(end(), name="stop.watch"),
    ]
    try:
        while not stop.is_set():
            turn.clear()
            await mirror.run(database, clients, in_force, turn, report=report)
            if not in_force.tenants:
                await turn.wait()
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await clients.close()


def _synced(settings: Settings) -> tuple[Mapping[TenantId, TenantSettings], MirrorCadence]:
    """Return what of a config the mirror depends on: a page that is being read ends before another one is used."""
    return settings.tenants, settings.mirror
