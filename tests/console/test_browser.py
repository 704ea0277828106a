"""Each screen's main journey as a person does it, in a real browser: nothing from outside, an empty console, axe content."""

import csv
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bridge.operations import bulk
from tests.console.seeding import NOW, deliver
from tests.console.visiting import CHROMIUM, SIZES, Visitor, settled, visiting

AXE = (Path(__file__).parent / "vendor" / "axe.js").read_text()
PICTURES = Path(__file__).parents[2] / "docs" / "console"
EVERY_RULE = "axe.run(document, {resultTypes: ['violations']})"
COLOURS = "axe.run(document, {resultTypes: ['violations'], runOnly: ['color-contrast', 'link-in-text-block']})"
"""The rules that another theme can break: all others look at what is there, not at how it is painted."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: sh tests/install-browser"),
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def chromium() -> AsyncIterator[Any]:
    from playwright.async_api import async_playwright

    async with async_playwright() as started:
        browser = await started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(chromium: Any, database_dsn: str, seeded: Any, free_port: int) -> AsyncIterator[Visitor]:
    async with visiting(chromium, database_dsn, seeded.made, free_port) as one:
        yield one
    assert one.wrongs == []  # outside requests, words in the console, errors of scripts


def screens(made: dict[str, int]) -> dict[str, str]:
    return {
        "today": "/", "deliveries": "/deliveries?q=yesterday", "rejected": "/deliveries?q=outcome:rejected", "why": f"/deliveries/{made['booked']}",
        "why-failed": f"/deliveries/{made['failed']}", "review": "/review", "outbox": "/outbox", "problems": "/problems", "sources": "/sources",
        "source": "/sources/website", "party": "/party/7001", "flow": "/flow", "health": "/health", "settings": "/settings", "audit": "/audit",
        "help": "/help", "login": "/login",
    }  # fmt: skip


async def test_every_screen_in_light_dark_and_on_a_phone(visitor: Visitor) -> None:
    """What only the stylesheet changes is looked at on the same page: the server knows neither theme nor width."""
    page = await visitor.open("admin")
    found = []
    for name, path in screens(visitor.made).items():
        answer = await page.goto(visitor.base + path)
        assert answer.status == 200, path
        await page.evaluate(AXE)
        for theme, rules in (("light", EVERY_RULE), ("dark", COLOURS)):
            await page.emulate_media(color_scheme=theme)
            result = await page.evaluate(rules)
            found += [
                (name, theme, wrong["id"], wrong["nodes"][0]["html"][:160])
                for wrong in result["violations"]
                if wrong["impact"] in {"serious", "critical"}
            ]
            await picture(page, f"{name}-dark" if theme == "dark" else name)
        await page.emulate_media(color_scheme="light")
        await page.set_viewport_size(SIZES["phone"])
        overflow = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{name} is wider than a phone by {overflow} px"
        await picture(page, f"{name}-phone")
        await page.set_viewport_size(SIZES["wide"])
    assert found == []


async def picture(page: Any, name: str) -> None:
    """Take a picture for the documents where `make screens` asks for it: into docs/console, or all of them into a folder."""
    wanted = os.environ.get("BRIDGE_SCREENS", "")
    plain = not name.endswith(("-dark", "-phone"))
    if not wanted or (wanted == "1" and not plain and name.split("-", maxsplit=1)[0] not in {"today", "why", "review"}):
        return
    if wanted == "1" and name.startswith("why-failed-"):
        return
    folder = PICTURES if wanted == "1" else Path(wanted)
    await page.screenshot(path=folder / f"{name}.png", full_page=plain and not name.startswith("why"))


async def test_log_in_and_out(visitor: Visitor) -> None:
    page = await visitor.open()
    await page.goto(f"{visitor.base}/deliveries?q=today")  # a shared link leads through the log-in to where it pointed
    await page.fill("#login", "viewer@example.com")
    await page.fill("#password", "not it")
    visitor.wrongs.clear()
    await page.press("#password", "Enter")
    await page.wait_for_selector("text=Name or password is wrong.")
    assert "403" in " ".join(visitor.wrongs)  # the browser's own word on the refusal
    visitor.wrongs.clear()
    await page.fill("#login", "viewer@example.com")
    await page.fill("#password", "correct horse viewer")
    await page.press("#password", "Enter")
    await page.wait_for_url("**/deliveries?q=today")
    assert await page.locator("text=Act on many").count() == 0  # a viewer sees no button that would be refused
    await page.click("text=Log out")
    await page.wait_for_url("**/login")
    await page.goto(f"{visitor.base}/settings")
    assert page.url.endswith("/login?next=/settings")


async def test_find_the_lead_see_why_set_it_right(visitor: Visitor) -> None:
    page = await visitor.open("operator")
    await page.goto(visitor.base)
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
    await page.click("text=Hold")
    await page.wait_for_selector(".heading .status.held")
    await page.click("text=Resume")
    await page.wait_for_selector(".heading .status.working, .heading .status.retrying")


async def test_replay_shows_first_and_an_edited_payload_goes_its_own_way(visitor: Visitor) -> None:
    page = await visitor.open("operator")
    await page.goto(f"{visitor.base}/deliveries/{visitor.made['booked']}")
    await page.click("text=Replay…")
    await page.wait_for_selector("text=Replay with today's config")
    assert await page.locator("#panel li").count() > 0
    await page.click("#panel button.primary")
    await page.wait_for_selector("text=operator@example.com replayed the delivery")
    await settled(page)
    await page.click("text=Edit and send…")
    await page.click("#panel button.primary")
    body = page.locator("#panel textarea")
    await body.wait_for()
    await body.fill((await body.input_value()).replace("512) 555-0142", "512) 555-0199"))
    await page.click("#panel >> text=Show what it would do")
    await page.wait_for_selector("#panel ul li")
    await settled(page)
    await page.fill("#panel input[name=reason]", "they called with another number")
    await page.click("#panel button.primary")
    await page.wait_for_url(lambda url: not url.endswith(f"/{visitor.made['booked']}"))
    assert "received" in await page.inner_text(".heading")


async def test_the_list_lives_is_chosen_from_and_leaves_as_a_file(visitor: Visitor) -> None:
    page = await visitor.open("operator")
    await page.goto(f"{visitor.base}/deliveries?q=outcome:booked")
    await page.keyboard.press("j")
    await page.keyboard.press("x")
    await page.click("text=Act on many…")
    assert await page.inner_text("[data-chosen]") == "1"
    await page.wait_for_selector("text=everything that matches: 11")
    await page.check("label:has-text('everything that matches') input")
    await page.select_option("#bulk-action", "replay")
    await page.fill("#bulk-reason", "the mapping is right now")
    await page.click("#bulk button.primary")
    await page.wait_for_selector(".toast.good")
    while await bulk.work(visitor.database, now=NOW):
        pass
    await page.goto(f"{visitor.base}/outbox")
    await page.wait_for_selector("#runs >> text=11 done, 0 skipped, 0 failed")
    await page.goto(f"{visitor.base}/deliveries?q=outcome:booked")
    async with page.expect_download() as started:
        await page.click("text=CSV")
    rows = list(csv.DictReader(io.StringIO(Path(await (await started.value).path()).read_text())))
    assert [row["outcome"] for row in rows] == ["booked"] * 11
    await page.keyboard.press("t")
    assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
    await page.keyboard.press(".")
    await page.wait_for_url("**live=1")
    await page.keyboard.press("?")
    await page.wait_for_url("**/help")


async def test_review_by_keys(visitor: Visitor) -> None:
    page = await visitor.open("operator")
    await page.goto(visitor.base)
    await page.keyboard.press("g")
    await page.keyboard.press("r")
    await page.wait_for_selector(".versus .same")
    await page.keyboard.press("1")
    await page.wait_for_selector("text=remembered")
    await settled(page)
    await page.keyboard.press("u")
    await page.wait_for_selector("text=Taken back.")
    await settled(page)
    await page.keyboard.press("d")
    await page.wait_for_selector("text=Nothing waits for a person.")


async def test_the_outbox_is_paused_and_let_go_and_problems_are_settled(visitor: Visitor) -> None:
    page = await visitor.open("operator")
    await page.goto(f"{visitor.base}/outbox")
    await page.click("text=Pause…")
    await page.fill("#p-reason", "moving house")
    await page.click("form:has(#p-reason) button.primary")
    await page.wait_for_selector(".toast.good")
    await page.reload()
    await page.wait_for_selector(".banner >> text=moving house")
    await page.click(".banner >> text=Resume")
    await page.wait_for_selector(".toast.good")
    await page.reload()
    await page.click("text=Limits…")
    await page.fill("#per-second", "5")
    await page.fill("#r-reason", "their nightly import")
    await page.click("text=Set the budget")
    await page.wait_for_selector("text=budget 5 requests a second")
    await page.reload()
    await page.click("text=Limits…")
    await page.select_option("#family", "bookings")
    await page.fill("#o-reason", "they repair it")
    await page.click("text=Set the breaker")
    await page.wait_for_selector(".banner >> text=Bookings: nothing is sent, for a person holds the breaker open")
    await page.goto(f"{visitor.base}/outbox?state=dead")
    await page.click("text=Act on all")
    await page.fill("#b-reason", "they corrected the campaign")
    await page.click("form:has(#b-reason) button.primary")
    await page.wait_for_selector(".toast.good")
    await page.goto(f"{visitor.base}/problems")
    from playwright.async_api import expect

    before = await page.locator("article").count()
    await page.click("article >> nth=0 >> text=Resolve")
    await expect(page.locator("article")).to_have_count(before - 1)


async def test_from_a_source_to_its_customer_and_the_flow(visitor: Visitor) -> None:
    page = await visitor.open("operator")
    await page.goto(f"{visitor.base}/sources")
    await page.click("text=Website form")
    await page.wait_for_url("**/sources/website")
    await page.fill("#delivery", str(visitor.made["booked"]))
    await page.click("text=Show >> nth=0")
    await page.wait_for_url("**delivery=*")
    await page.click(f"text=Delivery {visitor.made['booked']}")
    await page.click("a[href='/party/7000']")
    await page.wait_for_url("**/party/7000")
    await page.click("text=Show personal data")
    await page.wait_for_selector("h1 >> text=Dana Whitfield")
    await page.goto(f"{visitor.base}/flow")
    band = page.locator(".sankey a[aria-label^='website → verified']")
    said = int((await band.get_attribute("aria-label")).rsplit(" ", 1)[-1])
    await band.focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/deliveries?q=*")
    assert await page.locator("tr[data-row]").count() == said


async def test_an_admin_lets_people_and_programs_in(visitor: Visitor) -> None:
    page = await visitor.open("admin")
    await page.goto(f"{visitor.base}/settings")
    await page.fill("input[name=login]", "new@example.com")
    await page.click("text=Add user")
    row = page.locator("tr:has-text('new@example.com')")
    await row.locator("text=Log-in link").click()
    await page.wait_for_selector("text=One-time link")
    link = await page.inner_text(".banner code")
    await settled(page)
    await page.fill("input[name=name]", "reporting")
    await page.click("text=Make token")
    await page.wait_for_selector("text=The token, shown this once")
    await settled(page)
    page.on("dialog", lambda dialog: dialog.accept())
    await page.click("tr:has-text('reporting') >> text=Revoke")
    await page.wait_for_selector("tr:has-text('reporting') >> text=revoked")
    await page.click("text=Audit: who did what")
    assert "revoked the token" in await page.inner_text("main")
    other = await visitor.open()
    await other.goto(link)
    await other.click("button")
    await other.wait_for_url(f"{visitor.base}/")


async def test_a_live_list_shows_what_comes_in(visitor: Visitor) -> None:
    page = await visitor.open("viewer")
    async with page.expect_response(lambda answer: "/live" in answer.url):
        await page.goto(visitor.base + "/deliveries?live=1")
    delivery_id = await deliver(visitor.database, 77, "booked", at=NOW)
    await page.wait_for_selector(f'tr[data-id="{delivery_id}"] >> text=booked')
