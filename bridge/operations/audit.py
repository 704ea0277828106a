"""The line that every action leaves."""

from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from bridge.db.database import Database, Tx
from bridge.domain.ids import DeliveryId, TenantId

NOWHERE = TenantId(0)
"""The tenant of what belongs to none: users, tokens, log-ins."""


class Done(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of an action; `refusal` is a slug where nothing was done."""

    text: str
    refusal: str = ""
    count: int = 0
    id: int | None = None

    @property
    def is_done(self) -> bool:
        """Tell whether it happened."""
        return not self.refusal


class Once(NamedTuple):
    """The idempotency key that a request of the API took, and when: another that takes it later took another."""

    token_id: int
    key: str
    started_at: datetime


class Act(NamedTuple):
    """Who does something, when, and why; `once` is the key under which it may happen a single time."""

    by: str
    now: datetime
    reason: str = ""
    once: Once | None = None


class KeyTaken(Exception):
    """The idempotency key was given up as abandoned and taken by another request: this one must not act any more."""


async def write(
    tx: Tx,
    act: Act,
    action: str,
    subject: str,
    *,
    tenant_id: TenantId = NOWHERE,
    delivery_id: DeliveryId | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Write a line: `action` is noun.past_participle; `detail` holds no personal data, for it is kept when people are erased."""
    await tx.execute(
        "INSERT INTO audit_log (tenant_id, at, by, action, subject, delivery_id, reason, detail)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s::text::jsonb)",
        [
            tenant_id,
            act.now,
            act.by,
            action,
            subject,
            delivery_id,
            act.reason[:500],
            msgspec.json.encode(detail or {}).decode(),
        ],
    )
    if act.once is not None:
        await _mark(tx, act.once, delivery_id)


async def _mark(tx: Tx, once: Once, delivery_id: DeliveryId | None) -> None:
    """Note with the key, in the transaction that acts, that it happened: a process that ends before it answers does it no second time.

    Raises KeyTaken.
    """
    done = Done(text="It was done; how it was answered is lost, for the process ended.", id=delivery_id)
    marked = await tx.execute(
        "UPDATE idempotency_keys SET media_type = 'application/json', body = %s"
        " WHERE token_id = %s AND key = %s AND started_at = %s AND status IS NULL",
        [msgspec.json.encode(done), *once],
    )
    if not marked.rowcount:
        raise KeyTaken


async def note(database: Database, act: Act, action: str, subject: str, *, tenant_id: TenantId) -> None:
    """Write a line about what is not done in a transaction of ours."""
    async with database.begin() as tx:
        await write(tx, act, action, subject, tenant_id=tenant_id)


async def reveal(
    database: Database, act: Act, *, tenant_id: TenantId, subject: str, delivery_id: DeliveryId | None = None
) -> None:
    """Note that somebody looked at personal data; called before it is shown."""
    async with database.begin() as tx:
        await write(tx, act, "personal_data.revealed", subject, tenant_id=tenant_id, delivery_id=delivery_id)
