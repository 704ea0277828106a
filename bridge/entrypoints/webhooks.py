"""POST /hooks/{source}: bytes in, 2xx out after the commit. Bare ASGI inside the Litestar app: a third of a handler's CPU."""

import os
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache

import msgspec
import structlog
from litestar import asgi
from litestar.enums import ScopeType
from litestar.handlers import ASGIRouteHandler
from litestar.types import HTTPScope, Receive, Scope, Send
from prometheus_client import Counter, Histogram

from bridge import pipeline
from bridge.connectors.base import Identity, Reply
from bridge.domain.delivery import HookRequest
from bridge.domain.ids import SourceId
from bridge.domain.reasons import Reason
from bridge.entrypoints import metrics
from bridge.entrypoints.problems import MEDIA_TYPE, problem
from bridge.intake.gate import Answered, Door, Refused, too_large
from bridge.intake.rejections import Rejection, RejectionLog, fingerprint
from bridge.intake.store import DeliveryStore, Stored

_log = structlog.get_logger()
_RETRY_AFTER_SECONDS = b"5"
_LONGEST_NAME = 64  # of an unknown source in the log of refused requests


class HangUp(Exception):
    """The sender went away before its body was whole."""


class Hooks:
    """The ASGI application below /hooks. `doors` is looked up anew for each request, so a reload of the config shows at once."""

    def __init__(
        self,
        *,
        doors: Callable[[], Mapping[SourceId, Door]],
        store: DeliveryStore,
        rejections: RejectionLog,
        clock: Callable[[], datetime],
        secret_used: Callable[[Door, str, datetime], None],
        public_url: str,
    ) -> None:
        self._doors = doors
        self._store = store
        self._rejections = rejections
        self._clock = clock
        self._secret_used = secret_used
        self._public_url = public_url.rstrip("/")

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Take one request in."""
        trace_id = _trace_id(scope)
        path = _path(scope)
        name = path.removeprefix("/hooks/").partition("/")[0]
        door = self._doors().get(SourceId(name))
        now = self._clock()
        body = b""
        result: Refused | Answered | tuple[Identity, Stored]
        if door is None:
            result = Refused(reason=Reason.SOURCE_UNKNOWN)
        else:
            try:
                body = await _read(scope, receive, limit=door.options.max_bytes)
            except HangUp:
                return
            except OverflowError:
                result = too_large(door)
            else:
                result = await self._take_in(door, scope, path, body, trace_id=trace_id, now=now)
        started = time.perf_counter()
        await self._answer(result, door=door, name=name, scope=scope, body=body, trace_id=trace_id, now=now, send=send)
        _seconds(name if door else "unknown").observe(time.perf_counter() - started)

    async def _take_in(
        self, door: Door, scope: HTTPScope, path: str, body: bytes, *, trace_id: str, now: datetime
    ) -> Refused | Answered | tuple[Identity, Stored]:
        query = scope["query_string"].decode("latin-1")
        request = HookRequest(
            method=str(scope["method"]),
            url=self._public_url + path + (f"?{query}" if query else ""),
            headers=tuple((key.decode("latin-1").lower(), value.decode("latin-1")) for key, value in scope["headers"]),
            body=body,
        )
        received = await pipeline.receive(self._store, door, request, trace_id=trace_id, now=now)
        if isinstance(received, tuple):
            accepted, stored = received
            if accepted.secret_name:
                self._secret_used(door, accepted.secret_name, now)
            return accepted.identity, stored
        return received

    async def _answer(
        self,
        result: Refused | Answered | tuple[Identity, Stored],
        *,
        door: Door | None,
        name: str,
        scope: HTTPScope,
        body: bytes,
        trace_id: str,
        now: datetime,
        send: Send,
    ) -> None:
        label = name if door else "unknown"
        if isinstance(result, Refused):
            _counter(label, result.reason.value).inc()
            self._note_refusal(result, door=door, name=name, scope=scope, body=body, trace_id=trace_id, now=now)
            payload = problem(
                result.status,
                result.reason.value,
                detail=f"{result.reason.advice.text} {result.detail}".strip(),
                trace_id=trace_id,
            )
            extra = [(b"retry-after", _RETRY_AFTER_SECONDS)] if result.status == 503 else []
            await _send(send, result.status, MEDIA_TYPE, payload, extra)
            return
        if isinstance(result, Answered):
            _counter(label, "handshake").inc()
            await _send_reply(send, result.reply, delivery_id="")
            return
        identity, stored = result
        outcome = "duplicate" if stored.is_redelivery else "accepted"
        _counter(label, outcome).inc()
        _log.info(
            "delivery.redelivered" if stored.is_redelivery else "delivery.received",
            delivery_id=stored.delivery_id,
            tenant=door.tenant_id if door else None,
            source=name,
            trace_id=trace_id,
            kind=identity.event_type,
            bytes=len(body),
        )
        reply = door.connector.reply(identity, redelivered=stored.is_redelivery, options=door.options) if door else None
        if reply is None:
            members = {"id": str(stored.delivery_id), "status": outcome, "trace_id": trace_id}
            await _send(send, 202, b"application/json", msgspec.json.encode(members), [])
        else:
            await _send_reply(send, reply, delivery_id=str(stored.delivery_id))

    def _note_refusal(
        self,
        refused: Refused,
        *,
        door: Door | None,
        name: str,
        scope: HTTPScope,
        body: bytes,
        trace_id: str,
        now: datetime,
    ) -> None:
        _log.warning(
            "delivery.rejected", source=name[:_LONGEST_NAME] if door else "unknown", reason=refused.reason.value,
            trace_id=trace_id, bytes=len(body),
        )  # fmt: skip
        content_type = next((value for key, value in scope["headers"] if key.lower() == b"content-type"), b"")
        self._rejections.add(
            Rejection(
                tenant_id=door.tenant_id if door else None,
                source_id=_printable(name)[:_LONGEST_NAME] if door else "unknown",
                reason=refused.reason.value,
                status=refused.status,
                received_at=now,
                method=str(scope["method"])[:16],
                content_type=_printable(content_type.decode("latin-1")).partition(";")[0][:100],
                body_bytes=len(body),
                body_sha256=fingerprint(body),
                detail=refused.detail if door else f"asked for {_printable(name)[:_LONGEST_NAME]!r}",
                trace_id=trace_id,
            )
        )


def mount(hooks: Hooks) -> ASGIRouteHandler:
    """Return the Litestar handler that passes everything below /hooks on."""

    @asgi("/hooks", is_mount=True, copy_scope=True, opt={"public": True})
    async def take(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            await hooks(scope, receive, send)

    return take


@cache
def _counter(source: str, result: str) -> Counter:
    return metrics.webhooks.labels(source, result)


@cache
def _seconds(source: str) -> Histogram:
    return metrics.webhook_seconds.labels(source)


def _path(scope: HTTPScope) -> str:
    """Return the path as the sender wrote it; a mount strips its own prefix from `path`."""
    raw = scope.get("raw_path") or scope["path"].encode()
    path = raw.decode("latin-1").partition("?")[0]
    return path if path.startswith("/hooks") else "/hooks" + path


def _trace_id(scope: HTTPScope) -> str:
    """Return the trace id of a W3C `traceparent`, else a fresh one of 32 hex digits."""
    given = next((value for key, value in scope["headers"] if key.lower() == b"traceparent"), b"").decode("latin-1")
    parts = given.split("-")
    if len(parts) == 4 and len(parts[1]) == 32 and all(sign in "0123456789abcdef" for sign in parts[1]):
        return parts[1]
    return os.urandom(16).hex()


def _printable(text: str) -> str:
    return "".join(sign for sign in text if sign.isprintable())


async def _read(scope: HTTPScope, receive: Receive, *, limit: int) -> bytes:
    """Return the whole body; raises OverflowError beyond `limit` bytes, announced or not, and HangUp."""
    announced = next((value for key, value in scope["headers"] if key.lower() == b"content-length"), b"0")
    if announced.isdigit() and int(announced) > limit:
        raise OverflowError
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HangUp
        part: bytes = message.get("body", b"") if message["type"] == "http.request" else b""
        size += len(part)
        if size > limit:
            raise OverflowError
        parts.append(part)
        if message["type"] != "http.request" or not message.get("more_body", False):
            return b"".join(parts) if len(parts) > 1 else part


async def _send_reply(send: Send, reply: Reply, *, delivery_id: str) -> None:
    body = reply.body.replace(b"{delivery_id}", delivery_id.encode())
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
    await _send(send, reply.status, reply.media_type.encode("latin-1"), body, headers)


async def _send(send: Send, status: int, media_type: bytes, body: bytes, extra: list[tuple[bytes, bytes]]) -> None:
    headers = [(b"content-type", media_type), (b"content-length", str(len(body)).encode()), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
