"""What every operator command needs: the database, the tenant, who acts and why, and one way to print."""

import getpass
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

from bridge.entrypoints.cli.exits import Exit, Stop

if TYPE_CHECKING:
    from bridge.db.database import Database
    from bridge.domain.ids import TenantId
    from bridge.operations.audit import Act, Done
    from bridge.reports.search import Local
    from bridge.settings import Settings

T = TypeVar("T")

TENANT = click.option(
    "--tenant", default=None, help="The tenant by its name in the config; needed where there are several."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
REASON = click.option("--reason", default="", help="Why; it is kept in the audit log.")
YES = click.option("--yes", is_flag=True, help="Do not ask.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")


@dataclass(frozen=True)
class Desk:
    """An open database with the tenant that was chosen."""

    database: "Database"
    settings: "Settings"
    tenant_id: "TenantId"
    now: datetime
    reason: str = ""

    @property
    def act(self) -> "Act":
        """Who does it, when and why, for the audit line."""
        from bridge.operations.audit import Act

        return Act(by=f"cli:{getpass.getuser()}", now=self.now, reason=self.reason)

    @property
    def local(self) -> "Local":
        """What reading a search depends on."""
        from bridge.reports.search import Local

        tenant = self.settings.tenants[self.tenant_id]
        return Local(self.now, tenant.time_zone, tenant.phone_region)


def at_desk(work: Callable[[Desk], Awaitable[T]], *, tenant: str | None, reason: str = "") -> T:
    """Open the database, choose the tenant, do the work and return what it returned."""
    import asyncio

    from psycopg.errors import UndefinedTable

    from bridge.bootstrap import wall_clock
    from bridge.db.database import UNREACHABLE, Database
    from bridge.entrypoints.cli.roles import database_server, settings_or_stop

    settings = settings_or_stop()
    keys = {one.key: one.tenant_id for one in settings.tenants.values()}
    if tenant is not None and tenant not in keys:
        raise Stop(Exit.USAGE, f'no tenant is called "{tenant}"; there are {", ".join(keys)}')
    if tenant is None and len(keys) > 1:
        raise Stop(Exit.USAGE, f"say which: --tenant {' or '.join(keys)}")
    tenant_id = keys[tenant] if tenant is not None else next(iter(keys.values()))

    async def run(dsn: str) -> T:
        database = Database(dsn, timeout=3)
        try:
            await database.open()
            return await work(Desk(database, settings, tenant_id, wall_clock(), reason))
        finally:
            await database.close()

    with database_server(settings) as dsn:
        try:
            return asyncio.run(run(dsn))
        except UNREACHABLE:
            raise Stop(Exit.UNREACHABLE, "the database does not answer") from None
        except UndefinedTable:
            raise Stop(Exit.REFUSED, "the database has no tables of ours yet; `bridge migrate` makes them") from None


def show(value: Any, *, as_json: bool, line: Callable[[Any], str]) -> None:
    """Print structs as JSON or a line each."""
    import msgspec

    if as_json:
        click.echo(json.dumps(json.loads(msgspec.json.encode(value)), indent=2))
        return
    for one in value if isinstance(value, list | tuple) else [value]:
        click.echo(line(one))


def tell(done: "Done", *, as_json: bool = False) -> None:
    """Print what came of an action; a refusal ends the command with its exit code."""
    if as_json:
        click.echo(json.dumps({"text": done.text, "refusal": done.refusal, "count": done.count, "id": done.id}))
    elif done.is_done:
        click.echo(done.text)
    if not done.is_done:
        raise Stop(Exit.REFUSED, "" if as_json else done.text)


def sure(question: str, *, yes: bool) -> None:
    """Ask before something that cannot be taken back; without a terminal only --yes goes on."""
    import sys

    if yes:
        return
    if not sys.stdin.isatty():
        raise Stop(Exit.REFUSED, f"{question} Say --yes.")
    if not click.confirm(question):
        raise Stop(Exit.REFUSED)
