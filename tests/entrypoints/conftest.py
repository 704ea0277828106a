from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.entrypoints.roles import Roles
from tests.ports import unused_port


@pytest.fixture
def roles(tmp_path: Path, database_dsn: str, free_port: int) -> Iterator[Roles]:
    running = Roles(tmp_path, database_dsn, (free_port, unused_port()))
    yield running
    for process in running.processes.values():
        process.kill()
        process.wait()
