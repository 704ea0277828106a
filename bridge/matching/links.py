"""What people decided is kept for the sender's record and for the pair of party and customer; it outranks scores."""

from datetime import datetime

from bridge.db.database import Tx
from bridge.domain.ids import CustomerId, LocationId, SourceId, TenantId
from bridge.domain.inquiry import Inquiry
from bridge.matching.keys import decision_keys, party_keys

_LINK = """
INSERT INTO links (tenant_id, source_id, record_id, customer_id, location_id, decided_by, decided_at)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (tenant_id, source_id, record_id) DO UPDATE
SET customer_id = excluded.customer_id, location_id = excluded.location_id, decided_by = excluded.decided_by,
    decided_at = excluded.decided_at
WHERE links.decided_at <= excluded.decided_at
"""
_PAIR = """
INSERT INTO pair_decisions (tenant_id, party_key, customer_id, location_id, same, decided_by, decided_at)
SELECT %s, key, %s, %s, %s, %s, %s FROM unnest(%s::bigint[]) AS k (key)
ON CONFLICT (tenant_id, party_key, customer_id) DO UPDATE
SET same = excluded.same, location_id = excluded.location_id, decided_by = excluded.decided_by, decided_at = excluded.decided_at
WHERE pair_decisions.decided_at <= excluded.decided_at
"""
# A person who says "it is this one" takes back an earlier "it is that one" about the same party.
_ONLY_ONE = """
DELETE FROM pair_decisions WHERE tenant_id = %s AND party_key = ANY(%s) AND customer_id <> %s AND same AND decided_at <= %s
"""


async def remember(
    tx: Tx,
    tenant_id: TenantId,
    source_id: SourceId,
    inquiry: Inquiry,
    *,
    customer_id: CustomerId | None,
    location_id: LocationId | None = None,
    decided_by: str,
    now: datetime,
    region: str = "US",
) -> None:
    """Keep that the inquiry's record and party are this customer; `customer_id` None says that they are nobody of the mirror."""
    if inquiry.record_id:
        await tx.execute(
            _LINK, [tenant_id, source_id, inquiry.record_id[:500], customer_id, location_id, decided_by, now]
        )
    if customer_id is None:
        return
    keys = decision_keys(party_keys(inquiry.person, region=region))
    await tx.execute(_ONLY_ONE, [tenant_id, keys, customer_id, now])
    await tx.execute(_PAIR, [tenant_id, customer_id, location_id, True, decided_by, now, keys])


async def never(
    tx: Tx,
    tenant_id: TenantId,
    source_id: SourceId,
    inquiry: Inquiry,
    *,
    customer_id: CustomerId,
    decided_by: str,
    now: datetime,
    region: str = "US",
) -> None:
    """Keep that the inquiry's party is never this customer; a link of its record to that customer is taken back."""
    keys = decision_keys(party_keys(inquiry.person, region=region))
    await tx.execute(_PAIR, [tenant_id, customer_id, None, False, decided_by, now, keys])
    if inquiry.record_id:
        await tx.execute(
            "DELETE FROM links WHERE tenant_id = %s AND source_id = %s AND record_id = %s AND customer_id = %s",
            [tenant_id, source_id, inquiry.record_id[:500], customer_id],
        )
