"""No log names a person: every line of a whole test run is looked at, our own and those of the roles that tests start."""

import logging
import os
import re
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog

from bridge.entrypoints import logs

CHILDREN = Path(__file__).parent / "children"
NAMES = (
    "maria lopez", "lopez", "okafor", "whitaker", "whitfield", "oyelaran", "priya raman", "o'brien", "fernández",
    "barton springs", "1422 oak", "9 elm ct", "300 lake dr", "77 hill rd", "bee cave", "small children", "breaker trips", "ac is out",
)  # fmt: skip
"""Invented people whom many tests share, their streets and what they wrote."""
PERSON = re.compile(
    "|".join(
        (
            *map(re.escape, NAMES),
            r"[\w.+-]+@[\w-]+\.[a-z]{2,}",  # any e-mail address
            r"(?<![\w.-])(?:\+?1[-. ]?)?\(?[2-9]\d\d\)?[-. ]?555[-. ]?\d{4}(?![\w-])",  # any number of a person made up: 555
        )
    ).encode(),
    re.IGNORECASE,
)


def people_in(lines: bytes) -> list[str]:
    """Return the lines that name somebody."""
    return [line.decode(errors="replace") for line in lines.splitlines() if PERSON.search(line)]


def _line(_logger: object, method: str, event: MutableMapping[str, Any]) -> bytes:
    """Return the line that the program would write; a processor, so that a test may still capture the events themselves."""
    return logs._Logger(None, [], {})._line(method, event.pop("event"), dict(event))


class Watch(logging.Handler):
    """Takes every line of this process as it would be written, and finds the new ones of the processes it started."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.setFormatter(logs._Sparse())
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._found: list[str] = []

    def install(self) -> None:
        """Have this process log as the program does, to here; again before each test, for a command may change it."""
        structlog.configure(
            processors=[_line],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=lambda *_: self,
            cache_logger_on_first_use=False,
        )
        root = logging.getLogger()
        if self not in root.handlers:
            root.addHandler(self)
        logging.getLogger("bridge").setLevel(logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        """Look at a line of the standard library's loggers."""
        if record.name != "line":
            self._found += people_in(self.format(record).encode())

    def info(self, line: bytes) -> None:
        """Look at a line of ours, and hand it to pytest, which shows it where a test fails."""
        self._found += people_in(line)
        logging.getLogger("line").warning("%s", line)

    debug = warning = error = critical = exception = info

    def found(self) -> list[str]:
        """Return the lines that named somebody since the last look."""
        for path in self._folder.glob("*.log"):
            size = path.stat().st_size
            if size > self._read.get(path, 0):
                with path.open("rb") as log:
                    log.seek(self._read.get(path, 0))
                    self._found += people_in(log.read(size - self._read.get(path, 0)))
                self._read[path] = size
        found, self._found = self._found, []
        return found


def watch(folder: Path) -> Watch:
    """Return a watch whose children write into a folder."""
    folder.mkdir(exist_ok=True)
    os.environ["LOGS_OF_TESTS"] = str(folder)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(CHILDREN), os.environ.get("PYTHONPATH"))))
    return Watch(folder)
