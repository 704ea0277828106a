"""Matches drawn at random and judged by people: what they say of the rate of wrong ones, and whether writes may need less."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from bridge.db.database import Tx
from bridge.domain.ids import CustomerId, DecisionId, LocationId, TenantId
from bridge.domain.inquiry import Inquiry
from bridge.domain.match import MatchSettings
from bridge.matching.bounds import needed, upper_bound

CERTIFIED_AUTO = 0.99
"""From this probability on a certified tenant's records are written to; the samples are drawn from there on too."""
MOST_WRONG = 0.001
_DRAWN_FROM = timedelta(days=180)

# Only what the scores decided is drawn: a person's word says nothing about them. A match is drawn once for ever.
_DRAW = """
INSERT INTO match_samples (tenant_id, decision_id, inquiry_key, customer_id, location_id, probability, weights_version, drawn_at)
SELECT %(tenant)s, id, inquiry_key, (match->>'customer_id')::int8, (match->>'location_id')::int8,
  coalesce((match->>'probability')::float8, 1), coalesce(match->'evidence'->>'weights_version', ''), %(now)s
FROM (
  SELECT DISTINCT ON (delivery_id, ordinal) id, inquiry_key, match FROM decisions
  WHERE tenant_id = %(tenant)s AND decided_at > %(since)s AND match->>'type' = 'matched'
  ORDER BY delivery_id, ordinal, id DESC
) AS d
WHERE NOT match->'evidence' ? 'decided_by' AND coalesce((match->>'probability')::float8, 1) >= %(least)s
  AND coalesce(match->'evidence'->>'weights_version', '') = %(version)s
  AND NOT EXISTS (SELECT 1 FROM match_samples s WHERE s.tenant_id = %(tenant)s AND s.inquiry_key = d.inquiry_key
    AND s.customer_id = (d.match->>'customer_id')::int8)
ORDER BY random() LIMIT %(count)s
"""
_WAITING = """
SELECT s.id, s.decision_id, s.inquiry_key, s.customer_id, s.location_id, s.probability, coalesce(c.name, ''),
  concat_ws(', ', nullif(l.street, ''), nullif(l.unit, ''), nullif(l.city, ''), nullif(l.zip, '')), d.inquiry::text
FROM match_samples s
LEFT JOIN decisions d ON d.tenant_id = s.tenant_id AND d.id = s.decision_id
LEFT JOIN mirrored_customers c ON c.tenant_id = s.tenant_id AND c.id = s.customer_id
LEFT JOIN mirrored_locations l ON l.tenant_id = s.tenant_id AND l.id = s.location_id
WHERE s.tenant_id = %s AND s.is_right IS NULL ORDER BY s.id LIMIT %s
"""
_COUNTS = """
SELECT count(is_right), count(*) FILTER (WHERE NOT is_right), count(*) FILTER (WHERE is_right IS NULL)
FROM match_samples WHERE tenant_id = %s AND weights_version = %s
"""


def auto_threshold(configured: float, *, is_certified: bool) -> float:
    """Return from which probability on records are written to: a certificate lowers the default, not a tenant's own number."""
    is_default = configured == MatchSettings().auto
    return CERTIFIED_AUTO if is_certified and is_default else configured


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One drawn match for a person to judge."""

    id: int
    decision_id: DecisionId
    inquiry_key: str
    customer_id: CustomerId
    location_id: LocationId | None
    probability: float
    customer_name: str
    address: str
    inquiry: Inquiry | None


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What the judged samples show of one version of weights: with 95 % confidence fewer wrong matches than `upper_bound`."""

    is_certified: bool
    reviewed: int
    wrong: int
    waiting: int
    upper_bound: float
    most_wrong: float
    needed: int
    """How many more must be judged, all of them right."""
    weights_version: str


async def draw(tx: Tx, tenant_id: TenantId, count: int, *, weights_version: str, now: datetime) -> int:
    """Return how many matches were drawn at random for review; those of other weights say nothing about these."""
    done = await tx.execute(
        _DRAW,
        {
            "tenant": tenant_id,
            "now": now,
            "since": now - _DRAWN_FROM,
            "least": CERTIFIED_AUTO,
            "version": weights_version,
            "count": count,
        },
    )
    return done.rowcount


async def waiting(tx: Tx, tenant_id: TenantId, *, limit: int = 50) -> list[Sample]:
    """Return the samples that nobody judged yet, the oldest first."""
    rows = await (await tx.execute(_WAITING, [tenant_id, limit])).fetchall()
    return [
        Sample(
            id=row[0], decision_id=row[1], inquiry_key=row[2], customer_id=row[3], location_id=row[4], probability=row[5],
            customer_name=row[6], address=row[7], inquiry=msgspec.json.decode(row[8], type=Inquiry) if row[8] else None,
        )
        for row in rows
    ]  # fmt: skip


async def judge(tx: Tx, tenant_id: TenantId, sample_id: int, *, is_right: bool, by: str, now: datetime) -> bool:
    """Keep what a person says of a sample, the last word counting; return False where there is no such sample."""
    done = await tx.execute(
        "UPDATE match_samples SET is_right = %s, reviewed_by = %s, reviewed_at = %s WHERE tenant_id = %s AND id = %s",
        [is_right, by, now, tenant_id, sample_id],
    )
    return done.rowcount == 1


async def appraise(tx: Tx, tenant_id: TenantId, *, weights_version: str, most_wrong: float = MOST_WRONG) -> Certificate:
    """Return what the judged samples of these weights show."""
    row = await (await tx.execute(_COUNTS, [tenant_id, weights_version])).fetchone()
    reviewed, wrong, open_ = row or (0, 0, 0)
    bound = upper_bound(wrong, reviewed)
    return Certificate(
        is_certified=bound < most_wrong,
        reviewed=reviewed,
        wrong=wrong,
        waiting=open_,
        upper_bound=bound,
        most_wrong=most_wrong,
        needed=needed(wrong, reviewed, below=most_wrong),
        weights_version=weights_version,
    )


async def record(
    tx: Tx, tenant_id: TenantId, certificate: Certificate, *, notes: Sequence[str] = (), now: datetime
) -> None:
    """Keep a certificate; the newest one is in force, and one that fails takes an earlier one back."""
    await tx.execute(
        "INSERT INTO match_certificates (tenant_id, certified_at, is_certified, reviewed, wrong, upper_bound, notes)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (tenant_id, certified_at) DO UPDATE SET is_certified ="
        " excluded.is_certified, reviewed = excluded.reviewed, wrong = excluded.wrong, upper_bound = excluded.upper_bound,"
        " notes = excluded.notes",
        [
            tenant_id,
            now,
            certificate.is_certified,
            certificate.reviewed,
            certificate.wrong,
            certificate.upper_bound,
            [f"weights {certificate.weights_version}", *notes],
        ],
    )


async def is_certified(tx: Tx, tenant_id: TenantId, *, weights_version: str) -> bool:
    """Tell whether the newest certificate allows writes from CERTIFIED_AUTO on, under these weights."""
    row = await (
        await tx.execute(
            "SELECT is_certified, notes FROM match_certificates WHERE tenant_id = %s ORDER BY certified_at DESC LIMIT 1",
            [tenant_id],
        )
    ).fetchone()
    return row is not None and bool(row[0]) and f"weights {weights_version}" in (row[1] or ())
