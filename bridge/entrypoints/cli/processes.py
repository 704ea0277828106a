"""A small process tree: children that run our roles, started again when they fall, ended together."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO

_STOP_SECONDS = 4.0
_BACKOFF_SECONDS = (0.2, 1.0, 3.0, 10.0)


class Child:
    """One role in a process of its own; its output goes to ours, or into a log file."""

    def __init__(self, arguments: Sequence[str], *, environ: Mapping[str, str], log: Path | None = None) -> None:
        self.arguments = tuple(arguments)
        self.restarts = 0
        self._environ = dict(environ)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._start_again_at = 0.0

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start the process."""
        sink: IO[bytes] | None = self._log.open("ab") if self._log is not None else None
        try:
            self._process = subprocess.Popen(  # noqa: S603  ourselves
                [sys.executable, "-m", "bridge", *self.arguments],
                env=self._environ,
                stdout=sink,
                stderr=sink,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C reaches the parent, which ends the children in order
            )
        finally:
            if sink is not None:
                sink.close()

    def mind(self) -> None:
        """Start the process again where it fell, a little later each time."""
        if self._process is not None and self._process.poll() is None:
            return
        now = time.monotonic()
        if self._process is not None:
            self._process = None
            self._start_again_at = now + _BACKOFF_SECONDS[min(self.restarts, len(_BACKOFF_SECONDS) - 1)]
            self.restarts += 1
        elif now >= self._start_again_at:
            self.start()

    def has_ended(self) -> bool:
        """Tell whether the process ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def ask_to_reload(self) -> None:
        """Send SIGHUP: the role reads its config anew."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGHUP)

    def stop(self, *, by: float) -> None:
        """Wait for the end until `by` (monotonic seconds), then kill."""
        if self._process is None:
            return
        try:
            self._process.wait(timeout=max(by - time.monotonic(), 0.01))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def stop_all(children: Sequence[Child]) -> None:
    """End all children at once and wait for them together."""
    for child in children:
        child.ask_to_stop()
    by = time.monotonic() + _STOP_SECONDS
    for child in children:
        child.stop(by=by)


class Signals:
    """Remembers that SIGTERM or SIGINT came, so that a loop can end in its own words."""

    def __init__(self) -> None:
        self.stopped = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.stopped = True


def free_port(preferred: int) -> int:
    """Return the port itself where nobody listens on it, else any free one."""
    import socket

    for port in (preferred, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise OSError("no port is free")


def environment(**added: str) -> dict[str, str]:
    """Return our environment with some variables set; no role reads standard input or buffers its log."""
    return {**os.environ, "PYTHONUNBUFFERED": "1", **added}
