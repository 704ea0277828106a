"""`bridge outbox`: what waits to be sent, and whether it may."""

from typing import TYPE_CHECKING

import rich_click as click

from bridge.entrypoints.cli import completing
from bridge.entrypoints.cli.desk import JSON, TENANT, Desk, Manner, at_desk, show, writes
from bridge.entrypoints.cli.exits import Exit, Stop

if TYPE_CHECKING:
    from bridge.operations.audit import Done
    from bridge.reports.outbox import MessageSeen

_SCOPE = click.option("--source", default="", shell_complete=completing.sources, help="Only this source.")


@click.group()
def outbox() -> None:
    """See what waits to be sent; pause and resume it."""


@outbox.command("list")
@click.option(
    "--state",
    default="",
    type=click.Choice(["", "ready", "waiting", "held", "in_doubt", "dead"]),
    help="Only these; all that wait by default.",
)
@click.option("--reason", "why", default="", help="Only those that wait for this reason (a slug).")
@_SCOPE
@click.option("--limit", default=50, show_default=True)
@TENANT
@JSON
def list_(state: str, why: str, source: str, limit: int, tenant: str | None, as_json: bool) -> None:
    """List messages, the oldest first."""
    from bridge.reports import outbox as report

    async def find(desk: Desk) -> "list[MessageSeen]":
        return await report.messages(
            desk.database, desk.tenant_id, state=state, reason=why, source_id=source, limit=limit, now=desk.now
        )

    show(
        at_desk(find, tenant=tenant),
        as_json=as_json,
        line=lambda one: (
            f"{one.effect_id:>8}  {one.state:<10}  {one.kind:<20}  delivery {one.delivery_id:<8}  {one.source_id:<16}  {one.reason}"
        ),
    )


@outbox.command()
@_SCOPE
@writes
def pause(source: str, manner: Manner) -> None:
    """Let nothing new of the tenant or a source be sent; everything is kept. Needs --reason."""
    pause_all(source, manner)


@outbox.command("resume")
@_SCOPE
@writes
def resume_(source: str, manner: Manner) -> None:
    """Let it be sent again, and say how long what waits will take."""
    resume_all(source, manner)


def pause_all(source: str, manner: Manner) -> None:
    """Pause a source, or the whole tenant where none is named."""
    from bridge.operations import outbox as operation

    async def act(desk: Desk) -> "Done":
        scope = _scope(desk, source)
        return await operation.pause(desk.database, desk.act, tenant_id=desk.tenant_id, scope=scope, name=source)

    manner.do(act)


def resume_all(source: str, manner: Manner) -> None:
    """Resume a source, or the whole tenant where none is named."""
    from bridge.operations import outbox as operation

    async def act(desk: Desk) -> "Done":
        scope = _scope(desk, source)
        return await operation.resume(desk.database, desk.act, tenant_id=desk.tenant_id, scope=scope, name=source)

    manner.do(act)


def _scope(desk: Desk, source: str) -> str:
    if source and source not in desk.sources:
        raise Stop(Exit.USAGE, f"no source is called “{source}”; there are {', '.join(desk.sources)}")
    return "source" if source else "tenant"
