"""`bridge match evaluate`: two files linked without labels, whatever their columns are called, and told what they lack."""

import csv
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bridge.entrypoints.cli import cli

pytestmark = pytest.mark.slow

PEOPLE = 150
GIVEN = (
    "Ada",
    "Bert",
    "Cleo",
    "Dora",
    "Emil",
    "Faye",
    "Gus",
    "Hope",
    "Ivo",
    "June",
    "Kurt",
    "Lena",
    "Milo",
    "Nora",
    "Otto",
    "Pia",
)
SURNAMES = ("Archer", "Bishop", "Calder", "Dunmore", "Ellwood", "Farnham", "Goodall", "Hartley", "Ingram", "Jessop", "Kirkby",
            "Langton", "Merrick", "Norwood", "Oakley", "Penrose", "Quarles", "Ridley", "Selwyn", "Thorne")  # fmt: skip
STREETS = ("Oak St", "Harbor Ln", "Mill Rd", "Birch Ave", "Quarry Ct", "Summit Dr", "Ferry St", "Orchard Way")
HEADER = ("id", "given_name", "surname", "phone", "street_number", "street", "city", "zip")
RENAMED = dict(zip(HEADER, ("Ref", "Fore Name", "Nach-Name", "Handy", "Nr", "Strasse", "Ort", "PLZ"), strict=True))


def slipped(text: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(text))
    return text[:at] + chance.choice("aeinorst") + text[at + 1 :]


def town() -> tuple[list[list[str]], list[list[str]]]:
    """Return two lists of the same people: the second with slips, and with another number now and then."""
    chance = random.Random(4)
    left, right = [], []
    for number in range(PEOPLE):
        row = [chance.choice(GIVEN), chance.choice(SURNAMES), f"512{chance.randint(2_000_000, 9_999_999)}",
               str(chance.randint(1, 900)), chance.choice(STREETS), "Austin", chance.choice(("78701", "78702", "78703"))]  # fmt: skip
        left.append([f"a{number}", *row])
        if chance.random() < 0.25:
            row[chance.randrange(2)] = slipped(row[chance.randrange(2)], chance)
        if chance.random() < 0.2:
            row[2] = ""
        right.append([f"b{number}", *row])
    return left, right


def written(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def run(folder: Path, *more: str, header: Sequence[str] = HEADER, rows: Any = None) -> Any:
    left, right = rows or town()
    files = [written(folder / "a.csv", header, left), written(folder / "b.csv", header, right)]
    truth = written(
        folder / "t.csv", ("left_id", "right_id"), [(f"a{n}", f"b{n}") for n in range(min(len(left), len(right)))]
    )
    words = ["--left", str(files[0]), "--right", str(files[1]), "--truth", str(truth), *more]
    return CliRunner().invoke(cli, ["match", "evaluate", *words])


def at_half(answer: Any) -> dict[str, Any]:
    assert answer.exit_code == 0, answer.output
    found: dict[str, Any] = json.loads(answer.output)["at"][0]
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return at_half(run(tmp_path_factory.mktemp("plain"), "--json"))


def test_people_are_found_without_labels(plain: dict[str, Any]) -> None:
    assert plain["threshold"] == 0.5
    assert plain["precision"] > 0.99
    assert plain["recall"] > 0.97


def test_columns_called_otherwise_give_the_same_links(tmp_path: Path, plain: dict[str, Any]) -> None:
    mapping = tmp_path / "map.yaml"
    mapping.write_text("".join(f'{ours}: "{theirs}"\n' for ours, theirs in RENAMED.items()))
    assert at_half(run(tmp_path, "--json", "--columns", str(mapping), header=tuple(RENAMED.values()))) == plain


def test_columns_that_are_missing_are_nothing_against_anybody(tmp_path: Path) -> None:
    kept = [at for at, name in enumerate(HEADER) if name not in ("phone", "city")]
    rows = tuple([[row[at] for at in kept] for row in side] for side in town())
    found = at_half(run(tmp_path, "--json", header=[HEADER[at] for at in kept], rows=rows))
    assert found["precision"] > 0.99
    assert found["recall"] > 0.95


@pytest.mark.parametrize(
    "rows", [([], []), ([], town()[1]), (town()[0][:1], town()[1][:1])], ids=["none", "one side", "one pair"]
)
def test_files_of_nobody_and_of_one_are_linked_without_a_fault(tmp_path: Path, rows: Any) -> None:
    answer = run(tmp_path, "--json", rows=rows)
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.output)["at"][0]["wrong"] == 0


def test_what_a_file_lacks_is_told(tmp_path: Path) -> None:
    answer = run(tmp_path, header=("x", "y", "z"), rows=([["1", "2", "3"]], [["1", "2", "3"]]))
    assert answer.exit_code != 0
    assert "none of the columns" in str(answer.exception) + answer.output
    (tmp_path / "map.yaml").write_text("surname: nachname\n")
    answer = run(tmp_path, "--columns", str(tmp_path / "map.yaml"))
    assert answer.exit_code != 0
    assert "nachname" in str(answer.exception) + answer.output
