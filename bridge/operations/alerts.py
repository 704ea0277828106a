"""Telling people before they ask: held tenants, dead effects, feeds that stand still, quiet sources, reviews and work that grow old."""

import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from bridge.db.database import Database, Tx
from bridge.domain.ids import TenantId
from bridge.operations import audit
from bridge.operations.audit import Act, Done
from bridge.sending.retry import POLICIES, backoff

GIVE_UP = 12
"""Tries of one message before it is kept as dead: about a day on the outbox's own back-off."""
_LOCK = 72_707_14  # one replica looks at a time
_LEASE = timedelta(minutes=2)


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where alerts go; `secret` signs a Standard Webhooks message and is empty for Slack's style."""

    name: str
    url: str
    style: str = "slack"
    secret: str = ""
    cooldown: timedelta = timedelta(hours=1)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """When waiting becomes worth a message; `quiet` are the sources gone quiet, as their rhythm says."""

    review: timedelta = timedelta(hours=24)
    work: timedelta = timedelta(minutes=15)
    quiet: tuple[tuple[str, str], ...] = ()


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong now."""

    kind: str
    subject: str
    text: str


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One message as it is sent."""

    tenant_id: int
    id: int
    address: str
    body: dict[str, Any]
    created_at: datetime
    attempts: int


Post = Callable[[str, bytes, dict[str, str]], Awaitable[int]]
"""Posts bytes with headers to a URL and returns the status; raises OSError where nobody answers."""

KEPT = timedelta(days=30)
"""How long a message is kept after its end; an address's cooldown is shorter."""

# What is tried again and again has a due time that moves on: how old it is tells then. What a person paused is not late.
_LOOK = """
SELECT 'tenant_held', reason, 'ServiceTitan: ' || replace(reason, '_', ' ') || '; ' || count(*) || ' messages wait, none lost.' FROM outbox
WHERE tenant_id = %(t)s AND reason IN ('credentials_refused', 'unauthorized', 'forbidden') GROUP BY reason
UNION ALL SELECT 'effect_dead', reason || ':' || kind, count(*) || ' × ' || replace(kind, '_', ' ') || ' given up: ' || replace(reason, '_', ' ') || '.'
FROM dead_messages WHERE tenant_id = %(t)s AND died_at > %(now)s - interval '1 day' GROUP BY reason, kind
UNION ALL SELECT 'feed_stopped', feed, 'The mirror''s feed of ' || replace(feed, '_', ' ') || ' stands still: ' || replace(reason, '_', ' ')
  || ', last tried ' || to_char(failed_at, 'YYYY-MM-DD HH24:MI') || ' UTC. `bridge sync status` tells more; it goes on where it stood.'
FROM cursors WHERE tenant_id = %(t)s AND stopped
UNION ALL SELECT 'review_late', 'review', count(*) || ' decisions wait for a person, the oldest since ' || to_char(min(opened_at), 'YYYY-MM-DD HH24:MI') || ' UTC.'
FROM holds WHERE tenant_id = %(t)s AND state = 'open' AND opened_at < %(now)s - %(review)s HAVING count(*) > 0
UNION ALL SELECT 'work_late', 'queue', count(*) || ' deliveries are not processed yet, the oldest since '
  || to_char(min(CASE WHEN q.attempts = 0 THEN q.due_at ELSE d.received_at END), 'YYYY-MM-DD HH24:MI') || ' UTC.'
FROM delivery_queue q JOIN deliveries d ON d.tenant_id = q.tenant_id AND d.id = q.id
WHERE q.tenant_id = %(t)s AND (q.due_at < %(now)s - %(work)s OR q.attempts > 0 AND d.received_at < %(now)s - %(work)s) HAVING count(*) > 0
UNION ALL SELECT 'work_late', 'outbox', count(*) || ' messages are not sent yet, the oldest since '
  || to_char(min(CASE WHEN state = 0 AND sends = 0 THEN due_at ELSE created_at END), 'YYYY-MM-DD HH24:MI') || ' UTC.'
FROM outbox o WHERE tenant_id = %(t)s AND reason NOT IN ('credentials_refused', 'unauthorized', 'forbidden')
  AND (state = 0 AND due_at < %(now)s - %(work)s OR (state = 1 OR state = 0 AND sends > 0) AND created_at < %(now)s - %(work)s)
  AND NOT EXISTS (SELECT 1 FROM pauses p WHERE p.tenant_id = o.tenant_id
    AND (p.scope = 'tenant' OR p.scope = 'source' AND p.name = o.source_id OR p.scope = 'lane' AND p.name = o.lane)) HAVING count(*) > 0
"""


