"""Signed requests of a website form, for tests of intake."""

import base64
import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from bridge.bootstrap import load_settings
from bridge.domain.delivery import HookRequest

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
