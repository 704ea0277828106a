"""Where each feed of a tenant stands, who may move it, and why one stands still."""

import zlib
from datetime import datetime

import msgspec

from bridge.db.database import Tx
from bridge.domain.ids import TenantId
from bridge.domain.keys import KEYS_VERSION

SYNC_LOCK = 72_707_14
"""Class of the advisory locks that say "this session syncs this tenant"; they end with the session, killed or not."""

KEYS = "match_keys"
"""The cursor of the keys made after a first load: its place is the last customer that has them, then `spread 3/8`.

Its `recent_place` is the version of the keys.
"""

LISTS = "lists"
"""The cursor of the reference lists."""


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """One feed of one tenant; `place` is empty before the first page. A stopped one waits for a person.

    `skipped` counts records that could not be read or kept, `skipped_detail` says what was wrong with the last.
    """

    feed: str
    place: str = ""
    recent_place: str = ""
    row_count: int = 0
    page_count: int = 0
    loaded_at: datetime | None = None
    synced_at: datetime | None = None
    recent_at: datetime | None = None
    failed_at: datetime | None = None
    failures: int = 0
    reason: str = ""
    detail: str = ""
    stopped: bool = False
    skipped: int = 0
    skipped_detail: str = ""


_COLUMNS = ", ".join(Cursor.__struct_fields__)


class CursorMoved(Exception):
    """Somebody else moved the cursor since it was read: nothing of this page may count."""


async def read(tx: Tx, tenant_id: TenantId) -> dict[str, Cursor]:
    """Return every cursor of a tenant by feed."""
    found = await tx.execute(f"SELECT {_COLUMNS} FROM cursors WHERE tenant_id = %s ORDER BY feed", [tenant_id])
    rows = [dict(zip(Cursor.__struct_fields__, row, strict=True)) for row in await found.fetchall()]
    return {row["feed"]: Cursor(**row) for row in rows}


async def get(tx: Tx, tenant_id: TenantId, feed: str) -> Cursor:
    """Return the cursor of a feed, made at its beginning where there is none."""
    await tx.execute(
        "INSERT INTO cursors (tenant_id, feed) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        [tenant_id, feed],
    )
    return (await read(tx, tenant_id))[feed]


def has_keys(cursor: Cursor | None) -> bool:
    """Tell from the cursor of the keys whether every customer has its keys and is found by them."""
    return _is_current(cursor) and cursor is not None and cursor.loaded_at is not None


def keeps_keys(cursor: Cursor | None) -> bool:
    """Tell from the cursor of the keys whether a page renews those it touches: once the first customers have theirs."""
    return _is_current(cursor) and cursor is not None and bool(cursor.place)


def _is_current(cursor: Cursor | None) -> bool:
    return cursor is not None and cursor.recent_place == str(KEYS_VERSION)


async def move(tx: Tx, tenant_id: TenantId, before: Cursor, after: Cursor) -> None:
    """Write the cursor with the page it covers; raises CursorMoved where it no longer stands where it stood."""
    values = msgspec.structs.asdict(after)
    sets = ", ".join(f"{name} = %({name})s" for name in values if name != "feed")
    done = await tx.execute(
        f"UPDATE cursors SET {sets} WHERE tenant_id = %(tenant)s AND feed = %(feed)s"
        " AND place = %(old_place)s AND recent_place = %(old_recent)s",
        {**values, "tenant": tenant_id, "old_place": before.place, "old_recent": before.recent_place},
    )
    if done.rowcount != 1:
        raise CursorMoved(f"feed {before.feed} of tenant {tenant_id} moved on")


async def count_skipped(tx: Tx, tenant_id: TenantId, cursor: Cursor, count: int, *, last: str) -> Cursor:
    """Count records of the page just moved past that could not be kept, and return the cursor."""
    counted = msgspec.structs.replace(cursor, skipped=cursor.skipped + count, skipped_detail=last[:500])
    await move(tx, tenant_id, cursor, counted)
    return counted


async def fail(
    tx: Tx, tenant_id: TenantId, feed: str, *, reason: str, detail: str, stop: bool, now: datetime
) -> Cursor:
    """Note why a feed did not come forward; its place is kept. `stop` leaves it to a person."""
    await tx.execute(
        "UPDATE cursors SET failures = failures + 1, failed_at = %s, reason = %s, detail = %s, stopped = %s"
        " WHERE tenant_id = %s AND feed = %s",
        [now, reason, detail[:500], stop, tenant_id, feed],
    )
    return (await read(tx, tenant_id))[feed]


async def resume(tx: Tx, tenant_id: TenantId, feed: str) -> bool:
    """Let a stopped feed go on from where it stands; tells whether it was stopped."""
    done = await tx.execute(
        "UPDATE cursors SET stopped = false, failures = 0, failed_at = NULL, synced_at = NULL, reason = '', detail = ''"
        " WHERE tenant_id = %s AND feed = %s AND stopped",
        [tenant_id, feed],
    )
    return done.rowcount == 1


async def restart(tx: Tx, tenant_id: TenantId, feed: str) -> None:
    """Read a feed again from its beginning; what is mirrored stays, so that this is no first load, and repeats change nothing."""
    await tx.execute(
        "UPDATE cursors SET place = '', recent_place = '', row_count = 0, page_count = 0, synced_at = NULL, stopped = false,"
        " failures = 0, failed_at = NULL, reason = '', detail = ''"
        " WHERE tenant_id = %s AND feed = %s",
        [tenant_id, feed],
    )


async def take(session: Tx, tenant_id: TenantId) -> bool:
    """Make this session the one that syncs the tenant; False where another one does."""
    row = await (await session.execute("SELECT pg_try_advisory_lock(%s, %s)", [SYNC_LOCK, _slot(tenant_id)])).fetchone()
    return bool(row and row[0])


async def leave(session: Tx, tenant_id: TenantId) -> None:
    """Let another session sync the tenant."""
    await session.execute("SELECT pg_advisory_unlock(%s, %s)", [SYNC_LOCK, _slot(tenant_id)])


def _slot(tenant_id: TenantId) -> int:
    """Return a tenant's 32 bits; two tenants that share them wait for each other, and no more."""
    return zlib.crc32(str(tenant_id).encode()) - 2**31


async def finish_lists(tx: Tx, tenant_id: TenantId, *, refused: dict[str, str], now: datetime) -> None:
    """Note when the reference lists were read, and which could not be."""
    await get(tx, tenant_id, LISTS)
    await tx.execute(
        "UPDATE cursors SET synced_at = %(now)s, loaded_at = coalesce(loaded_at, %(now)s), page_count = page_count + 1,"
        " reason = %(reason)s, detail = %(detail)s WHERE tenant_id = %(tenant)s AND feed = %(feed)s",
        {
            "now": now,
            "reason": next(iter(refused.values()), ""),
            "detail": ", ".join(sorted(refused)),
            "tenant": tenant_id,
            "feed": LISTS,
        },
    )
