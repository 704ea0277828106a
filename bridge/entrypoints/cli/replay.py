"""`bridge retry`, `replay`, `hold` and `resume`: on one delivery, or on every one that a search finds."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import rich_click as click

from bridge.entrypoints.cli import completing
from bridge.entrypoints.cli.desk import Desk, Manner, at_desk, writes
from bridge.entrypoints.cli.exits import Exit, Stop

if TYPE_CHECKING:
    from bridge.entrypoints import preview
    from bridge.operations.audit import Done

_WHAT = click.argument("what", shell_complete=completing.searches)
_MAYBE = click.argument("what", required=False, default="", shell_complete=completing.searches)
_SOURCE = click.option("--source", default="", shell_complete=completing.sources, help="Everything of this source.")


@click.command()
@_WHAT
@writes
def retry(what: str, manner: Manner) -> None:
    """Send again what failed of a delivery (its number) or of every delivery a search finds; decisions stay as they are."""
    from bridge.operations import deliveries

    _each(what, manner, "Retry", deliveries.retry)


@click.command()
@_WHAT
@click.option(
    "--force", is_flag=True, help="Make effects anew although they were made: under a nonce, with a --reason."
)
@writes
def replay(what: str, force: bool, manner: Manner) -> None:
    """Run a stored delivery (its number), or every one a search finds, through today's config; done work is a no-op.

    With --dry-run it says first what would be different, and what would be sent.
    """
    import functools

    from bridge.operations import deliveries

    if force and not manner.reason.strip():
        raise Stop(Exit.REFUSED, "--force makes effects a second time: say --reason")
    told = _foretell(what, manner, force=force) if manner.dry_run else None
    _each(what, manner, "Replay", functools.partial(deliveries.replay, force=force), shown=told)


@click.command()
@_MAYBE
@_SOURCE
@writes
def hold(what: str, source: str, manner: Manner) -> None:
    """Hold back what deliveries still want sent: one (its number), all that a search finds, or a source's, or everything.

    Nothing is lost; `bridge resume` lets it go on. Without WHAT it is the same as `bridge outbox pause` and wants a --reason.
    """
    from bridge.entrypoints.cli.outbox import pause_all
    from bridge.operations import deliveries

    if what:
        _each(what, manner, "Hold", deliveries.hold)
    else:
        pause_all(source, manner)


@click.command()
@_MAYBE
@_SOURCE
@writes
def resume(what: str, source: str, manner: Manner) -> None:
    """Let go on what was held; without WHAT it is the same as `bridge outbox resume`."""
    from bridge.entrypoints.cli.outbox import resume_all
    from bridge.operations import deliveries

    if what:
        _each(what, manner, "Resume", deliveries.resume)
    else:
        resume_all(source, manner)


def _each(
    what: str,
    manner: Manner,
    verb: str,
    action: Callable[..., Awaitable["Done"]],
    *,
    shown: Mapping[str, Any] | None = None,
) -> None:
    """Act on the delivery of a number, or on all that a search finds now; many are asked about first."""
    from bridge.domain.ids import DeliveryId
    from bridge.operations.audit import Done

    found = [int(what)] if what.isdecimal() else at_desk(lambda desk: _matching(desk, what), tenant=manner.tenant)

    async def act(desk: Desk) -> Done:
        outcomes: list[Done] = []
        for number in found:
            here: dict[str, Any] = {"tenant_id": desk.tenant_id, "delivery_id": DeliveryId(number)}
            outcomes.append(await action(desk.database, desk.act, **here))
        if len(outcomes) == 1:
            return outcomes[0]
        done = sum(outcome.is_done for outcome in outcomes)
        if not outcomes:
            return Done(text="Nothing matches.", refusal="nothing_matches")
        return Done(text=f"{verb}: {done} of {len(outcomes)} deliveries.", count=done)

    many = len(found) > 1
    manner.do(act, ask=f"{verb} {len(found)} deliveries?" if many else "", shown=shown)


async def _matching(desk: Desk, what: str) -> list[int]:
    from bridge.reports import deliveries as report
    from bridge.reports.search import parse

    query = parse(what, desk.local)
    if query.notes:
        raise Stop(Exit.USAGE, " ".join(query.notes))
    return await report.matching_ids(desk.database, desk.tenant_id, query, sources=desk.sources)


def _foretell(what: str, manner: Manner, *, force: bool) -> dict[str, Any] | None:
    """Say what a replay of one delivery, or of all that a search finds, would decide differently, or return it for JSON."""
    import msgspec

    async def tell(desk: Desk) -> "list[tuple[int, preview.Change]]":
        found = [int(what)] if what.isdecimal() else await _matching(desk, what)
        return [
            (number, change) for number in found if (change := await _change(desk, number, force=force)) is not None
        ]

    changes = at_desk(tell, tenant=manner.tenant)
    if manner.as_json:
        if what.isdecimal():
            return {"change": msgspec.to_builtins(changes[0][1])} if changes else None
        return {"changes": [{"delivery": number, **msgspec.to_builtins(change)} for number, change in changes]}
    if what.isdecimal():
        for _, change in changes:
            _print_change(change)
    elif changes:
        _print_changes(changes, manner.tenant)
    return None


async def _change(desk: Desk, number: int, *, force: bool) -> "preview.Change | None":
    import asyncio

    from bridge.domain.ids import DeliveryId
    from bridge.entrypoints import preview
    from bridge.entrypoints.context import AppContext
    from bridge.reports import story

    found = await story.tell(desk.database, desk.tenant_id, DeliveryId(number))
    if found is None:
        return None
    context = AppContext(desk.database, desk.settings, {}, lambda: desk.now, asyncio.Event())
    nonce = "dry run" if force else ""
    return preview.masked(await preview.of_delivery(context, found, now=desk.now, nonce=nonce), found)


def _print_change(change: "preview.Change") -> None:
    for line in (*change.differences, change.fault):
        if line:
            click.echo(line)
    if not change.differences and not change.fault:
        click.echo("It would be decided as before.")
    for one in change.effects:
        click.echo(f"  {one.kind.replace('_', ' ')}: {one.verdict}")


def _print_changes(changes: "list[tuple[int, preview.Change]]", tenant: str | None) -> None:
    """Print the sum over many deliveries, and each that would come out differently."""
    from collections import Counter

    other = [(number, change) for number, change in changes if change.differences or change.fault]
    click.echo(f"of {len(changes)}: {len(changes) - len(other)} would be decided as before, {len(other)} differently")
    verdicts = Counter((one.kind, one.verdict) for _, change in changes for one in change.effects)
    for (kind, verdict), count in sorted(verdicts.items()):
        click.echo(f"{count:>7} {kind.replace('_', ' ')}: {verdict}")
    for number, change in other:
        click.echo(f"{number}: {' '.join(filter(None, (*change.differences, change.fault)))}")
        click.echo(f"        bridge replay {number} --dry-run{f' --tenant {tenant}' if tenant else ''}")
