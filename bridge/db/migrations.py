"""Brings the schema to its newest version, and tells whether it is there.

Alembic and SQLAlchemy are imported by what migrates alone: who serves asks for the head, and starts without them.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from sqlalchemy import Engine

_FOLDER = Path(__file__).parents[2] / "alembic"
_NAMED = re.compile(r'^(down_revision|revision) = (?:"(\w+)"|None)$', re.MULTILINE)
_VERSION_TABLE = "schema_version"


def _engine(dsn: str) -> Engine:
    from sqlalchemy import create_engine  # noqa: PLC0415

    # psycopg reads the address as everywhere else: postgres://, several hosts and `host=… dbname=…` too.
    return create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn))


def upgrade(dsn: str) -> None:
    """Apply every migration that is missing; several replicas may call this at once."""
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy.exc import OperationalError  # noqa: PLC0415

    engine = _engine(dsn)
    try:
        with engine.connect() as connection:
            config = Config(stdout=io.StringIO())
            config.set_main_option("script_location", str(_FOLDER))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
    except OperationalError as error:
        raise error.orig or error from None  # callers know psycopg's errors alone
    finally:
        engine.dispose()


def head() -> str:
    """Return the newest version that this program knows: the one migration that no other follows."""
    named: list[dict[str, str]] = [
        dict(_NAMED.findall(file.read_text("utf-8"))) for file in (_FOLDER / "versions").glob("*.py")
    ]
    (newest,) = {each["revision"] for each in named} - {each["down_revision"] for each in named}
    return newest


def current(dsn: str) -> str:
    """Return the version the database is at, empty for none."""
    with psycopg.connect(dsn) as connection:
        try:
            asked = sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(_VERSION_TABLE))
            row = connection.execute(asked).fetchone()
        except psycopg.errors.UndefinedTable:
            return ""
    return str(row[0]) if row else ""


def differences(dsn: str) -> list[object]:
    """Return what the tables of the code and of a migrated database do not agree on."""
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415
    from alembic.migration import MigrationContext  # noqa: PLC0415

    from bridge.db.tables import metadata  # noqa: PLC0415

    def is_ours(name: str | None, kind: str, parent: object) -> bool:
        """Leave out partitions, which come and go with time, and alembic's own table."""
        table = parent.get("table_name") if isinstance(parent, dict) else None
        return kind == "schema" or ("_p2" not in (name or "") and "_p2" not in (table or "") and name != _VERSION_TABLE)

    engine = _engine(dsn)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"version_table": _VERSION_TABLE, "include_name": is_ours}
            )
            return list(compare_metadata(context, metadata))
    finally:
        engine.dispose()
