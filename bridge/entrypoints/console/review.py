"""The review queue: one hold at a time, decided by keys."""

from typing import Any

from litestar import Request, Response, get, post

from bridge.entrypoints.access import Refused, Visit, form_of, visit
from bridge.entrypoints.console.rendering import fragment, html, page
from bridge.operations import audit, review
from bridge.operations.users import Role
from bridge.reports import review as holds


def _hold_id(request: Request[Any, Any, Any]) -> int:
    return int(request.path_params["hold_id"])


async def _shown(
    seen: Visit, *, hold_id: int | None = None, after_id: int | None = None, clear: bool = False
) -> dict[str, Any]:
    queue = await holds.waiting(seen.context.database, seen.tenant_id, after_id=after_id, limit=30)
    if not queue and after_id:
        queue = await holds.waiting(seen.context.database, seen.tenant_id, limit=30)
    current = (
        await holds.one(seen.context.database, seen.tenant_id, hold_id) if hold_id else (queue[0] if queue else None)
    )
    if current is not None:
        current = await holds.full(seen.context.database, seen.tenant_id, current)
        current = current if clear else holds.masked(current)
    return {
        "queue": queue,
        "current": current,
        "count": await holds.count(seen.context.database, seen.tenant_id),
        "undo_id": None,
        "said": "",
        "tone": "",
    }


@get("/review", opt={"needs": Role.VIEWER})
async def queue(request: Request[Any, Any, Any]) -> Response[str]:
    """Show what waits for a person."""
    seen = visit(request)
    asked = str(request.query_params.get("hold", ""))
    after = str(request.query_params.get("after", ""))
    values = await _shown(
        seen,
        hold_id=int(asked[:18]) if asked.isdigit() else None,
        after_id=int(after[:18]) if after.isdigit() else None,
    )
    is_part = request.headers.get("hx-target") == "review"
    return page(seen, "partials/hold.html" if is_part else "review.html", **values)


@post("/review/{hold_id:int}/reveal", opt={"needs": Role.OPERATOR}, status_code=200)
async def reveal(request: Request[Any, Any, Any]) -> Response[str]:
    """Show the people of one hold, after writing down who looked."""
    seen = visit(request)
    hold = await holds.one(seen.context.database, seen.tenant_id, _hold_id(request))
    if hold is None:
        raise Refused(404, "unknown", "There is no such hold.")
    from bridge.domain.ids import DeliveryId  # noqa: PLC0415

    delivery_id = DeliveryId(hold.delivery_id)
    await audit.reveal(
        seen.context.database, seen.act(), tenant_id=seen.tenant_id, subject=f"hold:{hold.id}", delivery_id=delivery_id
    )
    return page(seen, "partials/hold.html", **await _shown(seen, hold_id=hold.id, clear=True))


@post("/review/{hold_id:int}/{choice:str}", opt={"needs": Role.OPERATOR}, status_code=200)
async def decide(request: Request[Any, Any, Any]) -> Response[str]:
    """Carry out a choice and show the next hold; the choice can be taken back."""
    seen = visit(request)
    filled = await form_of(request)
    choice, hold_id = str(request.path_params["choice"]), _hold_id(request)
    here: dict[str, Any] = {"tenant_id": seen.tenant_id, "hold_id": hold_id}
    database, act, region = (
        seen.context.database,
        seen.act(filled.get("reason", "")),
        seen.context.region(seen.tenant_id),
    )
    if choice == "accept":
        ids: dict[str, Any] = {
            name: int(text) for name in ("customer_id", "location_id") if (text := filled.get(name, "")[:18]).isdigit()
        }
        done = await review.accept(database, act, **here, **ids, region=region)
    elif choice == "new":
        done = await review.none_of_these(database, act, **here, region=region)
    elif choice == "dismiss":
        done = await review.dismiss(database, act, **here)
    elif choice == "undo":
        done = await review.undo(database, act, **here)
    else:
        raise Refused(404, "unknown", "There is no such choice.")
    stay = hold_id if choice == "undo" or not done.is_done else None
    values = await _shown(seen, hold_id=stay, after_id=None if stay else hold_id)
    values |= {
        "said": done.text,
        "tone": "good" if done.is_done else "bad",
        "undo_id": hold_id if done.is_done and choice != "undo" else None,
    }
    return html(fragment(seen, "partials/hold.html", **values))


HANDLERS = [queue, reveal, decide]
