"""uvicorn's HTTP protocol with a short way for hook URLs: parsed bytes in, one write out.

ASGI costs a scope, a cycle, a task, four messages and an event a request: half of all CPU that taking a webhook in needs. So
the hook URLs are answered from the parser's callbacks; whatever is out of the ordinary (a request sent before the last one
was answered, an upgrade, an absolute URL) and every other page go uvicorn's way, where `HookedApp` has the same answers.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from bridge.entrypoints.one_write import OneWrite
from bridge.entrypoints.webhooks import Exchange, Hooks


class _Nobody:
    """Stands where a task would wait for more of a request."""

    def set(self) -> None:
        """Wake nobody."""


_NOBODY = _Nobody()


class _Exchange(Exchange):
    """An exchange on a connection; uvicorn sees it as its cycle and asks it the same questions."""

    __slots__ = (
        "_protocol", "_transport", "disconnected", "keep_alive", "limit", "message_event", "more_body", "response_complete",
    )  # fmt: skip

    def __init__(self, protocol: "HookProtocol", transport: asyncio.Transport) -> None:
        parser = protocol.parser
        super().__init__(parser.get_method().decode("latin-1"), protocol.url.decode("latin-1"), protocol.headers)
        self._protocol = protocol
        self._transport = transport
        self.limit = 0
        self.keep_alive: bool = parser.should_keep_alive() and parser.get_http_version() != "1.0"
        self.response_complete = False
        self.disconnected = False
        self.more_body = True
        self.message_event = _NOBODY

    def answer(self, status: int, media_type: bytes, body: bytes, extra: list[tuple[bytes, bytes]]) -> None:
        """Write the answer, unless the sender has hung up."""
        if self.response_complete:
            return
        more = b""
        for name, value in extra:
            if HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
                raise ValueError("a header of an answer holds a character that no header may hold")
            more += b"%b: %b\r\n" % (name, value)
        self.response_complete = True
        transport, protocol = self._transport, self._protocol
        if transport.is_closing():
            return
        if not self.keep_alive:
            more += b"connection: close\r\n"
        head = b"%bcontent-type: %b\r\ncontent-length: %d\r\n%b\r\n" % (
            STATUS_LINE[status],
            media_type,
            len(body),
            more,
        )
        transport.write(head if self.method == "HEAD" else head + body)
        if not self.keep_alive:
            transport.close()
        protocol.end_exchange()


class HookProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, hooks: Hooks | None, **given: Any) -> None:
        super().__init__(**given)
        self._hooks = hooks
        self._exchange: _Exchange | None = None
        self._answered_at = 0.0
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        self._direct = transport
        super().connection_made(OneWrite(transport, self.loop))

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        super().connection_lost(exc)

    def end_exchange(self) -> None:
        """Go on after an answer: with the next request that is here, else wait for one as long as uvicorn does.

        One timer a connection looks again and again; to start and cancel one for each request costs 3 us.
        """
        if self.pipeline or self.flow.read_paused:
            self.on_response_complete()
            return
        self.server_state.total_requests += 1
        self._answered_at = self.loop.time()
        if self._watch is None:
            self._watch = self.loop.call_later(self.timeout_keep_alive, self._hang_up_if_idle)

    def _hang_up_if_idle(self) -> None:
        self._watch = None
        exchange = self._exchange
        if exchange is None:  # uvicorn's own watch counts for its own answers
            return
        left = self._answered_at + self.timeout_keep_alive - self.loop.time()
        if not exchange.response_complete:
            left = self.timeout_keep_alive
        if left > 0:
            self._watch = self.loop.call_later(left, self._hang_up_if_idle)
        elif not self.transport.is_closing():
            self.transport.close()

    def on_message_begin(self) -> None:
        """Begin a request; its scope is made once it is known to need one."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self._exchange = None

    def on_headers_complete(self) -> None:
        """Choose the way by the URL."""
        cycle: RequestResponseCycle | None = self.cycle
        if (
            self._hooks is not None
            and (cycle is None or cycle.response_complete)
            and self.url.startswith(b"/hooks/")
            and b"#" not in self.url
            and not self.parser.should_upgrade()
        ):
            self._begin_exchange(self._hooks)
            return
        url, headers, is_expecting = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, is_expecting
        self.headers += headers
        super().on_headers_complete()

    def _begin_exchange(self, hooks: Hooks) -> None:
        exchange = _Exchange(self, self._direct)
        self._exchange = exchange
        self.cycle: RequestResponseCycle = exchange  # type: ignore[assignment]  # it answers what uvicorn asks of a cycle
        exchange.limit = hooks.begin(exchange)
        if self.expect_100_continue and not exchange.response_complete:
            self._direct.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body; beyond the source's limit the answer is given and the rest is not kept."""
        exchange = self._exchange
        if exchange is None:
            super().on_body(body)
        elif not exchange.response_complete:
            if not exchange.body:
                exchange.body = body
            else:
                if isinstance(exchange.body, bytes):
                    exchange.body = bytearray(exchange.body)
                exchange.body += body
            if len(exchange.body) > exchange.limit and self._hooks is not None:
                self._hooks.refuse_size(exchange)

    def on_message_complete(self) -> None:
        """Hand a whole request on."""
        exchange = self._exchange
        if exchange is None:
            super().on_message_complete()
        elif not exchange.response_complete and self._hooks is not None:
            exchange.more_body = False
            self._hooks.take(exchange)
