"""Signed requests of a website form, for tests of intake."""

import asyncio
import base64
import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from bridge import pipeline
from bridge.bootstrap import load_settings
from bridge.domain.delivery import HookRequest
from bridge.intake.gate import Door
from bridge.intake.rows import Arrival
from bridge.intake.store import DeliveryStore, Outcome
from bridge.pipeline import Received

SETTINGS = load_settings(environ={})
SECRET = SETTINGS.sources["website"].secrets[0].value
LEAD = {"type": "lead.created", "name": "Ada Example", "phone": "512-555-0142", "email": "ada@example.com"}


def signed(
    ident: str, *, now: datetime, payload: Any = None, secret: str = SECRET, **changed: str
) -> tuple[dict[str, str], bytes]:
    """Return headers and body as the sender makes them; `changed` replaces headers (underscores for dashes)."""
    body = payload if isinstance(payload, bytes) else json.dumps(LEAD if payload is None else payload).encode()
    stamp = str(int(now.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = base64.b64encode(hmac.new(key, f"{ident}.{stamp}.".encode() + body, hashlib.sha256).digest()).decode()
    headers = {
        "content-type": "application/json",
        "webhook-id": ident,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{mac}",
    }
    return headers | {name.replace("_", "-"): value for name, value in changed.items()}, body


def request(ident: str, *, now: datetime, **parts: Any) -> HookRequest:
    """Return the same as a HookRequest."""
    headers, body = signed(ident, now=now, **parts)
    return HookRequest(
        method="POST", url="https://b.example.com/hooks/website", headers=tuple(headers.items()), body=body
    )


async def received(
    store: DeliveryStore, door: Door, request: HookRequest, *, now: datetime, trace_id: str = "0" * 32
) -> Received:
    """Return what became of a request, once that is known."""
    told: asyncio.Future[Received] = asyncio.get_running_loop().create_future()
    pipeline.receive(store, door, request, trace_id=trace_id, now=now, tell=told.set_result)
    return await told


async def stored(store: DeliveryStore, arrival: Arrival) -> Outcome:
    """Return what became of an arrival, once that is known."""
    told: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    store.put(arrival, told.set_result)
    return await told
