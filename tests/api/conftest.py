from tests.console.conftest import browser, database_dsn, seeded

__all__ = ["browser", "database_dsn", "seeded"]
