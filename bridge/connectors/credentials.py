"""Shared values: tokens, keys and passwords that a caller shows, for the many senders that sign nothing."""

import hmac
from collections import Counter
from urllib.parse import parse_qsl, urlsplit

import msgspec

from bridge.connectors.base import Secret, SignatureInvalid, Strength, Verified
from bridge.connectors.signatures import decode_strictly
from bridge.domain.delivery import HookRequest
from bridge.domain.reasons import Reason

_NONE_FOUND = "no token, key or password in the request"
_LONGEST = 1000  # letters of a header that may be a shared value


class SharedValue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a caller may put a shared value: it proves that the caller knew it, not that the bytes are theirs.

    All places are looked at, because the sender's own pages decide where a contractor can put it: an Authorization
    header (bearer, or basic with `user:password` as the secret), a header of one of these names or of any other, any
    query parameter, the last part of the path, or a field of the body that the connector reads out.
    """

    name: str = "shared-value"
    authorization: bool = True
    headers: tuple[str, ...] = (
        "x-webhook-token", "x-webhook-secret", "x-api-key", "x-auth-token", "x-token", "x-hook-token", "webhook-key",
    )  # fmt: skip
    any_header: bool = True
    """Whether a header of another name may hold it: Angi and many form plug-ins let each integration choose the name."""
    query: tuple[str, ...] | None = ()
    """Parameter names; empty for any name, None for none."""
    path: bool = True
    body: tuple[str, ...] = ()
    """Dotted paths of the payload."""


def verify_shared_value(
    request: HookRequest,
    places: SharedValue,
    *,
    secrets: tuple[Secret, ...],
    sub_path: tuple[str, ...] = (),
    from_body: tuple[str, ...] = (),
) -> Verified:
    """Prove that the caller knew one of the shared values, or raise SignatureInvalid; every place is compared."""
    offered = list(from_body)
    if places.authorization and (header := _at_most_one(request, "authorization")) is not None:
        offered += _authorization(header)
    for name in places.headers:
        value = _at_most_one(request, name)
        if value is not None:
            offered.append(value.strip())
    if places.query is not None:
        pairs = parse_qsl(urlsplit(request.url).query, keep_blank_values=True)
        offered += [value for name, value in pairs if not places.query or name in places.query]
    if places.path and sub_path:
        offered += list(sub_path)
    offered = [value for value in offered if value][:64]
    others = _other_headers(request, places) if places.any_header else []
    if not offered and not others:
        raise SignatureInvalid(Reason.SIGNATURE_MISSING, _NONE_FOUND)
    if not secrets:
        raise SignatureInvalid(Reason.SECRET_UNUSABLE, "no secret is configured")
    hits = [
        secret.name
        for secret in secrets
        if sum(hmac.compare_digest(value.encode(), secret.value.encode()) for value in (*offered, *others)) > 0
    ]
    if not hits and not offered:
        raise SignatureInvalid(Reason.SIGNATURE_MISSING, _NONE_FOUND)
    if not hits:
        raise SignatureInvalid(Reason.CREDENTIALS_WRONG, "the token, key or password is another one")
    return Verified(scheme=places.name, secret_name=hits[0], strength=Strength.AUTHENTICATED)


def _other_headers(request: HookRequest, places: SharedValue) -> list[str]:
    """Return the values of headers nobody named that stand once: one that is repeated proves nothing."""
    times = Counter(name for name, _ in request.headers if name != "authorization" and name not in places.headers)
    return [value.strip() for name, value in request.headers if times[name] == 1 and len(value) <= _LONGEST][:64]


def _at_most_one(request: HookRequest, name: str) -> str | None:
    values = request.header_all(name)
    if len(values) > 1:
        raise SignatureInvalid(Reason.SIGNATURE_DUPLICATED, name)
    return values[0] if values else None


def _authorization(header: str) -> list[str]:
    """Return what an Authorization header offers; basic is split once only, since a password may hold a colon."""
    kind, _, value = header.strip().partition(" ")
    value = value.strip()
    if not value:
        raise SignatureInvalid(Reason.SIGNATURE_MALFORMED, "authorization has no value")
    if kind.lower() != "basic":
        return [value]
    raw = decode_strictly(value, "base64")
    try:
        text = raw.decode() if raw is not None else ""
    except UnicodeDecodeError:
        text = ""
    if ":" not in text:
        raise SignatureInvalid(Reason.SIGNATURE_MALFORMED, "authorization is no base64 of user:password")
    return [text, text.partition(":")[2]]
