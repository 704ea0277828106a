"""One JSON line per decision on standard output, without personal data; other libraries speak up only from WARNING on."""

import logging
import sys
from collections.abc import MutableMapping
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


class _Sparse(logging.Formatter):
    """Other loggers' lines, and ours of the standard library, as JSON: the message's template, never its arguments."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line without values that may come from a stranger."""
        event: dict[str, Any] = {"event": str(record.msg), "logger": record.name, "level": record.levelname.lower()}
        if record.exc_info and record.exc_info[1] is not None:
            event["error"] = record.exc_info[1]
        return _encode(_bare_error(None, "", event)).decode()


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
    for name in _SILENCED:
        logging.getLogger(name).setLevel(logging.WARNING)
