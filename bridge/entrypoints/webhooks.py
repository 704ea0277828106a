"""POST /hooks/{source}: bytes in, 2xx out after the commit. Bare ASGI, asked before Litestar's router: a fifth of a handler's CPU."""

import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
import structlog
from litestar import Litestar
from litestar.enums import ScopeType
from litestar.types import HTTPScope, LifeSpanReceive, LifeSpanScope, LifeSpanSend, Receive, Scope, Send
from prometheus_client import Counter, Histogram

from bridge import pipeline
from bridge.connectors.base import Reply
from bridge.domain.delivery import HookRequest
from bridge.domain.ids import SourceId
from bridge.domain.reasons import Reason
from bridge.entrypoints import metrics
from bridge.entrypoints.problems import MEDIA_TYPE, problem
from bridge.intake.gate import Accepted, Answered, Door, Refused, too_large
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
        try:
            await self._take(scope, receive, send)
        except Exception as error:  # noqa: BLE001  ours to mend: the sender hears that it may try again
            _log.error("request.failed", error=error)
            await _send(send, 500, MEDIA_TYPE, problem(500, "internal_error"), [])

    async def _take(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
        name = path[7:].partition("/")[0]  # behind "/hooks/"
        door = self._doors().get(SourceId(name))
        trace_id = _trace_id(scope)
        now = self._clock()
        body = b""
        received: tuple[Accepted, Stored] | Answered | Refused
        if door is None:
            started = time.perf_counter()
            received = Refused(reason=Reason.SOURCE_UNKNOWN)
        else:
            try:
                body = await _read(scope, receive, limit=door.options.max_bytes)
                started = time.perf_counter()
                request = self._request(scope, path, body)
                received = await pipeline.receive(self._store, door, request, trace_id=trace_id, now=now)
            except HangUp:
                return
            except OverflowError:
                started = time.perf_counter()
                received = too_large(door)
        if door is not None and isinstance(received, tuple):
            await self._acknowledge(door, *received, body=body, trace_id=trace_id, now=now, send=send)
        elif isinstance(received, Answered):
            _counter(name, "handshake").inc()
            await _send_reply(send, received.reply, delivery_id="")
        elif isinstance(received, Refused):
            await self._refuse(
                received, door=door, name=name, scope=scope, body=body, trace_id=trace_id, now=now, send=send
            )
        _seconds(name if door else "unknown").observe(time.perf_counter() - started)

    def _request(self, scope: HTTPScope, path: str, body: bytes) -> HookRequest:
        """Return the request as the sender wrote it: the path before any decoding, header names in lower case."""
        query = scope["query_string"].decode("latin-1")
        return HookRequest(
            method=scope["method"],
            url=f"{self._public_url}{path}?{query}" if query else self._public_url + path,
            headers=tuple([(key.decode("latin-1"), value.decode("latin-1")) for key, value in scope["headers"]]),
            body=body,
        )

    async def _acknowledge(
        self,
        door: Door,
        accepted: Accepted,
        stored: Stored,
        *,
        body: bytes,
        trace_id: str,
        now: datetime,
        send: Send,
    ) -> None:
        if accepted.secret_name:
            self._secret_used(door, accepted.secret_name, now)
        outcome = "duplicate" if stored.is_redelivery else "accepted"
        _counter(door.source_id, outcome).inc()
        _log.info(
            "delivery.redelivered" if stored.is_redelivery else "delivery.received",
            delivery_id=stored.delivery_id,
            tenant=door.tenant_id,
            source=door.source_id,
            trace_id=trace_id,
            kind=accepted.identity.event_type,
            bytes=len(body),
        )
        reply = door.connector.reply(accepted.identity, redelivered=stored.is_redelivery, options=door.options)
        if reply is None:
            members = {"id": str(stored.delivery_id), "status": outcome, "trace_id": trace_id}
            await _send(send, 202, b"application/json", msgspec.json.encode(members), [])
        else:
            await _send_reply(send, reply, delivery_id=str(stored.delivery_id))

    async def _refuse(
        self,
        refused: Refused,
        *,
        door: Door | None,
        name: str,
        scope: HTTPScope,
        body: bytes,
        trace_id: str,
        now: datetime,
        send: Send,
    ) -> None:
        _counter(name if door else "unknown", refused.reason.value).inc()
        self._note_refusal(refused, door=door, name=name, scope=scope, body=body, trace_id=trace_id, now=now)
        payload = problem(
            refused.status,
            refused.reason.value,
            detail=f"{refused.reason.advice.text} {refused.detail}".strip(),
            trace_id=trace_id,
        )
        extra = [(b"retry-after", _RETRY_AFTER_SECONDS)] if refused.status == 503 else []
        await _send(send, refused.status, MEDIA_TYPE, payload, extra)

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
        self._rejections.add(
            Rejection(
                tenant_id=door.tenant_id if door else None,
                source_id=_printable(name)[:_LONGEST_NAME] if door else "unknown",
                reason=refused.reason.value,
                status=refused.status,
                received_at=now,
                method=str(scope["method"])[:16],
                content_type=_printable(_header(scope, b"content-type").decode("latin-1")).partition(";")[0][:100],
                body_bytes=len(body),
                body_sha256=fingerprint(body),
                detail=refused.detail if door else f"asked for {_printable(name)[:_LONGEST_NAME]!r}",
                trace_id=trace_id,
            )
        )


class HookedApp(Litestar):
    """A Litestar application that has the hook URLs asked before its own router."""

    __slots__ = ("_hooks",)

    def __init__(self, hooks: Hooks, **options: Any) -> None:
        self._hooks = hooks
        super().__init__(**options)

    async def __call__(
        self, scope: Scope | LifeSpanScope, receive: Receive | LifeSpanReceive, send: Send | LifeSpanSend
    ) -> None:
        """Pass a request to its handler."""
        if scope["type"] == ScopeType.HTTP and (scope["path"].startswith("/hooks/") or scope["path"] == "/hooks"):  # type: ignore[typeddict-item]  # narrowed by the type above
            await self._hooks(scope, receive, send)  # type: ignore[arg-type]  # those of a request
        else:
            await super().__call__(scope, receive, send)


@cache
def _counter(source: str, result: str) -> Counter:
    return metrics.webhooks.labels(source, result)


@cache
def _seconds(source: str) -> Histogram:
    return metrics.webhook_seconds.labels(source)


def _header(scope: HTTPScope, name: bytes) -> bytes:
    for key, value in scope["headers"]:
        if key == name:
            return value
    return b""


def _trace_id(scope: HTTPScope) -> str:
    """Return the trace id of a W3C `traceparent`, else a fresh one of 32 hex digits."""
    given = _header(scope, b"traceparent")
    if given:
        parts = given.decode("latin-1").split("-")
        if len(parts) == 4 and len(parts[1]) == 32 and all(sign in "0123456789abcdef" for sign in parts[1]):
            return parts[1]
    return f"{random.getrandbits(128):032x}"


def _printable(text: str) -> str:
    return "".join(sign for sign in text if sign.isprintable())


async def _read(scope: HTTPScope, receive: Receive, *, limit: int) -> bytes:
    """Return the whole body; raises OverflowError beyond `limit` bytes, announced or not, and HangUp."""
    announced = _header(scope, b"content-length")
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
