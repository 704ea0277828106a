"""`bridge outbox`: what waits to be sent, and whether it may."""

from typing import TYPE_CHECKING

import rich_click as click

from bridge.entrypoints.cli import completing
from bridge.entrypoints.cli.desk import JSON, TENANT, Desk, Manner, at_desk, show, writes
from bridge.entrypoints.cli.exits import Exit, Stop

if TYPE_CHECKING:
    from bridge.operations.audit import Done
    from bridge.reports.outbox import MessageSeen, OutboxSeen

_SCOPE = click.option("--source", default="", shell_complete=completing.sources, help="Only this source.")


@click.group()
def outbox() -> None:
    """See what waits to be sent; pause and resume it, and set its limits."""


@outbox.command("list")
@click.option(
    "--state",
    default="",
    type=click.Choice(["", "ready", "waiting", "held", "in_doubt", "dead"]),
    help="Only these; all that wait by default.",
)
@click.option("--reason", "why", default="", help="Only those that wait for this reason (a slug).")
@click.option("--kind", default="", help="Only these: create_booking, send_alert, …")
@_SCOPE
@click.option("--limit", default=50, show_default=True)
@TENANT
@JSON
def list_(state: str, why: str, kind: str, source: str, limit: int, tenant: str | None, as_json: bool) -> None:
    """List messages, the oldest first."""
    from bridge.reports import outbox as report

    async def find(desk: Desk) -> "list[MessageSeen]":
        return await report.messages(
            desk.database, desk.tenant_id, state=state, reason=why, kind=kind, source_id=source,
            limit=limit, now=desk.now,
        )  # fmt: skip

    show(
        at_desk(find, tenant=tenant),
        as_json=as_json,
        line=lambda one: (
            f"{one.effect_id:>8}  {one.state:<10}  {one.kind:<20}  "
            + (one.text or f"delivery {one.delivery_id:<8}  {one.source_id:<16}")
            + f"  {one.reason}"
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


@outbox.command()
@TENANT
@JSON
def limits(tenant: str | None, as_json: bool) -> None:
    """Show how much waits, the budget, what is paused and which kinds of request rest."""
    from bridge.domain.budget import RATE
    from bridge.reports import outbox as report

    async def find(desk: Desk) -> "OutboxSeen":
        return await report.outbox(desk.database, desk.tenant_id, now=desk.now)

    def line(seen: "OutboxSeen") -> str:
        lines = [
            f"waits   {', '.join(f'{count} {state}' for state, count in seen.counts.items() if count) or 'nothing'}"
        ]
        lines.append(f"budget  {seen.rate or RATE:g} requests/s{', set by an operator' if seen.rate else ''}")
        lines += [f"paused  {one.scope} {one.name}, by {one.by}: {one.reason}" for one in seen.pauses]
        lines += [
            f"rests   {one['family']} {one['error_class']}: {one['override'] or one['state']}"
            f"{', held by an operator' if one['override'] else ''}"
            for one in seen.breakers
        ]
        return "\n".join(lines)

    show([at_desk(find, tenant=tenant)], as_json=as_json, line=line)


@outbox.command()
@click.argument("per_second", type=float, required=False)
@writes
def rate(per_second: float | None, manner: Manner) -> None:
    """Let the tenant send PER_SECOND requests, fewer than its share; without it, its whole share again. Needs --reason."""
    from bridge.operations import outbox as operation

    async def act(desk: Desk) -> "Done":
        return await operation.set_rate(desk.database, desk.act, tenant_id=desk.tenant_id, rate=per_second)

    manner.do(act)


@outbox.command()
@click.argument("family")
@click.argument("error_class", type=click.Choice(["server", "timeout", "connection", "auth"]))
@click.argument("override", type=click.Choice(["closed", "open", "itself"]))
@writes
def breaker(family: str, error_class: str, override: str, manner: Manner) -> None:
    """Hold the breaker of FAMILY (bookings, notes, …; * for auth) closed or open, or leave it to itself again. Needs --reason."""
    from bridge.operations import outbox as operation

    if family not in operation.FAMILIES:
        raise Stop(Exit.USAGE, f"no family is called “{family}”; there are {', '.join(operation.FAMILIES)}")

    async def act(desk: Desk) -> "Done":
        return await operation.override_breaker(
            desk.database, desk.act, tenant_id=desk.tenant_id, family=family, error_class=error_class, override=override
        )

    manner.do(act)


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
