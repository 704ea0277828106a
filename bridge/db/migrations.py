"""Brings the schema to its newest version, and tells whether it is there."""

import io
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine

_ROOT = Path(__file__).parents[2]
_VERSION_TABLE = "schema_version"


def _config() -> Config:
    config = Config(stdout=io.StringIO())
    config.set_main_option("script_location", str(_ROOT / "alembic"))
    return config


def _engine(dsn: str) -> Engine:
    return create_engine(dsn.replace("postgresql://", "postgresql+psycopg://", 1))


def upgrade(dsn: str) -> None:
    """Apply every migration that is missing; several replicas may call this at once."""
    engine = _engine(dsn)
    try:
        with engine.connect() as connection:
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
    finally:
        engine.dispose()


def head() -> str:
    """Return the newest version that this program knows."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def current(dsn: str) -> str:
    """Return the version the database is at, empty for none."""
    engine = _engine(dsn)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"version_table": _VERSION_TABLE})
            return context.get_current_revision() or ""
    finally:
        engine.dispose()


def differences(dsn: str) -> list[object]:
    """Return what the tables of the code and of a migrated database do not agree on."""
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415  only the check needs it

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
