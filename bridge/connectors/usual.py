"""The usual request of a scheme in one go: each header once, one signature, and it is right.

`signatures.verify` reads any row and tells each fault apart, at 14 us a request; almost all requests are genuine and look alike.
So a source compiles its first row once. Whatever the shortcut does not believe is left to `signatures.verify`, which says no
or, for the unusual (several signatures, upper-case hex), yes; so it can refuse nothing, and believes only what that would.
"""

import binascii
import hmac
from collections.abc import Callable
from datetime import datetime
from operator import itemgetter
from typing import Final

from bridge.connectors.base import Secret, SignatureInvalid, Verified
from bridge.connectors.schemes import Scheme
from bridge.connectors.signatures import secret_bytes
from bridge.connectors.signed_text import parts_of
from bridge.domain.delivery import HookRequest

Check = Callable[[HookRequest, datetime], Verified | None]

_SIMPLE: Final = frozenset({"body", "timestamp", "id"})


def usual_check(schemes: tuple[Scheme, ...], *, secrets: tuple[Secret, ...], tolerance: int) -> Check | None:
    """Return the check of the first row's usual request, None where the row has parts that need more thought."""
    row = schemes[0] if schemes else None
    if row is None or not _is_simple(row):
        return None
    hash_name = row.algorithm.removeprefix("hmac-")
    makers = [
        (_hmac_of(key, hash_name), Verified(scheme=row.name, secret_name=secret.name))
        for secret in secrets
        if (key := _key(secret, row))
    ]
    form, order = _format(row)
    parts_in = itemgetter(*order)
    lead = f"{row.field},{row.prefix}" if row.layout == "words" else row.prefix
    header, id_header, time_header = row.header, row.id_header, row.timestamp
    written = binascii.hexlify if row.encoding == "hex" else _base64
    unit = 1000 if row.unit == "ms" else 1
    allowed = tolerance if row.tolerance is not None else None

    def check(request: HookRequest, now: datetime) -> Verified | None:
        headers = dict(request.headers)
        if len(headers) != len(request.headers):  # one of them stands twice: which one counts?
            return None
        signature = headers.get(header)
        if signature is None or not signature.startswith(lead):
            return None
        ident = headers.get(id_header, "")
        if id_header and not ident.strip():
            return None
        stamp = headers.get(time_header, "")
        if time_header:
            if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 16):
                return None
            if allowed is not None and not -allowed <= now.timestamp() - int(stamp) / unit <= allowed:
                return None
        message = form % parts_in({"body": request.body, "timestamp": stamp.encode(), "id": ident.encode()})
        offered = signature[len(lead) :].encode()
        for make, verified in makers:
            if hmac.compare_digest(written(make(message)), offered):
                return verified
        return None

    return check


def _is_simple(row: Scheme) -> bool:
    return (
        row.algorithm.startswith("hmac-")
        and row.encoding in ("hex", "base64")
        and row.layout in ("plain", "words")
        and row.unit in ("s", "ms")
        and not (row.timestamp.startswith("field:") or row.key_prefix or row.url_variants or row.body_hash_parameter)
        and row.when is None
        and "{body}" in row.signed
        and all(text in _SIMPLE for is_part, text in parts_of(row.signed) if is_part)
    )


def _format(row: Scheme) -> tuple[bytes, tuple[str, ...]]:
    """Return what is signed as a format of bytes, with the names of its parts in order."""
    parts = parts_of(row.signed)
    form = b"".join(b"%b" if is_part else text.encode().replace(b"%", b"%%") for is_part, text in parts)
    return form, tuple(text for is_part, text in parts if is_part)


def _hmac_of(key: bytes, hash_name: str) -> Callable[[bytes], bytes]:
    """Return the HMAC of a key whose blocks are hashed already: 2.3 us for 2 KB in place of 2.7."""
    keyed = hmac.new(key, digestmod=hash_name)

    def make(message: bytes) -> bytes:
        one = keyed.copy()
        one.update(message)
        return one.digest()

    return make


def _key(secret: Secret, row: Scheme) -> bytes | None:
    try:
        return secret_bytes(secret.value, row.key)
    except SignatureInvalid:
        return None


def _base64(raw: bytes) -> bytes:
    return binascii.b2a_base64(raw, newline=False)
