"""`bridge doctor`: asks everything the bridge depends on, live, and says what to do about what is wrong."""

import json
from typing import TYPE_CHECKING

import rich_click as click

from bridge.entrypoints.cli.exits import Exit, Stop

if TYPE_CHECKING:
    from bridge.entrypoints.checkup import Finding

_SIGNS = {"ok": "✓", "problem": "✗", "unreachable": "✗", "skipped": "-"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--tenant", default=None, help="Look at this tenant only, by its name in the config.")
def doctor(as_json: bool, tenant: str | None) -> None:
    """Check live: database, migrations, clock, and for each tenant its token, scopes, booking provider and names.

    Exit code: 0 all fine, 1 problems found, 3 something cannot be reached.
    """
    import asyncio

    from bridge.entrypoints.checkup import examine
    from bridge.entrypoints.cli.roles import database_server, settings_or_stop

    settings = settings_or_stop()
    if tenant is not None and tenant not in {one.key for one in settings.tenants.values()}:
        raise Stop(Exit.USAGE, f'no tenant is called "{tenant}"')
    with database_server(settings) as dsn:
        findings = asyncio.run(examine(settings, dsn=dsn, tenant=tenant))
    if as_json:
        click.echo(json.dumps([finding.__dict__ for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(_line(finding))
    states = {finding.state for finding in findings}
    if "unreachable" in states:
        raise Stop(Exit.UNREACHABLE)
    if "problem" in states:
        raise Stop(Exit.PROBLEMS)


def _line(finding: "Finding") -> str:
    text = f"{_SIGNS[finding.state]} {finding.subject}: {finding.text}"
    return f"{text}\n    {finding.remedy}" if finding.remedy else text
