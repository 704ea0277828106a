"""`bridge plan`: what another config would do differently with all that was recorded; nothing is written or sent."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from bridge.entrypoints.cli.desk import TENANT, Desk, at_desk, tenant_of
from bridge.entrypoints.cli.exits import Exit, Stop

if TYPE_CHECKING:
    from datetime import datetime

    from bridge.entrypoints.whatif import WhatIf
    from bridge.settings import Settings


def config_at(place: Path) -> "Settings":
    """Return the config of a place, with its secrets where all are set here; one with faults ends the command with all of them."""
    import os

    from bridge import connectors
    from bridge.settings import Settings, load

    kinds = (*connectors.kinds(), *connectors.ALIASES)
    found = load(place, os.environ, kinds=kinds)
    if not isinstance(found, Settings):
        found = load(place, os.environ, kinds=kinds, read_secrets=False)
    if not isinstance(found, Settings):
        raise Stop(Exit.PROBLEMS, "\n".join(map(str, found)))
    return found


@click.command()
@click.argument("new", metavar="NEWCONFIG", type=click.Path(exists=True, path_type=Path))
@click.option("--since", default="7d", show_default=True, help="30m, 12h, 7d, a date like 2026-11-01, or `all`.")
@click.option("--fail-on-change", is_flag=True, help="Exit code 1 where anything would come out differently.")
@TENANT
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def plan(new: Path, since: str, fail_on_change: bool, tenant: str | None, as_json: bool) -> None:
    """Run NEWCONFIG over recorded deliveries and today's config too, and say what would come out differently.

    Nothing is written and nothing is sent. Two runs over the same deliveries and mirror print the same bytes.
    """
    from bridge.entrypoints import whatif
    from bridge.entrypoints.cli.roles import settings_or_stop
    from bridge.entrypoints.whatif_helpers import processes

    settings, found = settings_or_stop(), config_at(new)

    with processes(tenant_of(settings, tenant), settings, found) as helpers:

        async def compare(desk: Desk) -> whatif.WhatIf:
            began = _since(since, desk.now, desk.local.time_zone)
            return await whatif.compare(desk.database, desk.tenant_id, settings, found, since=began, helpers=helpers)

        told = at_desk(compare, tenant=tenant, settings=settings)
    if as_json:
        import msgspec

        click.echo(json.dumps(msgspec.to_builtins(told), indent=2))
    else:
        _print_changes(told, new, tenant)
    if fail_on_change and told.changes:
        raise Stop(Exit.PROBLEMS)


def _since(text: str, now: "datetime", time_zone: str) -> "datetime | None":
    from datetime import datetime, timedelta
    from zoneinfo import ZoneInfo

    if text == "all":
        return None
    units = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    if text[:-1].isdecimal() and text[-1:] in units:
        return now - timedelta(**{units[text[-1]]: int(text[:-1])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Stop(Exit.USAGE, f"--since {text}: write 12h, 7d, a date like 2026-11-01, or all") from None
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(time_zone))


def _print_changes(told: "WhatIf", new: Path, tenant: str | None) -> None:
    from bridge.entrypoints.differing import counted, sentence

    click.echo(sentence(told.deliveries, told.counts))
    click.echo(
        f"{len(told.changes)} of {told.deliveries} deliveries ({told.inquiries} inquiries) change; config {told.old} -> {told.new}"
    )
    for change in told.changes:
        differences = "; ".join(counted(1, label).removeprefix("1 ") for label in change.differences)
        click.echo(f"\n{change.source} {change.delivery}: {differences}")
        click.echo(f"        bridge explain {change.delivery} --config {new}{f' --tenant {tenant}' if tenant else ''}")