async def look(
    database: Database, *, tenant_id: TenantId, targets: Sequence[Target], limits: Limits, now: datetime
) -> list[Found]:
    """Open, tell again after the cooldown, and close the alerts of a tenant; messages are committed with them."""
    async with database.begin() as tx:
        locked = await (await tx.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])).fetchone()
        if not locked or not locked[0]:
            return []
        rows = await tx.execute(_LOOK, {"t": tenant_id, "now": now, "review": limits.review, "work": limits.work})
        found = [Found(kind=row[0], subject=row[1], text=row[2]) for row in await rows.fetchall()]
        found += [Found(kind="source_quiet", subject=source, text=text) for source, text in limits.quiet]
        for one in found:
            if await _keep(tx, tenant_id, one, now=now) and await _tell(tx, tenant_id, one, targets, now=now):
                await tx.execute(
                    "UPDATE alerts SET told_at = %s WHERE tenant_id = %s AND kind = %s AND subject = %s",
                    [now, tenant_id, one.kind, one.subject],
                )
        closed = await tx.execute(
            "UPDATE alerts SET closed_at = %s WHERE tenant_id = %s AND closed_at IS NULL AND NOT (kind || ':' || subject = ANY(%s))"
            " RETURNING kind, subject, opened_at",
            [now, tenant_id, [f"{one.kind}:{one.subject}" for one in found]],
        )
        for kind, subject, opened_at in await closed.fetchall():
            over = Found(kind=kind, subject=subject, text="This is over.")
            await _tell(tx, tenant_id, over, targets, now=now, opened_at=opened_at)
    return found


async def _keep(tx: Tx, tenant_id: TenantId, one: Found, *, now: datetime) -> bool:
    """Keep an alert and return whether people may be told: nobody muted it."""
    row = await (
        await tx.execute(
            "INSERT INTO alerts (tenant_id, kind, subject, opened_at, seen_at, text) VALUES (%(t)s, %(k)s, %(s)s, %(now)s, %(now)s, %(text)s)"
            " ON CONFLICT (tenant_id, kind, subject) DO UPDATE SET seen_at = excluded.seen_at, text = excluded.text,"
            " opened_at = CASE WHEN alerts.closed_at IS NULL THEN alerts.opened_at ELSE excluded.opened_at END, closed_at = NULL"
            " RETURNING muted_until IS NULL OR muted_until <= %(now)s",
            {"t": tenant_id, "k": one.kind, "s": one.subject, "now": now, "text": one.text},
        )
    ).fetchone()
    return row is not None and bool(row[0])


async def _tell(
    tx: Tx,
    tenant_id: TenantId,
    one: Found,
    targets: Sequence[Target],
    *,
    now: datetime,
    opened_at: datetime | None = None,
) -> int:
    """Tell each address that did not hear of it within its cooldown; that it is over, each that heard since it opened."""
    body = {
        "type": f"bridge.alert.{one.kind}",
        "state": "over" if opened_at else "open",
        "tenant": int(tenant_id),
        "subject": one.subject,
        "text": one.text,
        "timestamp": now.isoformat(),
    }
    told = 0
    for target in targets:
        put = await tx.execute(
            "INSERT INTO alert_messages (tenant_id, address, body, created_at, due_at)"
            " SELECT %(t)s, %(address)s, %(body)s::text::jsonb, %(now)s, %(now)s WHERE %(heard)s = EXISTS (SELECT 1 FROM alert_messages"
            " WHERE tenant_id = %(t)s AND address = %(address)s AND body @> %(same)s::text::jsonb AND created_at > %(since)s)",
            {
                "t": tenant_id, "address": target.name, "body": json.dumps(body), "now": now, "heard": opened_at is not None,
                "same": json.dumps({"type": body["type"], "subject": one.subject, "state": "open"}),
                "since": opened_at - timedelta.resolution if opened_at else now - target.cooldown,
            },
        )  # fmt: skip
        told += put.rowcount
    return told


