"""`bridge match evaluate`: link two files without labels and compare with the truth."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from bridge.entrypoints.cli.exits import Exit, Stop

if TYPE_CHECKING:
    from bridge.matching.linkage.evaluate import Evaluation

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("evaluate")
@click.option("--left", type=_file, required=True, help="CSV whose records are looked up.")
@click.option("--right", type=_file, required=True, help="CSV in which they are looked up.")
@click.option(
    "--truth", type=_file, required=True, help="CSV with left_id and right_id of the pairs that are the same."
)
@click.option("--columns", type=_file, default=None, help="YAML that names columns which are called otherwise.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def evaluate(left: Path, right: Path, truth: Path, columns: Path | None, as_json: bool) -> None:
    """Link two files without labels and compare with the truth.

    Weights are learnt from the files themselves. Columns: id, given_name, middle_name, surname, name, phone, phone2, email,
    street_number, street, unit, city, state, zip; date_of_birth and national_id where --columns maps them.
    """
    import msgspec

    from bridge.matching.linkage import evaluate as linkage
    from bridge.matching.linkage import files

    try:
        mapping = _mapping(columns)
        lefts, rights = files.read_records(left, mapping), files.read_records(right, mapping)
        pairs = files.read_truth(truth)
        files.check_truth(pairs, lefts, rights)
    except files.FileUnreadable as error:
        raise Stop(Exit.USAGE, str(error)) from None
    result = linkage.evaluate(lefts, rights, pairs)
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(result)).decode() + "\n")
    else:
        _print(result)


def _mapping(path: Path | None) -> dict[str, object] | None:
    """Return the mapping of a YAML file, None without one."""
    if path is None:
        return None
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    from bridge.matching.linkage.files import FileUnreadable

    try:
        read = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8-sig"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise FileUnreadable(f"{path}: {error}") from None
    if isinstance(read, dict) and set(read) == {"columns"}:
        read = read["columns"]
    if not isinstance(read, dict):
        raise FileUnreadable(f"{path}: a mapping of columns is needed, such as `surname: last_name`")
    return {str(name): value for name, value in read.items()}


def _print(result: "Evaluation") -> None:
    """Print what came of it, the thresholds as a table."""
    click.echo(
        f"left {result.left:,}  right {result.right:,}  true pairs {result.true_pairs:,}  compared {result.compared_pairs:,}"
    )
    click.echo(f"pairs found {result.pairs_found:,} of {result.true_pairs:,}; {result.blocking_lost:,} share no key")
    click.echo(
        f"{'P >=':>6} {'links':>8} {'wrong':>6} {'precision':>10} {'recall':>8} {'F1':>8}  wrong links at most (95 %)"
    )
    for at in result.at:
        click.echo(
            f"{at.threshold:>6} {at.links:>8,} {at.wrong:>6,} {at.precision:>10.6f} {at.recall:>8.5f} {at.f1:>8.5f}"
            f"  {at.wrong_upper * 1000:.2f} per 1,000"
        )
    click.echo(
        f"weights learnt in {result.fit_seconds:.1f} s; a look-up takes {result.lookup_ms_p50:.2f} ms (p50), {result.lookup_ms_p99:.2f} ms (p99)"
    )
