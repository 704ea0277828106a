"""Writes the keys of mirrored customers: whoever changes a customer, a location or a contact has the family's keys made anew.

A key joins a customer's name with a location's address and both their contacts, which come by different feeds. So keys are
made per customer, from whatever of it is there.
"""

import asyncio
import struct
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from bridge.db.database import Tx
from bridge.domain.ids import TenantId
from bridge.domain.keys import ContactRow, CustomerRow, KeyRow, LocationRow, key64, record_keys, record_texts

Family = tuple[CustomerRow, list[LocationRow], list[ContactRow]]

AT_ONCE = 1000
"""Customers that are read, keyed and written together in bulk: 0.1 s of work, a few MB."""

STRETCH = 50
"""Customers keyed before the database's answers are looked at again: 3 ms of work."""

# Each id is looked up by itself: asked for a list at once, a planner without statistics walks all rows of the tenant.
_EACH = "FROM unnest(%(ids)s::bigint[]) AS wanted (id) CROSS JOIN LATERAL"
_HELD = f"""
SELECT key, customer_id, location_id {_EACH} (SELECT key, customer_id, location_id FROM match_keys k
WHERE k.tenant_id = %(tenant)s AND k.customer_id = wanted.id OFFSET 0) AS found
"""
_HAVE_SOME = f"""
SELECT wanted.id {_EACH} (SELECT 1 FROM match_keys k WHERE k.tenant_id = %(tenant)s AND k.customer_id = wanted.id LIMIT 1)
"""
_CUSTOMERS = f"""
SELECT found.* {_EACH} (SELECT id, coalesce(name, ''), coalesce(street, ''), coalesce(unit, ''), coalesce(city, ''),
coalesce(state, ''), coalesce(zip, '') FROM mirrored_customers c
WHERE c.tenant_id = %(tenant)s AND c.id = wanted.id AND c.merged_to_id IS NULL OFFSET 0) AS found
"""
_LOCATIONS = f"""
SELECT found.* {_EACH} (SELECT id, customer_id, coalesce(name, ''), coalesce(street, ''), coalesce(unit, ''),
coalesce(city, ''), coalesce(state, ''), coalesce(zip, '') FROM mirrored_locations l
WHERE l.tenant_id = %(tenant)s AND l.customer_id = wanted.id AND l.merged_to_id IS NULL OFFSET 0) AS found
"""
_CONTACTS = f"""
SELECT found.* {_EACH} (SELECT owner_id, coalesce(type, ''), coalesce(value, ''), coalesce(memo, '')
FROM mirrored_contacts c
WHERE c.tenant_id = %(tenant)s AND c.party = %(party)s AND c.owner_id = wanted.id AND c.active OFFSET 0) AS found
"""

_COPY = "COPY match_keys (tenant_id, key, customer_id, location_id) FROM STDIN (FORMAT BINARY)"
_ROW = struct.Struct("!hiqiqiqiq")
_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TAIL = struct.pack("!h", -1)


def listed(ids: Iterable[int]) -> str:
    """Return ids as PostgreSQL writes an array: psycopg takes each number of a list through Python, 0.5 us apiece."""
    return "{" + ",".join(map(str, ids)) + "}"


async def renew(tx: Tx, tenant_id: TenantId, customers: Collection[int], *, region: str) -> int:
    """Make the keys of these customers anew and return how many rows changed.

    The rows of the customers are locked first: of two writers that touch one customer the second sees the first's work.
    """
    if not customers:
        return 0
    ids = sorted(customers)
    await _lock(tx, tenant_id, ids)
    wanted = {key for family in await families(tx, tenant_id, ids) for key in record_keys(*family, region=region)}
    cursor = tx.cursor(binary=True)
    await cursor.execute(_HELD, {"tenant": tenant_id, "ids": listed(ids)})
    held: set[KeyRow] = set(map(KeyRow._make, await cursor.fetchall()))
    gone, new = list(held - wanted), sorted(wanted - held)
    if gone:
        await tx.execute(
            "DELETE FROM match_keys k USING unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS g(key, customer, location)"
            " WHERE k.tenant_id = %s AND k.key = g.key AND k.customer_id = g.customer AND k.location_id = g.location",
            [*([row[at] for row in gone] for at in range(3)), tenant_id],
        )
    pack = _ROW.pack
    await _copy(tx, [pack(4, 8, tenant_id, 8, key, 8, customer, 8, place) for key, customer, place in new])
    return len(gone) + len(new)


