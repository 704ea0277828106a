"""`bridge deliveries`: find what came in, and see why it became what it became."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from bridge.entrypoints.cli import completing
from bridge.entrypoints.cli.desk import JSON, TENANT, Desk, at_desk, show
from bridge.entrypoints.cli.exits import Exit, Stop

if TYPE_CHECKING:
    from bridge.entrypoints.casework.saving import Saved
    from bridge.reports.deliveries import DeliveryPage, DeliveryRow
    from bridge.reports.story import Story


@click.group()
def deliveries() -> None:
    """Find deliveries by a time, a phone, a name, any id; and tell the whole story of one."""


@deliveries.command("list")
@click.argument("query", required=False, default="", shell_complete=completing.searches)
@click.option("--limit", default=50, show_default=True)
@TENANT
@JSON
def list_(query: str, limit: int, tenant: str | None, as_json: bool) -> None:
    """List deliveries, the newest first: `14:05`, `0142`, `maria`, `source:website outcome:failed after:yesterday`."""
    page = at_desk(lambda desk: _find(desk, query, limit), tenant=tenant)
    show(page.items, as_json=as_json, line=_row)
    if page.next and not as_json:
        click.echo(f"there are older ones: --limit {limit * 2}, or add before:2026-11-23", err=True)


@deliveries.command("show")
@click.argument("delivery", type=int, shell_complete=completing.deliveries)
@TENANT
@JSON
def show_(delivery: int, tenant: str | None, as_json: bool) -> None:
    """Show everything known about a delivery, its people hidden."""
    show(_story(delivery, tenant), as_json=as_json, line=_facts)


@deliveries.command()
@click.argument("delivery", type=int, shell_complete=completing.deliveries)
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
@click.argument("query", required=False, default="", shell_complete=completing.searches)
@click.option("--seconds", default=0.0, help="Stop after so long; runs until Ctrl-C by default.")
@TENANT
@JSON
def tail(query: str, seconds: float, tenant: str | None, as_json: bool) -> None:
    """Print deliveries as they come in."""
    import asyncio

    import msgspec

    async def follow(desk: Desk) -> None:
        seen = max((row.id for row in (await _find(desk, query, 1)).items), default=0)
        until = time.monotonic() + seconds if seconds else float("inf")
        while time.monotonic() < until:
            fresh = [row for row in (await _find(desk, query, 50)).items if row.id > seen]
            for row in reversed(fresh):
                click.echo(msgspec.json.encode(row).decode() if as_json else _row(row))
                seen = row.id
            await asyncio.sleep(0.5)

    at_desk(follow, tenant=tenant)


@deliveries.command("save-test")
@click.argument("delivery", type=int)
@click.option(
    "--to", "place", type=click.Path(dir_okay=False, path_type=Path), help="Write a new file instead of printing."
)
@TENANT
@JSON
def save_test(delivery: int, place: Path | None, tenant: str | None, as_json: bool) -> None:
    """Make a test case of a delivery, its people replaced by made-up ones, that passes with today's config.

    Read it before you keep it: what nobody can tell from a code (a sender's ids, single words of a form) stays.
    """
    from bridge.entrypoints.casework.saving import Saved

    async def made(desk: Desk) -> Saved:
        return await _saved(desk, delivery)

    try:
        saved = at_desk(made, tenant=tenant)
    except UnicodeDecodeError:
        raise Stop(Exit.REFUSED, "its body is no text") from None
    if as_json and place is None:
        show(saved, as_json=True, line=str)
        return
    if saved.note:
        click.echo(f"note: {saved.note}", err=True)
    if place is None:
        click.echo(saved.text, nl=False)
        return
    if place.exists():
        raise Stop(Exit.REFUSED, f"{place} is there already")
    place.write_text(saved.text, encoding="utf-8")
    click.echo(f"saved in {place}")


async def _saved(desk: Desk, number: int) -> "Saved":
    from bridge.bootstrap import doors_of
    from bridge.domain.match import Matched
    from bridge.entrypoints.casework.saving import Known, case_of
    from bridge.entrypoints.cli.explain import stored_delivery
    from bridge.mirror import records
    from bridge.reports import story as report
    from bridge.reports.reading import reading

    delivery = await stored_delivery(desk, number)
    door = doors_of(desk.settings).get(delivery.source_id)
    if door is None:
        raise Stop(Exit.REFUSED, f'its source "{delivery.source_id}" is not configured any more')
    story = await report.tell(desk.database, desk.tenant_id, delivery.id)
    decided = story.latest[0] if story and story.latest else None
    match, party = decided.match if decided else None, None
    async with reading(desk.database) as tx:
        lists = (await records.lists(tx, [desk.tenant_id]))[desk.tenant_id]
        if isinstance(match, Matched):
            party = await records.party(tx, desk.tenant_id, match.customer_id, match.location_id)
    joined = bool(decided and decided.plan and decided.plan.joins)
    return case_of(desk.settings, door, delivery, Known(match=match, party=party, lists=lists, joined=joined))


async def _find(desk: Desk, query: str, limit: int) -> "DeliveryPage":
    import msgspec

    from bridge.reports import deliveries as report
    from bridge.reports import masking
    from bridge.reports.search import parse

    asked = parse(query, desk.local)
    for note in asked.notes:
        click.echo(note, err=True)
    page = await report.find(desk.database, desk.tenant_id, asked, limit=limit, sources=desk.sources)
    return msgspec.structs.replace(page, items=tuple(masking.row(row) for row in page.items))


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


def _facts(story: "Story") -> str:
    """Return what is known about a delivery as lines of a name and a value."""
    facts = {
        "delivery": f"{story.id} · {story.status.value} · {story.reason}",
        "what": story.sentence,
        "to do": story.remedy,
        "received": f"{story.received_at:%Y-%m-%d %H:%M:%S} UTC through {story.source_id} ({story.event_type})",
        "proved by": story.verified_by,
        "key": story.dedup_key,
        "trace": story.trace_id,
        "who": story.name,
    }
    facts |= {
        f"effect {one.id}": f"{one.kind} · {one.state}"
        + (f" · {one.reason}" if one.reason else "")
        + "".join(
            f" · {name or 'id'} {value}" for tried in one.attempts for name, value in (tried.created or {}).items()
        )
        for one in story.effects
    }
    facts |= {f"hold {one.id}": f"{one.reason} · {one.state}" for one in story.holds}
    return "\n".join(f"{name:<12} {value}" for name, value in facts.items() if value)


def _row(row: "DeliveryRow") -> str:
    end = row.phones[0][-4:] if row.phones else ""
    return f"{row.id:>8}  {row.received_at:%m-%d %H:%M:%S}  {row.status:<10}  {row.source_id:<20}  {end:>4}  {row.sentence}"
