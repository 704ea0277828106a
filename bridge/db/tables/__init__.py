"""Every table, a module per stage, in flow order. Each key starts with the tenant, so the schema can be spread by tenant."""

from bridge.db.tables import intake as intake  # noqa: I001  flow order
from bridge.db.tables import decisions as decisions
from bridge.db.tables import mirror as mirror
from bridge.db.tables import matching as matching
from bridge.db.tables import outbox as outbox
from bridge.db.tables import operators as operators
from bridge.db.tables.base import metadata

__all__ = ["metadata"]
