"""Each screen's main journey as a person does it, in a real browser: nothing from outside, an empty console, axe content."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.entrypoints.server import serve
from tests.console.seeding import NOW, app_for, context_for, deliver

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
AXE = Path(__file__).parent / "vendor" / "axe.js"
PICTURES = Path(__file__).parents[2] / "docs" / "console"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: sh tests/install-browser"),
]


class Visitor:
    """A browser with somebody logged in, who notes everything that should not happen."""

    def __init__(
        self, browser, base: str, made: dict[str, int], database, draining: asyncio.Event, server: asyncio.Task
    ) -> None:
        self.browser, self.base, self.made, self.database, self.draining, self.server = (
            browser,
            base,
            made,
            database,
            draining,
            server,
        )
        self.wrongs: list[str] = []

    async def open(self, *, login: str = "admin", dark: bool = False, phone: bool = False, bypass: bool = False):
        size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 860}
        context = await self.browser.new_context(
            viewport=size, color_scheme="dark" if dark else "light", bypass_csp=bypass, reduced_motion="reduce"
        )
        page = await context.new_page()
        page.on(
            "request",
            lambda request: self.wrongs.append(request.url) if not request.url.startswith(self.base) else None,
        )
        page.on("console", lambda message: self.wrongs.append(message.text))
        page.on("pageerror", lambda error: self.wrongs.append(str(error)))
        await page.goto(f"{self.base}/login")
        await page.fill("#login", f"{login}@example.com")
        await page.fill("#password", f"correct horse {login}")
        await page.click("text=Log in >> nth=-1")
        await page.wait_for_url(f"{self.base}/")
        return page


@pytest.fixture
async def visitor(database, seeded, free_port: int) -> AsyncIterator[Visitor]:
    from playwright.async_api import async_playwright

    context = context_for(database)
    server = asyncio.create_task(
        serve(app_for(context), host="127.0.0.1", port=free_port, draining=context.draining, handle_signals=False)
    )
    base = f"http://127.0.0.1:{free_port}"
    async with async_playwright() as started:
        browser = await started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        while not await _listens(free_port):
            await asyncio.sleep(0)
        yield Visitor(browser, base, seeded.made, database, context.draining, server)
        await browser.close()
    context.draining.set()
    await server


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def settled(page) -> None:
    """Wait until htmx has wired what it put in."""
    await page.wait_for_function(
        "!document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling, .htmx-added')"
    )


def screens(made: dict[str, int]) -> dict[str, str]:
    return {
        "today": "/", "deliveries": "/deliveries?q=yesterday", "rejected": "/deliveries?q=outcome:rejected", "why": f"/deliveries/{made['booked']}",
        "why-failed": f"/deliveries/{made['failed']}", "review": "/review", "outbox": "/outbox", "problems": "/problems", "sources": "/sources",
        "source": "/sources/website", "party": "/party/7001", "flow": "/flow", "health": "/health", "settings": "/settings", "audit": "/audit", "help": "/help",
    }  # fmt: skip


async def test_every_screen_in_light_dark_and_on_a_phone(visitor: Visitor, tmp_path: Path) -> None:
    shots = PICTURES if os.environ.get("BRIDGE_SCREENS") else tmp_path  # `make screens`: the pictures of the documents
    shots.mkdir(parents=True, exist_ok=True)
    wide = await visitor.open()
    dark = await visitor.open(dark=True)
    small = await visitor.open(phone=True)
    for name, path in screens(visitor.made).items():
        for page, suffix in ((wide, ""), (dark, "-dark"), (small, "-phone")):
            answer = await page.goto(visitor.base + path)
            assert answer.status == 200, path
            if not suffix or name in {"today", "why", "review"}:
                await page.screenshot(
                    path=shots / f"{name}{suffix}.png", full_page=not suffix and name not in {"why", "why-failed"}
                )
        overflow = await small.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{name} is wider than a phone by {overflow} px"
    await wide.goto(visitor.base + "/login")
    await wide.screenshot(path=shots / "login.png")
    assert visitor.wrongs == []


async def test_axe_finds_nothing_serious(visitor: Visitor) -> None:
    page = await visitor.open(bypass=True)
    dark = await visitor.open(bypass=True, dark=True)
    found = []
    for name, path in {**screens(visitor.made), "login": "/login"}.items():
        for one in (page, dark):
            await one.goto(visitor.base + path)
            await one.add_script_tag(content=AXE.read_text())
            result = await one.evaluate("axe.run(document, {resultTypes: ['violations']})")
            found += [
                (name, wrong["id"], wrong["nodes"][0]["html"][:160])
                for wrong in result["violations"]
                if wrong["impact"] in {"serious", "critical"}
            ]
    assert found == []


async def test_find_the_lead_see_why_set_it_right(visitor: Visitor) -> None:
    page = await visitor.open(login="operator")
    await page.keyboard.press("/")
    await page.keyboard.type("0163")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/deliveries?q=0163")
    assert "phone ending 0163" in await page.inner_text(".understood")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/deliveries/*")
    await page.click("text=Show personal data")
    await page.wait_for_selector("text=Personal data shown")
    await page.goto(f"{visitor.base}/deliveries/{visitor.made['failed']}")
    await page.keyboard.press("r")
    await page.wait_for_selector("text=1 message is sent again.")
    await page.wait_for_selector(".heading .status.working, .heading .status.retrying")
    assert visitor.wrongs == []


async def test_review_by_keys(visitor: Visitor) -> None:
    page = await visitor.open(login="operator")
    await page.goto(visitor.base + "/review")
    await page.wait_for_selector(".versus .same")
    await page.keyboard.press("1")
    await page.wait_for_selector("text=remembered")
    await settled(page)
    await page.keyboard.press("u")
    await page.wait_for_selector("text=Taken back.")
    await settled(page)
    await page.keyboard.press("d")
    await page.wait_for_selector("text=Nothing waits for a person.")
    assert visitor.wrongs == []


async def test_a_live_list_shows_what_comes_in_and_lets_the_server_end(visitor: Visitor) -> None:
    page = await visitor.open(login="viewer")
    async with page.expect_response(lambda answer: "/live" in answer.url):
        await page.goto(visitor.base + "/deliveries?live=1")
    delivery_id = await deliver(visitor.database, 77, "booked", at=NOW)
    await page.wait_for_selector(f'tr[data-id="{delivery_id}"] >> text=booked', timeout=10_000)
    assert visitor.wrongs == []
    visitor.draining.set()
    await asyncio.wait_for(asyncio.shield(visitor.server), 3)
