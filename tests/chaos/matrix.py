"""`python -m tests.chaos.matrix [--cells N] [--seed S] [--out FILE]`: whatever breaks, under each fault of the far side.

Two real servers take signed requests from senders that try again, two real workers decide and send, PostgreSQL and the simulator
are real. In each cell a server or a worker is killed (SIGKILL) at a named point, or PostgreSQL is restarted, crashed, or cuts its
connections. Then what was acknowledged is counted in the simulator's own ledger. Cells come in an order drawn from the seed; those
that FILE already holds are not played again.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from bridge.db import migrations
from bridge.db.embedded import EmbeddedPostgres
from tests.chaos.cells import Cell, Play, all_cells
from tests.chaos.stage import Stage, stage


def report_of(found: list[Cell], *, seed: int) -> dict[str, Any]:
    """Sum up the cells."""
    return {
        "seed": seed,
        "cells": len(found),
        "of": len(all_cells()),
        "broken": sum(one.was_broken for one in found),
        "sent": sum(one.sent for one in found),
        "acknowledged": sum(one.acknowledged for one in found),
        "effects": sum(one.effects for one in found),
        "lost": sum(one.lost for one in found),
        "doubled": sum(one.doubled for one in found),
        "unwanted": sum(one.unwanted for one in found),
        "bad": [[one.point, one.fault] for one in found if not one.is_good],
        "played": found,
    }


def printed(report: dict[str, Any]) -> str:
    """Return the report as it is kept: a line for each cell."""
    head = {name: value for name, value in report.items() if name != "played"}
    lines = ",\n    ".join(msgspec.json.encode(one).decode() for one in report["played"])
    text = msgspec.json.format(msgspec.json.encode(head), indent=2).decode()
    return f'{text[:-2]},\n  "played": [\n    {lines}\n  ]\n}}\n'


def known(out: Path | None) -> list[Cell]:
    """Return the cells that a report holds; one that did not break what it was to break is played again."""
    if out is None or not out.exists():
        return []
    played = msgspec.json.decode(out.read_bytes())["played"]
    return [cell for cell in msgspec.convert(played, list[Cell]) if cell.was_broken]


async def play(
    cells: list[tuple[str, str]], *, made: Stage, postgres: EmbeddedPostgres, seed: int, out: Path | None
) -> dict[str, Any]:
    """Play the cells one after the other; the report is kept after each."""
    found = known(out)
    playing = Play(made, postgres, seed=seed)
    for point, fault in cells:
        found.append(await playing.cell(point, fault))
        if out is not None:
            out.write_text(printed(report_of(found, seed=seed)))
    return report_of(found, seed=seed)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos.matrix", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=len(all_cells()), help="play so many at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="a point, or point,fault")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    done = {(cell.point, cell.fault) for cell in known(asked.out)}
    cells = [one for one in all_cells() if one not in done and ",".join(one).startswith(asked.only)]
    random.Random(asked.seed).shuffle(cells)
    with tempfile.TemporaryDirectory(prefix="bridge-matrix-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with EmbeddedPostgres(folder) as server:
            migrations.upgrade(server.dsn)
            with stage(folder, server.dsn) as made:
                playing = play(cells[: asked.cells], made=made, postgres=server, seed=asked.seed, out=asked.out)
                report = asyncio.run(playing)
    sys.stdout.write(printed(report))
    return int(bool(report["bad"]))


if __name__ == "__main__":
    sys.exit(main())
