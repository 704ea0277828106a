"""Users, tokens and the audit; and a customer's whole story across sources."""

from datetime import datetime
from typing import Any

import msgspec

from bridge.db.database import Database
from bridge.domain.ids import TenantId
from bridge.domain.values import email_address, phone_e164
from bridge.reports.deliveries import DeliveryRow, with_status
from bridge.reports.reading import reading, rows_as, rows_of
from bridge.reports.review import Party, parties


class UserSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A user; never the hash of the password."""

    id: int
    login: str
    role: str
    tenant_ids: tuple[int, ...] | None
    created_at: datetime
    created_by: str
    disabled_at: datetime | None
    seen_at: datetime | None = None


class TokenSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An API token; its text was shown once, when it was made."""

    id: int
    name: str
    hint: str
    scopes: tuple[str, ...]
    tenant_ids: tuple[int, ...] | None
    created_at: datetime
    created_by: str
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class AuditSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit."""

    id: int
    tenant_id: int
    at: datetime
    by: str
    action: str
    subject: str
    delivery_id: int | None
    reason: str
    detail: dict[str, Any]


class PartyStory(msgspec.Struct, frozen=True, kw_only=True):
    """A customer with everything that came in about them."""

    party: Party | None
    customer_id: int
    deliveries: tuple[DeliveryRow, ...]
    bookings: tuple[dict[str, Any], ...]
    links: tuple[dict[str, Any], ...]


async def users(database: Database) -> list[UserSeen]:
    """Return everybody who may log in."""
    async with reading(database) as tx:
        rows = await rows_of(
            tx,
            "SELECT id, login, role, tenant_ids, created_at, created_by, disabled_at, (SELECT max(seen_at) FROM sessions s"
            " WHERE s.user_id = users.id) AS seen_at FROM users ORDER BY login",
        )
    return [
        UserSeen(**{**row, "tenant_ids": tuple(row["tenant_ids"]) if row["tenant_ids"] is not None else None})
        for row in rows
    ]


async def tokens(database: Database) -> list[TokenSeen]:
    """Return every API token, the newest first."""
    async with reading(database) as tx:
        rows = await rows_of(
            tx,
            "SELECT id, name, hint, scopes, tenant_ids, created_at, created_by, expires_at, last_used_at, revoked_at FROM api_tokens ORDER BY id DESC",
        )
    return [
        TokenSeen(
            **{
                **row,
                "scopes": tuple(row["scopes"]),
                "tenant_ids": tuple(row["tenant_ids"]) if row["tenant_ids"] is not None else None,
            }
        )
        for row in rows
    ]


async def audit(
    database: Database,
    tenant_ids: list[int],
    *,
    before_id: int | None = None,
    by: str = "",
    action: str = "",
    limit: int = 50,
) -> list[AuditSeen]:
    """Return what people did, the newest first; tenant 0 holds what belongs to no tenant."""
    async with reading(database) as tx:
        return await rows_as(
            tx,
            AuditSeen,
            "SELECT id, tenant_id, at, by, action, subject, delivery_id, reason, detail FROM audit_log WHERE tenant_id = ANY(%(tenants)s)"
            " AND (%(before)s::bigint IS NULL OR id < %(before)s) AND (%(by)s = '' OR by = %(by)s) AND (%(action)s = '' OR action = %(action)s)"
            " ORDER BY id DESC LIMIT %(limit)s",
            {"tenants": tenant_ids, "before": before_id, "by": by, "action": action, "limit": limit},
        )


_ROWS = """
SELECT s.delivery_id AS id, s.tenant_id, s.source_id, d.event_type, s.received_at, d.verified_by, s.state, s.reason, s.sentence, s.name,
  s.phones, s.emails, s.zip, s.campaign, s.servicetitan_ids
FROM delivery_states s JOIN deliveries d ON d.tenant_id = s.tenant_id AND d.id = s.delivery_id
WHERE s.tenant_id = %(tenant)s AND (s.servicetitan_ids @> ARRAY[%(id)s::bigint] OR s.phones && %(phones)s::text[] OR s.emails && %(emails)s::text[])
ORDER BY s.received_at DESC LIMIT 200
"""


async def party_story(database: Database, tenant_id: TenantId, customer_id: int, *, region: str = "US") -> PartyStory:
    """Return everything about a customer: deliveries of every source by id or shared contact, bookings, links."""
    party = (await parties(database, tenant_id, [customer_id])).get(customer_id)
    contacts = party.contacts if party else ()
    values = {
        "tenant": tenant_id,
        "id": customer_id,
        "phones": [known for value in contacts if (known := phone_e164(value, region))],
        "emails": [known for value in contacts if (known := email_address(value))],
    }
    async with reading(database) as tx:
        rows = await rows_of(tx, _ROWS, values)
        lines = await with_status(tx, tenant_id, rows)
        links = await rows_of(
            tx,
            "SELECT source_id, record_id, location_id, decided_by, decided_at FROM links WHERE tenant_id = %(tenant)s AND customer_id = %(id)s",
            values,
        )
        bookings = await rows_of(
            tx,
            "SELECT DISTINCT b.id, b.status, b.start, b.external_id, b.job_id FROM unnest(%(deliveries)s::bigint[]) w (id)"
            " JOIN effects e ON e.tenant_id = %(tenant)s AND e.delivery_id = w.id AND e.kind = 'create_booking'"
            " JOIN mirrored_bookings b ON b.tenant_id = e.tenant_id AND b.external_id = replace(e.key::text, '-', '') ORDER BY b.id DESC",
            {**values, "deliveries": [row["id"] for row in rows]},
        )
    return PartyStory(
        party=party, customer_id=customer_id, deliveries=tuple(lines), bookings=tuple(bookings), links=tuple(links)
    )
