"""One JSON line per decision on standard output, without personal data; other libraries speak up only from WARNING on."""

import logging
import re
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

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


def _encode(event: MutableMapping[str, Any], **_options: Any) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)


_OUTSPOKEN = frozenset(
    {"psycopg.pool"}
)  # its arguments are names of pools and the server's address, and say why it is away
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__)
_SLUG = re.compile(r"[a-z][a-z_.-]{0,63}")


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


def configure(*, level: int = logging.INFO) -> None:
    """Send structlog's events as JSON lines to standard output, and silence what would log URLs or bodies."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _bare_error,
            structlog.processors.JSONRenderer(serializer=_encode),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Sparse())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("bridge").setLevel(level)
    for name in _SILENCED:
        logging.getLogger(name).setLevel(logging.WARNING)
