"""Writes down what became of each delivery: its state for lists and searches, its decisions with all evidence, its holds."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from bridge.db.arrays import integers, texts
from bridge.db.database import Tx
from bridge.domain.ids import DecisionId, DeliveryId, SourceId, TenantId
from bridge.domain.inquiry import BookingInquiry, Inquiry
from bridge.domain.match import Ambiguous, Match, Matched
from bridge.domain.plan import Plan
from bridge.domain.values import digits_of, phone_e164

_encode = msgspec.json.Encoder().encode

_DECISIONS = """
INSERT INTO decisions (tenant_id, delivery_id, ordinal, inquiry_key, decided_at, config_version, state, reason, inquiry, match,
                       plan, by)
SELECT tenant_id, delivery_id, ordinal, inquiry_key, %s, %s, state, reason, inquiry::jsonb, match::jsonb, plan::jsonb, by
FROM unnest(%s::int8[], %s::int8[], %s::int2[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::text[]) WITH ORDINALITY
     AS t (tenant_id, delivery_id, ordinal, inquiry_key, state, reason, inquiry, match, plan, by, n)
ORDER BY n RETURNING id
"""

_STATES = """
INSERT INTO delivery_states (tenant_id, delivery_id, source_id, received_at, updated_at, state, reason, sentence, name, phones,
                             phone_ends, emails, zip, campaign, record_ids, servicetitan_ids)
SELECT tenant_id, delivery_id, source_id, received_at, %s, state, reason, sentence, name, phones::text[],
       phone_ends::text[], emails::text[], zip, campaign, record_ids::text[], servicetitan_ids::int8[]
FROM unnest(%s::int8[], %s::int8[], %s::text[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
     AS t (tenant_id, delivery_id, source_id, received_at, state, reason, sentence, name, phones, phone_ends, emails,
           zip, campaign, record_ids, servicetitan_ids)
ON CONFLICT (tenant_id, delivery_id) DO UPDATE SET
    updated_at = excluded.updated_at, state = excluded.state, reason = excluded.reason, sentence = excluded.sentence,
    name = excluded.name, phones = excluded.phones, phone_ends = excluded.phone_ends, emails = excluded.emails,
    zip = excluded.zip, campaign = excluded.campaign, record_ids = excluded.record_ids,
    servicetitan_ids = delivery_states.servicetitan_ids || excluded.servicetitan_ids
"""

_HOLDS = """
INSERT INTO holds (tenant_id, delivery_id, decision_id, inquiry_key, source_id, opened_at, reason, detail, commands)
SELECT tenant_id, delivery_id, decision_id, inquiry_key, source_id, %s, reason, detail, commands::jsonb
FROM unnest(%s::int8[], %s::int8[], %s::int8[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[]) WITH ORDINALITY
     AS t (tenant_id, delivery_id, decision_id, inquiry_key, source_id, reason, detail, commands, n)
WHERE NOT EXISTS (
    SELECT 1 FROM holds AS h WHERE h.tenant_id = t.tenant_id AND h.delivery_id = t.delivery_id
    AND h.inquiry_key = t.inquiry_key AND h.reason = t.reason
)
ORDER BY n
"""


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """One inquiry with its match and plan, or a whole delivery that holds none (`inquiry` None, the reason says why)."""

    ordinal: int = 0
    inquiry: Inquiry | None = None
    match: Match | None = None
    plan: Plan | None = None
    state: str = "processed"
    reason: str = "processed"


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """Everything decided about one delivery, in one go; `region` is where its people write phones without a country."""

    tenant_id: TenantId
    delivery_id: DeliveryId
    source_id: SourceId
    received_at: datetime
    state: str
    reason: str
    sentence: str = ""
    decided: tuple[Decided, ...] = ()
    by: str = ""
    trace_id: str = ""
    region: str = "US"


async def write(tx: Tx, stories: Sequence[Story], *, config_version: str, now: datetime) -> list[list[DecisionId]]:
    """Write the stories and return the ids of their decisions, in the same order."""
    flat = [(story, decided) for story in stories for decided in story.decided]
    ids: list[DecisionId] = []
    if flat:
        cursor = await tx.execute(
            _DECISIONS,
            [
                now,
                config_version,
                integers(story.tenant_id for story, _ in flat),
                integers(story.delivery_id for story, _ in flat),
                integers(decided.ordinal for _, decided in flat),
                texts(decided.inquiry.key if decided.inquiry is not None else "" for _, decided in flat),
                texts(decided.state for _, decided in flat),
                texts(decided.reason for _, decided in flat),
                texts(_json(decided.inquiry) for _, decided in flat),
                texts(_json(decided.match) for _, decided in flat),
                texts(_json(decided.plan) for _, decided in flat),
                texts(story.by for story, _ in flat),
            ],
            prepare=True,
        )
        ids = sorted(DecisionId(row[0]) for row in await cursor.fetchall())
    await _write_states(tx, stories, now=now)
    result: list[list[DecisionId]] = []
    for story in stories:
        result.append(ids[: len(story.decided)])
        del ids[: len(story.decided)]
    await _write_holds(tx, stories, result, now=now)
    return result


async def _write_states(tx: Tx, stories: Sequence[Story], *, now: datetime) -> None:
    rows: list[tuple[str, ...]] = []
    for story in stories:
        asked = [decided.inquiry for decided in story.decided if decided.inquiry is not None]
        people = [inquiry.person for inquiry in asked]
        written = (phone for person in people for phone in person.phones)
        phones = sorted({phone_e164(phone, story.region) or digits_of(phone) for phone in written} - {""})
        campaigns = (
            inquiry.attribution.utm_campaign or inquiry.attribution.campaign
            for inquiry in asked
            if isinstance(inquiry, BookingInquiry)
        )
        rows.append(
            (
                str(story.tenant_id),
                str(story.delivery_id),
                story.source_id,
                story.received_at.isoformat(),
                story.state,
                story.reason,
                story.sentence,
                next((person.display_name.lower() for person in people if person.display_name), ""),
                _array(phones),
                _array(sorted({phone[-4:] for phone in phones})),
                _array(sorted({email.strip().lower() for person in people for email in person.emails})),
                next((person.address.zip[:5] for person in people if person.address.zip), ""),
                next(filter(None, campaigns), ""),
                _array(sorted({value for inquiry in asked for value in (inquiry.record_id, inquiry.key) if value})),
                _array(sorted({str(value) for decided in story.decided for value in _matched_ids(decided.match)})),
            )
        )
    if rows:
        columns = [texts(column) for column in zip(*rows, strict=True)]
        await tx.execute(_STATES, [now, *columns], prepare=True)


async def _write_holds(tx: Tx, stories: Sequence[Story], ids: list[list[DecisionId]], *, now: datetime) -> None:
    # A replay of a delivery whose hold is still open, or was settled by a person, opens no second one.
    rows = {
        (story.tenant_id, story.delivery_id, key, hold.reason): (decision_id, story.source_id, hold)
        for story, decision_ids in zip(reversed(stories), reversed(ids), strict=True)
        for decided, decision_id in zip(reversed(story.decided), reversed(decision_ids), strict=True)
        for key in (decided.inquiry.key if decided.inquiry is not None else "",)
        for hold in reversed(decided.plan.holds if decided.plan is not None else ())
    }
    if rows:
        ordered = list(reversed(rows.items()))
        await tx.execute(
            _HOLDS,
            [
                now,
                integers(name[0] for name, _ in ordered),
                integers(name[1] for name, _ in ordered),
                integers(decision_id for _, (decision_id, _, _) in ordered),
                texts(name[2] for name, _ in ordered),
                texts(source_id for _, (_, source_id, _) in ordered),
                texts(name[3] for name, _ in ordered),
                texts(hold.detail for _, (_, _, hold) in ordered),
                texts(_json(hold.commands) for _, (_, _, hold) in ordered),
            ],
            prepare=True,
        )


def _json(value: object) -> str | None:
    # JSONB keeps no NUL character; the body of the delivery still has it.
    return None if value is None else _encode(value).decode().replace("\\u0000", "")


def _array(values: Sequence[str]) -> str:
    """Return a PostgreSQL array literal: rows of one statement carry arrays of different lengths."""
    return texts(value.replace("\0", "") for value in values)


def _matched_ids(match: Match | None) -> tuple[int, ...]:
    if isinstance(match, Matched):
        return (match.customer_id, *((match.location_id,) if match.location_id is not None else ()))
    if isinstance(match, Ambiguous) and match.location_id is not None:
        return (match.location_id,)
    return ()
