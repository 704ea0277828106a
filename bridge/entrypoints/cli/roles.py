"""The roles a process can play: everything, serve, work; and what a container asks of one."""

import contextlib
import os
import sys
from collections.abc import Coroutine, Iterator
from typing import TYPE_CHECKING

import rich_click as click

from bridge.entrypoints.cli.exits import Exit, Stop

if TYPE_CHECKING:
    from bridge.settings import Settings


def settings_or_stop() -> "Settings":
    """Return the settings; ends the command with every fault of the config where it has any."""
    from bridge.bootstrap import load_settings
    from bridge.settings import ConfigInvalid

    try:
        return load_settings()
    except ConfigInvalid as invalid:
        raise Stop(Exit.PROBLEMS, str(invalid)) from None
    except OSError as error:
        raise Stop(Exit.USAGE, f"the config cannot be read: {error}") from None


@contextlib.contextmanager
def database_server(settings: "Settings") -> Iterator[str]:
    """Lend the address of PostgreSQL: the configured one, else the embedded one started for as long as this lasts."""
    from bridge.bootstrap import open_database_server
    from bridge.db.embedded import EmbeddedPostgresError

    server = open_database_server(settings)
    if server is None:
        yield str(settings.database_url)
        return
    try:
        dsn = server.start()
    except EmbeddedPostgresError as error:
        raise Stop(Exit.UNREACHABLE, str(error)) from None
    try:
        yield dsn
    finally:
        server.stop()


@contextlib.contextmanager
def reachable() -> Iterator[None]:
    """End the command with exit code 3 and the server's own words where PostgreSQL cannot be reached."""
    from bridge.db.database import UNREACHABLE

    try:
        yield
    except UNREACHABLE as error:
        said = next(iter(str(error).strip().splitlines()), "no answer")
        raise Stop(Exit.UNREACHABLE, f"the database does not answer: {said}") from None


@contextlib.contextmanager
def sparing() -> Iterator[None]:
    """Hide from what is imported meanwhile what it would import only because it is installed: 7 MB that no role uses.

    structlog and httpx take rich and pygments for pretty consoles of their own, structlog greenlet, uvicorn watchfiles.
    """
    hidden = [name for name in ("rich", "pygments", "greenlet", "watchfiles") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: "there is no such module"
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def run(role: Coroutine[object, object, None]) -> None:
    """Run a role to its end on the fast event loop."""
    import asyncio
    import gc
    import signal

    import uvloop

    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the role listens for it: a reload must not end one that starts

    # What was imported lives as long as the process: out of the collector's sight, which then runs a seventieth as often.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(role)


@click.command()
def serve() -> None:
    """Take webhooks in; serve the console and the API."""
    with sparing():
        from bridge.entrypoints import logs
        from bridge.entrypoints import serve as role

    settings = settings_or_stop()
    logs.configure()
    with database_server(settings) as dsn, reachable():
        try:
            run(role.run(settings, dsn=dsn))
        except OSError as error:
            raise Stop(Exit.UNREACHABLE, str(error)) from None


@click.command()
def work() -> None:
    """Process deliveries and send their effects."""
    with sparing():
        from bridge.entrypoints import logs, worker

    settings = settings_or_stop()
    logs.configure()
    with database_server(settings) as dsn, reachable():
        run(worker.run(settings, dsn=dsn))


@click.command()
def up() -> None:
    """Run everything in one process tree: migrations, serve, work, sync; PostgreSQL and simulator where needed."""
    import signal
    import time

    from bridge.db import migrations
    from bridge.entrypoints.cli.processes import Child, Signals, environment, free_port, stop_all

    settings = settings_or_stop()
    signals = Signals()
    with database_server(settings) as dsn:
        with reachable():
            migrations.upgrade(dsn)
        environ = environment(DATABASE_URL=dsn)
        roles = [["serve"], ["work"], ["sync"]]
        simulated = [tenant for tenant in settings.tenants.values() if tenant.is_simulator]
        if simulated:
            port = simulated[0].environment.rpartition(":")[2].strip("/")
            if free_port(int(port)) != int(port):
                raise Stop(
                    Exit.REFUSED,
                    f"port {port} is taken, where the simulator is to listen; end what listens there,"
                    " or name another place: BRIDGE_SIMULATOR_URL=http://127.0.0.1:8378",
                )
            known = [
                f"{one.tenant_id}:{one.client_id}:{one.client_secret}:{one.app_key}:{one.booking_provider or 0}"
                for one in simulated
            ]
            added = [word for text in known for word in ("--tenant", text)]
            roles.insert(0, ["simulator", "--port", port, *added])
        children = [Child(arguments, environ=environ) for arguments in roles]

        def reload(*_: object) -> None:
            for child in children:
                if "simulator" not in child.arguments:
                    child.ask_to_reload()

        signal.signal(signal.SIGHUP, reload)
        try:
            for child in children:
                child.start()
            while not signals.stopped:
                for child in children:
                    child.mind()
                time.sleep(0.2)
        finally:
            stop_all(children)


@click.command()
def migrate() -> None:
    """Bring the database schema to the newest version."""
    from bridge.db import migrations

    settings = settings_or_stop()
    with database_server(settings) as dsn:
        with reachable():
            migrations.upgrade(dsn)
        click.echo(f"the schema is at {migrations.head()}")


@click.command()
@click.option("--port", type=int, default=None, help="Where the process listens; BRIDGE_PORT or 8080 by default.")
def ping(port: int | None) -> None:
    """Ask the process of this machine whether it is alive: exit 0, or 3 where it is not."""
    import urllib.request

    number = port or int(os.environ.get("BRIDGE_PORT", "8080"))
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{number}/livez", timeout=2) as answer:
            alive = answer.status == 200
    except OSError:
        alive = False
    if not alive:
        raise Stop(Exit.UNREACHABLE, f"nothing answers on port {number}")
