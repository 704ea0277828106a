"""CloudEvents over HTTP: binary, structured and batched; the OPTIONS handshake of its webhook specification."""

import base64
import binascii
from typing import Any, ClassVar
from urllib.parse import unquote

import msgspec

from bridge.connectors import payloads
from bridge.connectors.base import About, Identity, Normalized, PayloadMalformed, Reply, Secret, Skipped, SourceOptions
from bridge.connectors.dialect import body_hash
from bridge.connectors.generic import Generic
from bridge.connectors.payloads import text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import Inquiry

_STRUCTURED = "application/cloudevents+json"
_BATCH = "application/cloudevents-batch+json"


class CloudEvents(Generic):
    """Any sender of CloudEvents 1.0."""

    options_known = Generic.options_known | {"origins", "rate"}
    kind = "cloudevents"
    about = About(
        title="CloudEvents", family="generic", signature="by config; bearer in the header or access_token in the query",
        dedup="source with id", retries="as the sender does",
        setup=("Subscribe the hook URL at the sender; the OPTIONS handshake is answered.",), paste="the token",
        notes=("Every event of a batch is an inquiry of its own.",),
    )  # fmt: skip
    content_types = frozenset({*Generic.content_types, _BATCH})
    methods = frozenset({"POST", "OPTIONS"})
    allowed_rate: ClassVar[str] = "100"

    def handshake(self, request: HookRequest, *, secrets: tuple[Secret, ...], options: SourceOptions) -> Reply | None:
        """Return which origin may send, and how fast; a callback address is not followed."""
        del secrets
        if request.method != "OPTIONS":
            return None
        origin = request.header("webhook-request-origin")
        if not origin:
            return Reply(status=405, body=b"WebHook-Request-Origin is missing")
        allowed = options.options.get("origins")
        if isinstance(allowed, list) and origin not in map(str, allowed):
            return Reply(status=403, body=b"origin not allowed")
        rate = text(options.options.get("rate")) or self.allowed_rate
        return Reply(
            headers=(("webhook-allowed-origin", origin[:200]), ("webhook-allowed-rate", rate), ("allow", "POST"))
        )

    def read(self, request: HookRequest) -> list[dict[str, Any]]:
        """Return the events, each with its attributes and data."""
        kind = request.content_type
        if kind == _BATCH:
            events = payloads.read_json(request)
            if not isinstance(events, list):
                raise PayloadMalformed("a batch is a list")
            return [_event(event) for event in payloads.objects(events)[:500]]
        if kind == _STRUCTURED or (request.header("ce-id") is None and kind == "application/json"):
            return [_event(payloads.read_object(request))]
        attributes = {name[3:]: unquote(value) for name, value in request.headers if name.startswith("ce-")}
        if "id" not in attributes:
            raise PayloadMalformed("no ce-id")
        return [{**attributes, "data": super().read(request) if request.body else {}}]

    def identify(self, request: HookRequest, *, options: SourceOptions) -> Identity:
        """Name the delivery by source and id of its events."""
        del options
        events = self.read(request)
        names = [_name(event) for event in events]
        kinds = {text(event.get("type")) for event in events}
        key = "|".join(names) if 0 < len(names) <= 5 else ""
        event_type = min(kinds) if len(kinds) == 1 else "batch" if kinds else "empty"
        return Identity(dedup_key=key[:400] or body_hash(request), event_type=event_type[:100] or "unknown")

    def normalize(self, delivery: Delivery, *, options: SourceOptions) -> Normalized:
        """Say what each event's data asks for."""
        inquiries: list[Inquiry] = []
        rest: list[Skipped] = []
        for event in self.read(delivery.request):
            data = event.get("data")
            one = msgspec.structs.replace(delivery, event_type=text(event.get("type"))[:100] or "unknown")
            found = self.one(data if isinstance(data, dict) else {"data": data}, one, options, key=_name(event))
            inquiries += found.inquiries
            rest += found.skipped
        return Normalized(inquiries=tuple(inquiries), skipped=tuple(rest))


def _name(event: dict[str, Any]) -> str:
    return f"{text(event.get('source'))}#{text(event.get('id'))}"


def _event(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event with its data readable: data_base64 decoded, JSON inside it read."""
    if "id" not in event:
        raise PayloadMalformed("an event without id")
    encoded = event.get("data_base64")
    if not isinstance(encoded, str):
        return event
    try:
        raw = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise PayloadMalformed("data_base64 is no base64") from error
    try:
        return {**event, "data": payloads.decode_json(raw)}
    except PayloadMalformed:
        return {**event, "data": {"message": text(raw.decode("utf-8", "replace"))}}
