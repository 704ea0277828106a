"""Links follow merges: what a sender's record was is what that became."""

from collections.abc import Iterable

from bridge.db.database import Tx
from bridge.db.match_keys import listed
from bridge.domain.ids import TenantId

_HAS_MERGED = """
SELECT EXISTS (SELECT FROM unnest(%s::bigint[]) AS w (id) CROSS JOIN LATERAL (
  SELECT merged_to_id FROM {table} t WHERE t.tenant_id = %s AND t.id = w.id OFFSET 0
) found WHERE merged_to_id IS NOT NULL)
"""
_FOLLOW = """
UPDATE links SET customer_id = c.merged_to_id FROM mirrored_customers c
WHERE links.tenant_id = %s AND c.tenant_id = links.tenant_id AND c.id = links.customer_id AND c.merged_to_id IS NOT NULL
"""
_FOLLOW_LOCATIONS = """
UPDATE links SET location_id = l.merged_to_id FROM mirrored_locations l
WHERE links.tenant_id = %s AND l.tenant_id = links.tenant_id AND l.id = links.location_id AND l.merged_to_id IS NOT NULL
"""


async def follow_merges(tx: Tx, tenant_id: TenantId, table: str, changed: Iterable[int]) -> int:
    """Return how many links were moved on to what their customers and locations became, chains to their end.

    Links are looked through only where one of the records of the mirror's `table` that changed was merged.
    """
    found = await (await tx.execute(_HAS_MERGED.format(table=table), [listed(changed), tenant_id])).fetchone()
    moved = 0
    if found is None or not found[0]:
        return moved
    for _ in range(8):  # a chain is as long as the merges made between two syncs
        customers = await tx.execute(_FOLLOW, [tenant_id])
        locations = await tx.execute(_FOLLOW_LOCATIONS, [tenant_id])
        step = customers.rowcount + locations.rowcount
        moved += step
        if step == 0:
            break
    return moved
