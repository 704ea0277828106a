"""From a search to SQL: what an index can answer starts the query, the rest filters what it finds."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from bridge.domain.ids import TenantId
from bridge.reports.search import MATCHES, Query, Term
from bridge.reports.status import SHUT


class Compiled(NamedTuple):
    """A search as SQL: `hits` are look-ups by index that start it, `conditions` filter what they find."""

    hits: list[str]
    conditions: list[str]
    values: dict[str, Any]
    payload: list[tuple[str, str, bool]]


def compile_query(query: Query, tenant_id: TenantId, sources: Sequence[str]) -> Compiled:
    """Return a search as SQL over the deliveries of one tenant."""
    sql = Compiled([], [], {"tenant": tenant_id, "sources": list(sources), "shut": sorted(SHUT)}, [])
    for number, term in enumerate(query.terms):
        key = f"v{number}"
        if term.kind == "payload":
            path, _, value = term.value.partition("=")
            sql.payload.append((path, value, term.negated))
        elif (hit := _hit(term, key, sql.values)) is not None:
            if term.negated:
                sql.conditions.append(f"d.id NOT IN (SELECT id FROM ({hit}) AS not_these)")
            else:
                sql.hits.append(hit)
        else:
            condition = _condition(term, key, sql.values)
            sql.conditions.append(f"({condition}) IS NOT TRUE" if term.negated else f"({condition})")
    return sql


_STATES = "SELECT delivery_id AS id, received_at FROM delivery_states WHERE tenant_id = %(tenant)s AND"


def _hit(term: Term, key: str, values: dict[str, Any]) -> str | None:  # noqa: PLR0911  one answer a kind
    """Return the look-up of a term that an index answers, None for one that filters."""
    values[key] = term.value
    if term.kind == "phone":
        return f"{_STATES} phones @> ARRAY[%({key})s]"
    if term.kind == "phone_end":
        if len(term.value) >= 4:
            return _phone_end(key, term.value, values)
        values[key] = f"%{term.value}"
        return f"{_STATES} EXISTS (SELECT 1 FROM unnest(phone_ends) AS e WHERE e LIKE %({key})s)"
    if term.kind == "email":
        return f"{_STATES} emails @> ARRAY[%({key})s]"
    if term.kind == "name":
        values[key] = _prefixes(term.value)
        return (
            f"{_STATES} to_tsvector('simple'::regconfig, name) @@ to_tsquery('simple', %({key})s)"
            if values[key]
            else None
        )
    if term.kind == "zip":
        values[key] = term.value[:5]
        return f"{_STATES} zip = %({key})s AND zip <> ''"
    if term.kind == "phone_or_id":
        known, _, digits = term.value.partition(" ")
        values[f"{key}p"], values[key] = known, digits
        return f"({_STATES} phones @> ARRAY[%({key}p)s]) UNION ({_any_id(key, digits, values)})"
    if term.kind == "number":
        more = {
            4: f" UNION ({_phone_end(key, term.value, values)})",
            7: f" UNION ({_phone_end(key, term.value, values)})",
            5: f" UNION ({_STATES} zip = %({key})s AND zip <> '')",
        }
        return _any_id(key, term.value, values) + more.get(len(term.value), "")
    if term.kind == "id":
        return _any_id(key, term.value, values)
    return None


def _phone_end(key: str, digits: str, values: dict[str, Any]) -> str:
    """Return the look-up of the last digits of a phone: four by index, those before them filter what that finds."""
    values[f"{key}e"] = digits[-4:]
    found = f"{_STATES} phone_ends @> ARRAY[%({key}e)s]"
    if len(digits) > 4:
        values[f"{key}l"] = f"%{digits}"
        found += f" AND EXISTS (SELECT 1 FROM unnest(phones) AS p WHERE p LIKE %({key}l)s)"
    return found


def _any_id(key: str, text: str, values: dict[str, Any]) -> str:
    """Return the look-up of an id whoever gave it: ours, the sender's, ServiceTitan's."""
    parts = [
        f"{_STATES} record_ids @> ARRAY[%({key})s]",
        f"SELECT id, received_at FROM deliveries WHERE tenant_id = %(tenant)s AND source_id = ANY(%(sources)s) AND dedup_key = %({key})s",
    ]
    if text.isdigit() and int(text) < 2**63:
        values[f"{key}n"] = int(text)
        parts += [
            f"SELECT id, received_at FROM deliveries WHERE tenant_id = %(tenant)s AND id = %({key}n)s",
            f"{_STATES} servicetitan_ids @> ARRAY[%({key}n)s::bigint]",
            _of_effects(f"SELECT delivery_id FROM effects WHERE tenant_id = %(tenant)s AND id = %({key}n)s"),
            _of_effects(
                "SELECT e.delivery_id FROM mirrored_bookings AS b JOIN effect_keys AS k ON k.tenant_id = b.tenant_id"
                " AND b.external_id ~ '^[0-9a-f]{32}$' AND k.key = b.external_id::uuid JOIN effects AS e ON e.tenant_id = k.tenant_id"
                f" AND e.id = k.effect_id WHERE b.tenant_id = %(tenant)s AND b.id = %({key}n)s"
            ),
        ]
    bare = text.replace("-", "").lower()
    if len(bare) == 32 and all(sign in "0123456789abcdef" for sign in bare):
        values[f"{key}k"] = bare
        parts.append(
            _of_effects(
                "SELECT e.delivery_id FROM effect_keys AS k JOIN effects AS e ON e.tenant_id = k.tenant_id AND e.id = k.effect_id"
                f" WHERE k.tenant_id = %(tenant)s AND k.key = %({key}k)s::uuid"
            )
        )
    return " UNION ".join(f"({part})" for part in parts)


def _of_effects(select: str) -> str:
    return f"SELECT id, received_at FROM deliveries WHERE tenant_id = %(tenant)s AND id IN ({select})"


def _prefixes(text: str) -> str:
    words = "".join(sign if sign.isalnum() else " " for sign in text).split()
    return " & ".join(f"{word}:*" for word in words[:8])


_OF_OUTBOX = (
    "d.id IN (SELECT e.delivery_id FROM outbox AS o JOIN effects AS e ON e.tenant_id = o.tenant_id AND e.id = o.id"
    " AND e.created_at = o.created_at WHERE o.tenant_id = %(tenant)s{0})"
)
_DEAD = (
    "d.id IN (SELECT e.delivery_id FROM dead_messages AS m JOIN effects AS e ON e.tenant_id = m.tenant_id"
    " AND e.id = m.effect_id AND e.created_at = m.created_at WHERE m.tenant_id = %(tenant)s)"
)
_EFFECT = "EXISTS (SELECT 1 FROM effects AS e WHERE e.tenant_id = d.tenant_id AND e.delivery_id = d.id{0})"
_PAUSED = (
    "EXISTS (SELECT 1 FROM pauses AS p WHERE p.tenant_id = %(tenant)s"
    " AND (p.scope = 'tenant' OR (p.scope = 'source' AND p.name = d.source_id)))"
)
_WAITS = _OF_OUTBOX.format("")
_SENT = _OF_OUTBOX.format(" AND o.sends > 0")
_IS_SHUT = _OF_OUTBOX.format(" AND (o.state = 2 OR o.reason = ANY(%(shut)s))")
_BOOKS = _EFFECT.format(" AND e.kind = 'create_booking'")
_DOES = _EFFECT.format("")
_LANE_PAUSED = _OF_OUTBOX.format(
    " AND e.lane IN (SELECT p.name FROM pauses AS p WHERE p.tenant_id = %(tenant)s AND p.scope = 'lane')"
)
_DECIDED = f"s.state = 'processed' AND NOT {_DEAD}"
_DONE = f"{_DECIDED} AND NOT {_WAITS}"
_JOINED = "s.reason = 'duplicate_ask'"
_STOPPED = f"({_PAUSED} OR {_LANE_PAUSED} OR {_IS_SHUT})"

# The same words as `status.status_of`, kept equal by a test that asks both about every combination.
_OUTCOME = {
    "received": "s.state IS NULL",
    "review": "s.state = 'held'",
    "failed": f"(s.state = 'failed' OR (s.state = 'processed' AND {_DEAD}))",
    "held": f"{_DECIDED} AND {_WAITS} AND {_STOPPED}",
    "retrying": f"{_DECIDED} AND NOT {_STOPPED} AND {_SENT}",
    "working": f"{_DECIDED} AND NOT {_STOPPED} AND {_WAITS} AND NOT {_SENT}",
    "booked": f"{_DONE} AND NOT {_JOINED} AND {_BOOKS}",
    "updated": f"{_DONE} AND NOT {_JOINED} AND {_DOES} AND NOT {_BOOKS}",
    "filtered": f"(s.state = 'ignored' OR ({_DONE} AND NOT {_JOINED} AND NOT {_DOES}))",
    "duplicate": f"{_DONE} AND {_JOINED}",
}


_MATCHED = (
    "coalesce((SELECT c.match->>'type' FROM decisions AS c WHERE c.tenant_id = d.tenant_id AND c.delivery_id = d.id"
    " ORDER BY c.id DESC LIMIT 1), '')"
)


def _condition(term: Term, key: str, values: dict[str, Any]) -> str:
    """Return the filter of a term."""
    if term.kind == "time":
        parts = []
        if term.start is not None:
            values[f"{key}s"] = term.start
            parts.append(f"d.received_at >= %({key}s)s")
        if term.end is not None:
            values[f"{key}e"] = term.end
            parts.append(f"d.received_at < %({key}e)s")
        return " AND ".join(parts) or "true"
    if term.kind == "outcome":
        return " OR ".join(f"({_OUTCOME.get(word, 'false')})" for word in term.value.split(","))
    if term.kind == "match":
        values[key] = [MATCHES[word] for word in term.value.split(",") if word in MATCHES]
        return f"{_MATCHED} = ANY(%({key})s)"
    if term.kind == "proof":
        return {"unsigned": "d.verified_by = 'unsigned'", "verified": "d.verified_by <> 'unsigned'"}.get(
            term.value, "false"
        )
    if term.kind == "after_id":
        values[key] = int(term.value)
        return f"d.id > %({key})s"
    if term.kind == "campaign":
        return f"strpos(lower(s.campaign), %({key})s) > 0"
    column = {"source": "d.source_id", "reason": "s.reason", "event": "d.event_type", "trace": "d.trace_id"}.get(
        term.kind
    )
    return f"{column} = %({key})s" if column else "false"


def statement(compiled: Compiled, columns: str) -> str:
    """Return the query of a compiled search, newest first."""
    where = " AND ".join(["d.tenant_id = %(tenant)s", *compiled.conditions])
    state = "LEFT JOIN delivery_states AS s ON s.tenant_id = d.tenant_id AND s.delivery_id = d.id"
    order = "ORDER BY d.received_at DESC, d.id DESC LIMIT %(limit)s"
    if not compiled.hits:
        return f"SELECT {columns} FROM deliveries AS d {state} WHERE {where} {order}"
    # A plan that starts from the time index and filters would walk a year for a phone that wrote once; hence the fence.
    hits = " INTERSECT ".join(f"({hit})" for hit in compiled.hits)
    early = [one for one in compiled.conditions if _ELSEWHERE.search(one) is None]
    kept = " AND ".join(one.replace("d.", "h.") for one in early) or "true"
    # Where nothing else is asked, a page is enough: 60,000 Smiths are sorted by time, 51 of them are read.
    enough = "ORDER BY h.received_at DESC, h.id DESC LIMIT %(limit)s" if len(early) == len(compiled.conditions) else ""
    return (
        f"WITH hits AS MATERIALIZED (SELECT h.id FROM ({hits}) AS h WHERE {kept} {enough}) SELECT {columns} FROM hits CROSS JOIN LATERAL"
        f" (SELECT * FROM deliveries WHERE tenant_id = %(tenant)s AND id = hits.id OFFSET 0) AS d {state} WHERE {where} {order}"
    )


_ELSEWHERE = re.compile(r"\bs\.|\bd\.(?!received_at\b|id\b)|SELECT|strpos")
