"""`bridge tokens`: keys for programs that use the API."""

from typing import TYPE_CHECKING

import rich_click as click

from bridge.entrypoints.cli.desk import JSON, REASON, Desk, at_desk, show, tell

if TYPE_CHECKING:
    from bridge.operations.audit import Done
    from bridge.reports.people import TokenSeen

_TENANT = click.option("--tenant", default=None, help="The tenant the command runs at.")


@click.group()
def tokens() -> None:
    """Make, list and revoke API tokens."""


@tokens.command("list")
@_TENANT
@JSON
def list_(tenant: str | None, as_json: bool) -> None:
    """List tokens by name; their text is never shown again."""
    from bridge.reports import people

    async def find(desk: Desk) -> "list[TokenSeen]":
        return await people.tokens(desk.database)

    show(
        at_desk(find, tenant=tenant),
        as_json=as_json,
        line=lambda one: f"{one.id:>6}  {one.name:<30}  {','.join(one.scopes)}",
    )


@tokens.command()
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, help="What it may do; can be repeated.")
@click.option("--days", default=90, show_default=True, help="How long it is good.")
@_TENANT
@REASON
def make(name: str, scopes: tuple[str, ...], days: int, tenant: str | None, reason: str) -> None:
    """Make a token and print it, this once."""
    from bridge.operations import tokens as operation

    async def act(desk: Desk) -> "tuple[Done, str]":
        return await operation.make(desk.database, desk.act, name=name, scopes=scopes, days=days)

    done, text = at_desk(act, tenant=tenant, reason=reason)
    tell(done)
    click.echo(text)


@tokens.command()
@click.argument("token", type=int)
@_TENANT
@REASON
@JSON
def revoke(token: int, tenant: str | None, reason: str, as_json: bool) -> None:
    """Make a token useless at once."""
    from bridge.operations import tokens as operation

    async def act(desk: Desk) -> "Done":
        return await operation.revoke(desk.database, desk.act, token_id=token)

    tell(at_desk(act, tenant=tenant, reason=reason), as_json=as_json)
