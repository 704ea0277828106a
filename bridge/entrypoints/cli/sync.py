"""`bridge sync`: keep the mirror of ServiceTitan fresh, and see or mend where its feeds stand."""

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import rich_click as click

from bridge.entrypoints.cli.exits import Exit, Stop
from bridge.entrypoints.cli.roles import database_server, reachable, run, settings_or_stop

if TYPE_CHECKING:
    from bridge.db.database import Database
    from bridge.domain.ids import TenantId
    from bridge.mirror.feeds import Progress
    from bridge.settings import Settings

_tenant = click.option("--tenant", "tenant_id", type=int, default=None, help="Only this tenant; all by default.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("sync", invoke_without_command=True)
@click.pass_context
def sync(ctx: click.Context) -> None:
    """Keep the mirror of customers, locations, contacts, bookings, leads and lists fresh.

    Without a subcommand it runs until it is stopped; several replicas share the tenants among themselves.
    """
    if ctx.invoked_subcommand is None:
        _with_database(_keep_fresh, is_opened=False)


def _with_database(work: Callable[["Settings", "Database"], Awaitable[None]], *, is_opened: bool = True) -> None:
    """Run `work` on a database that is open, or that it opens itself."""
    from bridge.db.database import Database
    from bridge.entrypoints import logs

    settings = settings_or_stop()
    logs.configure()

    async def role() -> None:
        database = Database(dsn, max_size=2)
        try:
            if is_opened:
                await database.open()
            await work(settings, database)
        finally:
            await database.close()

    with database_server(settings) as dsn, reachable():
        run(role())


async def _keep_fresh(settings: "Settings", database: "Database") -> None:
    import asyncio

    from bridge.entrypoints import syncing
    from bridge.entrypoints.signals import stop_on_signals
    from bridge.mirror import sync as mirror

    stop = asyncio.Event()
    stop_on_signals(stop)
    if not await database.open_before(stop):
        return
    bar = _Bar() if sys.stderr.isatty() else None
    try:
        await syncing.run(settings, database, stop, report=bar or mirror.log_progress)
    finally:
        if bar is not None:
            bar.close()


class _Bar:
    """Shows a first load in a terminal: a line per feed with its rows and speed."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import Progress as Bars
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TextColumn("{task.completed:,.0f} rows"),
            TextColumn("{task.fields[rate]:,.0f}/s"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._lines: dict[tuple[TenantId, str], Any] = {}
        self._done: set[tuple[TenantId, str]] = set()

    def __call__(self, progress: "Progress") -> None:
        """Move the line of a feed."""
        line = (progress.tenant_id, progress.feed)
        if line in self._done or not progress.is_long:
            return
        if line not in self._lines:
            self._bars.start()
            text = f"{progress.tenant_id} {progress.feed.replace('_', ' ')}"
            self._lines[line] = self._bars.add_task(text, total=None, rate=0.0)
        bar = self._lines[line]
        shown = next(one for one in self._bars.tasks if one.id == bar)
        self._bars.update(bar, completed=progress.rows, rate=shown.speed or 0.0)
        if progress.is_done:
            self._done.add(line)
            self._bars.update(bar, total=max(progress.rows, 1))
            if self._done >= self._lines.keys():
                self._bars.stop()

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._bars.stop()


@sync.command("once")
@_tenant
def once(tenant_id: int | None) -> None:
    """Bring the mirror up to date once and stop: lists, what is due of the feeds, recent changes."""
    import asyncio

    async def work(settings: "Settings", database: "Database") -> None:
        from bridge.bootstrap import Clients
        from bridge.mirror import cursors
        from bridge.mirror import sync as mirror
        from bridge.mirror.pacing import Pace

        clients = Clients(settings)
        try:
            for tenant in _tenants(settings, tenant_id):
                session = await mirror.open_session(database.dsn)
                try:
                    if not await cursors.take(session, tenant):
                        raise Stop(Exit.REFUSED, f"another process syncs tenant {tenant} just now")
                    syncing = mirror.syncing_of(
                        session,
                        database,
                        clients(tenant),
                        settings,
                        tenant,
                        stop=asyncio.Event(),
                        report=mirror.log_progress,
                        paced=Pace().of,
                    )
                    await mirror.sync_once(syncing, clients(tenant), settings)
                finally:
                    await session.close()
        finally:
            await clients.close()
        await _print_status(settings, database, tenant_id, as_json=False)

    _with_database(work)


@sync.command("status")
@_tenant
@_json
def status(tenant_id: int | None, as_json: bool) -> None:
    """Show where each feed stands; exit 1 where one is stopped."""

    async def work(settings: "Settings", database: "Database") -> None:
        await _print_status(settings, database, tenant_id, as_json=as_json)

    _with_database(work)


async def _print_status(settings: "Settings", database: "Database", tenant_id: int | None, *, as_json: bool) -> None:
    import msgspec

    from bridge.domain.reasons import advice_for
    from bridge.mirror import cursors

    stopped = False
    told: list[dict[str, Any]] = []
    for tenant in _tenants(settings, tenant_id):
        async with database.begin() as tx:
            known = await cursors.read(tx, tenant)
        for cursor in known.values():
            told.append({"tenant_id": tenant, **msgspec.structs.asdict(cursor)})
            stopped |= cursor.stopped
            if not as_json:
                seen = max(filter(None, (cursor.synced_at, cursor.recent_at)), default=None)
                state = f"stopped: {cursor.reason}" if cursor.stopped else cursor.reason or "fine"
                when = f"{seen:%Y-%m-%d %H:%M:%S} UTC" if seen else "never"
                click.echo(f"{tenant}  {cursor.feed:<18} {cursor.row_count:>10,} rows  read {when}  {state}")
                if cursor.skipped:
                    click.echo(f"    {cursor.skipped:,} records were left out; the last: {cursor.skipped_detail}")
                if cursor.reason:
                    click.echo(f"    {cursor.detail}\n    {advice_for(cursor.reason).remedy}")
    if as_json:
        click.echo(msgspec.json.encode(told).decode())
    elif not told:
        click.echo("nothing is mirrored yet")
    if stopped:
        raise Stop(Exit.PROBLEMS)


@sync.command("resume")
@click.argument("feed")
@_tenant
@click.option("--from-start", is_flag=True, help="Read the feed again from its beginning; repeats change nothing.")
def resume(feed: str, tenant_id: int | None, from_start: bool) -> None:
    """Let a stopped FEED go on from where it stands, or from its beginning."""

    async def work(settings: "Settings", database: "Database") -> None:
        from bridge.mirror import cursors

        for tenant in _tenants(settings, tenant_id):
            async with database.begin() as tx:
                known = await cursors.read(tx, tenant)
                if feed not in known:
                    raise Stop(Exit.USAGE, f"tenant {tenant} has no feed {feed!r}; it has {', '.join(known) or 'none'}")
                await (cursors.restart if from_start else cursors.resume)(tx, tenant, feed)
            click.echo(f"{tenant}  {feed} goes on {'from its beginning' if from_start else 'from where it stands'}")

    _with_database(work)


def _tenants(settings: "Settings", tenant_id: int | None) -> list["TenantId"]:
    known = [one for one in settings.tenants if tenant_id in (None, one)]
    if not known:
        raise Stop(Exit.USAGE, f"no tenant {tenant_id} is configured")
    return known
