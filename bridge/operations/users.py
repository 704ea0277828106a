"""Who may come in: users, their passwords and sessions, log-in links, API tokens."""

import asyncio
import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from bridge.db.database import Database, Tx
from bridge.domain.ids import TenantId
from bridge.operations import audit
from bridge.operations.audit import Act, Done

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SESSION = timedelta(hours=12)
IDLE = timedelta(hours=2)
LINK = timedelta(minutes=30)
TRIES = 8
"""Wrong passwords per name, and five times as many per address, in a window; 8 in 15 minutes are 280,000 a year at most."""
WINDOW = timedelta(minutes=15)
SHORTEST_PASSWORD = 10


class Role(StrEnum):
    """What somebody may do: see, act, administer; each includes the one before."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        """Tell whether this role may do what the other may."""
        order = tuple(Role)
        return order.index(self) >= order.index(other)


SCOPES = ("read", "write", "admin", "pii")
"""What a token may do: see, act, administer, and see personal data in clear."""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Who is behind a session or token. `tenant_ids` None is everybody's; `csrf` is empty for a token."""

    by: str
    role: Role
    tenant_ids: tuple[int, ...] | None
    may_reveal: bool
    csrf: str = ""
    tenant_id: int = 0
    token_id: int = 0
    user_id: int = 0

    def may_see(self, tenant_id: int) -> bool:
        """Tell whether a tenant's data is theirs to see."""
        return self.tenant_ids is None or tenant_id in self.tenant_ids


class LoggedIn(msgspec.Struct, frozen=True, kw_only=True):
    """A fresh session; `token` goes into the cookie and is kept nowhere."""

    token: str


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher  # noqa: PLC0415  30 ms of import that only a log-in needs

    return PasswordHasher(time_cost=2, memory_cost=65_536, parallelism=1)  # OWASP's argon2id at 64 MiB: 0.1 s here


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def hash_password(password: str) -> str:
    """Return the argon2id hash of a password, computed beside the event loop."""
    return await asyncio.to_thread(_hasher().hash, password)


async def _is_right(stored: str, password: str) -> bool:
    """Compare in the same time whether or not there is such a user."""
    from argon2.exceptions import Argon2Error, InvalidHashError  # noqa: PLC0415

    try:
        return await asyncio.to_thread(_hasher().verify, stored or _decoy(), password) and bool(stored)
    except (Argon2Error, InvalidHashError):
        return False


@cache
def _decoy() -> str:
    return _hasher().hash(secrets.token_hex(16))


async def add(
    database: Database,
    act: Act,
    *,
    login: str,
    role: Role,
    password: str = "",
    tenant_ids: tuple[int, ...] | None = None,
) -> Done:
    """Add a user; without a password only a one-time link opens the door."""
    login = login.strip().lower()
    if not login or len(login) > 200 or any(sign.isspace() for sign in login):
        return Done(text="A login is one word, best an e-mail address.", refusal="login_invalid")
    if password and len(password) < SHORTEST_PASSWORD:
        return Done(text=f"A password has at least {SHORTEST_PASSWORD} characters.", refusal="password_short")
    hashed = await hash_password(password) if password else ""
    async with database.begin() as tx:
        row = await (
            await tx.execute(
                "INSERT INTO users (login, role, password_hash, tenant_ids, created_at, created_by) VALUES (%s, %s, %s, %s, %s, %s)"
                " ON CONFLICT (login) DO NOTHING RETURNING id",
                [login, role.value, hashed, list(tenant_ids) if tenant_ids is not None else None, act.now, act.by],
            )
        ).fetchone()
        if row is None:
            return Done(text="There is a user of this name.", refusal="taken")
        await audit.write(tx, act, "user.added", f"user:{row[0]}", detail={"role": role.value})
    return Done(text=f"{login} may log in as {role.value}.", count=1, id=row[0])


async def change(
    database: Database,
    act: Act,
    *,
    login: str,
    role: Role | None = None,
    password: str | None = None,
    is_disabled: bool | None = None,
) -> Done:
    """Change a user's role, password or standing; every session of theirs ends."""
    if password is not None and len(password) < SHORTEST_PASSWORD:
        return Done(text=f"A password has at least {SHORTEST_PASSWORD} characters.", refusal="password_short")
    hashed = await hash_password(password) if password is not None else None
    async with database.begin() as tx:
        row = await (
            await tx.execute(
                "UPDATE users SET role = coalesce(%s, role), password_hash = coalesce(%s, password_hash),"
                " disabled_at = CASE WHEN %s::boolean IS NULL THEN disabled_at WHEN %s THEN %s::timestamptz END WHERE login = %s RETURNING id",
                [role.value if role else None, hashed, is_disabled, is_disabled, act.now, login.strip().lower()],
            )
        ).fetchone()
        if row is None:
            return Done(text="There is no such user.", refusal="unknown")
        await tx.execute("DELETE FROM sessions WHERE user_id = %s", [row[0]])
        what = {"role": role.value if role else None, "password": password is not None or None, "disabled": is_disabled}
        await audit.write(
            tx,
            act,
            "user.changed",
            f"user:{row[0]}",
            detail={key: value for key, value in what.items() if value is not None},
        )
    return Done(text="Changed; every session of theirs has ended.", count=1, id=row[0])


