"""Writes the keys of mirrored customers: whoever changes a customer, a location or a contact has the family's keys made anew.

A key joins a customer's name with a location's address and both their contacts, which come by different feeds. So keys are
made per customer, from whatever of it is there, and kept with the customer in one row (`customer_keys`); `match_keys` holds
the same in the order of the keys, to look them up. After a first load the rows of all customers come first, and then are
`spread` over the other table in its own order: written as they were made, in an order by chance, each thousand customers
would touch every page of an index that no memory holds (4.8 us a key in place of 2.0 at 2.5 M keys, and growing).
"""

import asyncio
import struct
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import Any

from psycopg import errors

from bridge.db.database import Tx
from bridge.domain.ids import TenantId
from bridge.domain.keys import ContactRow, CustomerRow, KeyRow, LocationRow, key_bytes, record_keys, record_texts

Family = tuple[CustomerRow, list[LocationRow], list[ContactRow]]

AT_ONCE = 1000
"""Customers that are read, keyed and written together in bulk: 0.1 s of work, a few MB."""

STRETCH = 50
"""Customers keyed before the database's answers are looked at again: 3 ms of work."""

SPREAD_LOCK = 72_707_15
"""Class of the advisory locks held by who spreads a tenant's keys, and shared by all who renew some of them."""

