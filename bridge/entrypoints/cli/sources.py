"""`bridge sources`: the ways in and how they behave."""

import json
import time
from typing import TYPE_CHECKING

import rich_click as click

from bridge.entrypoints.cli import completing
from bridge.entrypoints.cli.desk import JSON, TENANT, Desk, at_desk, show
from bridge.entrypoints.cli.exits import Exit, Stop

if TYPE_CHECKING:
    from bridge.reports.sources import SourceSeen


@click.group()
def sources() -> None:
    """See the ways in and how busy they are; ask whether one can be reached."""


@sources.command("list")
@TENANT
@JSON
def list_(tenant: str | None, as_json: bool) -> None:
    """List sources with what came today, what is usual by now, and when the last one came."""
    from bridge.reports import overview
    from bridge.reports import sources as report

    async def find(desk: Desk) -> "list[SourceSeen]":
        names = [name for name, one in desk.settings.sources.items() if one.tenant_id == desk.tenant_id]
        since = overview.midnight(desk.now, desk.local.time_zone)
        return await report.sources(
            desk.database, desk.tenant_id, names, time_zone=desk.local.time_zone, since=since, now=desk.now
        )

    show(
        at_desk(find, tenant=tenant),
        as_json=as_json,
        line=_line,
    )


def _line(one: "SourceSeen") -> str:
    last = f"{one.last_at:%m-%d %H:%M}" if one.last_at else "never"
    quiet = "  QUIET" if one.is_quiet else ""
    return f"{one.source_id:<20} {one.today:>5} today  {one.expected:>6.1f} usual by now  last {last}{quiet}"


@sources.command()
@click.argument("source", shell_complete=completing.sources)
@JSON
def ping(source: str, as_json: bool) -> None:
    """Post an empty, unsigned request to the source's own address: it must be reached and must refuse it."""
    import urllib.error
    import urllib.request

    from bridge.entrypoints.cli.roles import settings_or_stop

    settings = settings_or_stop()
    source_id = next((name for name in settings.sources if name == source), None)
    if source_id is None:
        raise Stop(Exit.USAGE, f"no source is called “{source}”; there are {', '.join(settings.sources)}")
    address = settings.hook_url(source_id)
    request = urllib.request.Request(address, data=b"", method="POST")  # noqa: S310  the configured address of ours
    started = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            status = answer.status
    except urllib.error.HTTPError as refused:
        status = refused.code
    except OSError as error:
        raise Stop(Exit.UNREACHABLE, f"{address} cannot be reached: {type(error).__name__}") from None
    took = round((time.monotonic() - started) * 1000)
    refuses = 400 <= status < 500 and status != 404
    result = {"source": source, "url": address, "status": status, "milliseconds": took, "refuses_unsigned": refuses}
    click.echo(
        json.dumps(result)
        if as_json
        else f"{address} answers {status} in {took} ms" + ("" if refuses else "; an unsigned request must be refused")
    )
    if not refuses and not settings.sources[source_id].unsigned:
        raise Stop(Exit.PROBLEMS)
