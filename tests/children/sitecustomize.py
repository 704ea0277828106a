"""Read by every Python that a test starts: what a role of the bridge logs is copied to where the tests look for people in it."""

import io
import os
import sys
from pathlib import Path

ROLES = frozenset({"serve", "work", "sync", "up"})


class Both(io.RawIOBase):
    """Writes to standard output and to a file of this process's own."""

    def __init__(self, copy: int) -> None:
        self._copy = copy

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return 1

    def write(self, data: "bytes | memoryview") -> int:
        os.write(self._copy, data)
        return os.write(1, data)


folder = os.environ.get("LOGS_OF_TESTS")
if folder and not ROLES.isdisjoint(sys.orig_argv):
    opened = os.open(Path(folder) / f"{os.getpid()}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(Both(opened)), encoding="utf-8", line_buffering=True)
