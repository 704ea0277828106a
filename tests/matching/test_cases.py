"""Every decision case through the real path: the best or an acceptable verdict, never a forbidden one."""

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bridge.db.database import Tx
from bridge.domain.match import MatchSettings
from bridge.matching.cases import CaseResult, run_case
from bridge.matching.weights import shipped

CASES = Path(__file__).parent / "cases"


def cases_of(path: Path) -> list[dict[str, Any]]:
    read = msgspec.json.decode(path.read_bytes())
    rows: list[dict[str, Any]] = read if isinstance(read, list) else read["cases"]
    return rows


async def results_of(tx: Tx, path: Path) -> list[CaseResult]:
    return [await run_case(tx, case, shipped(), MatchSettings()) for case in cases_of(path)]


def wrong_ones(results: list[CaseResult]) -> list[str]:
    return [
        f"{result.id} {result.title}: {result.verdict} is {result.grade}, best {result.expect}, {result.explanation.evidence.reason}"
        for result in results
        if result.grade not in ("best", "ok")
    ]


@pytest.mark.parametrize("path", sorted(CASES.glob("*.json")), ids=lambda path: path.stem)
async def test_a_case_gets_its_best_or_an_acceptable_verdict(tx: Tx, path: Path) -> None:
    results = await results_of(tx, path)
    assert wrong_ones(results) == []
    assert Counter(result.grade for result in results)["best"] >= 0.8 * len(results)


async def test_the_reference_cases_pass(tx: Tx, shared_dir: Path) -> None:
    results = await results_of(tx, shared_dir / "matching" / "decision_cases.json")
    assert len(results) >= 39
    assert wrong_ones(results) == []


async def test_a_case_that_expects_another_customer_is_forbidden_and_not_best(tx: Tx) -> None:
    case = cases_of(CASES / "names.json")[0] | {"want_ids": [4, 41]}
    result = await run_case(tx, case, shipped(), MatchSettings())
    assert (result.verdict, result.grade) == ("MATCH", "forbidden")
