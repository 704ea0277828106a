"""`bridge vectors run DIR`: captured requests through verify and normalize, each with its verdict and what it asks for."""

from pathlib import Path
from typing import Any

import rich_click as click

from bridge.entrypoints.cli.exits import Exit


@click.group()
def vectors() -> None:
    """Run captured webhook requests through verification and normalization, without a server or database."""


@vectors.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--only", default="", help="Only providers whose name holds this text.")
@click.option("--quiet", "-q", is_flag=True, help="Print failures and the summary alone.")
def run(folder: Path, as_json: bool, only: str, quiet: bool) -> None:
    """Verify (clock frozen) and normalize every vector file under FOLDER; exit 1 where one disagrees or cannot be read."""
    import msgspec

    from bridge.entrypoints.cli.vector_run import run_folder

    rows = run_folder(folder, only=only)
    bad = [row for row in rows if row.is_failure]
    if as_json:
        document = {"files": len(rows), "failures": len(bad), "rows": [msgspec.to_builtins(row) for row in rows]}
        print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
    else:
        for row in rows:
            if not quiet or row.is_failure:
                _print(row)
        judged = [row for row in rows if row.agrees is not None]
        print(
            f"{len(rows)} files, {len(judged)} with an expectation, {sum(row.agrees is True for row in judged)} agree, {len(bad)} fail"
        )
    raise SystemExit(Exit.PROBLEMS if bad or not rows else Exit.FINE)


def _print(row: Any) -> None:
    mark = {True: "agrees", False: "DISAGREES", None: "-"}[row.agrees]
    said = f" ({row.reason})" if row.reason else ""
    print(f"{row.provider:24} {row.case:44} {row.verdict}{said}  [{mark}]  {row.event_type}")
    if row.error:
        print(f"    ! {row.error}")
    for inquiry in row.inquiries:
        person = inquiry.get("person", {})
        phones, emails = person.get("phones", ()), person.get("emails", ())
        name = person.get("name") or " ".join(filter(None, (person.get("given_name"), person.get("surname"))))
        told = " · ".join(
            filter(
                None, (name, *phones, *emails, inquiry.get("service"), inquiry.get("message") or inquiry.get("text"))
            )
        )
        print(f"    {inquiry['type']} {inquiry['key']}: {told}")
    for part in row.skipped:
        print(f"    skipped {part['event_type']}: {part['reason']}")
    for fetch in row.fetches:
        print(f"    fetch {fetch}")
