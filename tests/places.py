"""Where test servers keep their files: in memory where it has room.

A truncated table is three new files or more, and a disk's journal makes that four times as dear: 24 ms for nine tables, and
seconds where others use the disk, against 6 ms.
"""

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108  folders made there have names nobody can guess
ROOM = 4 << 30  # bytes; a whole run takes under one GiB
PREFIX = "bridge-tests-"


def new_folder() -> Path:
    """Make a folder for a server; whoever made it removes it."""
    remove_left_behind()
    made = Path(tempfile.mkdtemp(prefix=PREFIX, dir=MEMORY if has_room() else None))
    made.chmod(0o755)  # a server that root starts runs as somebody else
    return made


def has_room() -> bool:
    """Tell whether memory holds a server's files beside all else."""
    try:
        disk = os.statvfs(MEMORY)
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    except OSError:
        return False
    available = int(lines["MemAvailable"].split()[0]) << 10
    return min(disk.f_bavail * disk.f_frsize, available) >= ROOM


def remove_left_behind() -> None:
    """Remove what runs left in memory that were killed an hour ago or more: nobody holds the lock of their server."""
    for folder in MEMORY.glob(f"{PREFIX}*"):
        lock = folder / "lock"
        if lock.exists() and time.time() - lock.stat().st_mtime > 3600:
            with lock.open("rb") as held:
                try:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                shutil.rmtree(folder, ignore_errors=True)
