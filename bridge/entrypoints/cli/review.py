"""`bridge review`: what waits for a person."""

from typing import TYPE_CHECKING

import rich_click as click

from bridge.entrypoints.cli.desk import JSON, REASON, TENANT, Desk, at_desk, show, tell

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
        return [report.masked(one) for one in await report.waiting(desk.database, desk.tenant_id)]

    show(
        at_desk(find, tenant=tenant),
        as_json=as_json,
        line=lambda one: f"{one.id:>8}  {one.source_id:<20}  {one.reason}",
    )


@review.command()
@click.argument("hold", type=int)
@click.option("--customer", type=int, default=None, help="Who it is; without, the held writes happen as planned.")
@click.option("--location", type=int, default=None)
@TENANT
@REASON
@JSON
def accept(
    hold: int, customer: int | None, location: int | None, tenant: str | None, reason: str, as_json: bool
) -> None:
    """Say who it is, or that the held writes may happen."""
    from bridge.operations import review as operation

    async def act(desk: Desk) -> "Done":
        return await operation.accept(
            desk.database, desk.act, tenant_id=desk.tenant_id, hold_id=hold, customer_id=customer, location_id=location
        )

    tell(at_desk(act, tenant=tenant, reason=reason), as_json=as_json)


@review.command()
@click.argument("hold", type=int)
@TENANT
@REASON
@JSON
def new(hold: int, tenant: str | None, reason: str, as_json: bool) -> None:
    """Say that it is none of the candidates."""
    from bridge.operations import review as operation

    async def act(desk: Desk) -> "Done":
        return await operation.none_of_these(desk.database, desk.act, tenant_id=desk.tenant_id, hold_id=hold)

    tell(at_desk(act, tenant=tenant, reason=reason), as_json=as_json)


@review.command()
@click.argument("hold", type=int)
@TENANT
@REASON
@JSON
def dismiss(hold: int, tenant: str | None, reason: str, as_json: bool) -> None:
    """Say no: the held writes never happen."""
    from bridge.operations import review as operation

    async def act(desk: Desk) -> "Done":
        return await operation.dismiss(desk.database, desk.act, tenant_id=desk.tenant_id, hold_id=hold)

    tell(at_desk(act, tenant=tenant, reason=reason), as_json=as_json)
