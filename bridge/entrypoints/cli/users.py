"""`bridge users`: who may come into the console."""

from typing import TYPE_CHECKING

import rich_click as click

from bridge.entrypoints.cli import completing
from bridge.entrypoints.cli.desk import JSON, TENANT, Desk, Manner, at_desk, show, tenant_of, writes

if TYPE_CHECKING:
    from bridge.operations.audit import Done
    from bridge.reports.people import UserSeen

_ROLES = click.Choice(["viewer", "operator", "admin"])
_LOGIN = click.argument("login", shell_complete=completing.logins)


@click.group()
def users() -> None:
    """Add people, give them a way in, change what they may do."""


@users.command("list")
@TENANT
@JSON
def list_(tenant: str | None, as_json: bool) -> None:
    """List users with their roles."""
    from bridge.reports import people

    async def find(desk: Desk) -> "list[UserSeen]":
        return await people.users(desk.database)

    show(
        at_desk(find, tenant=tenant),
        as_json=as_json,
        line=lambda one: f"{one.login:<40}  {one.role:<10}{'  shut out' if one.disabled_at else ''}",
    )


@users.command()
@click.argument("login")
@click.option("--role", type=_ROLES, default="viewer", show_default=True)
@click.option(
    "--only",
    multiple=True,
    metavar="TENANT",
    shell_complete=completing.tenants,
    help="See only this tenant; can be repeated. Without, every tenant.",
)
@writes
def add(login: str, role: str, only: tuple[str, ...], manner: Manner) -> None:
    """Add a user and print a link that logs in once, within half an hour."""
    from bridge.bootstrap import public_url_of
    from bridge.operations import users as operation
    from bridge.operations.users import Role

    shown: dict[str, str] = {}

    async def act(desk: Desk) -> "Done":
        ids = tuple(int(tenant_of(desk.settings, name)) for name in only) if only else None
        done = await operation.add(desk.database, desk.act, login=login, role=Role(role), tenant_ids=ids)
        if done.is_done and not manner.dry_run:
            _, path = await operation.make_link(desk.database, desk.act, login=login)
            shown["link"] = public_url_of(desk.settings) + path
        return done

    manner.do(act, shown=shown)


@users.command()
@_LOGIN
@writes
def link(login: str, manner: Manner) -> None:
    """Print a new link that logs a user in once."""
    from bridge.bootstrap import public_url_of
    from bridge.operations import users as operation

    shown: dict[str, str] = {}

    async def act(desk: Desk) -> "Done":
        done, path = await operation.make_link(desk.database, desk.act, login=login)
        if done.is_done and not manner.dry_run:
            shown["link"] = public_url_of(desk.settings) + path
        return done

    manner.do(act, shown=shown)


@users.command()
@_LOGIN
@click.option("--role", type=_ROLES, default=None)
@click.option("--shut-out/--let-in", "is_disabled", default=None, help="Close the door, or open it again.")
@writes
def change(login: str, role: str | None, is_disabled: bool | None, manner: Manner) -> None:
    """Change a role, shut a user out or let them in again; every session of theirs ends."""
    from bridge.operations import users as operation
    from bridge.operations.users import Role

    async def act(desk: Desk) -> "Done":
        return await operation.change(
            desk.database, desk.act, login=login, role=Role(role) if role else None, is_disabled=is_disabled
        )

    manner.do(act)
