"""Median time of normalize per connector on a sample of 4 KB: `python benchmarks/normalize.py [--json] [--write DIR]`.

Every case of a kind is grown to 4 KB by further answers, and the slowest of them stands for the kind. The limit holds for
CPU time; the time on the wall stands beside it, and the two are the same on a machine that does nothing else.
"""

import argparse
import json
import os
import platform
import re
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.connectors.casefiles import Case, paths

SIZE = 4_096
ROUNDS = 300
PROBES = 25
LIMIT_MS = 1.0
ANSWER = "an answer of forty letters, more or less"


def samples(kind: str) -> list[Case]:
    """Return the cases of a kind, each grown to 4 KB; what is larger stays as it is."""
    return [grown(Case(path)) for path in paths() if path.parent.name == kind]


def grown(case: Case) -> Case:
    """Return the case with its body near 4 KB by further answers where its own stand: in its richest list or object."""
    body, missing = case.data["body"], SIZE - len(case.request.body)
    if isinstance(body, dict | list):
        _grow(body, missing)
    elif "urlencoded" in (kind := case.data["headers"].get("content-type", "")):
        more = (f"&Question+{place}=an+answer%2C+of+forty+letters%2C+more+or+less" for place in range(missing // 64))
        case.data["body"] = body + "".join(more)
    elif "boundary=" in kind:
        edge = kind.partition("boundary=")[2].strip('"')
        part = f'--{edge}\r\nContent-Disposition: form-data; name="q%d_question"\r\n\r\n{ANSWER}\r\n'
        case.data["body"] = "".join(part % place for place in range(missing // 110)) + body
    elif found := re.search(r"<Notification>.*</Notification>", body, re.DOTALL):
        case.data["body"] = body.replace(found[0], found[0] * (1 + missing // len(found[0])))
    return case


def _grow(body: Any, missing: int) -> None:
    richest = max(_containers(body), key=len)
    if isinstance(richest, list):
        pattern = msgspec.json.encode(richest[-1])
        richest += [msgspec.json.decode(pattern) for _ in range(missing // (len(pattern) + 1))]
    else:
        richest |= {f"Question number {place}": ANSWER for place in range(missing // 66)}


def _containers(data: Any) -> Iterator[Any]:
    """Yield the objects of plain data and its lists of objects."""
    if isinstance(data, dict) or (isinstance(data, list) and data and isinstance(data[0], dict)):
        yield data
    for item in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from _containers(item)


def timed(case: Case, rounds: int) -> tuple[list[float], list[float]]:
    """Return the sorted milliseconds of CPU and on the wall of so many normalizings."""
    delivery = case.delivery()
    wall, cpu = [], []
    for _ in range(rounds):
        start, used = perf_counter(), process_time()
        case.connector.normalize(delivery, options=case.options)
        cpu.append((process_time() - used) * 1000)
        wall.append((perf_counter() - start) * 1000)
    return sorted(cpu), sorted(wall)


def measure(only: str = "") -> dict[str, dict[str, float | str]]:
    """Return per connector the case, its size and the times of one normalize of it."""
    found: dict[str, dict[str, float | str]] = {}
    for kind in sorted({path.parent.name for path in paths() if only in ("", path.parent.name)}):
        case = max(samples(kind), key=lambda case: statistics.median(timed(case, PROBES)[0]))
        cpu, wall = timed(case, ROUNDS)
        found[kind] = {
            "case": case.path.stem, "bytes": len(case.request.body), "cpu_median_ms": round(statistics.median(cpu), 3),
            "wall_median_ms": round(statistics.median(wall), 3), "cpu_p99_ms": round(cpu[int(ROUNDS * 0.99)], 3),
        }  # fmt: skip
    return found


def as_markdown(figures: dict[str, dict[str, float | str]], slow: list[str]) -> str:
    """Return the figures as the page docs/benchmarks/normalize.md."""
    rows = "\n".join(
        f"| {kind} | {row['case']} | {row['bytes']} | {row['cpu_median_ms']:.3f} | {row['wall_median_ms']:.3f} |"
        f" {row['cpu_p99_ms']:.3f} |"
        for kind, row in sorted(figures.items(), key=lambda item: -float(item[1]["cpu_median_ms"]))
    )
    verdict = f"All {len(figures)} are within" if not slow else f"{', '.join(slow)}: over"
    return f"""# Normalize: the time of one delivery

Written by `python benchmarks/normalize.py --write docs/benchmarks`. {verdict} the limit of {LIMIT_MS:.0f} ms of CPU time
(median of {ROUNDS} rounds, Python {platform.python_version()}, {os.cpu_count()} cores). The body is the slowest case of
that sender in `tests/cases`, grown to 4 KB by further answers; slowest first.

| connector | case | bytes | CPU, median ms | wall, median ms | CPU, p99 ms |
| --- | --- | ---: | ---: | ---: | ---: |
{rows}
"""


def main() -> int:
    """Measure, print or write, and tell by the exit code whether all are within the limit."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--json", action="store_true")
    reader.add_argument("--write", metavar="DIR", type=Path)
    reader.add_argument("--only", metavar="CONNECTOR", default="")
    given = reader.parse_args()
    figures = measure(given.only)
    slow = [kind for kind, row in figures.items() if float(row["cpu_median_ms"]) > LIMIT_MS]
    told = json.dumps({"limit_ms": LIMIT_MS, "rounds": ROUNDS, "slow": slow, "connectors": figures}, indent=2)
    if given.write:
        (given.write / "normalize.json").write_text(told + "\n")
        (given.write / "normalize.md").write_text(as_markdown(figures, slow))
    if given.json:
        print(told)
    else:
        for kind, row in figures.items():
            print(
                f"{kind:26} {row['bytes']:6} B   CPU {row['cpu_median_ms']:.3f} ms   wall {row['wall_median_ms']:.3f} ms"
                f"   CPU p99 {row['cpu_p99_ms']:.3f} ms   {row['case']}"
            )
        print(f"all within {LIMIT_MS} ms of CPU" if not slow else f"over {LIMIT_MS} ms: {', '.join(slow)}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
