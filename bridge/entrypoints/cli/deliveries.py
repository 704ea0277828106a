"""`bridge deliveries`: find what came in, and see why it became what it became."""

import time
from typing import TYPE_CHECKING, Any

import rich_click as click

from bridge.entrypoints.cli.desk import JSON, TENANT, Desk, at_desk, show
from bridge.entrypoints.cli.exits import Exit, Stop

if TYPE_CHECKING:
    from bridge.reports.deliveries import DeliveryPage, DeliveryRow
    from bridge.reports.story import Story


@click.group()
def deliveries() -> None:
    """Find deliveries by a time, a phone, a name, any id; and tell the whole story of one."""


@deliveries.command("list")
@click.argument("query", required=False, default="")
@click.option("--limit", default=50, show_default=True)
@TENANT
@JSON
def list_(query: str, limit: int, tenant: str | None, as_json: bool) -> None:
    """List deliveries, the newest first: `14:05`, `0142`, `maria`, `source:website outcome:failed after:yesterday`."""
    page = at_desk(lambda desk: _find(desk, query, limit), tenant=tenant)
    show(page.items, as_json=as_json, line=_row)


@deliveries.command()
@click.argument("delivery", type=int)
@TENANT
@JSON
def show_(delivery: int, tenant: str | None, as_json: bool) -> None:
    """Show everything known about a delivery, its people hidden."""
    show(_story(delivery, tenant), as_json=as_json or True, line=str)


show_.name = "show"


@deliveries.command()
@click.argument("delivery", type=int)
@TENANT
@JSON
def why(delivery: int, tenant: str | None, as_json: bool) -> None:
    """Tell the story of a delivery: received, verified, read, matched, planned, sent."""
    story = _story(delivery, tenant)
    if as_json:
        show(story, as_json=True, line=str)
        return
    from bridge.reports.timeline import moments

    click.echo(story.sentence)
    for moment in moments(story):
        click.echo(
            f"  {moment.at:%H:%M:%S}  {moment.title}" + (f"\n            {moment.detail}" if moment.detail else "")
        )


@deliveries.command()
@click.argument("query", required=False, default="")
@click.option("--seconds", default=0.0, help="Stop after so long; runs until Ctrl-C by default.")
@TENANT
@JSON
def tail(query: str, seconds: float, tenant: str | None, as_json: bool) -> None:
    """Print deliveries as they come in."""
    import asyncio

    async def follow(desk: Desk) -> None:
        seen = max((row.id for row in (await _find(desk, query, 1)).items), default=0)
        until = time.monotonic() + seconds if seconds else float("inf")
        while time.monotonic() < until:
            fresh = [row for row in (await _find(desk, query, 50)).items if row.id > seen]
            for row in reversed(fresh):
                show(row, as_json=as_json, line=_row)
                seen = row.id
            await asyncio.sleep(0.5)

    at_desk(follow, tenant=tenant)


async def _find(desk: Desk, query: str, limit: int) -> "DeliveryPage":
    from bridge.reports import deliveries as report
    from bridge.reports.search import parse

    names = [str(name) for name, source in desk.settings.sources.items() if source.tenant_id == desk.tenant_id]
    return await report.find(desk.database, desk.tenant_id, parse(query, desk.local), limit=limit, sources=names)


def _story(delivery: int, tenant: str | None) -> "Story":
    from bridge.domain.ids import DeliveryId
    from bridge.reports import story as report
    from bridge.reports.timeline import masked

    async def tell(desk: Desk) -> Any:
        return await report.tell(desk.database, desk.tenant_id, DeliveryId(delivery))

    found = at_desk(tell, tenant=tenant)
    if found is None:
        raise Stop(Exit.PROBLEMS, f"there is no delivery {delivery}")
    hidden: Story = masked(found)
    return hidden


def _row(row: "DeliveryRow") -> str:
    end = row.phones[0][-4:] if row.phones else ""
    return f"{row.id:>8}  {row.received_at:%m-%d %H:%M:%S}  {row.status:<10}  {row.source_id:<20}  {end:>4}  {row.sentence}"