async def make(tx: Tx, tenant_id: TenantId, customers: Collection[int], *, region: str) -> int:
    """Make the keys of many customers that mostly have none yet, as `renew` does, and return how many rows changed.

    While the database writes the keys of some, those of the next are made.
    """
    ids = sorted(customers)
    await _lock(tx, tenant_id, ids)
    have = await tx.execute(_HAVE_SOME, {"tenant": tenant_id, "ids": listed(ids)})
    old = {row[0] for row in await have.fetchall()}
    made = await renew(tx, tenant_id, old, region=region)
    ids = [each for each in ids if each not in old]
    rows: list[bytes] = []
    for start in range(0, len(ids), AT_ONCE):
        found = await families(tx, tenant_id, ids[start : start + AT_ONCE])
        _, rows = await asyncio.gather(_copy(tx, rows), _rows(tenant_id, found, region=region))
        made += len(rows)
    await _copy(tx, rows)
    return made


async def _lock(tx: Tx, tenant_id: TenantId, ids: Sequence[int]) -> None:
    await tx.execute(
        "SELECT 1 FROM mirrored_customers WHERE tenant_id = %s AND id = ANY(%s::bigint[]) ORDER BY id FOR UPDATE",
        [tenant_id, listed(ids)],
    )


async def _rows(tenant_id: TenantId, found: Sequence[Family], *, region: str) -> list[bytes]:
    """Return the keys of some families as rows of a binary COPY, in the order of the index: neighbours share its pages."""
    rows: list[bytes] = []
    add, pack = rows.append, _ROW.pack
    for start in range(0, len(found), STRETCH):
        for customer, locations, contacts in found[start : start + STRETCH]:
            number = customer.id
            for place, texts in record_texts(customer, locations, contacts, region=region).items():
                for key in {key64(text) for text in texts}:
                    add(pack(4, 8, tenant_id, 8, key, 8, number, 8, place))
        await asyncio.sleep(0)
    rows.sort()
    return rows


async def _copy(tx: Tx, rows: Sequence[bytes]) -> None:
    """Write packed keys; one that is there already is an error of the caller."""
    if rows:
        async with tx.cursor().copy(_COPY) as copy:
            await copy.write(_HEAD + b"".join(rows) + _TAIL)


async def families(tx: Tx, tenant_id: TenantId, ids: Collection[int]) -> list[Family]:
    """Return these customers with their locations and active contacts; merged ones have none of their own."""
    cursor = tx.cursor(binary=True)
    scope: dict[str, Any] = {"tenant": tenant_id, "ids": listed(ids)}
    await cursor.execute(_CUSTOMERS, scope)
    found: dict[int, Family] = {row[0]: (CustomerRow._make(row), [], []) for row in await cursor.fetchall()}
    await cursor.execute(_LOCATIONS, scope)
    owners: dict[int, int] = {}
    for row in await cursor.fetchall():
        if row[1] in found:
            owners[row[0]] = row[1]
            found[row[1]][1].append(LocationRow._make(row))
    await cursor.execute(_CONTACTS, {**scope, "party": "customer"})
    for owner, kind, value, memo in await cursor.fetchall():
        if owner in found:
            found[owner][2].append(ContactRow(0, kind, value, memo))
    await cursor.execute(_CONTACTS, {**scope, "party": "location", "ids": listed(owners)})
    for owner, kind, value, memo in await cursor.fetchall():
        found[owners[owner]][2].append(ContactRow(owner, kind, value, memo))
    return list(found.values())