# Each id is looked up by itself: asked for a list at once, a planner without statistics walks all rows of the tenant.
_EACH = "FROM unnest(%(ids)s::bigint[]) AS wanted (id) CROSS JOIN LATERAL"
_HELD = f"""
SELECT found.* {_EACH} (SELECT customer_id, keys, location_ids FROM customer_keys k
WHERE k.tenant_id = %(tenant)s AND k.customer_id = wanted.id OFFSET 0) AS found
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
_SPREAD = """
INSERT INTO match_keys (tenant_id, key, customer_id, location_id)
SELECT %(tenant)s, key, customer_id, location_id FROM (
  SELECT unnest(keys) AS key, customer_id, unnest(location_ids) AS location_id FROM customer_keys
  WHERE tenant_id = %(tenant)s OFFSET 0
) made WHERE key >= %(low)s AND key <= %(high)s ORDER BY key
"""

_COPY_KEYS = "COPY match_keys (tenant_id, key, customer_id, location_id) FROM STDIN (FORMAT BINARY)"
_COPY_SETS = "COPY customer_keys (tenant_id, customer_id, keys, location_ids) FROM STDIN (FORMAT BINARY)"
_ROW = struct.Struct("!hiqiqiqiq")
_SET = struct.Struct("!hiqiq")
_ARRAY = struct.Struct("!iiiiii")
_NUMBER = struct.Struct("!q")
_LENGTH = struct.pack("!i", 8)
_INT8 = 20
_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TAIL = struct.pack("!h", -1)


def listed(ids: Iterable[int]) -> str:
    """Return ids (or truth values) as PostgreSQL writes an array: psycopg takes each number of a list through Python, 0.5 us apiece."""
    return "{" + ",".join(map(str, ids)) + "}"


async def renew(tx: Tx, tenant_id: TenantId, customers: Collection[int], *, region: str) -> int:
    """Make the keys of these customers anew and return how many rows of `match_keys` changed.

    The rows of the customers are locked first: of two writers that touch one customer the second sees the first's work.
    """
    if not customers:
        return 0
    ids = sorted(customers)
    await tx.execute("SELECT pg_advisory_xact_lock_shared(%s, hashtext(%s::text))", [SPREAD_LOCK, str(tenant_id)])
    await _lock(tx, tenant_id, ids)
    wanted = {family[0].id: set(record_keys(*family, region=region)) for family in await families(tx, tenant_id, ids)}
    cursor = tx.cursor(binary=True)
    await cursor.execute(_HELD, {"tenant": tenant_id, "ids": listed(ids)})
    held = {
        customer: {KeyRow(key, customer, place) for key, place in zip(keys, places, strict=True)}
        for customer, keys, places in await cursor.fetchall()
    }
    other = [each for each in ids if (each in wanted or each in held) and wanted.get(each) != held.get(each)]
    if not other:
        return 0
    gone: list[KeyRow] = []
    new: list[KeyRow] = []
    sets: list[bytes] = []
    for customer in other:
        keys, old = wanted.get(customer, set()), held.get(customer, set())
        gone += old - keys
        new += keys - old
        parts = [(_NUMBER.pack(row.key), _NUMBER.pack(row.location_id)) for row in sorted(keys)]
        sets.append(_set(tenant_id, customer, [key for key, _ in parts], [place for _, place in parts]))
    if gone:
        await tx.execute(
            "DELETE FROM match_keys k USING unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS g(key, customer, location)"
            " WHERE k.tenant_id = %s AND k.key = g.key AND k.customer_id = g.customer AND k.location_id = g.location",
            [*(listed(row[at] for row in gone) for at in range(3)), tenant_id],
        )
    pack = _ROW.pack
    await _copy(tx, _COPY_KEYS, [pack(4, 8, tenant_id, 8, *_eights(row)) for row in sorted(new)])
    await tx.execute(
        "DELETE FROM customer_keys WHERE tenant_id = %s AND customer_id = ANY(%s::bigint[])",
        [tenant_id, listed(customer for customer in other if customer in held)],
    )
    await _copy(tx, _COPY_SETS, sets)
    return len(gone) + len(new)


def _eights(row: KeyRow) -> tuple[int, int, int, int, int]:
    key, customer, place = row
    return key, 8, customer, 8, place


async def make(tx: Tx, tenant_id: TenantId, customers: Collection[int], *, region: str) -> int:
    """Make the keys of many customers that mostly have none yet, and return how many; they are found once `spread`.

    While the database reads and writes, keys are made.
    """
    ids = sorted(customers)
    await _lock(tx, tenant_id, ids)
    cursor = tx.cursor(binary=True)
    await cursor.execute(_HELD, {"tenant": tenant_id, "ids": listed(ids)})
    old = sorted(row[0] for row in await cursor.fetchall())
    made = 0
    for start in range(0, len(old), AT_ONCE):
        made += await renew(tx, tenant_id, old[start : start + AT_ONCE], region=region)
    ids = sorted(set(ids).difference(old))
    packed: list[bytes] = []
    found = await families(tx, tenant_id, ids[:AT_ONCE])
    for start in range(0, len(ids), AT_ONCE):
        following = ids[start + AT_ONCE : start + 2 * AT_ONCE]
        found, (packed, count) = await asyncio.gather(
            _write_and_read(tx, tenant_id, packed, following), _sets(tenant_id, found, region=region)
        )
        made += count
    await _copy(tx, _COPY_SETS, packed)
    return made


async def _write_and_read(tx: Tx, tenant_id: TenantId, packed: Sequence[bytes], ids: Sequence[int]) -> list[Family]:
    """Write the keys of the customers before, and read those that come next."""
    await _copy(tx, _COPY_SETS, packed)
    return await families(tx, tenant_id, ids) if ids else []


async def spread(tx: Tx, tenant_id: TenantId, *, part: int, of: int) -> int:
    """Write a part of the keys that customers hold where they are looked up, and return how many rows are new.

    Nobody renews keys of this tenant meanwhile: what one who does takes away must not be written here.
    """
    await tx.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s::text))", [SPREAD_LOCK, str(tenant_id)])
    await tx.execute("SET LOCAL work_mem = '64MB'")  # to sort: 1 M keys in memory, more on disk
    low, high = (-(2**63) + at * 2**64 // of for at in (part, part + 1))
    bounds = {"tenant": tenant_id, "low": low, "high": high - 1}
    try:
        async with tx.transaction():
            return (await tx.execute(_SPREAD, bounds)).rowcount
    except errors.UniqueViolation:  # some were renewed in between: looking at each beforehand costs as much again
        return (await tx.execute(f"{_SPREAD} ON CONFLICT DO NOTHING", bounds)).rowcount


async def _lock(tx: Tx, tenant_id: TenantId, ids: Sequence[int]) -> None:
    await tx.execute(
        "SELECT 1 FROM mirrored_customers WHERE tenant_id = %s AND id = ANY(%s::bigint[]) ORDER BY id FOR UPDATE",
        [tenant_id, listed(ids)],
    )


async def _sets(tenant_id: TenantId, found: Sequence[Family], *, region: str) -> tuple[list[bytes], int]:
    """Return the keys of some families as rows of a binary COPY, and how many they are."""
    packed: list[bytes] = []
    count = 0
    for start in range(0, len(found), STRETCH):
        for customer, locations, contacts in found[start : start + STRETCH]:
            hashed: dict[str, bytes] = {}  # a location's contact repeats the customer's more often than not
            keys: list[bytes] = []
            places: list[bytes] = []
            for place, texts in record_texts(customer, locations, contacts, region=region).items():
                for text in texts:
                    key = hashed.get(text)
                    if key is None:
                        key = hashed[text] = key_bytes(text)
                    keys.append(key)
                places += [_NUMBER.pack(place)] * len(texts)
            packed.append(_set(tenant_id, customer.id, keys, places))
            count += len(keys)
        await asyncio.sleep(0)
    return packed, count


def _set(tenant_id: TenantId, customer_id: int, keys: Sequence[bytes], places: Sequence[bytes]) -> bytes:
    """Return a row of `customer_keys` for a binary COPY."""
    head = _array(len(keys))
    return b"".join(
        (_SET.pack(4, 8, tenant_id, 8, customer_id), head, *_listed_bytes(keys), head, *_listed_bytes(places))
    )


@cache
def _array(count: int) -> bytes:
    """Return how a bigint[] of so many elements starts, its length in bytes first."""
    if not count:
        return struct.pack("!iiii", 12, 0, 0, _INT8)
    return _ARRAY.pack(20 + 12 * count, 1, 0, _INT8, count, 1)


def _listed_bytes(numbers: Sequence[bytes]) -> tuple[bytes, ...]:
    return (_LENGTH, _LENGTH.join(numbers)) if numbers else ()


async def _copy(tx: Tx, statement: str, packed: Sequence[bytes]) -> None:
    """Write packed rows; one that is there already is an error of the caller."""
    if packed:
        async with tx.cursor().copy(statement) as copy:
            await copy.write(_HEAD + b"".join(packed) + _TAIL)


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
