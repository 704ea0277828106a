"""What every test may ask for: a real PostgreSQL (migrated once, copied per test), a rolled-back transaction, a clock."""

import fcntl
import gc
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import psycopg
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings
from psycopg import sql

from bridge.db import migrations
from bridge.db.database import Database, Tx
from bridge.db.embedded import EmbeddedPostgres
from tests import places, watching
from tests.ports import unused_port
from tests.recycling import Databases, copied, drop
from tests.watching import Watch

gc.set_threshold(20_000, 20, 50)  # looking for cycles as often as usual is a tenth of a test's time

# How long an example takes on a busy machine says nothing about the code.
settings.register_profile("bridge", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bridge")

PURE = frozenset({"connectors", "domain", "intake", "matching", "planning", "settings"})
"""Folders of tests of what decides: where such a test asks for no database, it needs nothing but the code."""
WHOLLY_SLOW = re.compile(r"^pytestmark = \[?\s*pytest\.mark\.slow\b", re.MULTILINE)
"""A module of tests that are all slow; read, not imported, for imports are half of what `make pure` takes."""
HERE = Path(__file__).parent
SHARED = HERE.parents[1] / "shared"
TEMPLATE = "bridge_template"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where the pure tests alone are asked for, import no others: `make pure` is for while you write."""
    if config.option.markexpr != "pure":
        return None
    if collection_path.is_dir():
        return True if collection_path.parent == HERE and collection_path.name not in PURE else None
    return True if WHOLLY_SLOW.search(collection_path.read_text()) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test that needs PostgreSQL, and each that needs nothing at all, by what it asks for."""
    for item in items:
        if "postgres_dsn" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.database)
        elif item.path.parent.name in PURE and item.get_closest_marker("slow") is None:
            item.add_marker(pytest.mark.pure)
    items[:] = long_first(items, workers=int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def long_first(items: Sequence[pytest.Item], *, workers: int) -> list[pytest.Item]:
    """Return the tests so that each test process begins with its share of the modules whose tests may be long.

    Each is given as many in a row and takes others' last ones when it is done: a long one among those keeps all waiting, the
    one that runs the server for up to 50 s, which reads as the teardown of its last test.
    """
    modules: dict[Path, list[pytest.Item]] = {}
    short = []
    long = {item.path for item in items if item.get_closest_marker("timeout")}
    for item in items:
        (modules.setdefault(item.path, []) if item.path in long else short).append(item)
    ordered, left = [], iter(short)
    for worker in range(workers):
        begins = [item for module in list(modules.values())[worker::workers] for item in module]
        share = (len(items) - len(ordered)) // (workers - worker)
        ordered += [*begins, *islice(left, max(share - len(begins), 0))]
    return [*ordered, *left]


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Leave what was imported out of what the collector of cycles looks at."""
    gc.freeze()


@pytest.fixture(scope="session")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Watch:
    """What looks at every line that this run logs."""
    return watching.watch(tmp_path_factory.mktemp("logs"))


@pytest.fixture(autouse=True)
def nobody_is_named_in_a_log(watch: Watch) -> Iterator[None]:
    """Fail the test that made a process of ours log a person's data."""
    watch.install()
    yield
    found = watch.found()
    assert not found, f"{len(found)} log lines name somebody:\n" + "\n".join(found[:5])


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The collected reference data beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("no shared/ folder lies beside the checkout")
    return SHARED


@pytest.fixture(scope="session")
def postgres_dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server for tests: DATABASE_URL, else one embedded PostgreSQL for all test processes, durability off."""
    given = os.environ.get("DATABASE_URL")
    shared = shared_folder(tmp_path_factory)
    place = shared / "bridge-postgres"
    with FileLock(shared / "bridge-postgres.filelock"):
        if given is None and not place.exists():
            place.symlink_to(places.new_folder())
    server = EmbeddedPostgres(
        place,
        options={
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_wal_size": "512MB",
            "max_connections": "200",
            "autovacuum": "off",
        },
    )
    using = os.open(shared / "bridge-postgres.users", os.O_RDWR | os.O_CREAT)
    fcntl.flock(using, fcntl.LOCK_SH)
    with FileLock(shared / "bridge-postgres.filelock"):
        dsn = given or server.start()
        with psycopg.connect(dsn, autocommit=True) as admin:
            known = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE]).fetchone()
            if known is None:
                admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
                migrations.upgrade(with_database(dsn, TEMPLATE))
    yield dsn
    fcntl.flock(using, fcntl.LOCK_EX)  # whoever started the server ends last: the other test processes still use it
    os.close(using)
    if given is None and server.runs_here:
        server.stop()
        shutil.rmtree(place.resolve())


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that all test processes of this run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def with_database(dsn: str, name: str) -> str:
    """Return the address of another database of the same server."""
    parts = psycopg.conninfo.conninfo_to_dict(dsn)
    host, port, user = parts.get("host", ""), parts.get("port", ""), parts.get("user", "")
    password = f":{parts['password']}" if parts.get("password") else ""
    if str(host).startswith("/"):
        return f"postgresql://{user}{password}@/{name}?host={host}" + (f"&port={port}" if port else "")
    return f"postgresql://{user}{password}@{host}" + (f":{port}" if port else "") + f"/{name}"


@contextmanager
def copy_of(postgres_dsn: str, template: str) -> Iterator[str]:
    """The address of a copy of a template database, dropped at the end."""
    name = copied(postgres_dsn, template)
    yield with_database(postgres_dsn, name)
    drop(postgres_dsn, name)


@pytest.fixture(scope="session")
def databases(postgres_dsn: str) -> Iterator[Databases]:
    """The migrated databases of this test process."""
    lent = Databases(postgres_dsn, TEMPLATE, address=with_database)
    yield lent
    lent.close()


@pytest.fixture
def database_dsn(databases: Databases) -> Iterator[str]:
    """The address of a migrated database that is this test's own: commits, crashes and concurrency are real."""
    with databases.lend() as dsn:
        yield dsn


@pytest.fixture
async def database(database_dsn: str) -> AsyncIterator[Database]:
    """A pool on a database of this test's own."""
    opened = Database(database_dsn, max_size=8)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def tx(postgres_dsn: str) -> AsyncIterator[Tx]:
    """A transaction on the migrated template's twin, rolled back at the end."""
    connection = await psycopg.AsyncConnection.connect(
        with_database(postgres_dsn, await _rollback_database(postgres_dsn))
    )
    try:
        yield connection
    finally:
        await connection.rollback()
        await connection.close()


async def _rollback_database(dsn: str) -> str:
    """One copy of the template per test process; nothing is ever committed to it."""
    name = f"rollback_{os.getpid()}"
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as admin:
        known = await (await admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])).fetchone()
        if known is None:
            await admin.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                    sql.Identifier(name), sql.Identifier(TEMPLATE)
                )
            )
    return name


class Clock:
    """A clock that only moves when told."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.now

    def advance(self, **parts: float) -> datetime:
        """Move on by a timedelta's parts, and tell the time."""
        self.now += timedelta(**parts)
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands at a fixed time."""
    return Clock(datetime(2026, 11, 24, 15, 0, tzinfo=UTC))


@pytest.fixture
def free_port() -> int:
    """A port nobody listens on just now."""
    return unused_port()
