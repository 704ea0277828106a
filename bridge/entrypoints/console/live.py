"""The live list: new lines as they come in, over one open answer that ends when the process drains."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from litestar import Request, get
from litestar.response import ServerSentEvent, ServerSentEventMessage

from bridge.db.database import UNREACHABLE
from bridge.entrypoints.access import Visit, visit
from bridge.entrypoints.console.rendering import fragment
from bridge.operations.users import Role
from bridge.reports import deliveries, masking, search

_POLL_SECONDS = 1.0
_LONGEST_SECONDS = 1800


async def pause(draining: asyncio.Event, seconds: float) -> bool:
    """Wait, and tell whether the process drains."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(draining.wait(), seconds)
    return draining.is_set()


async def _lines(seen: Visit, text: str, last: int) -> AsyncIterator[ServerSentEventMessage]:
    context = seen.context
    query = search.parse(text, context.local(seen.tenant_id))
    yield ServerSentEventMessage(event="hello", data="")
    fresh: dict[int, str] = {}
    for _ in range(int(_LONGEST_SECONDS / _POLL_SECONDS)):
        if await pause(context.draining, _POLL_SECONDS):
            break
        try:
            rows = await deliveries.newer_than(context.database, seen.tenant_id, query, after_id=last)
            changed = await _again(seen, fresh)
        except UNREACHABLE:
            continue
        for row in rows:
            last = max(last, row.id)
            fresh[row.id] = row.status.value
            yield ServerSentEventMessage(
                event="row", data=fragment(seen, "partials/row.html", row=masking.row(row), fresh=True)
            )
        for row in changed:
            fresh[row.id] = row.status.value
            yield ServerSentEventMessage(
                event=f"row-{row.id}",
                data=fragment(seen, "partials/row.html", row=masking.row(row), fresh=True, inner=True),
            )
        for gone in list(fresh)[:-50]:
            del fresh[gone]
    yield ServerSentEventMessage(event="bye", data="", retry=2000)


async def _again(seen: Visit, fresh: dict[int, str]) -> list[deliveries.DeliveryRow]:
    """Return the lines sent before whose word has changed since."""
    if not fresh:
        return []
    found = []
    for row_id in list(fresh)[-20:]:
        query = search.Query(terms=(search.Term(kind="number", value=str(row_id)),))
        page = await deliveries.find(seen.context.database, seen.tenant_id, query, limit=5)
        found += [row for row in page.items if row.id == row_id and fresh[row_id] != row.status.value]
    return found


@get("/live", opt={"needs": Role.VIEWER})
async def live(request: Request[Any, Any, Any]) -> ServerSentEvent:
    """Send new lines of a search as they come in."""
    seen = visit(request)
    after = str(request.query_params.get("after", ""))[
        :18
    ]  # what the page shows already, so that nothing falls between
    return ServerSentEvent(
        _lines(seen, str(request.query_params.get("q", ""))[:400], int(after) if after.isdigit() else 0),
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


HANDLERS = [live]
