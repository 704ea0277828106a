"""Match keys of what is mirrored: kept in the transaction that changes a record, made in bulk after a first load.

A key joins a customer's name with a location's address and both their contacts, which come by different feeds. So keys are
made per customer, from whatever of it is there; each later page makes those of the customers it touches anew.
"""

from collections.abc import Collection
from typing import Any

from bridge.db.database import Tx
from bridge.db.match_keys import copy_keys
from bridge.domain.ids import TenantId
from bridge.domain.keys import ContactRow, CustomerRow, KeyRow, LocationRow, record_keys
from bridge.mirror.rows import listed

Family = tuple[CustomerRow, list[LocationRow], list[ContactRow]]

# Each id is looked up by itself: asked for a list at once, a planner without statistics walks all rows of the tenant.
_EACH = "FROM unnest(%(ids)s::bigint[]) AS wanted (id) CROSS JOIN LATERAL"
_OWNERS = {
    "location": f"SELECT customer_id {_EACH} (SELECT customer_id FROM mirrored_locations l"
    " WHERE l.tenant_id = %(tenant)s AND l.id = wanted.id OFFSET 0) AS found",
    "customer_contact": f"SELECT owner_id {_EACH} (SELECT owner_id FROM mirrored_contacts c"
    " WHERE c.tenant_id = %(tenant)s AND c.party = 'customer' AND c.id = wanted.id OFFSET 0) AS found",
    "location_contact": f"SELECT customer_id {_EACH} (SELECT owner_id FROM mirrored_contacts c"
    " WHERE c.tenant_id = %(tenant)s AND c.party = 'location' AND c.id = wanted.id OFFSET 0) AS found"
    " CROSS JOIN LATERAL (SELECT customer_id FROM mirrored_locations l"
    " WHERE l.tenant_id = %(tenant)s AND l.id = found.owner_id OFFSET 0) AS place",
}
_HELD = f"""
SELECT key, customer_id, location_id {_EACH} (SELECT key, customer_id, location_id FROM match_keys k
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


async def touched(
    tx: Tx, tenant_id: TenantId, kind: str, ids: Collection[int], *, left: Collection[int] = ()
) -> set[int]:
    """Return the customers whose keys depend on these records of a kind, as they now stand, and whom they `left`."""
    if kind == "customer":
        return set(ids)
    if kind == "location_contact" and left:
        before = await tx.execute(
            "SELECT customer_id FROM mirrored_locations WHERE tenant_id = %s AND id = ANY(%s)", [tenant_id, list(left)]
        )
        left = {row[0] for row in await before.fetchall() if row[0] is not None}
    cursor = tx.cursor(binary=True)
    await cursor.execute(_OWNERS[kind], {"tenant": tenant_id, "ids": listed(ids)})
    return {row[0] for row in await cursor.fetchall() if row[0] is not None} | set(left)


async def renew(tx: Tx, tenant_id: TenantId, customers: Collection[int], *, region: str) -> int:
    """Make the keys of these customers anew and return how many rows changed.

    The rows of the customers are locked first: of two writers that touch one customer the second sees the first's work.
    """
    if not customers:
        return 0
    ids = sorted(customers)
    await tx.execute(
        "SELECT 1 FROM mirrored_customers WHERE tenant_id = %s AND id = ANY(%s) ORDER BY id FOR UPDATE",
        [tenant_id, ids],
    )
    wanted = bulk_keys(await families(tx, tenant_id, ids), region)
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
    await copy_keys(tx, tenant_id, new)
    return len(gone) + len(new)


async def next_customers(tx: Tx, tenant_id: TenantId, *, after: int, limit: int) -> list[int]:
    """Return up to `limit` customers in the order of their ids, past one of them."""
    found = await tx.execute(
        "SELECT id FROM mirrored_customers WHERE tenant_id = %s AND id > %s ORDER BY id LIMIT %s",
        [tenant_id, after, limit],
    )
    return [row[0] for row in await found.fetchall()]


def bulk_keys(found: list[Family], region: str) -> set[KeyRow]:
    """Return the keys of many customers."""
    return {key for family in found for key in record_keys(*family, region=region)}


async def families(tx: Tx, tenant_id: TenantId, ids: Collection[int]) -> list[Family]:
    """Return these customers with their active locations and contacts; merged ones have none of their own."""
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
