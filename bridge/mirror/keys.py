"""Match keys of what is mirrored: kept in the transaction that changes a record, made in bulk after a first load.

A key joins a customer's name with a location's address and both their contacts, which come by different feeds. So keys are
made per customer, from whatever of it is there; each later page makes those of the customers it touches anew.
"""

from collections.abc import Collection
from typing import Any

from bridge.db.database import Tx
from bridge.domain.ids import TenantId
from bridge.domain.keys import ContactRow, CustomerRow, LocationRow, record_keys

Family = tuple[CustomerRow, list[LocationRow], list[ContactRow]]
Key = tuple[int, int, int]


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
    query = {
        "location": "SELECT customer_id FROM mirrored_locations WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s)",
        "customer_contact": "SELECT owner_id FROM mirrored_contacts"
        " WHERE tenant_id = %(tenant)s AND party = 'customer' AND id = ANY(%(ids)s)",
        "location_contact": "SELECT l.customer_id FROM mirrored_contacts c JOIN mirrored_locations l"
        " ON l.tenant_id = c.tenant_id AND l.id = c.owner_id"
        " WHERE c.tenant_id = %(tenant)s AND c.party = 'location' AND c.id = ANY(%(ids)s)",
    }[kind]
    cursor = tx.cursor(binary=True)
    await cursor.execute(query, {"tenant": tenant_id, "ids": list(ids)})
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
    await cursor.execute(
        "SELECT key, customer_id, location_id FROM match_keys WHERE tenant_id = %s AND customer_id = ANY(%s)",
        [tenant_id, ids],
    )
    held: set[Key] = set(await cursor.fetchall())
    gone, new = list(held - wanted), sorted(wanted - held)
    if gone:
        await tx.execute(
            "DELETE FROM match_keys k USING unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS g(key, customer, location)"
            " WHERE k.tenant_id = %s AND k.key = g.key AND k.customer_id = g.customer AND k.location_id = g.location",
            [*([row[at] for row in gone] for at in range(3)), tenant_id],
        )
    await put(tx, tenant_id, new)
    return len(gone) + len(new)


async def next_customers(tx: Tx, tenant_id: TenantId, *, after: int, limit: int) -> list[int]:
    """Return up to `limit` customers in the order of their ids, past one of them."""
    found = await tx.execute(
        "SELECT id FROM mirrored_customers WHERE tenant_id = %s AND id > %s ORDER BY id LIMIT %s",
        [tenant_id, after, limit],
    )
    return [row[0] for row in await found.fetchall()]


async def put(tx: Tx, tenant_id: TenantId, keys: Collection[Key]) -> None:
    """Write keys that are not there yet."""
    if not keys:
        return
    async with tx.cursor().copy(
        "COPY match_keys (tenant_id, key, customer_id, location_id) FROM STDIN (FORMAT BINARY)"
    ) as copy:
        copy.set_types(["int8", "int8", "int8", "int8"])
        write = copy.write_row
        for key in keys:
            await write((tenant_id, *key))


def bulk_keys(found: list[Family], region: str) -> set[Key]:
    """Return the keys of many customers."""
    return {tuple(key) for family in found for key in record_keys(*family, region=region)}  # type: ignore[misc]


async def families(tx: Tx, tenant_id: TenantId, ids: Collection[int]) -> list[Family]:
    """Return these customers with their active locations and contacts; merged ones have none of their own."""
    cursor = tx.cursor(binary=True)
    scope: dict[str, Any] = {"tenant": tenant_id, "ids": list(ids)}
    await cursor.execute(
        "SELECT id, coalesce(name, ''), coalesce(street, ''), coalesce(unit, ''), coalesce(city, ''), coalesce(state, ''),"
        " coalesce(zip, '') FROM mirrored_customers"
        " WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s) AND merged_to_id IS NULL",
        scope,
    )
    found: dict[int, Family] = {row[0]: (CustomerRow._make(row), [], []) for row in await cursor.fetchall()}
    await cursor.execute(
        "SELECT id, customer_id, coalesce(name, ''), coalesce(street, ''), coalesce(unit, ''), coalesce(city, ''),"
        " coalesce(state, ''), coalesce(zip, '') FROM mirrored_locations"
        " WHERE tenant_id = %(tenant)s AND customer_id = ANY(%(ids)s) AND merged_to_id IS NULL",
        scope,
    )
    owners: dict[int, int] = {}
    for row in await cursor.fetchall():
        owners[row[0]] = row[1]
        if row[1] in found:
            found[row[1]][1].append(LocationRow._make(row))
    await cursor.execute(
        "SELECT owner_id, coalesce(type, ''), coalesce(value, ''), coalesce(memo, '') FROM mirrored_contacts"
        " WHERE tenant_id = %(tenant)s AND party = 'customer' AND owner_id = ANY(%(ids)s) AND active",
        scope,
    )
    for owner, kind, value, memo in await cursor.fetchall():
        if owner in found:
            found[owner][2].append(ContactRow(0, kind, value, memo))
    await cursor.execute(
        "SELECT owner_id, coalesce(type, ''), coalesce(value, ''), coalesce(memo, '') FROM mirrored_contacts"
        " WHERE tenant_id = %(tenant)s AND party = 'location' AND owner_id = ANY(%(owners)s) AND active",
        {"tenant": tenant_id, "owners": list(owners)},
    )
    for owner, kind, value, memo in await cursor.fetchall():
        customer = owners[owner]
        if customer in found:
            found[customer][2].append(ContactRow(owner, kind, value, memo))
    return list(found.values())
