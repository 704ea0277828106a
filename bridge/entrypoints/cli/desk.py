"""What every operator command needs: the database, the tenant, who acts and why, and one way to print."""

import functools
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

from bridge.entrypoints.cli import completing
from bridge.entrypoints.cli.exits import Exit, Stop

if TYPE_CHECKING:
    from bridge.db.database import Database
    from bridge.domain.ids import TenantId
    from bridge.operations.audit import Act, Done
    from bridge.reports.search import Local
    from bridge.settings import Settings

T = TypeVar("T")

TENANT = click.option(
    "--tenant",
    default=None,
    shell_complete=completing.tenants,
    help="The tenant by its name in the config; needed where there are several.",
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
        import getpass

        from bridge.operations.audit import Act

        return Act(by=f"cli:{getpass.getuser()}", now=self.now, reason=self.reason)

    @property
    def sources(self) -> list[str]:
        """The tenant's sources by name."""
        return [str(name) for name, one in self.settings.sources.items() if one.tenant_id == self.tenant_id]

    @property
    def local(self) -> "Local":
        """What reading a search depends on."""
        from bridge.reports.search import Local

        tenant = self.settings.tenants[self.tenant_id]
        return Local(self.now, tenant.time_zone, tenant.phone_region)


@dataclass(frozen=True)
class Manner:
    """How a write is to be done: where, why, asked or not, only said, and printed how."""

    tenant: str | None
    reason: str
    yes: bool
    dry_run: bool
    as_json: bool

    def do(
        self, work: "Callable[[Desk], Awaitable[Done]]", *, ask: str = "", shown: Mapping[str, Any] | None = None
    ) -> None:
        """Do it, or rehearse it and throw it away for --dry-run; print what came of it and what the work has put in `shown`."""
        if ask and not self.dry_run:
            sure(ask, yes=self.yes)
        done = at_desk(work, tenant=self.tenant, reason=self.reason, rehearse=self.dry_run)
        tell(done, as_json=self.as_json, dry_run=self.dry_run, shown=shown)


def writes(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that every write has, handed on as one `manner`."""

    @functools.wraps(command)
    def run(*, tenant: str | None, reason: str, yes: bool, dry_run: bool, as_json: bool, **rest: Any) -> None:
        command(manner=Manner(tenant, reason, yes, dry_run, as_json), **rest)

    decorated: Callable[..., None] = run
    for option in (JSON, DRY_RUN, YES, REASON, TENANT):
        decorated = option(decorated)
    return decorated


def at_desk(
    work: Callable[[Desk], Awaitable[T]],
    *,
    tenant: str | None,
    reason: str = "",
    rehearse: bool = False,
    settings: "Settings | None" = None,
) -> T:
    """Open the database, choose the tenant, do the work and return what it returned; a rehearsal keeps nothing."""
    import asyncio

    from psycopg.errors import UndefinedTable

    from bridge.bootstrap import wall_clock
    from bridge.db.database import UNREACHABLE, Database, Rehearsal
    from bridge.entrypoints.cli.roles import database_server, settings_or_stop

    settings = settings or settings_or_stop()
    tenant_id = tenant_of(settings, tenant)

    async def run(dsn: str) -> T:
        database = (Rehearsal if rehearse else Database)(dsn, timeout=3)
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


def tenant_of(settings: "Settings", name: str | None) -> "TenantId":
    """Return the tenant that was named, or the only one; ends the command where that is none."""
    keys = {one.key: one.tenant_id for one in settings.tenants.values()}
    if name is not None and name not in keys:
        raise Stop(Exit.USAGE, f"no tenant is called “{name}”; there are {', '.join(keys)}")
    if name is None and len(keys) > 1:
        raise Stop(Exit.USAGE, f"say which: --tenant {' or '.join(keys)}")
    return keys[name] if name is not None else next(iter(keys.values()))


def show(value: Any, *, as_json: bool, line: Callable[[Any], str]) -> None:
    """Print structs as JSON or a line each."""
    import msgspec

    if as_json:
        click.echo(json.dumps(json.loads(msgspec.json.encode(value)), indent=2))
        return
    for one in value if isinstance(value, list | tuple) else [value]:
        click.echo(line(one))


def tell(done: "Done", *, as_json: bool = False, dry_run: bool = False, shown: Mapping[str, Any] | None = None) -> None:
    """Print what came of an action as lines or one JSON object; a refusal ends the command with its exit code."""
    if as_json:
        said = {"text": done.text, "refusal": done.refusal, "count": done.count, "id": done.id}
        click.echo(json.dumps({**said, **({"dry_run": True} if dry_run else {}), **(shown or {})}))
    elif done.is_done:
        click.echo(f"nothing is changed; it would say: {done.text}" if dry_run else done.text)
        for value in (shown or {}).values():
            click.echo(value)
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
