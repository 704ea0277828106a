from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.entrypoints.roles import Roles


@pytest.fixture
def roles(tmp_path: Path, database_dsn: str, free_port: int) -> Iterator[Roles]:
    running = Roles(tmp_path, database_dsn, (free_port, free_port + 1))
    yield running
    for process in running.processes.values():
        process.kill()
        process.wait()
