"""The console over a seeded database, in-process."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

import psycopg
import pytest
from filelock import FileLock
from litestar.testing import AsyncTestClient
from psycopg import sql

from bridge.db.database import Database
from tests.conftest import TEMPLATE, copy_of, shared_folder, with_database
from tests.console.seeding import app_for, context_for, people, story_of_every_kind

SEEDED = "bridge_seeded"


class Seeded(NamedTuple):
    """A template database with people and stories in it: their passwords alone take a second of CPU."""

    tokens: dict[str, str]
    made: dict[str, int]


@pytest.fixture(scope="session")
def seeded(postgres_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Seeded:
    """Seed a template database once for all test processes."""
    folder = shared_folder(tmp_path_factory)
    with FileLock(folder / "seeded.filelock"):
        kept = folder / "seeded.json"
        if not kept.exists():
            with psycopg.connect(postgres_dsn, autocommit=True) as admin:
                name = sql.Identifier(SEEDED)
                admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
                admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(TEMPLATE)))
            kept.write_text(json.dumps(asyncio.run(_seed(with_database(postgres_dsn, SEEDED)))))
        return Seeded(*json.loads(kept.read_text()))


async def _seed(dsn: str) -> Seeded:
    database = Database(dsn, max_size=2)
    await database.open()
    try:
        return Seeded(await people(database), await story_of_every_kind(database))
    finally:
        await database.close()


@pytest.fixture
def database_dsn(postgres_dsn: str, seeded: Seeded) -> Iterator[str]:
    """A copy of the seeded database, this test's own."""
    with copy_of(postgres_dsn, SEEDED) as dsn:
        yield dsn


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
async def browser(database: Database, seeded: Seeded) -> AsyncIterator[Browser]:
    async with AsyncTestClient(app_for(context_for(database))) as client:
        yield Browser(client, seeded.made, seeded.tokens, database)
