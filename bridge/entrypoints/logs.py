"""One JSON line per decision on standard output, without personal data; other libraries speak up only from WARNING on."""

import asyncio
import atexit
import logging
import re
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, BinaryIO

import msgspec
import structlog

_GATHER_SECONDS = 0.02
_SILENCED = ("httpx", "httpcore", "aiohttp", "uvicorn.access", "uvicorn.error", "alembic", "asyncio")


def _bare_error(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep of an exception its type and where it was raised: its text may quote what a stranger sent."""
    error = event.pop("error", None)
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        if trace is not None:
            event["error_at"] = f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"
    return event


_encode = msgspec.json.Encoder(enc_hook=str).encode


_OUTSPOKEN = frozenset(
    {"psycopg.pool"}
)  # its arguments are names of pools and the server's address, and say why it is away
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__)
_SLUG = re.compile(r"[a-z][a-z_.-]{0,63}")


class _Logger(structlog.BoundLoggerBase):
    """Makes the whole line in one step, at a quarter of the CPU of structlog's chain of processors."""

    def _line(self, level: str, event: str, members: dict[str, Any]) -> bytes:
        if "error" in members:
            _bare_error(None, "", members)
        now = datetime.now(UTC)
        return _encode({**self._context, **members, "event": event, "level": level, "timestamp": now})

    def info(self, event: str, **members: Any) -> None:
        """Tell of something as it should be."""
        self._logger.info(self._line("info", event, members))

    def warning(self, event: str, **members: Any) -> None:
        """Tell of something that a person may want to look at."""
        self._logger.warning(self._line("warning", event, members))

    def error(self, event: str, **members: Any) -> None:
        """Tell of something that is ours to mend."""
        self._logger.error(self._line("error", event, members))


class Lines:
    """Writes lines of a running loop together, a few hundredths of a second late: a system call a line is most of its cost.

    Errors, lines outside a loop and the end of the program write at once.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._waiting: list[bytes] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        atexit.register(self.flush)

    def info(self, line: bytes) -> None:
        """Take a line that may wait."""
        self._waiting.append(line)
        if len(self._waiting) > 1 and self._loop is not None and self._loop.is_running():
            return  # the flush of the first one is due; to ask for the running loop is a system call
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        self._loop.call_later(_GATHER_SECONDS, self.flush)

    debug = warning = info

    def error(self, line: bytes) -> None:
        """Write a line that may be the last, after those before it."""
        self._waiting.append(line)
        self.flush()

    critical = exception = error

    def flush(self) -> None:
        """Write what waits."""
        lines, self._waiting = self._waiting, []
        if lines:
            self._out.write(b"\n".join(lines) + b"\n")
            self._out.flush()


class _Sparse(logging.Formatter):
    """Other loggers' lines, and ours of the standard library, as JSON: the message's template, never its arguments.

    Of what our own loggers add, numbers, slugs and the types of exceptions are kept: none of them can be a person's.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return one line without values that may come from a stranger."""
        text = record.getMessage() if record.name in _OUTSPOKEN else str(record.msg)
        event: dict[str, Any] = {"event": text, "logger": record.name, "level": record.levelname.lower()}
        if record.name.startswith("bridge."):
            added = {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
            event |= {name: value for name, value in added.items() if _is_nobodys(value)}
        if record.exc_info and record.exc_info[1] is not None:
            event["error"] = record.exc_info[1]
        event["timestamp"] = datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")
        return _encode(_bare_error(None, "", event)).decode()


def _is_nobodys(value: object) -> bool:
    if isinstance(value, str):
        return _SLUG.fullmatch(value) is not None
    return isinstance(value, bool | int | float | BaseException)


def configure() -> None:
    """Send structlog's events as JSON lines to standard output, and silence what would log URLs or bodies."""
    lines = Lines(sys.stdout.buffer)
    structlog.configure(
        processors=[],
        wrapper_class=_Logger,
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Sparse())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("bridge").setLevel(logging.INFO)
    for name in _SILENCED:
        logging.getLogger(name).setLevel(logging.WARNING)
