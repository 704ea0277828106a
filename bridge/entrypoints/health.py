"""Is it alive, is it ready, how is it: three questions with three different answers."""

import asyncio
from collections.abc import Awaitable, Callable

from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler

Readiness = Callable[[], Awaitable[dict[str, str]]]
"""Returns what is not ready, by name; empty means ready. ServiceTitan is never asked: webhooks must be taken in without it."""


def handlers(*, readiness: Readiness, draining: asyncio.Event) -> list[HTTPRouteHandler]:
    """Return the routes of probes; `/livez` touches no database."""

    @get("/livez", media_type=MediaType.TEXT, opt={"public": True}, include_in_schema=False)
    async def livez() -> str:
        return "alive"

    @get("/readyz", opt={"public": True}, include_in_schema=False)
    async def readyz() -> Response[dict[str, object]]:
        if draining.is_set():
            return Response({"ready": False, "draining": "the process is stopping"}, status_code=503)
        faults = await readiness()
        return Response({"ready": not faults, **faults}, status_code=503 if faults else 200)

    return [livez, readyz]
