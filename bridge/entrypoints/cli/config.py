"""`bridge check` and `bridge schema`: the config looked at without touching anything live."""

import json
from pathlib import Path

import rich_click as click

from bridge.entrypoints.cli.exits import Exit, Stop


@click.command()
@click.argument("place", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the faults as JSON.")
@click.option(
    "--secrets/--no-secrets", default=False, help="Also require that every secret the config names is set here."
)
def check(place: Path | None, as_json: bool, secrets: bool) -> None:
    """Check the config: every fault at once, with file, line, column and a guess at what was meant.

    PLACE is a file or folder; by default what BRIDGE_CONFIG names, else ./config. Exit code 1 where anything is wrong.
    """
    import os

    from bridge import connectors
    from bridge.bootstrap import source_faults
    from bridge.settings import Settings, load

    kinds = (*connectors.kinds(), *connectors.ALIASES)
    found = load(place, os.environ, kinds=kinds, inspect=source_faults if secrets else None, read_secrets=secrets)
    faults = () if isinstance(found, Settings) else found
    if as_json:
        listed = [
            {
                "file": fault.place.file,
                "line": fault.place.line,
                "column": fault.place.column,
                "path": fault.path,
                "message": fault.message,
                "hint": fault.hint,
            }
            for fault in faults
        ]
        click.echo(json.dumps({"ok": not faults, "faults": listed}, indent=2))
    else:
        for fault in faults:
            click.echo(str(fault))
        if isinstance(found, Settings):
            said = f"{len(found.tenants)} tenants, {len(found.sources)} sources, {len(found.rules)} rules"
            click.echo(f"fine: {said}; version {found.version.hash}")
    if faults:
        raise Stop(Exit.PROBLEMS)


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Write to this file instead of printing.")
def schema(out: Path | None) -> None:
    """Print the JSON Schema of the config, for editors that complete and check."""
    from bridge.settings.schema import Config

    text = json.dumps(
        {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}, indent=2
    )
    if out is None:
        click.echo(text)
    else:
        out.write_text(text + "\n", encoding="utf-8")
