"""`bridge review`: what waits for a person."""

from typing import TYPE_CHECKING

import rich_click as click

from bridge.entrypoints.cli import completing
from bridge.entrypoints.cli.desk import JSON, TENANT, Desk, Manner, at_desk, show, writes

if TYPE_CHECKING:
    from bridge.operations.audit import Done
    from bridge.reports.review import HoldView


@click.group()
def review() -> None:
    """Decide what waits for a person; each decision is remembered."""


@review.command("list")
@TENANT
@JSON
def list_(tenant: str | None, as_json: bool) -> None:
    """List open holds, the oldest first, their people hidden."""
    from bridge.reports import review as report

    async def find(desk: Desk) -> "list[HoldView]":
        waiting = await report.waiting(desk.database, desk.tenant_id)
        return [report.masked(await report.full(desk.database, desk.tenant_id, one)) for one in waiting]

    show(
        at_desk(find, tenant=tenant),
        as_json=as_json,
        line=_line,
    )


def _line(one: "HoldView") -> str:
    head = f"{one.id:>8}  delivery {one.delivery_id:<8}  {one.source_id:<20}  {one.name:<20}  {one.text}"
    who = [
        f"          --customer {found.customer_id}  {found.probability:>6.1%}  {found.customer_name}  {found.address}"
        for found in one.candidates
    ]
    return "\n".join([head, *who])


_HOLD = click.argument("hold", type=int, shell_complete=completing.holds)


@review.command()
@_HOLD
@click.option("--customer", type=int, default=None, help="Who it is; without, the held writes happen as planned.")
@click.option("--location", type=int, default=None, help="Which of the customer's locations.")
@writes
def accept(hold: int, customer: int | None, location: int | None, manner: Manner) -> None:
    """Say who it is, or that the held writes may happen."""
    from bridge.operations import review as operation

    async def act(desk: Desk) -> "Done":
        return await operation.accept(
            desk.database, desk.act, tenant_id=desk.tenant_id, hold_id=hold, customer_id=customer, location_id=location,
            region=desk.local.region,
        )  # fmt: skip

    manner.do(act)


@review.command()
@_HOLD
@writes
def new(hold: int, manner: Manner) -> None:
    """Say that it is none of the candidates."""
    from bridge.operations import review as operation

    async def act(desk: Desk) -> "Done":
        return await operation.none_of_these(
            desk.database, desk.act, tenant_id=desk.tenant_id, hold_id=hold, region=desk.local.region
        )

    manner.do(act)


@review.command()
@_HOLD
@writes
def dismiss(hold: int, manner: Manner) -> None:
    """Say no: the held writes never happen."""
    from bridge.operations import review as operation

    async def act(desk: Desk) -> "Done":
        return await operation.dismiss(desk.database, desk.act, tenant_id=desk.tenant_id, hold_id=hold)

    manner.do(act)


@review.command()
@_HOLD
@writes
def undo(hold: int, manner: Manner) -> None:
    """Take a choice back while it is not carried out, a dismissal at any time."""
    from bridge.operations import review as operation

    async def act(desk: Desk) -> "Done":
        return await operation.undo(desk.database, desk.act, tenant_id=desk.tenant_id, hold_id=hold)

    manner.do(act)
