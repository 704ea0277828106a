"""A real browser over a served console: one Chromium for all tests of a process, one session a role, nothing waited for by time."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bridge.db.database import Database
from bridge.entrypoints.access import SESSION_COOKIE
from bridge.entrypoints.server import serve
from bridge.operations import users
from bridge.operations.audit import Act
from tests.console.seeding import NOW, app_for, context_for

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
SIZES = {"wide": {"width": 1280, "height": 860}, "phone": {"width": 390, "height": 844}}


class Visitor:
    """A browser before a served console, who notes everything that should not happen."""

    def __init__(
        self, browser: Any, base: str, made: dict[str, int], database: Database, draining: asyncio.Event
    ) -> None:
        self.browser, self.base, self.made, self.database, self.draining = browser, base, made, database, draining
        self.wrongs: list[str] = []
        self._contexts: list[Any] = []

    async def open(self, role: str = "") -> Any:
        """Return a page of somebody with a role, or of nobody."""
        context = await self.browser.new_context(viewport=SIZES["wide"], reduced_motion="reduce", accept_downloads=True)
        self._contexts.append(context)
        if role:
            act = Act("cli:test", NOW)
            _, path = await users.make_link(self.database, act, login=f"{role}@example.com")
            opened = await users.follow_link(self.database, path.rsplit("/", 1)[-1], now=NOW)
            await context.add_cookies([{"name": SESSION_COOKIE, "value": opened.token, "url": self.base}])
        context.set_default_timeout(30_000)
        page = await context.new_page()
        page.on("request", self._look_at)
        page.on("console", lambda message: self.wrongs.append(message.text))
        page.on("pageerror", lambda error: self.wrongs.append(str(error)))
        return page

    def _look_at(self, request: Any) -> None:
        if not request.url.startswith(self.base):
            self.wrongs.append(request.url)

    async def close(self) -> None:
        """Close every page."""
        for context in self._contexts:
            await context.close()


@asynccontextmanager
async def visiting(browser: Any, dsn: str, made: dict[str, int], port: int) -> AsyncIterator[Visitor]:
    """A visitor of a console served over a seeded database."""
    database = Database(dsn, max_size=8)
    await database.open()
    context = context_for(database)
    server = asyncio.create_task(
        serve(app_for(context), host="127.0.0.1", port=port, draining=context.draining, handle_signals=False)
    )
    while not await listens(port):
        await asyncio.sleep(0.01)
    visitor = Visitor(browser, f"http://127.0.0.1:{port}", made, database, context.draining)
    try:
        yield visitor
        await visitor.close()
    finally:
        context.draining.set()
        await server
        await database.close()


async def listens(port: int) -> bool:
    """Tell whether anybody listens on a port."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def settled(page: Any) -> None:
    """Wait until htmx has wired what it put in."""
    from playwright.async_api import expect

    await expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling, .htmx-added")).to_have_count(0)
