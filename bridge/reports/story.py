"""The why page as data: one delivery, what arrived, every decision about it, every attempt, every person's action."""

from datetime import datetime
from typing import Any

import msgspec

from bridge.db.database import Database, Tx
from bridge.domain.ids import DeliveryId, TenantId
from bridge.domain.inquiry import Inquiry
from bridge.domain.match import Match
from bridge.domain.plan import Plan
from bridge.domain.reasons import advice_for
from bridge.reports.deliveries import with_status
from bridge.reports.reading import reading, rows_as, rows_of
from bridge.reports.status import EFFECTS_OF, EffectState, Status


class RequestSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The webhook request as it came; `body` is text where it is text, else empty."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    content_type: str
    size: int
    body: str


class FetchSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What hydration fetched for a thin payload."""

    name: str
    status: int
    fetched_at: datetime
    body: str


class AttemptSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt of an effect, or one person's word about it."""

    number: int
    at: datetime
    outcome: str
    settles: int
    is_late: bool
    sent_at: datetime | None
    milliseconds: int | None
    status: int | None
    reason: str
    detail: str
    by: str
    created: dict[str, Any] | None
    problem: dict[str, Any] | None


class EffectSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One effect wanted in ServiceTitan, where it stands and how it got there."""

    id: int
    key: str
    kind: str
    lane: str
    rule: str
    priority: int
    created_at: datetime
    decision_id: int
    command: dict[str, Any]
    waits_for: tuple[int, ...]
    state: str
    reason: str
    sends: int
    due_at: datetime | None
    attempts: tuple[AttemptSeen, ...] = ()


class HoldSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What waited, or waits, for a person."""

    id: int
    decision_id: int
    inquiry_key: str
    opened_at: datetime
    reason: str
    detail: str
    commands: list[dict[str, Any]]
    state: str
    settled_at: datetime | None
    settled_by: str
    choice: dict[str, Any] | None


class DecisionSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One decision; a part that this version cannot read is None and named in `unreadable`."""

    id: int
    ordinal: int
    inquiry_key: str
    decided_at: datetime
    config_version: str
    state: str
    reason: str
    by: str
    inquiry: Inquiry | None = None
    match: Match | None = None
    plan: Plan | None = None
    unreadable: tuple[str, ...] = ()


class ActionSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What a person did."""

    id: int
    at: datetime
    by: str
    action: str
    subject: str
    reason: str
    detail: dict[str, Any]


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known about one delivery."""

    id: int
    tenant_id: int
    source_id: str
    dedup_key: str
    event_type: str
    received_at: datetime
    verified_by: str
    trace_id: str
    status: Status
    state: str
    reason: str
    sentence: str
    remedy: str
    name: str
    is_queued: bool
    request: RequestSeen
    fetched: tuple[FetchSeen, ...] = ()
    decisions: tuple[DecisionSeen, ...] = ()
    effects: tuple[EffectSeen, ...] = ()
    holds: tuple[HoldSeen, ...] = ()
    actions: tuple[ActionSeen, ...] = ()
    is_masked: bool = False

    @property
    def latest(self) -> tuple[DecisionSeen, ...]:
        """The newest decision about each inquiry."""
        newest = {(one.ordinal, one.inquiry_key): one for one in self.decisions}
        return tuple(sorted(newest.values(), key=lambda one: one.ordinal))

    def personal(self) -> tuple[str, ...]:
        """Return every personal value the inquiries hold, for hiding them in sentences."""
        found: set[str] = {self.name} if self.name else set()
        for decision in self.decisions:
            if decision.inquiry is None:
                continue
            person = decision.inquiry.person
            words = (person.display_name, person.name, person.given_name, person.surname, person.company)
            place = (person.address.street, person.address.unit, person.address.city, person.address.raw)
            found |= {
                value
                for value in (*words, *person.display_name.split(), *person.phones, *person.emails, *place)
                if value
            }
        return tuple(found)


# The key begins with the tenant: from one tenant to the next, two look-ups each. An index of ids alone would cost every insert.
# The comparison by pairs leaves no index but the key's, however old the statistics are.
_TENANT_OF = """
WITH RECURSIVE tenants (tenant_id) AS (
    (SELECT tenant_id FROM deliveries ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT d.tenant_id FROM deliveries AS d WHERE d.tenant_id > t.tenant_id ORDER BY d.tenant_id LIMIT 1)
    FROM tenants AS t WHERE t.tenant_id IS NOT NULL
)
SELECT t.tenant_id FROM tenants AS t
CROSS JOIN LATERAL (
    SELECT d.tenant_id, d.id FROM deliveries AS d
    WHERE (d.tenant_id, d.id) >= (t.tenant_id, %(id)s) ORDER BY d.tenant_id, d.id LIMIT 1
) AS next
WHERE (next.tenant_id, next.id) = (t.tenant_id, %(id)s)
"""


async def tenant_of(database: Database, delivery_id: DeliveryId) -> TenantId | None:
    """Return whose delivery an id is; ids are never given twice."""
    async with database.connection() as connection:  # of the queues: it scans no table, however old its statistics are
        rows = await rows_of(connection, _TENANT_OF, {"id": delivery_id})
    return TenantId(rows[0]["tenant_id"]) if rows else None


async def tell(database: Database, tenant_id: TenantId, delivery_id: DeliveryId) -> Story | None:
    """Return the story of a delivery, None where the tenant has none of this id."""
    async with reading(database) as tx:
        return await _tell(tx, tenant_id, delivery_id)


async def _tell(tx: Tx, tenant_id: TenantId, delivery_id: DeliveryId) -> Story | None:
    here = {"tenant": tenant_id, "id": delivery_id, "ids": [delivery_id]}
    found = await rows_of(
        tx,
        "SELECT d.*, s.state, coalesce(s.reason, '') AS reason, coalesce(s.sentence, '') AS sentence, coalesce(s.name, '') AS name,"
        " EXISTS (SELECT 1 FROM delivery_queue q WHERE q.tenant_id = d.tenant_id AND q.id = d.id) AS is_queued"
        " FROM deliveries d LEFT JOIN delivery_states s ON s.tenant_id = d.tenant_id AND s.delivery_id = d.id"
        " WHERE d.tenant_id = %(tenant)s AND d.id = %(id)s",
        here,
    )
    if not found:
        return None
    row = found[0]
    line = {
        key: row[key]
        for key in (
            "id",
            "tenant_id",
            "source_id",
            "event_type",
            "received_at",
            "verified_by",
            "state",
            "reason",
            "sentence",
            "name",
        )
    }
    (listed,) = await with_status(tx, tenant_id, [{**line, "phones": (), "emails": (), "servicetitan_ids": ()}])
    advice = advice_for(listed.reason) if row["state"] else None
    return Story(
        id=row["id"],
        tenant_id=row["tenant_id"],
        source_id=row["source_id"],
        dedup_key=row["dedup_key"],
        event_type=row["event_type"],
        received_at=row["received_at"],
        verified_by=row["verified_by"],
        trace_id=row["trace_id"],
        status=listed.status,
        state=row["state"] or "",
        reason=listed.reason,
        sentence=listed.sentence or (advice.text if advice else "It is stored and waits for its turn."),
        remedy=advice.remedy if advice else "Nothing to do; it is processed in a moment.",
        name=row["name"],
        is_queued=row["is_queued"],
        request=_request(row),
        fetched=tuple(
            FetchSeen(name=one["name"], status=one["status"], fetched_at=one["fetched_at"], body=_text(one["body"]))
            for one in await rows_of(
                tx,
                "SELECT * FROM fetched WHERE tenant_id = %(tenant)s AND delivery_id = %(id)s ORDER BY fetched_at",
                here,
            )
        ),
        decisions=tuple(
            _decision(one)
            for one in await rows_of(
                tx,
                "SELECT id, ordinal, inquiry_key, decided_at, config_version, state, reason, by, inquiry::text, match::text, plan::text"
                " FROM decisions WHERE tenant_id = %(tenant)s AND delivery_id = %(id)s ORDER BY id",
                here,
            )
        ),
        effects=await _effects(tx, here),
        holds=tuple(
            await rows_as(
                tx, HoldSeen, f"{_HOLDS} WHERE tenant_id = %(tenant)s AND delivery_id = %(id)s ORDER BY id", here
            )
        ),
        actions=tuple(
            await rows_as(
                tx,
                ActionSeen,
                "SELECT id, at, by, action, subject, reason, detail FROM audit_log"
                " WHERE tenant_id = %(tenant)s AND delivery_id = %(id)s ORDER BY id",
                here,
            )
        ),
    )


_HOLDS = "SELECT id, decision_id, inquiry_key, opened_at, reason, detail, commands, state, settled_at, settled_by, choice FROM holds"


async def _effects(tx: Tx, here: dict[str, Any]) -> tuple[EffectSeen, ...]:
    standing = {one.effect_id: one for one in await rows_as(tx, EffectState, EFFECTS_OF, here)}
    rows = await rows_of(
        tx, "SELECT * FROM effects WHERE tenant_id = %(tenant)s AND delivery_id = %(id)s ORDER BY id", here
    )
    tried = await rows_of(
        tx,
        "SELECT * FROM attempts WHERE tenant_id = %(tenant)s AND effect_id = ANY(%(effects)s) ORDER BY at, number",
        {**here, "effects": list(standing)},
    )
    fields = AttemptSeen.__struct_fields__
    attempts: dict[int, list[AttemptSeen]] = {}
    for one in tried:
        attempts.setdefault(one["effect_id"], []).append(AttemptSeen(**{name: one[name] for name in fields}))
    return tuple(
        EffectSeen(
            id=row["id"],
            key=row["key"].hex,
            kind=row["kind"],
            lane=row["lane"],
            rule=row["rule"],
            priority=row["priority"],
            created_at=row["created_at"],
            decision_id=row["decision_id"],
            command=row["command"],
            waits_for=tuple(row["waits_for"] or ()),
            state=standing[row["id"]].state,
            reason=standing[row["id"]].reason,
            sends=standing[row["id"]].sends,
            due_at=standing[row["id"]].due_at,
            attempts=tuple(attempts.get(row["id"], ())),
        )
        for row in rows
    )


def _request(row: dict[str, Any]) -> RequestSeen:
    headers = tuple((str(name), str(value)) for name, value in row["headers"])
    return RequestSeen(
        method=row["method"],
        url=row["url"],
        headers=headers,
        content_type=next((value for name, value in headers if name == "content-type"), ""),
        size=len(row["body"]),
        body=_text(row["body"]),
    )


def _text(body: bytes) -> str:
    try:
        return bytes(body).decode()
    except UnicodeDecodeError:
        return bytes(body).decode("latin-1") if len(body) < 100_000 else ""


def _decision(row: dict[str, Any]) -> DecisionSeen:
    """Read a decision; one of another version keeps what can be read."""
    parts: dict[str, Any] = {}
    unreadable: list[str] = []
    kinds: dict[str, Any] = {"inquiry": Inquiry, "match": Match, "plan": Plan}
    for name, kind in kinds.items():
        text = row.pop(name)
        try:
            parts[name] = msgspec.json.decode(text, type=kind) if text is not None else None
        except msgspec.ValidationError:
            unreadable.append(name)
    return DecisionSeen(**row, **parts, unreadable=tuple(unreadable))
