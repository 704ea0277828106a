"""One JSON line per decision on standard output, without personal data; other libraries speak up only from WARNING on."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

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


def configure(*, level: int = logging.INFO) -> None:
    """Send structlog's events as JSON lines to standard output, and silence what would log URLs or bodies."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _bare_error,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s", force=True)
    for name in _SILENCED:
        logging.getLogger(name).setLevel(logging.WARNING)
