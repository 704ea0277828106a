"""The list of deliveries: a search compiled to SQL, newest first, a page at a time."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from bridge.db.database import Database, Tx
from bridge.domain.ids import TenantId
from bridge.domain.reasons import advice_for
from bridge.reports.compiling import Compiled, compile_query, statement
from bridge.reports.reading import reading, rows_as, rows_of
from bridge.reports.search import Query, Term
from bridge.reports.status import EFFECTS_OF, EffectState, Status, is_open, status_of

PAYLOAD_SCAN = 20_000
"""Deliveries whose payloads one search looks into; the page then says how far it got and goes on from there."""


class DeliveryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list."""

    id: int
    tenant_id: int
    source_id: str
    event_type: str
    received_at: datetime
    verified_by: str
    status: Status = Status.RECEIVED
    reason: str = ""
    sentence: str = ""
    name: str = ""
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    zip: str = ""
    campaign: str = ""
    servicetitan_ids: tuple[int, ...] = ()


class DeliveryPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the list; `next` is the cursor of the one after, empty at the end."""

    items: tuple[DeliveryRow, ...]
    next: str = ""
    searched_back_to: datetime | None = None
    """Set where payloads were looked into and the bound was reached: go on with `next`."""


class CursorInvalid(ValueError):
    """The cursor was not made by us."""


_COLUMNS = """d.id, d.tenant_id, d.source_id, d.event_type, d.received_at, d.verified_by, s.state, coalesce(s.reason, '') AS reason,
  coalesce(s.sentence, '') AS sentence, coalesce(s.name, '') AS name, coalesce(s.phones, '{}') AS phones,
  coalesce(s.emails, '{}') AS emails, coalesce(s.zip, '') AS zip, coalesce(s.campaign, '') AS campaign,
  coalesce(s.servicetitan_ids, '{}') AS servicetitan_ids"""


async def find(
    database: Database,
    tenant_id: TenantId,
    query: Query,
    *,
    limit: int = 50,
    cursor: str = "",
    sources: Sequence[str] = (),
) -> DeliveryPage:
    """Return a page of the deliveries that match; `sources` are the tenant's, for look-ups by a sender's own key.

    Raises CursorInvalid.
    """
    async with reading(database) as tx:
        return await _page(tx, tenant_id, query, limit=limit, cursor=cursor, sources=sources)


async def matching_ids(
    database: Database, tenant_id: TenantId, query: Query, *, limit: int = 10_000, sources: Sequence[str] = ()
) -> list[int]:
    """Return the ids of everything that matches, newest first, up to `limit`: what a bulk action freezes."""
    compiled = compile_query(query, tenant_id, sources)
    async with reading(database) as tx:
        if compiled.payload:
            page = await _page(tx, tenant_id, query, limit=limit, cursor="", sources=sources)
            return [row.id for row in page.items]
        found = await rows_of(tx, statement(compiled, "d.id"), {**compiled.values, "limit": limit})
    return [row["id"] for row in found]


async def newer_than(
    database: Database, tenant_id: TenantId, query: Query, *, after_id: int, limit: int = 50
) -> list[DeliveryRow]:
    """Return what matches and came in after a delivery, oldest first: the live list."""
    fresh = msgspec.structs.replace(query, terms=(*query.terms, Term(kind="after_id", value=str(after_id))))
    page = await find(database, tenant_id, fresh, limit=limit)
    return list(reversed(page.items))


async def _page(
    tx: Tx, tenant_id: TenantId, query: Query, *, limit: int, cursor: str, sources: Sequence[str]
) -> DeliveryPage:
    compiled = compile_query(query, tenant_id, sources)
    wanted = limit + 1
    back_to: dict[str, Any] | None = None
    last: dict[str, Any] | None
    if not compiled.payload:
        rows = await _rows(tx, compiled, cursor, wanted)
    else:
        rows, back_to = await _scan(tx, compiled, cursor, wanted)
    more = len(rows) > limit
    shown = rows[:limit]
    if back_to is not None and not more:
        last, more = back_to, True
    else:
        last, back_to = (shown[-1] if shown else None), None
    items = await with_status(tx, tenant_id, shown)
    return DeliveryPage(
        items=tuple(items),
        next=_encode_cursor(last["received_at"], last["id"]) if more and last else "",
        searched_back_to=back_to["received_at"] if back_to else None,
    )


async def _rows(tx: Tx, compiled: Compiled, cursor: str, limit: int, columns: str = _COLUMNS) -> list[dict[str, Any]]:
    values = {**compiled.values, "limit": limit}
    conditions = [*compiled.conditions]
    if cursor:
        values["at"], values["before_id"] = _decode_cursor(cursor)
        conditions.append("(d.received_at, d.id) < (%(at)s::timestamptz, %(before_id)s::bigint)")
    return await rows_of(tx, statement(compiled._replace(conditions=conditions), columns), values)


async def _scan(
    tx: Tx, compiled: Compiled, cursor: str, limit: int
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Look into payloads newest first; return the rows, and the last one looked at where the bound ended the search."""
    found: list[dict[str, Any]] = []
    for _ in range(PAYLOAD_SCAN // 500):
        rows = await _rows(tx, compiled, cursor, 500, _COLUMNS + ", d.body")
        for row in rows:
            if all(_holds(row["body"], path, value) is not negated for path, value, negated in compiled.payload):
                found.append(row)
                if len(found) == limit:
                    return found, None
        if len(rows) < 500:
            return found, None
        cursor = _encode_cursor(rows[-1]["received_at"], rows[-1]["id"])
    return found, rows[-1]


async def with_status(tx: Tx, tenant_id: TenantId, rows: Sequence[dict[str, Any]]) -> list[DeliveryRow]:
    """Return lines of the list with the word for each, read from the outbox as it stands."""
    if not rows:
        return []
    effects = await rows_as(tx, EffectState, EFFECTS_OF, {"ids": [row["id"] for row in rows], "tenant": tenant_id})
    paused = await rows_of(tx, "SELECT scope, name FROM pauses WHERE tenant_id = %s", [tenant_id])
    pauses = [(row["scope"], row["name"]) for row in paused]
    by_delivery: dict[int, list[EffectState]] = {}
    for effect in effects:
        by_delivery.setdefault(effect.delivery_id, []).append(effect)
    return [_line(row, by_delivery.get(row["id"], []), pauses) for row in rows]


_STUCK = frozenset({Status.FAILED, Status.HELD, Status.RETRYING})


def _line(row: dict[str, Any], effects: Sequence[EffectState], pauses: Sequence[tuple[str, str]]) -> DeliveryRow:
    """Return a line; where an effect is stuck, its reason says more than the decision's."""
    is_paused = any(is_open(pauses, one) for one in effects if one.waits)
    status = status_of(row["state"] or "", row["reason"], effects, is_paused=is_paused)
    stuck = next((one.reason for one in effects if one.reason and one.state != "done"), "") if status in _STUCK else ""
    if not stuck and is_paused and status is Status.HELD:
        stuck = "paused"
    values = {key: value for key, value in row.items() if key not in {"body", "state"}}
    values |= {key: tuple(row[key]) for key in ("phones", "emails", "servicetitan_ids")}
    if stuck:
        values |= {"reason": stuck, "sentence": advice_for(stuck).text}
    return DeliveryRow(status=status, **values)


def _holds(body: bytes, path: str, value: str) -> bool:
    """Tell whether a payload has a value at a path; a list on the way is searched whole."""
    try:
        node = json.loads(body)
    except (ValueError, RecursionError):
        from urllib.parse import parse_qs  # noqa: PLC0415  forms are the rare case

        node = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return any(_same(leaf, value) for leaf in _at(node, path.split(".")))


def _at(node: Any, path: Sequence[str]) -> list[Any]:
    if isinstance(node, list):
        if path and path[0].isdigit() and int(path[0]) < len(node):
            return _at(node[int(path[0])], path[1:])
        return [leaf for item in node for leaf in _at(item, path)]
    if not path:
        return [node]
    if not isinstance(node, dict):
        return []
    named = next((name for name in node if str(name).lower() == path[0].lower()), None)
    return _at(node[named], path[1:]) if named is not None else []


def _same(leaf: Any, value: str) -> bool:
    if isinstance(leaf, bool) or leaf is None:
        return json.dumps(leaf) == value.lower()
    text, wanted = str(leaf).lower(), value.lower()
    return text.startswith(wanted[:-1]) if wanted.endswith("*") else text == wanted


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _encode_cursor(at: datetime, row_id: int) -> str:
    micros = (at - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(f"{micros}.{row_id}".encode()).decode().rstrip("=")


def _decode_cursor(cursor: str) -> tuple[datetime, int]:
    try:
        micros, _, row_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii").partition(".")
        at, number = _EPOCH + timedelta(microseconds=int(micros)), int(row_id)
    except (ValueError, OverflowError) as bad:
        raise CursorInvalid("the cursor was not made by this API") from bad
    if not 0 <= number < 2**63:
        raise CursorInvalid("the cursor was not made by this API")
    return at, number
