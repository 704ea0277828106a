"""Runs migrations on the connection it is handed, or on DATABASE_URL when called from a shell.

Every migration must work with the code already running; it waits 4 s for a lock and runs 5 s at most, so it fails rather
than stops intake.
"""

import os

from alembic import context
from sqlalchemy import Connection, create_engine, text

from bridge.db.tables import metadata

VERSION_TABLE = "schema_version"


def _is_ours(name: str | None, kind: str, parent: dict[str, str | None]) -> bool:
    """Partitions are made by the program as time goes on; they are no part of the schema to compare."""
    return not (kind == "table" and name is not None and "_p2" in name) and "_p2" not in (
        parent.get("table_name") or ""
    )


def run(connection: Connection) -> None:
    connection.execute(text("SET lock_timeout = '4s'"))
    connection.execute(text("SET statement_timeout = '5s'"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        include_name=_is_ours,
        compare_server_default=False,
    )
    with context.begin_transaction():
        # Several replicas start at once: the first migrates, the others find it done.
        connection.execute(text("SELECT pg_advisory_xact_lock(7270711)"))
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    address = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1)
    with create_engine(address).connect() as opened:
        run(opened)
