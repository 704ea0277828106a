"""API tokens: shown once, kept as a hash, scoped, expiring; and the answers kept for idempotent writes."""

import hashlib
import secrets
from datetime import datetime, timedelta

import msgspec

from bridge.db.database import Database
from bridge.operations import audit
from bridge.operations.audit import Act, Done, Once
from bridge.operations.users import SCOPES, Person, Role

LONGEST_LIFE = timedelta(days=366)
KEPT = timedelta(hours=24)
"""How long the answer to an idempotent write is kept."""

ABANDONED = timedelta(minutes=2)
"""A first request that never answered (its process died) blocks its key so long. If it acted, the key then tells so; if not, it is free."""


class KeptAnswer(msgspec.Struct, frozen=True):
    """What the first request of a key was answered."""

    status: int
    media_type: str
    body: bytes


class Mismatch(msgspec.Struct, frozen=True):
    """The key was used with another body."""


class Running(msgspec.Struct, frozen=True):
    """The first request of the key is not answered yet."""


async def make(
    database: Database,
    act: Act,
    *,
    name: str,
    scopes: tuple[str, ...],
    days: int,
    tenant_ids: tuple[int, ...] | None = None,
) -> tuple[Done, str]:
    """Make a token and return its text beside what came of it: it is shown once and never again."""
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        return Done(text=f"Scopes are {', '.join(SCOPES)}.", refusal="scope_unknown"), ""
    if not 0 < days <= LONGEST_LIFE.days or not name.strip() or len(name) > 100:
        return Done(text="A token has a name and lives 1 to 366 days.", refusal="token_invalid"), ""
    text = f"brg_{secrets.token_urlsafe(32)}"
    async with database.begin() as tx:
        row = await (
            await tx.execute(
                "INSERT INTO api_tokens (name, token_hash, hint, scopes, tenant_ids, created_at, created_by, expires_at)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
                [
                    name.strip(),
                    _digest(text),
                    text[:8],
                    list(scopes),
                    list(tenant_ids) if tenant_ids is not None else None,
                    act.now,
                    act.by,
                    act.now + timedelta(days=days),
                ],
            )
        ).fetchone()
        await audit.write(
            tx, act, "token.made", f"token:{row[0] if row else 0}", detail={"scopes": list(scopes), "days": days}
        )
    return Done(text="Copy it now; it is shown this once.", count=1, id=row[0] if row else None), text


async def revoke(database: Database, act: Act, *, token_id: int) -> Done:
    """Make a token useless at once."""
    async with database.begin() as tx:
        gone = await tx.execute(
            "UPDATE api_tokens SET revoked_at = %s WHERE id = %s AND revoked_at IS NULL", [act.now, token_id]
        )
        if gone.rowcount:
            await audit.write(tx, act, "token.revoked", f"token:{token_id}")
    return (
        Done(text="Revoked.", count=1, id=token_id)
        if gone.rowcount
        else Done(text="There is no such token in use.", refusal="unknown")
    )


async def whose(database: Database, text: str, *, now: datetime) -> Person | None:
    """Return whom a token speaks for; None for unknown, revoked and expired ones."""
    async with database.begin() as tx:
        row = await (
            await tx.execute(
                "SELECT id, name, scopes, tenant_ids, last_used_at FROM api_tokens WHERE token_hash = %s AND revoked_at IS NULL AND expires_at > %s",
                [_digest(text), now],
            )
        ).fetchone()
        if row is None:
            return None
        if row[4] is None or now - row[4] > timedelta(minutes=1):
            await tx.execute("UPDATE api_tokens SET last_used_at = %s WHERE id = %s", [now, row[0]])
    role = Role.ADMIN if "admin" in row[2] else Role.OPERATOR if "write" in row[2] else Role.VIEWER
    tenants = tuple(row[3]) if row[3] is not None else None
    return Person(by=f"token:{row[1]}", role=role, tenant_ids=tenants, may_reveal="pii" in row[2], token_id=row[0])


async def begin_once(
    database: Database, *, token_id: int, key: str, request: bytes, now: datetime
) -> KeptAnswer | Mismatch | Running | Once:
    """Take an idempotency key for a request: a Once says go on, else what became of the key before."""
    fingerprint = hashlib.sha256(request).digest()
    async with database.begin() as tx:
        await tx.execute(
            "DELETE FROM idempotency_keys WHERE started_at < %s OR (status IS NULL AND body IS NULL AND started_at < %s)",
            [now - KEPT, now - ABANDONED],
        )
        taken = await tx.execute(
            "INSERT INTO idempotency_keys (token_id, key, fingerprint, started_at) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [token_id, key, fingerprint, now],
        )
        if taken.rowcount:
            return Once(token_id, key, now)
        row = await (
            await tx.execute(
                "SELECT fingerprint, status, media_type, body, started_at FROM idempotency_keys WHERE token_id = %s AND key = %s",
                [token_id, key],
            )
        ).fetchone()
    if row is None:
        return Running()
    if bytes(row[0]) != fingerprint:
        return Mismatch()
    acted_and_died = row[1] is None and row[3] is not None and row[4] < now - ABANDONED
    if row[1] is None and not acted_and_died:
        return Running()
    return KeptAnswer(row[1] or 200, row[2], bytes(row[3]))


async def end_once(database: Database, once: Once, *, answer: KeptAnswer | None) -> None:
    """Keep what was answered; None gives the key back where nothing was done."""
    mine = "token_id = %s AND key = %s AND started_at = %s"
    async with database.begin() as tx:
        if answer is None:
            await tx.execute(f"DELETE FROM idempotency_keys WHERE {mine} AND body IS NULL", [*once])
        else:
            await tx.execute(
                f"UPDATE idempotency_keys SET status = %s, media_type = %s, body = %s WHERE {mine}",
                [answer.status, answer.media_type, answer.body, *once],
            )


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
