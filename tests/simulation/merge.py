"""`python -m tests.simulation.merge REPORT…`: several reports of the simulation as one."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec


def merge(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the sum of the reports."""
    counts: Counter[str] = Counter()
    for report in reports:
        counts.update(report["counts"])
    return {
        "commits": sorted({report["commit"] for report in reports if "commit" in report}),
        "histories": sum(report["histories"] for report in reports),
        "seeds": [min(r["seeds"][0] for r in reports), max(r["seeds"][1] for r in reports)] if reports else [],
        "violations": sum(report["violations"] for report in reports),
        "seconds": round(sum(report["seconds"] for report in reports), 1),
        "counts": dict(sorted(counts.items())),
        "broken": [one for report in reports for one in report["broken"]],
    }


if __name__ == "__main__":
    found = [msgspec.json.decode(Path(name).read_bytes()) for name in sorted(sys.argv[1:]) if Path(name).stat().st_size]
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(merge(found)), indent=2).decode() + "\n")
