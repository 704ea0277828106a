"""The migrations and the tables of the code agree."""

import psycopg

from bridge.db import migrations
from bridge.db.database import Database, Tx
from tests.conftest import copy_of


def test_migrations_and_tables_agree(database_dsn: str) -> None:
    assert migrations.differences(database_dsn) == []


def test_a_migrated_database_is_at_head(database_dsn: str) -> None:
    assert migrations.current(database_dsn) == migrations.head()


def test_a_database_that_was_never_migrated_is_at_nothing(postgres_dsn: str) -> None:
    with copy_of(postgres_dsn, "template1") as empty:
        assert migrations.current(empty) == ""


def test_only_the_language_every_postgres_has_is_installed(database_dsn: str) -> None:
    with psycopg.connect(database_dsn) as connection:
        assert connection.execute("SELECT extname FROM pg_extension").fetchall() == [("plpgsql",)]


async def test_the_clock_is_the_databases(database: Database) -> None:
    async with database.begin() as tx:
        row = await (await tx.execute("SELECT clock_timestamp()")).fetchone()
    assert row is not None
    assert abs(((await database.now()) - row[0]).total_seconds()) < 5


async def test_a_transaction_of_a_test_is_rolled_back(tx: Tx) -> None:
    await tx.execute("INSERT INTO config_versions VALUES ('v', now(), 'text')")
    assert await (await tx.execute("SELECT count(*) FROM config_versions")).fetchone() == (1,)
