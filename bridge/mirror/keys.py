"""Whose match keys a page of a feed touches: those of the customers that its records belong to, or belonged to."""

from collections.abc import Collection

from bridge.db.database import Tx
from bridge.db.match_keys import listed
from bridge.domain.ids import TenantId

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


async def next_customers(tx: Tx, tenant_id: TenantId, *, after: int, limit: int) -> list[int]:
    """Return up to `limit` customers in the order of their ids, past one of them."""
    found = await tx.execute(
        "SELECT id FROM mirrored_customers WHERE tenant_id = %s AND id > %s ORDER BY id LIMIT %s",
        [tenant_id, after, limit],
    )
    return [row[0] for row in await found.fetchall()]
