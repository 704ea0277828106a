"""The other side: samples signed as their senders sign them, for `bridge send`, the demo and the tests."""

import base64
import hashlib
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from bridge.connectors.base import PayloadMalformed, Secret
from bridge.connectors.credentials import SharedValue
from bridge.connectors.payloads import FORM, decode_json
from bridge.connectors.schemes import Scheme
from bridge.connectors.signatures import digest
from bridge.connectors.signed_text import messages
from bridge.domain.delivery import HookRequest


def signed_request(request: HookRequest, row: Scheme, *, secret: Secret, now: datetime) -> HookRequest:
    """Return a request with the headers of a scheme, signed with a secret at a moment; headers it had of them are replaced."""
    own = {row.header, row.id_header, row.when[0] if row.when else "", "" if ":" in row.timestamp else row.timestamp}
    headers = [(name, value) for name, value in request.headers if name not in own]
    stamp = _stamp(now, row.unit) if row.timestamp else ""
    ident = f"msg_{int(now.timestamp())}" if row.id_header else ""
    if row.when and row.when[1]:
        headers.append(row.when)
    if row.id_header:
        headers.append((row.id_header, request.header(row.id_header) or ident))
        ident = headers[-1][1]
    if row.timestamp and not row.timestamp.startswith("field:"):
        headers.append((row.timestamp, stamp))
    url = request.url
    if row.body_hash_parameter and request.body and request.content_type != FORM:
        url += f"{'&' if '?' in url else '?'}{row.body_hash_parameter}={hashlib.sha256(request.body).hexdigest()}"
    bare = HookRequest(method=request.method, url=url, headers=tuple(headers), body=request.body)
    message = next(messages(bare, row, secret, stamp, ident))
    raw = digest(row, secret)(message)
    written = row.prefix + (raw.hex() if row.encoding == "hex" else base64.b64encode(raw).decode())
    if row.layout == "fields":
        written = (
            f"{row.timestamp.removeprefix('field:')}={stamp},{row.field}={written}"
            if stamp
            else f"{row.field}={written}"
        )
    elif row.layout == "words":
        written = f"{row.field},{written}"
    headers.append((row.header, written))
    return HookRequest(method=request.method, url=url, headers=tuple(headers), body=request.body)


def _stamp(now: datetime, unit: str) -> str:
    match unit:
        case "ms":
            return str(int(now.timestamp() * 1000))
        case "http-date":
            return format_datetime(now, usegmt=True)
        case "iso":
            return now.isoformat()
        case _:
            return str(int(now.timestamp()))


def shared_request(request: HookRequest, places: SharedValue, *, secret: Secret) -> HookRequest:
    """Return a request that shows a shared value where it may stand: a header, the query, the path or the body."""
    headers, url, body = request.headers, request.url, request.body
    if places.headers:
        headers = (
            *((name, value) for name, value in headers if name != places.headers[0]),
            (places.headers[0], secret.value),
        )
    elif places.authorization:
        headers = (*headers, ("authorization", f"Bearer {secret.value}"))
    elif places.body:
        body = _with_field(request, places.body[0], secret.value)
    elif places.query is not None:
        name = places.query[0] if places.query else "token"
        url += ("&" if "?" in url else "?") + urlencode({name: secret.value})
    else:
        url = f"{url.rstrip('/')}/{secret.value}"
    return HookRequest(method=request.method, url=url, headers=headers, body=body)


def _with_field(request: HookRequest, path: str, value: str) -> bytes:
    if request.content_type == FORM:
        pairs = [pair for pair in parse_qsl(request.body.decode(), keep_blank_values=True) if pair[0] != path]
        return urlencode([*pairs, (path, value)]).encode()
    data: Any = decode_json(request.body)
    if not isinstance(data, dict):
        raise PayloadMalformed("a field can only be put into an object")
    return msgspec.json.encode({**data, path: value})
