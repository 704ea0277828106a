"""The keys of all customers after a first load: made customer by customer, then spread in their own order; resumable."""

from dataclasses import dataclass

import msgspec

from bridge.db import match_keys
from bridge.domain.keys import KEYS_VERSION
from bridge.mirror import cursors, keys
from bridge.mirror.cursors import Cursor
from bridge.mirror.feeds import Progress, Syncing

CUSTOMERS_AT_ONCE = 10_000
"""Customers whose keys are made in one transaction: a second of work."""

KEYS_AT_ONCE = 2_500_000
"""Keys that are spread in one transaction, of 8 at most: 5 s, in which our own writes to this tenant's mirror wait.

Each part walks all keys that were made to find its own, 0.1 us a key, so that more parts would cost more than they spare.
"""

MOST_PARTS = 8


@dataclass(frozen=True, kw_only=True)
class _Part:
    """What of the spreading comes next."""

    number: int
    of: int

    @classmethod
    def read(cls, place: str) -> "_Part | None":
        """Return the part that a place names; None while keys are still made."""
        word, _, rest = place.partition(" ")
        if word != "spread":
            return None
        number, _, of = rest.partition("/")
        return cls(number=int(number), of=int(of))

    def __str__(self) -> str:
        return f"spread {self.number}/{self.of}"


async def make_keys(sync: Syncing) -> None:
    """Make the keys of every customer after a first load, or anew where this version makes others."""
    tx, tenant_id = sync.session, sync.tenant_id
    async with tx.transaction():
        before = cursor = await cursors.get(tx, tenant_id, cursors.KEYS)
    if cursor.recent_place != str(KEYS_VERSION):
        cursor = Cursor(feed=cursors.KEYS, recent_place=str(KEYS_VERSION))
    while not sync.stop.is_set() and cursor.loaded_at is None:
        async with tx.transaction():
            part = _Part.read(cursor.place)
            step = await (_make(sync, cursor) if part is None else _spread(sync, cursor, part))
            await cursors.move(tx, tenant_id, before, step)
        before = cursor = step
        sync.report(
            Progress(
                tenant_id=tenant_id, feed=cursors.KEYS, rows=cursor.row_count, is_done=cursor.loaded_at is not None
            )
        )


async def _make(sync: Syncing, cursor: Cursor) -> Cursor:
    """Make the keys of the customers that come next, and return where that leads."""
    tx, tenant_id = sync.session, sync.tenant_id
    ids = await keys.next_customers(tx, tenant_id, after=int(cursor.place or 0), limit=CUSTOMERS_AT_ONCE)
    made = cursor.row_count + await match_keys.make(tx, tenant_id, ids, region=sync.region)
    is_last = len(ids) < CUSTOMERS_AT_ONCE
    parts = min(1 + made // KEYS_AT_ONCE, MOST_PARTS)
    return msgspec.structs.replace(
        cursor,
        place=str(_Part(number=0, of=parts) if is_last else ids[-1]),
        row_count=made,
        page_count=cursor.page_count + 1,
        loaded_at=None,
    )


async def _spread(sync: Syncing, cursor: Cursor, part: _Part) -> Cursor:
    """Write a part of the keys where they are looked up, and return where that leads."""
    await match_keys.spread(sync.session, sync.tenant_id, part=part.number, of=part.of)
    following = _Part(number=part.number + 1, of=part.of)
    return msgspec.structs.replace(
        cursor, place=str(following), loaded_at=await sync.clock() if following.number == part.of else None
    )
