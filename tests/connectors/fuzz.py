"""The long fuzz run over all connectors, with its report: `python -m tests.connectors.fuzz [--examples N] [--seed N]`."""

import argparse
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path

import hypothesis

REPORT = Path(__file__).parents[2] / "docs/fuzz.json"


def main() -> int:
    """Run every fuzz test with its share of the examples, write the report, and tell by the exit code whether all held."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--examples", type=int, default=25_000, help="in all, over all tests")
    reader.add_argument("--seed", type=int, default=1)
    given = reader.parse_args()
    os.environ["BRIDGE_FUZZ_EXAMPLES"] = str(max(301, given.examples // 5))
    from tests.connectors import test_fuzz

    tests = {name: test for name, test in vars(test_fuzz).items() if name.startswith("test_")}
    faults: dict[str, str] = {}
    start = time.process_time()
    for name, test in tests.items():
        try:
            hypothesis.seed(given.seed)(test)()
        except Exception as fault:
            faults[name] = f"{type(fault).__name__}: {fault}"
    ends = test_fuzz.ENDS
    told = {
        "command": f"python -m tests.connectors.fuzz --examples {given.examples} --seed {given.seed}",
        "hypothesis": hypothesis.__version__, "cpu_seconds": round(time.process_time() - start),
        "tests": sorted(tests), "examples": sum(map(Counter.total, ends.values())), "ends": sum(ends.values(), Counter()),
        "unhandled": faults, "connectors": {kind: dict(sorted(found.items())) for kind, found in sorted(ends.items())},
    }  # fmt: skip
    REPORT.write_text(json.dumps(told, indent=2) + "\n")
    print(f"{told['examples']} examples over {len(ends)} connectors, {len(faults)} unhandled; see {REPORT.name}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
