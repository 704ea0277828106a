"""Lists: the filters that many share, sorting, pages, and the export feeds."""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

from bridge.simulator.call import Call
from bridge.simulator.problems import invalid
from bridge.simulator.tables import START, Position, Row, Table
from bridge.simulator.values import read_time, stamp

Keep = Callable[[Row], bool]

SORTS = {"id": "id", "modifiedon": "modifiedOn", "createdon": "createdOn", "name": "name", "priority": "priority"}


def read_ids(call: Call, name: str = "ids") -> list[int] | None:
    """Read a comma list of ids, None if not given; more than the limit is a 400."""
    text = call.query.get(name)
    if text is None:
        return None
    try:
        ids = [int(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise invalid(name, f"The value '{text}' is not a list of ids.") from error
    if len(ids) > call.switches.ids_limit:
        raise invalid(name, f"At most {call.switches.ids_limit} ids are allowed.")
    return ids


def bounds(call: Call) -> list[Keep]:
    """Return the filters on creation and modification time that were asked for."""
    keeps: list[Keep] = []
    get = call.query.get
    if since := get("createdOnOrAfter"):
        keeps.append(lambda row: row["createdOn"] >= since)
    if before := get("createdBefore"):
        keeps.append(lambda row: row["createdOn"] < before)
    # Accounting moves modifiedOn too; a row remembers when its content was last changed apart from it.
    apart = "contentModifiedOn" if get("excludeAccountingChangesFromModifiedDateRange") else "modifiedOn"
    if modified_since := get("modifiedOnOrAfter"):
        keeps.append(lambda row: (row.get(apart) or row["modifiedOn"]) >= modified_since)
    if modified_before := get("modifiedBefore"):
        keeps.append(lambda row: (row.get(apart) or row["modifiedOn"]) < modified_before)
    return keeps


def active(call: Call) -> list[Keep]:
    """Return the filter that hides inactive rows unless they were asked for."""
    match call.query.get("active", "True"):
        case "Any":
            return []
        case "False":
            return [lambda row: not row.get("active", True)]
        case _:
            return [lambda row: bool(row.get("active", True))]


def contains(call: Call, *names: str, get: Callable[[Row, str], Any] = lambda row, name: row.get(name)) -> list[Keep]:
    """Return filters that compare text without regard to case, by containment."""
    keeps: list[Keep] = []
    for name in names:
        if wanted := call.query.get(name):
            low = wanted.lower()
            keeps.append(lambda row, name=name, low=low: low in str(get(row, name) or "").lower())  # type: ignore[misc]
    return keeps


def equals(call: Call, **names: str) -> list[Keep]:
    """Return filters for equality: query name → field."""
    keeps: list[Keep] = []
    for name, field in names.items():
        if (wanted := call.query.get(name)) is not None:
            keeps.append(lambda row, field=field, wanted=wanted: row.get(field) == wanted)  # type: ignore[misc]
    return keeps


def candidates(call: Call, table: Table) -> Iterable[Row]:
    """Return the rows to look at: by ids, by modification where that is bounded below, else all; sorted as asked."""
    ids = read_ids(call)
    if ids is not None:
        return sort(call, table.many(ids))
    if (since := call.query.get("modifiedOnOrAfter")) and not table.as_of:
        return sort(call, sorted(table.changes((since, 0)), key=lambda row: row["id"]))
    return sort(call, table)


def sort(call: Call, rows: Iterable[Row]) -> Iterable[Row]:
    """Return the rows in the order asked for with `sort=+Field|-Field`; an unknown field is a 400."""
    text = (call.query.get("sort") or "").strip()
    if not text:
        return rows
    field = SORTS.get(text.lstrip("+-").lower())
    if field is None:
        raise invalid("sort", f"Sorting by '{text}' is not supported.")
    descending = text.startswith("-")
    if field in {"id", "createdOn"} and isinstance(rows, Table):
        return rows.newest_first() if descending else rows
    if field == "modifiedOn" and isinstance(rows, Table) and not descending and not rows.as_of:
        return rows.changes(START)
    return sorted(rows, key=lambda row: (row.get(field) is not None, row.get(field), row["id"]), reverse=descending)


def page(call: Call, rows: Iterable[Row], keeps: list[Keep] | None = None) -> dict[str, Any]:
    """Return one page of the rows that every filter keeps: `page` from 1, `pageSize` 50 unless asked."""
    number = call.query.get("page", 1)
    size = call.query.get("pageSize", 50)
    limit = call.switches.page_size_limit
    if number < 1:
        raise invalid("page", "The page must be 1 or greater.")
    if size < 1 or (size > limit and not call.switches.page_size_over_limit_clamps):
        raise invalid("pageSize", f"The page size must be between 1 and {limit}.")
    size = min(size, limit)
    kept: Iterator[Row] = iter(rows)
    for keep in keeps or ():
        kept = filter(keep, kept)
    start = max(0, (number - 1) * size + (call.shift if number > 1 else 0))
    total: int | None = None
    if call.query.get("includeTotal"):
        everything = list(kept)
        total = len(everything)
        kept = iter(everything)
    data = list(islice(kept, start, start + size + 1))
    return {"page": number, "pageSize": size, "hasMore": len(data) > size, "totalCount": total, "data": data[:size]}


def list_of(call: Call, table: Table, keeps: list[Keep] | None = None) -> dict[str, Any]:
    """Return one page of a table under the common filters and those given."""
    return page(call, candidates(call, table), [*bounds(call), *(keeps or ())])


def _write_token(position: Position) -> str:
    return base64.urlsafe_b64encode(f"{position[0]}|{position[1]}".encode()).decode().rstrip("=")


def _read_token(text: str) -> Position:
    """Read `from`: a date or time (inclusive), or a token of ours; a 400 for anything else."""
    try:
        return (read_time(text), 0)
    except ValueError:
        pass
    try:
        modified_on, _, row_id = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii").partition("|")
        return (read_time(modified_on) if modified_on else "", int(row_id))
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise invalid("from", "The continuation token is not valid.") from error


def export(call: Call, table: Table) -> dict[str, Any]:
    """Return one batch of a feed: rows past `from` in order of modification, the youngest held back unless asked for.

    With `includeRecentChanges` the rows younger than the hold-back are given too, but the token that ends the feed stays
    before them, so that they come again: nothing is ever lost behind a token.
    """
    switches = call.switches
    after = _read_token(call.query["from"]) if call.query.get("from") else START
    recent = bool(call.query.get("includeRecentChanges"))
    horizon = stamp(call.at - timedelta(seconds=switches.export_hold_back_seconds))
    until = "" if recent else horizon
    until = min(until or table.as_of, table.as_of) if table.as_of else until
    rows = list(islice(table.changes(after, until=until), switches.export_batch + 1))
    more = len(rows) > switches.export_batch
    rows = rows[: switches.export_batch]
    position: Position = (rows[-1]["modifiedOn"], rows[-1]["id"]) if rows else after
    if not more and recent and switches.export_repeats_recent and position[0] > horizon:
        old = [row for row in rows if row["modifiedOn"] <= horizon]
        position = (old[-1]["modifiedOn"], old[-1]["id"]) if old else min(after, (horizon, 0))
    return {"hasMore": more, "continueFrom": _write_token(position), "data": rows}


def feed(table: str) -> Callable[[Call], dict[str, Any]]:
    """Return the handler of the export feed of a table."""
    return lambda call: export(call, call.account.tables[table])
