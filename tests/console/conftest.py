"""The console over a seeded database, in-process."""

import re
from collections.abc import AsyncIterator

import pytest
from litestar.testing import AsyncTestClient

from bridge.db.database import Database
from tests.console.seeding import app_for, context_for, people, story_of_every_kind


class Browser:
    """A client that logs in and posts forms as a page does."""

    def __init__(
        self, client: AsyncTestClient, made: dict[str, int], tokens: dict[str, str], database: Database
    ) -> None:
        self.client, self.made, self.tokens, self.database = client, made, tokens, database
        self.csrf = ""

    async def log_in(self, role: str, password: str | None = None):
        self.client.cookies.clear()
        shown = await self.client.get("/login")
        door = re.search(r'name="door" value="([^"]+)"', shown.text)[1]
        form = {"login": f"{role}@example.com", "password": password or f"correct horse {role}", "door": door}
        entered = await self.client.post("/login", data=form, follow_redirects=False)
        if entered.status_code == 303:
            async with self.database.begin() as tx:
                (self.csrf,) = await (
                    await tx.execute(
                        "SELECT csrf FROM sessions ORDER BY seen_at DESC, expires_at DESC, ctid DESC LIMIT 1"
                    )
                ).fetchone()
        return entered

    async def post(self, path: str, **data: str):
        return await self.client.post(
            path, data=data, headers={"X-CSRF-Token": self.csrf, "HX-Request": "true"}, follow_redirects=False
        )

    async def audited(self, action: str) -> list[tuple[str, str]]:
        async with self.database.begin() as tx:
            rows = await tx.execute("SELECT by, subject FROM audit_log WHERE action = %s ORDER BY id", [action])
            return [(row[0], row[1]) for row in await rows.fetchall()]


@pytest.fixture
async def browser(database: Database) -> AsyncIterator[Browser]:
    tokens = await people(database)
    made = await story_of_every_kind(database)
    async with AsyncTestClient(app_for(context_for(database))) as client:
        yield Browser(client, made, tokens, database)
