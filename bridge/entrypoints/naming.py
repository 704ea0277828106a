"""Looks up what the config calls by name, at start and ever again: a name ServiceTitan does not know is told of before a lead needs it.

The config is read for it only where there is something new to compare with: reading that of 40 tenants takes a thread 0.04 s,
and for as long each step of the event loop waits up to 5 ms for its turn.
"""

import asyncio
import contextlib
import os
from collections.abc import Mapping
from time import monotonic

import structlog

from bridge import connectors
from bridge.db.database import UNREACHABLE, Database
from bridge.domain.reference import ReferenceLists
from bridge.mirror import records
from bridge.reports.reading import reading
from bridge.settings import Settings, load
from bridge.settings.faults import Fault

_log = structlog.get_logger()
_WAITING_SECONDS = 5.0  # until the mirror holds the lists, after a first start
_SECONDS = 300.0


def name_faults(lists: Mapping[str, ReferenceLists], *, environ: Mapping[str, str] = os.environ) -> tuple[Fault, ...]:
    """Return what the config calls by a name or id that these lists (by the tenant's name) lack or hold twice, each at its place."""
    known = (*connectors.kinds(), *connectors.ALIASES)
    found = load(None, environ, kinds=known, read_secrets=False, mirror=lambda _: lists)
    return () if isinstance(found, Settings) else found


async def lists_of(database: Database, settings: Settings) -> dict[str, ReferenceLists]:
    """Return the lists that the mirror holds, by the tenant's name; tenants whose lists were not read yet are left out."""
    async with reading(database) as tx:
        found = await records.lists(tx, settings.tenants)
    return {settings.tenants[tenant_id].key: lists for tenant_id, lists in found.items() if lists.is_loaded}


async def run(
    database: Database, settings: Settings, stop: asyncio.Event, *, environ: Mapping[str, str] = os.environ
) -> None:
    """Look as soon as the lists are there, and every five minutes, until `stop` is set; each fault is logged once."""
    told: frozenset[str] = frozenset()
    compared: Mapping[str, ReferenceLists] = {}
    again_at = 0.0
    while not stop.is_set():
        lists: dict[str, ReferenceLists] = {}
        with contextlib.suppress(*UNREACHABLE):
            lists = await lists_of(database, settings)
            if lists != compared or (lists and monotonic() >= again_at):
                compared, again_at = lists, monotonic() + _SECONDS
                faults = await asyncio.to_thread(name_faults, lists, environ=environ)
                for fault in faults:
                    if str(fault) not in told:
                        place = f"{fault.place}: {fault.path}"
                        _log.error("config.name_unknown", place=place, fault=fault.message, remedy=fault.hint)
                told = frozenset(map(str, faults))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SECONDS if len(lists) == len(settings.tenants) else _WAITING_SECONDS):
                await stop.wait()
