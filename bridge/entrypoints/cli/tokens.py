"""`bridge tokens`: keys for programs that use the API."""

from typing import TYPE_CHECKING

import rich_click as click

from bridge.entrypoints.cli import completing
from bridge.entrypoints.cli.desk import JSON, TENANT, Desk, Manner, at_desk, show, tenant_of, writes

if TYPE_CHECKING:
    from bridge.operations.audit import Done
    from bridge.reports.people import TokenSeen


@click.group()
def tokens() -> None:
    """Make, list and revoke API tokens."""


@tokens.command("list")
@TENANT
@JSON
def list_(tenant: str | None, as_json: bool) -> None:
    """List tokens by name; their text is never shown again."""
    from bridge.reports import people

    async def find(desk: Desk) -> "list[TokenSeen]":
        return await people.tokens(desk.database)

    show(
        at_desk(find, tenant=tenant),
        as_json=as_json,
        line=lambda one: (
            f"{one.id:>6}  {one.name:<30}  {','.join(one.scopes):<22}  {'revoked' if one.revoked_at else f'until {one.expires_at:%Y-%m-%d}'}"
        ),
    )


@tokens.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(["read", "write", "admin", "pii"]),
    help="What it may do; can be repeated.",
)
@click.option("--days", default=90, show_default=True, help="How long it is good.")
@click.option(
    "--only",
    multiple=True,
    metavar="TENANT",
    shell_complete=completing.tenants,
    help="Only this tenant; can be repeated. Without, every tenant.",
)
@writes
def make(name: str, scopes: tuple[str, ...], days: int, only: tuple[str, ...], manner: Manner) -> None:
    """Make a token and print it, this once."""
    from bridge.operations import tokens as operation

    shown: dict[str, str] = {}

    async def act(desk: Desk) -> "Done":
        ids = tuple(int(tenant_of(desk.settings, one)) for one in only) if only else None
        done, text = await operation.make(desk.database, desk.act, name=name, scopes=scopes, days=days, tenant_ids=ids)
        if done.is_done and not manner.dry_run:
            shown["token"] = text
        return done

    manner.do(act, shown=shown)


@tokens.command()
@click.argument("token", type=int, shell_complete=completing.tokens)
@writes
def revoke(token: int, manner: Manner) -> None:
    """Make a token useless at once."""
    from bridge.operations import tokens as operation

    async def act(desk: Desk) -> "Done":
        return await operation.revoke(desk.database, desk.act, token_id=token)

    manner.do(act)
