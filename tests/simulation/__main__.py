"""`python -m tests.simulation --histories N --seed S [--stormy] [--jobs N] [--json]`: seeded histories over the real pipeline and PostgreSQL."""

import argparse
import sys
from pathlib import Path

import msgspec

from tests.simulation.bugs import NAMES
from tests.simulation.play import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--histories", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes, each with a database of its own")
    parser.add_argument(
        "--bug", default="", choices=["", *NAMES], help="switch a known bug on and stop where it is found"
    )
    parser.add_argument(
        "--stormy", action="store_true", help="more that breaks at once, and every other history with nothing scripted"
    )
    parser.add_argument(
        "--out", type=Path, help="a folder for the reports of chunks; what is there is not played again"
    )
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    report = run(
        histories=asked.histories,
        seed=asked.seed,
        jobs=asked.jobs,
        bug=asked.bug,
        is_stormy=asked.stormy,
        out=asked.out,
    )
    if asked.json:
        print(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    else:
        print(f"{report['histories']} histories from seed {asked.seed}: {report['violations']} with violations,")
        print(f"  {report['seconds']} s")
        for one in report["broken"][:20]:
            print(f"  seed {one['seed']}: " + "\n    ".join(one["violations"]))
    return 0 if bool(report["violations"]) == bool(asked.bug) else 1


if __name__ == "__main__":
    sys.exit(main())
