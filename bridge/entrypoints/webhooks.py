"""POST /hooks/{source}: bytes in, 2xx out after the commit; asked before Litestar's router, and mostly before ASGI."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
import structlog
from litestar import Litestar
from litestar.enums import ScopeType
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin
from litestar.types import HTTPScope, LifeSpanReceive, LifeSpanScope, LifeSpanSend, Receive, Scope, Send

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
from bridge.pipeline import Received

_log = structlog.get_logger()
_RETRY_AFTER_SECONDS = b"5"
_LONGEST_NAME = 64  # of an unknown source in the log of refused requests
_Answer = tuple[int, bytes, bytes, list[tuple[bytes, bytes]]]


class Exchange:
    """One request and its one answer; what `Hooks.begin` finds out about it is noted here."""

    __slots__ = ("body", "door", "headers", "method", "now", "source", "started", "target", "trace_id")

    def __init__(self, method: str, target: str, headers: list[tuple[bytes, bytes]]) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.body: bytes | bytearray = b""
        self.door: Door | None
        self.source: str
        self.trace_id: str
        self.now: datetime
        self.started: float

    def answer(self, status: int, media_type: bytes, body: bytes, extra: list[tuple[bytes, bytes]]) -> None:
        """Send the answer; a second one, and one to a sender who hung up, is dropped."""
        raise NotImplementedError


class Hooks:
    """What stands below /hooks. `doors` is looked up anew for each request, so a reload of the config shows at once."""

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
        self._log = _log.bind()  # the logger itself: to find it anew costs as much as the line does

    def begin(self, exchange: Exchange) -> int:
        """Look at a request's head and return how large its body may be; what is wrong already is answered."""
        exchange.source = exchange.target.partition("?")[0][7:].partition("/")[0]  # behind "/hooks/"
        exchange.door = door = self._doors().get(SourceId(exchange.source))
        headers = dict(exchange.headers)
        exchange.trace_id = _trace_id(headers.get(b"traceparent"))
        exchange.now = self._clock()
        exchange.started = time.perf_counter()
        if door is None:
            self._tell(exchange, Refused(reason=Reason.SOURCE_UNKNOWN))
            return 0
        announced = headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced) > door.options.max_bytes:
            self.refuse_size(exchange)
        return door.options.max_bytes

    def refuse_size(self, exchange: Exchange) -> None:
        """Answer a body beyond the limit; none of it is kept."""
        if exchange.door is not None:
            exchange.body = b""
            self._tell(exchange, too_large(exchange.door))

    def take(self, exchange: Exchange) -> None:
        """Take a whole request in; its answer comes after the commit."""
        door = exchange.door
        if door is None:
            return
        exchange.started = time.perf_counter()
        try:
            request = HookRequest(
                method=exchange.method,
                url=self._public_url + exchange.target,  # as the sender wrote it: the path before any decoding
                headers=tuple([(name.decode("latin-1"), value.decode("latin-1")) for name, value in exchange.headers]),
                body=bytes(exchange.body),
            )
            tell = partial(self._tell, exchange)
            pipeline.receive(self._store, door, request, trace_id=exchange.trace_id, now=exchange.now, tell=tell)
        except Exception as error:  # noqa: BLE001  ours to mend: the sender hears that it may try again
            _break(exchange, error)

    def _tell(self, exchange: Exchange, received: Received) -> None:
        """Answer, count and log what became of a request."""
        door = exchange.door
        try:
            if isinstance(received, Refused):
                self._refuse(exchange, received)
            elif isinstance(received, Answered):
                metrics.webhooks.count(exchange.source, "handshake")
                _send_reply(exchange, received.reply, delivery_id="")
            elif door is not None:
                self._acknowledge(exchange, door, *received)
            metrics.webhooks.took(exchange.source if door else "unknown", time.perf_counter() - exchange.started)
        except Exception as error:  # noqa: BLE001  the same; and the writer of deliveries, which calls this, must go on
            _break(exchange, error)

    def _acknowledge(self, exchange: Exchange, door: Door, accepted: Accepted, stored: Stored) -> None:
        if accepted.secret_name:
            self._secret_used(door, accepted.secret_name, exchange.now)
        outcome = "duplicate" if stored.is_redelivery else "accepted"
        metrics.webhooks.count(door.source_id, outcome)
        self._log.info(
            "delivery.redelivered" if stored.is_redelivery else "delivery.received",
            delivery_id=stored.delivery_id,
            tenant=door.tenant_id,
            source=door.source_id,
            trace_id=exchange.trace_id,
            kind=accepted.identity.event_type,
            bytes=len(exchange.body),
        )
        reply = door.connector.reply(accepted.identity, redelivered=stored.is_redelivery, options=door.options)
        if reply is None:
            members = {"id": str(stored.delivery_id), "status": outcome, "trace_id": exchange.trace_id}
            exchange.answer(202, b"application/json", msgspec.json.encode(members), [])
        else:
            _send_reply(exchange, reply, delivery_id=str(stored.delivery_id))

    def _refuse(self, exchange: Exchange, refused: Refused) -> None:
        metrics.webhooks.count(exchange.source if exchange.door else "unknown", refused.reason.value)
        self._note_refusal(exchange, refused)
        payload = problem(
            refused.status,
            refused.reason.value,
            detail=f"{refused.reason.advice.text} {refused.detail}".strip(),
            trace_id=exchange.trace_id,
        )
        extra = [(b"retry-after", _RETRY_AFTER_SECONDS)] if refused.status == 503 else []
        exchange.answer(refused.status, MEDIA_TYPE, payload, extra)

    def _note_refusal(self, exchange: Exchange, refused: Refused) -> None:
        door, name, size = exchange.door, exchange.source, len(exchange.body)
        self._log.warning(
            "delivery.rejected", source=name[:_LONGEST_NAME] if door else "unknown", reason=refused.reason.value,
            trace_id=exchange.trace_id, bytes=size,
        )  # fmt: skip
        content_type = next((value for key, value in exchange.headers if key == b"content-type"), b"").decode("latin-1")
        self._rejections.add(
            Rejection(
                tenant_id=door.tenant_id if door else None,
                source_id=_printable(name)[:_LONGEST_NAME] if door else "unknown",
                reason=refused.reason.value,
                status=refused.status,
                received_at=exchange.now,
                method=exchange.method[:16],
                content_type=_printable(content_type).partition(";")[0][:100],
                body_bytes=size,
                body_sha256=fingerprint(bytes(exchange.body)),
                detail=refused.detail if door else f"asked for {_printable(name)[:_LONGEST_NAME]!r}",
                trace_id=exchange.trace_id,
            )
        )

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Take one ASGI request in."""
        exchange = _AsgiExchange(scope)
        limit = self.begin(exchange)
        while not exchange.answered.done():
            message = await receive()
            if message["type"] != "http.request":  # the sender went away before its body was whole
                return
            exchange.body += message["body"]
            if len(exchange.body) > limit:
                self.refuse_size(exchange)
            elif not message["more_body"]:
                self.take(exchange)
                break
        await _send(send, *await exchange.answered)


class _AsgiExchange(Exchange):
    """An exchange whose answer is awaited."""

    __slots__ = ("answered",)

    def __init__(self, scope: HTTPScope) -> None:
        query = scope["query_string"].decode("latin-1")
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
        super().__init__(scope["method"], f"{path}?{query}" if query else path, list(scope["headers"]))
        self.answered: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()

    def answer(self, status: int, media_type: bytes, body: bytes, extra: list[tuple[bytes, bytes]]) -> None:
        """Hand the answer to who awaits it."""
        if not self.answered.done():
            self.answered.set_result((status, media_type, body, extra))


class HookedApp(Litestar):
    """A Litestar application that has the hook URLs asked before its own router."""

    __slots__ = ("hooks",)

    def __init__(self, hooks: Hooks, **options: Any) -> None:
        self.hooks = hooks
        super().__init__(**options)

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        # Handlers here speak msgspec alone. Litestar would add what it finds installed: pydantic 1 and 2, and attrs.
        return [*plugins, MsgspecDIPlugin()]

    async def __call__(
        self, scope: Scope | LifeSpanScope, receive: Receive | LifeSpanReceive, send: Send | LifeSpanSend
    ) -> None:
        """Pass a request to its handler."""
        if scope["type"] == ScopeType.HTTP and (scope["path"].startswith("/hooks/") or scope["path"] == "/hooks"):  # type: ignore[typeddict-item]  # narrowed by the type above
            await self.hooks(scope, receive, send)  # type: ignore[arg-type]  # those of a request
        else:
            await super().__call__(scope, receive, send)


def _trace_id(given: bytes | None) -> str:
    """Return the trace id of a W3C `traceparent`, else a fresh one of 32 hex digits."""
    if given:
        parts = given.decode("latin-1").split("-")
        if len(parts) == 4 and len(parts[1]) == 32 and all(sign in "0123456789abcdef" for sign in parts[1]):
            return parts[1]
    return f"{random.getrandbits(128):032x}"


def _printable(text: str) -> str:
    return "".join(sign for sign in text if sign.isprintable())


def _break(exchange: Exchange, error: Exception) -> None:
    _log.error("request.failed", error=error)
    exchange.answer(500, MEDIA_TYPE, problem(500, "internal_error"), [])


def _send_reply(exchange: Exchange, reply: Reply, *, delivery_id: str) -> None:
    body = reply.body.replace(b"{delivery_id}", delivery_id.encode())
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
    exchange.answer(reply.status, reply.media_type.encode("latin-1"), body, headers)


async def _send(send: Send, status: int, media_type: bytes, body: bytes, extra: list[tuple[bytes, bytes]]) -> None:
    headers = [(b"content-type", media_type), (b"content-length", str(len(body)).encode()), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