async def send_due(database: Database, post: Post, *, targets: Sequence[Target], now: datetime, limit: int = 20) -> int:
    """Send what is due and return how many were tried; no transaction is open while one is sent.

    A receiver sees the same `webhook-id` when a message is sent twice, which a crash between answer and commit can cause.
    """
    known = {target.name: target for target in targets}
    async with database.begin() as tx:
        await tx.execute(
            "DELETE FROM alert_messages WHERE created_at < %s AND (sent_at IS NOT NULL OR is_dead)", [now - KEPT]
        )
        rows = await tx.execute(
            "UPDATE alert_messages SET due_at = %s, attempts = attempts + 1 WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM alert_messages"
            " WHERE sent_at IS NULL AND NOT is_dead AND due_at <= %s ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED)"
            " RETURNING tenant_id, id, address, body, created_at, attempts",
            [now + _LEASE, now, limit],
        )
        due = [
            Outgoing(tenant_id=row[0], id=row[1], address=row[2], body=row[3], created_at=row[4], attempts=row[5])
            for row in await rows.fetchall()
        ]
    for message in due:
        target = known.get(message.address)
        detail, sent = "the address is not configured any more", False
        if target is not None:
            body, headers = render(target, message, now=now)
            try:
                status = await post(target.url, body, headers)
                detail, sent = f"answered {status}", 200 <= status < 300
            except OSError as error:
                detail = type(error).__name__
        async with database.begin() as tx:
            await tx.execute(
                "UPDATE alert_messages SET sent_at = %s, is_dead = %s, detail = %s, due_at = %s WHERE tenant_id = %s AND id = %s",
                [
                    now if sent else None, not sent and (target is None or message.attempts >= GIVE_UP), detail,
                    now + timedelta(seconds=backoff(POLICIES["create_booking"], message.attempts)), message.tenant_id, message.id,
                ],
            )  # fmt: skip
    return len(due)


async def retry(database: Database, act: Act, *, tenant_id: TenantId, message_id: int) -> Done:
    """Send an alert that was given up again, from its first try on."""
    async with database.begin() as tx:
        again = await tx.execute(
            "UPDATE alert_messages SET is_dead = false, attempts = 0, due_at = %s WHERE tenant_id = %s AND id = %s AND is_dead",
            [act.now, tenant_id, message_id],
        )
        if again.rowcount:
            await audit.write(tx, act, "alert.retried", f"alert:{message_id}", tenant_id=tenant_id)
    if not again.rowcount:
        return Done(text="No alert of this number was given up.", refusal="unknown")
    return Done(text="It is sent again.", count=1, id=message_id)


def render(target: Target, message: Outgoing, *, now: datetime) -> tuple[bytes, dict[str, str]]:
    """Return the body and headers of a message: Slack's `text`, or a signed Standard Webhooks message."""
    if target.style == "slack":
        body = json.dumps(
            {"text": f"Bridge · tenant {message.tenant_id} · {message.body['subject']}: {message.body['text']}"}
        ).encode()
        return body, {"content-type": "application/json"}
    body = json.dumps(
        {"type": message.body["type"], "timestamp": message.body["timestamp"], "data": message.body},
        separators=(",", ":"),
    ).encode()
    webhook_id, stamp = f"alert_{message.tenant_id}_{message.id}", str(int(now.timestamp()))
    key = (
        base64.b64decode(target.secret.removeprefix("whsec_"))
        if target.secret.startswith("whsec_")
        else target.secret.encode()
    )
    signature = base64.b64encode(
        hmac.new(key, f"{webhook_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    ).decode()
    headers = {"webhook-id": webhook_id, "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}
    return body, {"content-type": "application/json", **headers}


async def count_hours(database: Database, *, tenant_id: TenantId, now: datetime) -> None:
    """Bring the counts per source and hour up to date: the last counted hour again and all since, six weeks back at first."""
    async with database.begin() as tx:
        row = await (
            await tx.execute("SELECT max(hour) FROM delivery_hours WHERE tenant_id = %s", [tenant_id])
        ).fetchone()
        since = row[0] if row and row[0] else now - timedelta(weeks=6)
        await tx.execute(
            "INSERT INTO delivery_hours (tenant_id, source_id, hour, received) SELECT tenant_id, source_id, date_trunc('hour', received_at), count(*)"
            " FROM deliveries WHERE tenant_id = %s AND received_at >= date_trunc('hour', %s::timestamptz) GROUP BY 1, 2, 3"
            " ON CONFLICT (tenant_id, source_id, hour) DO UPDATE SET received = excluded.received",
            [tenant_id, since],
        )
