"""`bridge outbox`, `hold` and `resume`: what waits to be sent, and whether it may."""

from typing import TYPE_CHECKING

import rich_click as click

from bridge.entrypoints.cli.desk import JSON, REASON, TENANT, Desk, at_desk, show, tell

if TYPE_CHECKING:
    from bridge.operations.audit import Done
    from bridge.reports.outbox import MessageSeen

_SCOPE = click.option("--source", default="", help="Only this source.")


@click.group()
def outbox() -> None:
    """See what waits to be sent; pause and resume it."""


@outbox.command("list")
@click.option("--state", default="", help="ready, waiting, held, in_doubt or dead; all that wait by default.")
@click.option("--limit", default=50, show_default=True)
@TENANT
@JSON
def list_(state: str, limit: int, tenant: str | None, as_json: bool) -> None:
    """List messages, the oldest first."""
    from bridge.reports import outbox as report

    async def find(desk: Desk) -> "list[MessageSeen]":
        return await report.messages(desk.database, desk.tenant_id, state=state, limit=limit, now=desk.now)

    show(
        at_desk(find, tenant=tenant),
        as_json=as_json,
        line=lambda one: f"{one.effect_id:>8}  {one.state:<10}  {one.kind:<20}  {one.reason}",
    )


@outbox.command()
@_SCOPE
@TENANT
@REASON
@JSON
def pause(source: str, tenant: str | None, reason: str, as_json: bool) -> None:
    """Let nothing new of the tenant or a source be sent; everything is kept. Needs --reason."""
    _pause(source, tenant, reason, as_json=as_json)


@outbox.command("resume")
@_SCOPE
@TENANT
@REASON
@JSON
def resume_(source: str, tenant: str | None, reason: str, as_json: bool) -> None:
    """Let it be sent again, and say how long what waits will take."""
    _resume(source, tenant, reason, as_json=as_json)


@click.command()
@_SCOPE
@TENANT
@REASON
@JSON
def hold(source: str, tenant: str | None, reason: str, as_json: bool) -> None:
    """Hold everything of a tenant or source back; the same as `outbox pause`."""
    _pause(source, tenant, reason, as_json=as_json)


@click.command()
@_SCOPE
@TENANT
@REASON
@JSON
def resume(source: str, tenant: str | None, reason: str, as_json: bool) -> None:
    """Let it go on; the same as `outbox resume`."""
    _resume(source, tenant, reason, as_json=as_json)


def _pause(source: str, tenant: str | None, reason: str, *, as_json: bool) -> None:
    from bridge.operations import outbox as operation

    async def act(desk: Desk) -> "Done":
        scope = "source" if source else "tenant"
        return await operation.pause(desk.database, desk.act, tenant_id=desk.tenant_id, scope=scope, name=source)

    tell(at_desk(act, tenant=tenant, reason=reason), as_json=as_json)


def _resume(source: str, tenant: str | None, reason: str, *, as_json: bool) -> None:
    from bridge.operations import outbox as operation

    async def act(desk: Desk) -> "Done":
        scope = "source" if source else "tenant"
        return await operation.resume(desk.database, desk.act, tenant_id=desk.tenant_id, scope=scope, name=source)

    tell(at_desk(act, tenant=tenant, reason=reason), as_json=as_json)
