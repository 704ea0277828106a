"""A person's data: found by phone or e-mail in everything kept, exported, erased. What is erased stays as a shell: ids, times, outcomes."""

from datetime import datetime
from typing import Any

import msgspec

from bridge.db.database import Database, Tx
from bridge.domain.ids import TenantId
from bridge.domain.values import email_address, phone_e164
from bridge.operations import audit
from bridge.operations.audit import Act, Done


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """Who is looked for: comparable forms of a phone or an e-mail address."""

    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery that speaks of the person."""

    delivery_id: int
    source_id: str
    received_at: datetime
    decisions: int
    effects: int


def subject_of(*, phone: str = "", email: str = "", region: str = "US") -> Subject | None:
    """Return whom a phone or e-mail names, None where neither can be read."""
    known_phone, known_email = phone_e164(phone, region) if phone else "", email_address(email) if email else ""
    if not known_phone and not known_email:
        return None
    return Subject(phones=(known_phone,) if known_phone else (), emails=(known_email,) if known_email else ())


_FIND = """
SELECT s.delivery_id, s.source_id, s.received_at,
  (SELECT count(*) FROM decisions d WHERE d.tenant_id = s.tenant_id AND d.delivery_id = s.delivery_id)::int AS decisions,
  (SELECT count(*) FROM effects e WHERE e.tenant_id = s.tenant_id AND e.delivery_id = s.delivery_id)::int AS effects
FROM delivery_states s WHERE s.tenant_id = %s AND (s.phones && %s::text[] OR s.emails && %s::text[]) ORDER BY s.received_at
"""


async def find(database: Database, act: Act, *, tenant_id: TenantId, subject: Subject) -> list[Kept]:
    """Return the deliveries that speak of a person; asking is written down."""
    async with database.begin() as tx:
        found = await _find(tx, tenant_id, subject)
        await audit.write(tx, act, "person.searched", "person", tenant_id=tenant_id, detail={"found": len(found)})
    return found


async def _find(tx: Tx, tenant_id: TenantId, subject: Subject) -> list[Kept]:
    rows = await tx.execute(_FIND, [tenant_id, list(subject.phones), list(subject.emails)])
    return [
        Kept(delivery_id=row[0], source_id=row[1], received_at=row[2], decisions=row[3], effects=row[4])
        for row in await rows.fetchall()
    ]


async def export(database: Database, act: Act, *, tenant_id: TenantId, subject: Subject) -> list[dict[str, Any]]:
    """Return everything kept about a person, in clear; written down."""
    async with database.begin() as tx:
        found = await _find(tx, tenant_id, subject)
        made: list[dict[str, Any]] = []
        for kept in found:
            row = await (
                await tx.execute(
                    "SELECT url, headers, convert_from(body, 'LATIN1') FROM deliveries WHERE tenant_id = %s AND id = %s",
                    [tenant_id, kept.delivery_id],
                )
            ).fetchone()
            decisions = await tx.execute(
                "SELECT inquiry, match, plan FROM decisions WHERE tenant_id = %s AND delivery_id = %s ORDER BY id",
                [tenant_id, kept.delivery_id],
            )
            effects = await tx.execute(
                "SELECT kind, command FROM effects WHERE tenant_id = %s AND delivery_id = %s ORDER BY id",
                [tenant_id, kept.delivery_id],
            )
            made.append(
                {
                    "delivery": kept.delivery_id, "source": kept.source_id, "received_at": kept.received_at.isoformat(),
                    "url": row[0] if row else "", "headers": row[1] if row else [], "body": row[2] if row else "",
                    "decisions": [{"inquiry": one[0], "match": one[1], "plan": one[2]} for one in await decisions.fetchall()],
                    "effects": [{"kind": one[0], "command": one[1]} for one in await effects.fetchall()],
                }
            )  # fmt: skip
        await audit.write(
            tx,
            act,
            "person.exported",
            "person",
            tenant_id=tenant_id,
            detail={"deliveries": [kept.delivery_id for kept in found]},
        )
    return made


async def erase(database: Database, act: Act, *, tenant_id: TenantId, subject: Subject) -> Done:
    """Take a person out of everything kept. Refused while messages about them wait: send, cancel or dismiss those first.

    Bodies, inquiries, matches, plans, commands, answers and search keys go; ids, times, outcomes, effect keys and the audit
    stay, so that nothing is made a second time.
    """
    if not act.reason.strip():
        return Done(text="Say why: an erasure is kept in the audit.", refusal="reason_missing")
    async with database.begin() as tx:
        ids = [kept.delivery_id for kept in await _find(tx, tenant_id, subject)]
        if not ids:
            return Done(text="Nobody of this phone or e-mail is kept.", refusal="unknown")
        here = {"t": tenant_id, "ids": ids}
        waits = await (
            await tx.execute(
                "SELECT count(*) FROM effects e JOIN outbox o ON o.tenant_id = e.tenant_id AND o.id = e.id WHERE e.tenant_id = %(t)s AND e.delivery_id = ANY(%(ids)s)",
                here,
            )
        ).fetchone()
        if waits and waits[0]:
            return Done(
                text=f"{waits[0]} messages about this person still wait; send or cancel them first.",
                refusal="waiting_already",
            )
        for statement in _ERASE:
            await tx.execute(statement, here)
        await audit.write(tx, act, "person.erased", "person", tenant_id=tenant_id, detail={"deliveries": ids})
    return Done(text=f"Erased from {len(ids)} deliveries.", count=len(ids))


_ERASE = (
    "UPDATE attempts SET detail = '', problem = NULL WHERE tenant_id = %(t)s AND effect_id IN"
    " (SELECT id FROM effects WHERE tenant_id = %(t)s AND delivery_id = ANY(%(ids)s))",
    "UPDATE dead_messages SET detail = '' WHERE tenant_id = %(t)s AND effect_id IN"
    " (SELECT id FROM effects WHERE tenant_id = %(t)s AND delivery_id = ANY(%(ids)s))",
    "UPDATE effects SET command = '{}', lane = 'erased' WHERE tenant_id = %(t)s AND delivery_id = ANY(%(ids)s)",
    "UPDATE effect_conflicts SET command = '{}' WHERE tenant_id = %(t)s AND delivery_id = ANY(%(ids)s)",
    "UPDATE decisions SET inquiry = NULL, match = NULL, plan = NULL WHERE tenant_id = %(t)s AND delivery_id = ANY(%(ids)s)",
    "UPDATE holds SET commands = '[]', detail = '', state = CASE state WHEN 'open' THEN 'dismissed' ELSE state END"
    " WHERE tenant_id = %(t)s AND delivery_id = ANY(%(ids)s)",
    "DELETE FROM fetched WHERE tenant_id = %(t)s AND delivery_id = ANY(%(ids)s)",
    "UPDATE deliveries SET body = ''::bytea, headers = '[]', url = '' WHERE tenant_id = %(t)s AND id = ANY(%(ids)s)",
    "UPDATE delivery_states SET name = '', phones = '{}', phone_ends = '{}', emails = '{}', zip = '', record_ids = '{}', sentence = '',"
    " servicetitan_ids = '{}' WHERE tenant_id = %(t)s AND delivery_id = ANY(%(ids)s)",
)
