"""Remembers refused requests, bounded and without anything personal, so that "did it even arrive?" has an answer."""

import hashlib
from collections import deque
from datetime import datetime

import msgspec

from bridge.db.database import Tx
from bridge.domain.ids import TenantId

KEPT_PER_SOURCE = 1000
_MAX_WAITING = 500

_INSERT = """
INSERT INTO rejected_requests (tenant_id, source_id, reason, status, received_at, method, content_type, body_bytes,
                               body_sha256, detail, trace_id)
SELECT * FROM unnest(%s::int8[], %s::text[], %s::text[], %s::int2[], %s::timestamptz[], %s::text[], %s::text[], %s::int4[],
                     %s::text[], %s::text[], %s::text[])
"""
_PRUNE = """
DELETE FROM rejected_requests WHERE source_id = %s AND id < (
    SELECT min(id) FROM (SELECT id FROM rejected_requests WHERE source_id = %s ORDER BY id DESC LIMIT %s) AS newest
)
"""


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """A refused request: sizes, hashes and reasons, never a value of it."""

    tenant_id: TenantId | None
    source_id: str
    reason: str
    status: int
    received_at: datetime
    method: str
    content_type: str
    body_bytes: int
    body_sha256: str
    detail: str
    trace_id: str


def fingerprint(body: bytes) -> str:
    """Return what tells two refused bodies apart without keeping either."""
    return hashlib.sha256(body).hexdigest()


class RejectionLog:
    """Gathers rejections in memory and writes them together; a flood pushes out the oldest, not the database."""

    def __init__(self) -> None:
        self._waiting: deque[Rejection] = deque(maxlen=_MAX_WAITING)

    @property
    def waits(self) -> bool:
        """Tell whether anything was gathered since the last `write`."""
        return bool(self._waiting)

    def add(self, rejection: Rejection) -> None:
        """Keep one until the next `write`."""
        self._waiting.append(rejection)

    async def write(self, tx: Tx) -> int:
        """Store what was gathered, keep the newest 1,000 of each source, and return how many were stored."""
        rows = list(self._waiting)
        if not rows:
            return 0
        self._waiting.clear()
        try:
            values = ([getattr(row, name) for row in rows] for name in Rejection.__struct_fields__)
            await tx.execute(_INSERT, list(values))
            for source_id in {row.source_id for row in rows}:
                await tx.execute(_PRUNE, [source_id, source_id, KEPT_PER_SOURCE])
        except BaseException:
            self._waiting.extendleft(reversed(rows))
            raise
        return len(rows)
