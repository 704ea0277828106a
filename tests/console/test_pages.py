"""Every page answers for everybody who may see it, and hides people from them."""

import re

import pytest
from litestar.testing import AsyncTestClient

from bridge.db.database import Database
from tests.console.seeding import PEOPLE, app_for, context_for, people, story_of_every_kind

PAGES = (
    "/", "/deliveries", "/deliveries?q=0142", "/deliveries?q=outcome:rejected", "/deliveries?q=payload.lead.city:Austin", "/review", "/outbox", "/outbox?state=dead", "/outbox?state=waiting",
    "/problems", "/sources", "/sources/website", "/party/7001", "/flow", "/health", "/settings", "/help",
)  # fmt: skip


async def log_in(client: AsyncTestClient, role: str = "operator") -> str:
    """Log in as a browser does and return the token that forms carry."""
    shown = await client.get("/login")
    door = re.search(r'name="door" value="([^"]+)"', shown.text)[1]
    entered = await client.post(
        "/login",
        data={"login": f"{role}@example.com", "password": f"correct horse {role}", "door": door},
        follow_redirects=False,
    )
    assert entered.status_code == 303, entered.text
    page = await client.get("/help")
    return re.search(r'"X-CSRF-Token":"([^"]+)"', page.text)[1]


@pytest.fixture
async def console(database: Database):
    await people(database)
    made = await story_of_every_kind(database)
    async with AsyncTestClient(app_for(context_for(database))) as client:
        yield client, made


async def test_pages_answer_and_hide_people(console) -> None:
    client, made = console
    await log_in(client, "admin")
    broken: list[object] = []
    for page in [
        *PAGES,
        *(f"/deliveries/{one}" for one in made.values()),
        "/audit",
        f"/deliveries/{made['booked']}/replay",
        f"/deliveries/{made['booked']}/edit",
    ]:
        answer = await client.get(page)
        if answer.status_code != 200:
            broken.append((page, answer.status_code))
            continue
        for name, phone, email, street, _ in PEOPLE:
            for value in (name, phone, email, street):
                assert value not in answer.text, (page, value)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert broken == []
