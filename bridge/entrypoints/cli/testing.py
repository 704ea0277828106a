"""`bridge test`: the test cases that stand in YAML beside the config."""

import json
from pathlib import Path

import rich_click as click

from bridge.entrypoints.cli.exits import Exit, Stop


@click.command()
@click.argument("place", metavar="[PATH]", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--config", type=click.Path(exists=True, path_type=Path), default=None, help="The config that is tested.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def test(place: Path | None, config: Path | None, as_json: bool) -> None:
    """Run the tests of a config: `tests/*.yaml` beside it, or those at PATH. Needs no database and no secret.

    PATH is a config folder, a folder of tests or one file. Exit code 1 where a case differs or a file has a fault.
    """
    from bridge.entrypoints.casework import cases
    from bridge.entrypoints.casework.running import Bench
    from bridge.entrypoints.cli.plan import config_at

    tests, folder = _places(place)
    settings = config_at(config or folder)
    files = cases.files_at(tests)
    if not files:
        raise Stop(Exit.PROBLEMS, f"no *.yaml file is in {tests}")
    found, faults = cases.read(files, settings)
    bench = Bench(settings)
    results = [bench.run(case) for case in found]
    failed = [result for result in results if result.differences]
    if as_json:
        told = {
            "ok": not failed and not faults,
            "tests": [
                {
                    "name": result.name,
                    "at": f"{result.at.file}:{result.at.line}",
                    "ok": not result.differences,
                    "differences": [
                        {"at": f"{one.place.file}:{one.place.line}", "path": one.path, "message": one.message}
                        for one in result.differences
                    ],
                }
                for result in results
            ],
            "faults": [str(fault).partition("\n")[0] for fault in faults],
        }
        click.echo(json.dumps(told, indent=2))
    else:
        for fault in faults:
            click.echo(str(fault))
        for result in failed:
            click.echo(f"✗ {result.name} ({result.at.file}:{result.at.line})")
            for one in result.differences:
                click.echo(str(one))
        click.echo(f"{len(results)} tests: {len(results) - len(failed)} pass, {len(failed)} fail, {len(faults)} faults")
    if failed or faults:
        raise Stop(Exit.PROBLEMS)


def _places(place: Path | None) -> tuple[Path, Path]:
    """Return where the tests are and where the config is."""
    import os

    if place is None:
        place = Path(os.environ.get("BRIDGE_CONFIG") or "config")
        if not place.exists():
            raise Stop(Exit.USAGE, f"there is no {place}: say where the tests are")
        return (place if place.is_dir() else place.parent) / "tests", place
    if (place / "tests").is_dir():
        return place / "tests", place
    return place, (place if place.is_dir() else place.parent).resolve().parent
