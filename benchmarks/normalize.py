"""Median time of normalize per connector on its own sample, grown to 4 KB: `python benchmarks/normalize.py [--json]`."""

import json
import statistics
import sys
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.connectors.casefiles import Case, paths

SIZE = 4_096
ROUNDS = 300
LIMIT_MS = 1.0


def grown(case: Case) -> Case:
    """Return the case with its body near 4 KB: more answers where it is JSON, a longer text in a form."""
    body = case.data["body"]
    missing = SIZE - len(case.request.body)
    if isinstance(body, dict) and missing > 0:
        body.update(
            {
                f"Question number {place}": "an answer of forty letters, more or less.."
                for place in range(max(1, missing // 70))
            }
        )
    elif isinstance(body, str) and "urlencoded" in case.data["headers"]["content-type"] and missing > 0:
        case.data["body"] = body + "".join(
            f"&Question+{place}=an+answer+of+forty+letters" for place in range(missing // 40)
        )
    return case


def measure() -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for path in paths():
        if path.parent.name in found:
            continue
        case = grown(Case(path))
        delivery = case.delivery()
        times = []
        for _ in range(ROUNDS):
            start = perf_counter()
            case.connector.normalize(delivery, options=case.options)
            times.append((perf_counter() - start) * 1000)
        found[path.parent.name] = {
            "bytes": len(delivery.request.body), "median_ms": round(statistics.median(times), 4),
            "p99_ms": round(sorted(times)[int(ROUNDS * 0.99)], 4),
        }  # fmt: skip
    return found


if __name__ == "__main__":
    figures = measure()
    slow = [kind for kind, row in figures.items() if row["median_ms"] > LIMIT_MS]
    if "--json" in sys.argv:
        print(json.dumps({"limit_ms": LIMIT_MS, "slow": slow, "connectors": figures}, indent=2))
    else:
        for kind, row in figures.items():
            print(f"{kind:26} {row['bytes']:6.0f} B   median {row['median_ms']:.3f} ms   p99 {row['p99_ms']:.3f} ms")
        print(f"all within {LIMIT_MS} ms" if not slow else f"over {LIMIT_MS} ms: {', '.join(slow)}")
    sys.exit(1 if slow else 0)
