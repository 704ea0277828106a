"""`python -m tests.simulation.merge REPORT…`: several reports of the simulation as one."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec


def merge(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the sum of the reports; their seeds must follow each other."""
    counts: Counter[str] = Counter()
    for report in reports:
        counts.update(report["counts"])
    return {
        "histories": sum(report["histories"] for report in reports),
        "seeds": [min(report["seeds"][0] for report in reports), max(report["seeds"][1] for report in reports)],
        "violations": sum(report["violations"] for report in reports),
        "seconds": round(sum(report["seconds"] for report in reports), 1),
        "counts": dict(sorted(counts.items())),
        "broken": [one for report in reports for one in report["broken"]],
    }


if __name__ == "__main__":
    found = [msgspec.json.decode(Path(name).read_bytes()) for name in sorted(sys.argv[1:]) if Path(name).stat().st_size]
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(merge(found)), indent=2).decode() + "\n")
