"""`bridge check` and `bridge schema`: the config looked at without touching anything live."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from bridge.entrypoints.cli.exits import Exit, Stop

if TYPE_CHECKING:
    from bridge.domain.ids import TenantId
    from bridge.domain.reference import ReferenceLists


@click.command()
@click.argument("place", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the faults as JSON.")
@click.option(
    "--secrets/--no-secrets", default=False, help="Also require that every secret the config names is set here."
)
@click.option(
    "--names/--no-names",
    default=True,
    show_default=True,
    help="Look up campaigns, units, job types, tags and fields in the mirror, where a database is at hand.",
)
def check(place: Path | None, as_json: bool, secrets: bool, names: bool) -> None:
    """Check the config: every fault at once, with file, line, column and a guess at what was meant.

    PLACE is a file or folder; by default what BRIDGE_CONFIG names, else ./config. Exit code 1 where anything is wrong.
    """
    import os

    from bridge import connectors
    from bridge.bootstrap import source_faults
    from bridge.settings import Settings, load

    if place is None and not os.environ.get("BRIDGE_CONFIG") and Path("config").is_dir():
        place = Path("config")
    kinds = (*connectors.kinds(), *connectors.ALIASES)
    mirror = _Mirror()
    found = load(
        place,
        os.environ,
        kinds=kinds,
        inspect=source_faults,
        read_secrets=secrets,
        mirror=mirror.lists if names else None,
    )
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
                "text": fault.place.text,
            }
            for fault in faults
        ]
        looked = {"secrets": secrets, "names": mirror.known}
        click.echo(json.dumps({"ok": not faults, "looked_at": looked, "faults": listed}, indent=2))
    else:
        for fault in faults:
            click.echo(str(fault))
        if isinstance(found, Settings):
            said = f"{len(found.tenants)} tenants, {len(found.sources)} sources, {len(found.rules)} rules"
            click.echo(f"fine: {said}; version {found.version.hash}")
        click.echo(_not_looked_at(secrets=secrets, mirror=mirror), err=True)
    if faults:
        raise Stop(Exit.PROBLEMS)


class _Mirror:
    """The mirror of the database that is at hand, and which tenants' names it knew."""

    def __init__(self) -> None:
        self.known: list[str] = []

    def lists(self, tenants: "Mapping[str, TenantId]") -> "Mapping[str, ReferenceLists]":
        """Return what it holds of tenants; nothing where there is no database."""
        import asyncio
        import os

        from bridge.db.embedded import EmbeddedPostgres
        from bridge.entrypoints.checkup import lists_at_hand

        embedded = EmbeddedPostgres(Path(os.environ.get("BRIDGE_DATA_DIR") or ".bridge"))
        dsn = os.environ.get("BRIDGE_DATABASE_URL") or os.environ.get("DATABASE_URL") or embedded.dsn
        found = asyncio.run(lists_at_hand(dsn, tenants)) or {}
        self.known = list(found)
        return found


def _not_looked_at(*, secrets: bool, mirror: _Mirror) -> str:
    """Say what was looked at and what was not, so that nobody takes silence for a yes."""
    names = (
        f"names looked up in the mirror of {', '.join(mirror.known)}"
        if mirror.known
        else "no mirror at hand, names not looked up"
    )
    return f"{names}; secrets {'read' if secrets else 'not looked at (--secrets)'}"


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Write to this file instead of printing.")
@click.option("--tests", is_flag=True, help="The schema of the test files of `bridge test`.")
def schema(out: Path | None, tests: bool) -> None:
    """Print the JSON Schema of the config, or of its test files, for editors that complete and check."""
    from bridge.entrypoints.casework.shape import schema as of_tests
    from bridge.settings.schema import Config

    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    text = json.dumps(of_tests() if tests else {**head, **Config.model_json_schema()}, indent=2)
    if out is None:
        click.echo(text)
    else:
        out.write_text(text + "\n", encoding="utf-8")
