"""Every fit of a tenant's weights by its version; one is in force, the shipped ones until then."""

from datetime import datetime

import msgspec

from bridge.db.database import Tx
from bridge.domain.ids import TenantId
from bridge.matching.weights import Weights, shipped


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """One stored fit."""

    version: str
    in_force: bool
    trained_at: datetime


async def in_force(tx: Tx, tenant_id: TenantId) -> Weights:
    """Return the weights that a tenant's matches are scored with."""
    row = await (
        await tx.execute("SELECT weights::text FROM match_weights WHERE tenant_id = %s AND in_force", [tenant_id])
    ).fetchone()
    return shipped() if row is None else msgspec.json.decode(row[0], type=Weights)


async def keep(tx: Tx, tenant_id: TenantId, weights: Weights, *, now: datetime) -> None:
    """Store a fit without using it."""
    await tx.execute(
        "INSERT INTO match_weights (tenant_id, version, trained_at, weights) VALUES (%s, %s, %s, %s::text::jsonb)"
        " ON CONFLICT DO NOTHING",
        [tenant_id, weights.version, now, msgspec.json.encode(weights).decode()],
    )


async def use(tx: Tx, tenant_id: TenantId, version: str) -> bool:
    """Put one version in force, the shipped ones by their own; return False where no such fit is stored."""
    if version != shipped().version:
        known = await tx.execute(
            "SELECT 1 FROM match_weights WHERE tenant_id = %s AND version = %s", [tenant_id, version]
        )
        if await known.fetchone() is None:
            return False
    await tx.execute("UPDATE match_weights SET in_force = false WHERE tenant_id = %s AND in_force", [tenant_id])
    await tx.execute(
        "UPDATE match_weights SET in_force = true WHERE tenant_id = %s AND version = %s", [tenant_id, version]
    )
    return True


async def fits(tx: Tx, tenant_id: TenantId) -> list[Fit]:
    """Return the stored fits, the newest first."""
    rows = await tx.execute(
        "SELECT version, in_force, trained_at FROM match_weights WHERE tenant_id = %s ORDER BY trained_at DESC",
        [tenant_id],
    )
    return [Fit(version=row[0], in_force=row[1], trained_at=row[2]) for row in await rows.fetchall()]