async def log_in(database: Database, *, login: str, password: str, address: str, now: datetime) -> LoggedIn | Done:
    """Open a session, or say why not: a wrong name and a wrong password sound the same, and guessing is throttled."""
    login = login.strip().lower()[:200]
    subjects = {f"login:{_digest(login).hex()[:32]}": TRIES, f"address:{_digest(address).hex()[:32]}": TRIES * 5}
    async with database.begin() as tx:
        rows = await tx.execute(
            "SELECT subject, failures FROM login_failures WHERE subject = ANY(%s) AND window_ends_at > %s",
            [list(subjects), now],
        )
        throttled = any(failures >= subjects[subject] for subject, failures in await rows.fetchall())
        row = await (
            await tx.execute("SELECT id, password_hash FROM users WHERE login = %s AND disabled_at IS NULL", [login])
        ).fetchone()
    if throttled:
        return Done(text=f"Too many tries; wait {WINDOW.seconds // 60} minutes.", refusal="throttled")
    if not await _is_right(row[1] if row else "", password):
        async with database.begin() as tx:
            await tx.execute(
                "INSERT INTO login_failures (subject, failures, window_ends_at) SELECT unnest(%s::text[]), 1, %s ON CONFLICT (subject) DO UPDATE SET"
                " failures = CASE WHEN login_failures.window_ends_at <= %s THEN 1 ELSE login_failures.failures + 1 END,"
                " window_ends_at = CASE WHEN login_failures.window_ends_at <= %s THEN excluded.window_ends_at ELSE login_failures.window_ends_at END",
                [sorted(subjects), now + WINDOW, now, now],
            )
        return Done(text="Name or password is wrong.", refusal="refused")
    async with database.begin() as tx:
        await tx.execute(
            "DELETE FROM login_failures WHERE subject = ANY(%s) OR window_ends_at <= %s", [list(subjects)[:1], now]
        )
        return await _open_session(tx, user_id=row[0] if row else 0, login=login, now=now)


async def _open_session(tx: Tx, *, user_id: int, login: str, now: datetime) -> LoggedIn:
    token = secrets.token_urlsafe(32)
    await tx.execute("DELETE FROM sessions WHERE expires_at <= %s", [now])
    await tx.execute(
        "INSERT INTO sessions (token_hash, user_id, csrf, created_at, seen_at, expires_at) VALUES (%s, %s, %s, %s, %s, %s)",
        [_digest(token), user_id, secrets.token_urlsafe(24), now, now, now + SESSION],
    )
    await audit.write(tx, Act(login, now), "user.logged_in", f"user:{user_id}")
    return LoggedIn(token=token)


async def make_link(database: Database, act: Act, *, login: str) -> tuple[Done, str]:
    """Make a link that logs a user in once, within half an hour; return it beside what came of it."""
    token = secrets.token_urlsafe(32)
    async with database.begin() as tx:
        row = await (
            await tx.execute("SELECT id FROM users WHERE login = %s AND disabled_at IS NULL", [login.strip().lower()])
        ).fetchone()
        if row is None:
            return Done(text="There is no such user.", refusal="unknown"), ""
        await tx.execute(
            "INSERT INTO login_links (token_hash, user_id, expires_at) VALUES (%s, %s, %s)",
            [_digest(token), row[0], act.now + LINK],
        )
        await audit.write(tx, act, "link.made", f"user:{row[0]}")
    return Done(text="The link works once, for half an hour.", count=1), f"/login/link/{token}"


async def follow_link(database: Database, token: str, *, now: datetime) -> LoggedIn | Done:
    """Open a session for who holds an unused link."""
    async with database.begin() as tx:
        row = await (
            await tx.execute(
                "UPDATE login_links SET used_at = %s FROM users WHERE token_hash = %s AND used_at IS NULL AND expires_at > %s AND users.id = user_id"
                " AND users.disabled_at IS NULL RETURNING user_id, users.login",
                [now, _digest(token), now],
            )
        ).fetchone()
        if row is None:
            return Done(text="The link was used or is too old.", refusal="refused")
        return await _open_session(tx, user_id=row[0], login=row[1], now=now)


async def whose_session(database: Database, token: str, *, now: datetime, is_there: bool = True) -> Person | None:
    """Return who holds a session that is neither over nor idle too long, and note that they were seen.

    `is_there` is False where a page asks by itself: one left open must not keep its session alive.
    """
    async with database.begin() as tx:
        row = await (
            await tx.execute(
                "SELECT s.token_hash, u.login, u.role, u.tenant_ids, s.csrf, s.tenant_id, s.seen_at, u.id FROM sessions s JOIN users u ON u.id = s.user_id"
                " WHERE s.token_hash = %s AND s.expires_at > %s AND s.seen_at > %s AND u.disabled_at IS NULL",
                [_digest(token), now, now - IDLE],
            )
        ).fetchone()
        if row is None:
            return None
        if is_there and now - row[6] > timedelta(minutes=1):
            await tx.execute("UPDATE sessions SET seen_at = %s WHERE token_hash = %s", [now, row[0]])
    tenants = tuple(row[3]) if row[3] is not None else None
    role = Role(row[2])
    return Person(
        by=row[1], role=role, tenant_ids=tenants, may_reveal=role.includes(Role.OPERATOR), csrf=row[4], tenant_id=row[5], user_id=row[7]
    )  # fmt: skip


async def look_at(database: Database, token: str, *, tenant_id: TenantId) -> None:
    """Remember which tenant a session looks at."""
    async with database.begin() as tx:
        await tx.execute("UPDATE sessions SET tenant_id = %s WHERE token_hash = %s", [tenant_id, _digest(token)])


async def log_out(database: Database, token: str) -> None:
    """End a session."""
    async with database.begin() as tx:
        await tx.execute("DELETE FROM sessions WHERE token_hash = %s", [_digest(token)])


def same_text(left: str, right: str) -> bool:
    """Compare two secrets in constant time; empty equals nothing."""
    return bool(left) and hmac.compare_digest(left.encode(), right.encode())
