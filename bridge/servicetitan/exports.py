"""Many records: pages of a list, records by their ids, and the export feeds."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import msgspec

from bridge.domain.outcome import Deferred, Outcome, Succeeded
from bridge.domain.reasons import Reason
from bridge.servicetitan.operation import IDS_MAX, BoundOperation, Operation, Parameter
from bridge.servicetitan.wire import Export, Page

PAGE_SIZE = 500  # some lists refuse more, most take 5,000; beyond 500 the time goes into the rows


async def pages(
    call: BoundOperation,
    *ids: int | str,
    query: Mapping[str, Parameter | None] | None = None,
    page_size: int = PAGE_SIZE,
) -> AsyncIterator[Outcome]:
    """Yield the outcome of each page of a list (`body` is a `Page`), to the last or the first that does not succeed.

    Lists that can be sorted are read in order of id, so that a row added meanwhile comes last and shifts no other.
    """
    fixed: dict[str, Parameter | None] = {"pageSize": page_size, **(query or {})}
    if "sort" in call.operation.query:
        fixed.setdefault("sort", "+Id")
    number = 1
    while True:
        outcome = await call(*ids, query={**fixed, "page": number})
        page = outcome.body if isinstance(outcome, Succeeded) else None
        if isinstance(page, Page) and page.has_more and not page.data:
            yield stuck(call, f"page {number} is empty and says there is more")
            return
        yield outcome
        if not isinstance(page, Page) or not page.has_more:
            return
        number += 1


async def collect(
    call: BoundOperation,
    *ids: int | str,
    query: Mapping[str, Parameter | None] | None = None,
    page_size: int = PAGE_SIZE,
    limit: int = 10_000,
) -> Outcome:
    """Return all rows of a list as one tuple, each record once; for lists that fit in memory. Stops at `limit` rows."""
    rows: dict[Any, Any] = {}
    status = 200
    async for outcome in pages(call, *ids, query=query, page_size=page_size):
        if not isinstance(outcome, Succeeded):
            return outcome
        status = outcome.status
        for row in outcome.body.data:
            rows[getattr(row, "id", len(rows))] = row  # a row that moved to a later page comes twice
        if len(rows) >= limit:
            break
    return Succeeded(status=status, body=tuple(rows.values())[:limit])


async def by_ids(
    call: BoundOperation, record_ids: Iterable[int], *, query: Mapping[str, Parameter | None] | None = None
) -> Outcome:
    """Return the records of any number of ids as one tuple, asked for 50 at a time; ids without a record are left out.

    Inactive records are hidden unless `query` says `active: Any`.
    """
    rows: list[Any] = []
    for some in batches(dict.fromkeys(record_ids)):
        outcome = await call(query={**(query or {}), "ids": some, "pageSize": IDS_MAX})
        if not isinstance(outcome, Succeeded):
            return outcome
        rows.extend(outcome.body.data)
    return Succeeded(status=200, body=tuple(rows))


def batches(record_ids: Iterable[int]) -> list[list[int]]:
    """Return the ids in lists of as many as one request may name."""
    rest = iter(record_ids)
    return list(iter(lambda: list(islice(rest, IDS_MAX)), []))


_UNREAD: dict[str, Operation] = {}


def unread(feed: BoundOperation) -> BoundOperation:
    """Return an export feed whose records stay bytes, for whoever reads only those that are news."""
    name = feed.operation.name
    if name not in _UNREAD:
        _UNREAD[name] = replace(feed.operation, answer=Export[msgspec.Raw])
    return replace(feed, operation=_UNREAD[name])


async def export_page(
    call: BoundOperation, *, continue_from: str | None, include_recent_changes: bool = False
) -> Outcome:
    """Return one page of an export feed (`body` is an `Export`: `data`, `has_more`, `continue_from`).

    `continue_from` is what the last page gave, a date (`2020-01-01`), or None for the beginning. Recent changes come
    sooner when included, and then may come again on the next call.
    """
    query: dict[str, Parameter | None] = {"from": continue_from}
    if include_recent_changes:
        query["includeRecentChanges"] = True
    outcome = await call(query=query)
    match outcome:
        case Succeeded(body=Export() as page) if page.has_more and page.continue_from in {continue_from, ""}:
            # Asking again would give the same page for ever.
            return stuck(call, "the feed says there is more, and continues from where it was")
        case _:
            return outcome


async def export(
    call: BoundOperation, *, continue_from: str | None, include_recent_changes: bool = False
) -> AsyncIterator[Outcome]:
    """Yield the outcome of each page of an export feed, to the last or the first that does not succeed."""
    place = continue_from
    while True:
        outcome = await export_page(call, continue_from=place, include_recent_changes=include_recent_changes)
        yield outcome
        if not isinstance(outcome, Succeeded) or not outcome.body.has_more:
            return
        place = outcome.body.continue_from


def stuck(call: BoundOperation, detail: str) -> Deferred:
    """Return the outcome of a list that promises more and gives nothing."""
    return Deferred(reason=Reason.FEED_STUCK, status=200, detail=f"{call.operation.name}: {detail}")
