"""`bridge match`: run decision cases, evaluate on files, train weights, certify the rate of wrong matches."""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from bridge.entrypoints.cli.exits import Exit
from bridge.entrypoints.cli.match_files import evaluate
from bridge.entrypoints.cli.match_people import certify, judge, samples, train, use

if TYPE_CHECKING:
    from bridge.db.database import Database
    from bridge.matching.cases import CaseResult


@contextmanager
def _server() -> Iterator[str]:
    """Lend the database of DATABASE_URL, else an embedded one that is gone at the end."""
    import tempfile

    from bridge.db import migrations
    from bridge.db.embedded import EmbeddedPostgres

    given = os.environ.get("DATABASE_URL")
    if given:
        migrations.upgrade(given)
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="bridge-match-") as folder:
        server = EmbeddedPostgres(Path(folder), options={"fsync": "off", "synchronous_commit": "off"})
        dsn = server.start()
        try:
            migrations.upgrade(dsn)
            yield dsn
        finally:
            server.stop()


@asynccontextmanager
async def _opened(dsn: str) -> AsyncIterator["Database"]:
    from bridge.db.database import Database

    database = Database(dsn)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@click.group("match")
def match() -> None:
    """Look at how customers are recognised: decision cases, evaluation on files, training, certification."""


@match.command("cases")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--region", default="US", show_default=True, help="Region of phones without a country code.")
def cases(file: Path, as_json: bool, region: str) -> None:
    """Run decision cases through the real path: mirror tables, keys, look-up in SQL, decision. Nothing is kept.

    Exits 1 where a verdict is forbidden or neither best nor acceptable.
    """
    import asyncio

    import msgspec

    rows = msgspec.json.decode(file.read_bytes())
    rows = rows if isinstance(rows, list) else rows["cases"]

    async def run(dsn: str) -> list["CaseResult"]:
        from bridge.domain.match import MatchSettings
        from bridge.matching.cases import run_case
        from bridge.matching.weights import shipped

        results = []
        async with _opened(dsn) as database, database.begin() as tx:
            for case in rows:
                results.append(await run_case(tx, case, shipped(), MatchSettings(region=region)))
        return results

    with _server() as dsn:
        results = asyncio.run(run(dsn))
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(results)).decode() + "\n")
    else:
        _print_cases(results)
    if any(result.grade in ("forbidden", "unexpected") for result in results):
        raise SystemExit(Exit.PROBLEMS)


def _print_cases(results: list["CaseResult"]) -> None:
    """Print each case with its verdict and what speaks for it."""
    for result in results:
        evidence = result.explanation.evidence
        click.echo(
            f"{result.grade:<10} {result.id:>4} {result.verdict:<16} customer {result.customer_id or '-'} location {result.location_id or '-'}"
            f"  {result.title}  (best {result.expect}; ok {', '.join(result.ok) or '-'}; never {', '.join(result.never) or '-'})"
        )
        click.echo(
            f"{'':15} {evidence.reason}" + (f"; guards: {', '.join(evidence.guards)}" if evidence.guards else "")
        )
        for candidate in evidence.candidates[:2]:
            bits = "  ".join(f"{part.field} {part.level} {part.weight:+.1f}" for part in candidate.comparisons)
            click.echo(
                f"{'':15} {candidate.customer_name} P {candidate.probability:.5f} total {candidate.total:+.1f}: {bits}"
            )
    counts = {
        grade: sum(result.grade == grade for result in results) for grade in ("best", "ok", "unexpected", "forbidden")
    }
    click.echo("  ".join(f"{grade} {number}" for grade, number in counts.items()))


for _command in (evaluate, samples, judge, certify, train, use):
    match.add_command(_command)
