"""`bridge users`: who may come into the console."""

from typing import TYPE_CHECKING

import rich_click as click

from bridge.entrypoints.cli.desk import JSON, REASON, Desk, at_desk, show, tell

if TYPE_CHECKING:
    from bridge.operations.audit import Done
    from bridge.reports.people import UserSeen

_TENANT = click.option("--tenant", default=None, help="Any tenant; users belong to all unless restricted.")


@click.group()
def users() -> None:
    """Add people and give them a way in."""


@users.command("list")
@_TENANT
@JSON
def list_(tenant: str | None, as_json: bool) -> None:
    """List users with their roles."""
    from bridge.reports import people

    async def find(desk: Desk) -> "list[UserSeen]":
        return await people.users(desk.database)

    show(at_desk(find, tenant=tenant), as_json=as_json, line=lambda one: f"{one.login:<40}  {one.role}")


@users.command()
@click.argument("login")
@click.option("--role", type=click.Choice(["viewer", "operator", "admin"]), default="viewer", show_default=True)
@_TENANT
@REASON
@JSON
def add(login: str, role: str, tenant: str | None, reason: str, as_json: bool) -> None:
    """Add a user and print a link that logs in once, within half an hour."""
    from bridge.bootstrap import public_url_of
    from bridge.operations import users as operation
    from bridge.operations.users import Role

    async def act(desk: Desk) -> "tuple[Done, str]":
        done = await operation.add(desk.database, desk.act, login=login, role=Role(role))
        if not done.is_done:
            return done, ""
        _, path = await operation.make_link(desk.database, desk.act, login=login)
        return done, public_url_of(desk.settings) + path

    done, link = at_desk(act, tenant=tenant, reason=reason)
    tell(done, as_json=as_json)
    click.echo(link)


@users.command()
@click.argument("login")
@_TENANT
@REASON
def link(login: str, tenant: str | None, reason: str) -> None:
    """Print a new link that logs a user in once."""
    from bridge.bootstrap import public_url_of
    from bridge.operations import users as operation

    async def act(desk: Desk) -> "tuple[Done, str]":
        done, path = await operation.make_link(desk.database, desk.act, login=login)
        return done, public_url_of(desk.settings) + path

    done, address = at_desk(act, tenant=tenant, reason=reason)
    tell(done)
    click.echo(address)
