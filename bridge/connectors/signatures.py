"""The signature engine: a scheme is a row of data, and one function checks any row over the raw bytes.

A sender that changes its scheme sends two headers for a while. The first row whose header is present decides, so that
an attacker cannot choose the weaker one; rows that share a header are alternatives, and so are several valid secrets.
"""

import base64
import binascii
import contextlib
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from bridge.connectors.base import Secret, SignatureInvalid, Verified
from bridge.domain.delivery import HookRequest
from bridge.domain.reasons import Reason

Algorithm = Literal[
    "hmac-sha1", "hmac-sha256", "hmac-sha384", "hmac-sha512", "sha1", "sha256", "sha512", "ed25519", "rsa-sha256"
]
LENGTHS = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64, "ed25519": 64}
MAX_SIGNATURES = 16
"""Entries read of a list header: rotation needs two, and every entry costs a comparison."""

HUBSPOT_ESCAPES = {
    "%3A": ":", "%2F": "/", "%40": "@", "%26": "&", "%3D": "=", "%2B": "+", "%24": "$",
    "%60": "`", "%22": '"', "%2C": ",", "%3B": ";", "%3E": ">", "%3C": "<", "%3F": "?",
}  # fmt: skip
"""The escapes HubSpot undoes before it signs a URL with v3; all others stay as they are."""


class Scheme(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way of signing, as data: where the signature and the time stand, how they are written, what is signed.

    `signed` is a text with the parts `{body} {timestamp} {id} {method} {url} {path} {form} {secret} {header:NAME}`.
    `url_variants` tries the URL with and without its port; `body_hash_parameter` names the query parameter that
    holds the SHA-256 of a body which the signature itself leaves out.
    """

    name: str
    header: str
    algorithm: Algorithm = "hmac-sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    layout: Literal["plain", "fields", "words"] = "plain"
    """plain: the whole value; fields: `t=…,v1=…`; words: `v1,… v1a,…`"""
    field: str = ""
    """Which entries of a list hold signatures: the name before `=` or `,`."""
    signed: str = "{body}"
    timestamp: str = ""
    """Header name, or `field:NAME` for an entry of the list."""
    unit: Literal["s", "ms", "http-date", "iso"] = "s"
    tolerance: int | None = 300
    """Seconds both ways; None where the time is not signed and so proves nothing."""
    id_header: str = ""
    key: Literal["text", "base64", "hex", "whsec"] = "text"
    """How the configured secret spells the key."""
    key_prefix: str = ""
    """Only secrets that start so belong to this row (`whpk_`)."""
    when: tuple[str, str] | None = None
    """A header and the value it must have for this row to apply."""
    url_variants: bool = False
    body_hash_parameter: str = ""

    @property
    def is_asymmetric(self) -> bool:
        """Tell whether the secret is a public key."""
        return self.algorithm in ("ed25519", "rsa-sha256")


def verify(
    request: HookRequest,
    schemes: tuple[Scheme, ...],
    *,
    secrets: tuple[Secret, ...],
    now: datetime,
    tolerance: int | None = None,
) -> Verified:
    """Prove the raw bytes by the first scheme whose header is present, with any of the secrets.

    `tolerance` (seconds, both ways) replaces that of rows which judge age at all. Raises SignatureInvalid.
    """
    rows = _deciding_rows(request, schemes)
    if not secrets:
        raise SignatureInvalid(Reason.SECRET_UNUSABLE, "no secret is configured")
    failure: SignatureInvalid | None = None
    for row in rows:
        for secret in secrets:
            if row.key_prefix and not secret.value.startswith(row.key_prefix):
                continue
            try:
                _check(request, row, secret, now=now, tolerance=tolerance)
            except SignatureInvalid as found:
                failure = _more_telling(failure, found)
                continue
            return Verified(scheme=row.name, secret_name=secret.name)
    raise failure or SignatureInvalid(Reason.SECRET_UNUSABLE, "no secret of this source fits the scheme")


def _deciding_rows(request: HookRequest, schemes: tuple[Scheme, ...]) -> list[Scheme]:
    """Return the rows of the first signature header that is present."""
    for row in schemes:
        values = request.header_all(row.header)
        if not values or not _applies(request, row):
            continue
        if len(values) > 1:
            raise SignatureInvalid(Reason.SIGNATURE_DUPLICATED, row.header)
        return [other for other in schemes if other.header == row.header and _applies(request, other)]
    raise SignatureInvalid(Reason.SIGNATURE_MISSING, " or ".join(dict.fromkeys(row.header for row in schemes)))


def _applies(request: HookRequest, row: Scheme) -> bool:
    return row.when is None or (request.header(row.when[0]) or "").strip().lower() == row.when[1]


_TELLING = (
    Reason.SIGNATURE_DUPLICATED,
    Reason.TIMESTAMP_TOO_OLD,
    Reason.TIMESTAMP_TOO_NEW,
    Reason.SIGNATURE_MISMATCH,
    Reason.TIMESTAMP_MISSING,
    Reason.TIMESTAMP_MALFORMED,
    Reason.SIGNATURE_MALFORMED,
    Reason.SIGNATURE_MISSING,
    Reason.SECRET_UNUSABLE,
)


def _more_telling(one: SignatureInvalid | None, other: SignatureInvalid) -> SignatureInvalid:
    """Keep the failure that came furthest: a right signature of the wrong time says more than a wrong secret."""
    if one is None:
        return other
    order = {reason: place for place, reason in enumerate(_TELLING)}
    return min(one, other, key=lambda found: order.get(found.reason, len(order)))


def _check(request: HookRequest, row: Scheme, secret: Secret, *, now: datetime, tolerance: int | None) -> None:
    """Check one row with one secret; the age is judged last, so that it is only told of bytes that are genuine."""
    entries = _entries(request, row)
    offered = [_decode(text, row) for text in entries.get(row.field, [])[:MAX_SIGNATURES]]
    if not offered:
        raise SignatureInvalid(Reason.SIGNATURE_MISSING, f"no {row.field or 'value'} in {row.header}")
    stamp, at = _timestamp(request, row, entries)
    ident = _single(request, row.id_header, Reason.SIGNATURE_MISSING) if row.id_header else ""
    if not any(_matches(message, row, secret, offered) for message in messages(request, row, secret, stamp, ident)):
        raise SignatureInvalid(Reason.SIGNATURE_MISMATCH, row.header)
    if at is not None and row.tolerance is not None:
        allowed = tolerance if tolerance is not None else row.tolerance
        age = (now - at).total_seconds()
        if age > allowed:
            raise SignatureInvalid(Reason.TIMESTAMP_TOO_OLD, f"{age:.0f} s old, {allowed} s allowed")
        if age < -allowed:
            raise SignatureInvalid(Reason.TIMESTAMP_TOO_NEW, f"{-age:.0f} s ahead, {allowed} s allowed")


def _single(request: HookRequest, name: str, missing: Reason) -> str:
    values = request.header_all(name)
    if len(values) > 1:
        raise SignatureInvalid(Reason.SIGNATURE_DUPLICATED, name)
    if not values or not values[0].strip():
        raise SignatureInvalid(missing, name)
    return values[0]


def _entries(request: HookRequest, row: Scheme) -> dict[str, list[str]]:
    """Read the signature header into its named entries; a plain one has a single entry of the row's field name."""
    value = _single(request, row.header, Reason.SIGNATURE_MISSING).strip()
    if row.layout == "plain":
        return {row.field: [value]}
    separator, joint = (",", "=") if row.layout == "fields" else (" ", ",")
    found: dict[str, list[str]] = {}
    for part in value.split(separator)[: MAX_SIGNATURES * 2]:
        name, joined, text = part.strip().partition(joint)
        if joined:
            found.setdefault(name.strip(), []).append(text.strip())
    return found


def _decode(text: str, row: Scheme) -> bytes:
    """Return the signature's bytes; nothing but the exact prefix, alphabet, padding and length is read."""
    if not text.startswith(row.prefix):
        raise SignatureInvalid(Reason.SIGNATURE_MALFORMED, f"{row.header} does not start with {row.prefix!r}")
    raw = decode_strictly(text[len(row.prefix) :], row.encoding)
    wanted = LENGTHS.get(row.algorithm.removeprefix("hmac-"))
    if raw is None or not raw or (wanted is not None and len(raw) != wanted):
        raise SignatureInvalid(Reason.SIGNATURE_MALFORMED, f"{row.header} is no {row.encoding} of {row.algorithm}")
    return raw


def decode_strictly(text: str, encoding: str) -> bytes | None:
    """Return the bytes of a hex or padded base64 text, None for anything that is not exactly that."""
    try:
        written = text.encode("ascii")
        if encoding == "hex":
            return binascii.unhexlify(written) or None
        raw = binascii.a2b_base64(written, strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    # The last letter may carry bits that no byte takes: two texts would then be one signature.
    return raw if binascii.b2a_base64(raw, newline=False) == written else None


def _timestamp(request: HookRequest, row: Scheme, entries: dict[str, list[str]]) -> tuple[str, datetime | None]:
    """Return the time as the exact text that was signed, and as a moment."""
    if not row.timestamp:
        return "", None
    if row.timestamp.startswith("field:"):
        texts = entries.get(row.timestamp[6:], [])
        if len(texts) > 1:
            raise SignatureInvalid(Reason.SIGNATURE_DUPLICATED, row.timestamp)
        text = texts[0] if texts else ""
        if not text:
            raise SignatureInvalid(Reason.TIMESTAMP_MISSING, row.timestamp)
    else:
        text = _single(request, row.timestamp, Reason.TIMESTAMP_MISSING)
    return text, parse_timestamp(text.strip(), row.unit)


def parse_timestamp(text: str, unit: str) -> datetime:
    """Return the moment a signed time names; raise SignatureInvalid where it is no time of its unit."""
    try:
        if unit == "http-date":
            at = parsedate_to_datetime(text)
        elif unit == "iso":
            at = datetime.fromisoformat(text)
        elif text.isascii() and text.isdigit() and len(text) <= 16:
            at = datetime.fromtimestamp(int(text) / (1000 if unit == "ms" else 1), UTC)
        else:
            raise SignatureInvalid(Reason.TIMESTAMP_MALFORMED, "digits expected")
    except (ValueError, OverflowError, OSError) as error:
        raise SignatureInvalid(Reason.TIMESTAMP_MALFORMED, f"no time of unit {unit}") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


_PART = re.compile(r"\{([a-z_]+(?::[A-Za-z0-9_-]+)?)\}")


def messages(request: HookRequest, row: Scheme, secret: Secret, stamp: str, ident: str) -> Iterator[bytes]:
    """Yield the byte strings that may be signed under a row: one, or one per spelling of the URL."""
    template, form = row.signed, True
    if row.body_hash_parameter:
        stated = [value for key, value in parse_qsl(urlsplit(request.url).query) if key == row.body_hash_parameter]
        if stated:
            actual = hashlib.sha256(request.body).hexdigest()
            if len(stated) > 1 or not hmac.compare_digest(actual.encode(), stated[0].lower().encode()):
                return
            form = False
    for url in _url_spellings(request.url) if row.url_variants else (request.url,):
        parts = []
        for is_part, text in _split(template):
            match text:
                case _ if not is_part:
                    parts.append(text.encode())
                case "body":
                    parts.append(request.body)
                case "timestamp":
                    parts.append(stamp.encode())
                case "id":
                    parts.append(ident.encode())
                case _:
                    parts.append(_part(text, request, secret=secret, url=url, form=form))
        yield b"".join(parts)


@lru_cache(maxsize=256)
def _split(template: str) -> tuple[tuple[bool, str], ...]:
    pieces = ((place % 2 == 1, text) for place, text in enumerate(_PART.split(template)))
    return tuple((is_part, text) for is_part, text in pieces if text)


def _part(name: str, request: HookRequest, *, secret: Secret, url: str, form: bool) -> bytes:
    match name.partition(":"):
        case ("method", _, _):
            return request.method.upper().encode()
        case ("url", _, "hubspot"):
            return re.sub(r"%[0-9A-Fa-f]{2}", lambda hit: HUBSPOT_ESCAPES.get(hit[0].upper(), hit[0]), url).encode()
        case ("url", _, _):
            return url.encode()
        case ("path", _, _):
            return urlsplit(url).path.encode()
        case ("form", _, _):
            return _sorted_form(request) if form else b""
        case ("secret", _, _):
            return secret.value.encode()
        case ("header", _, header):
            return _single(request, header.lower(), Reason.SIGNATURE_MISSING).encode()
        case _:
            raise SignatureInvalid(Reason.SIGNATURE_MALFORMED, f"the scheme signs an unknown part {name!r}")


def _sorted_form(request: HookRequest) -> bytes:
    """Return Twilio's form text: names sorted, each followed by its sorted distinct values, nothing between."""
    if request.content_type != "application/x-www-form-urlencoded":
        return b""
    pairs = parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=20_000)
    return "".join(name + value for name, value in sorted(set(pairs))).encode()


def _url_spellings(url: str) -> tuple[str, ...]:
    """Return a URL as it is, without its port, and with the default one: Twilio signs any of the three."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    at = f"{parts.username}:{parts.password}@" if parts.username else ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    bare = parts._replace(netloc=f"{at}{host}").geturl()
    ported = parts._replace(netloc=f"{at}{host}:{port}").geturl()
    return tuple(dict.fromkeys((url, bare, ported)))


def _matches(message: bytes, row: Scheme, secret: Secret, offered: list[bytes]) -> bool:
    """Compare every offered signature in constant time; all are compared, so that time tells nothing of which."""
    if row.is_asymmetric:
        key = load_public_key(secret.value.removeprefix(row.key_prefix))
        return sum(_signed_by(key, row.algorithm, signature, message) for signature in offered) > 0
    wanted = digest(row, secret)(message)
    return sum([hmac.compare_digest(wanted, signature) for signature in offered]) > 0


def digest(row: Scheme, secret: Secret) -> Callable[[bytes], bytes]:
    """Return the function that makes the row's signature with a secret."""
    kind, _, name = row.algorithm.rpartition("-")
    if kind != "hmac":
        return lambda message: hashlib.new(row.algorithm, message).digest()
    key = secret_bytes(secret.value, row.key)
    return partial(_hmac, key, name)


def _hmac(key: bytes, name: str, message: bytes) -> bytes:
    return hmac.digest(key, message, name)


@lru_cache(maxsize=1024)
def secret_bytes(value: str, written_as: str) -> bytes:
    """Return the key a configured secret stands for; an unreadable or empty one is refused."""
    key: bytes | None = None
    match written_as:
        case "hex":
            key = decode_strictly(value.strip(), "hex")
        case "base64" | "whsec":
            text = value.strip().removeprefix("whsec_" if written_as == "whsec" else "")
            text = text.replace("-", "+").replace("_", "/").rstrip("=")
            with contextlib.suppress(binascii.Error, UnicodeEncodeError):
                # Generated secrets may end in bits that no byte takes: a key is read, not compared, so that is no matter.
                key = binascii.a2b_base64((text + "=" * (-len(text) % 4)).encode("ascii"), strict_mode=True)
        case _:
            key = value.encode()
    if not key:
        raise SignatureInvalid(Reason.SECRET_UNUSABLE, f"the secret is no {written_as}")
    return key


@lru_cache(maxsize=64)
def load_public_key(value: str) -> Ed25519PublicKey | RSAPublicKey | None:
    """Return the public key of a PEM, or of 32 raw bytes in base64 or hex; None for any other text."""
    try:
        if "-----BEGIN" in value:
            key = serialization.load_pem_public_key(value.replace("\\n", "\n").encode())
            return key if isinstance(key, Ed25519PublicKey | RSAPublicKey) else None
        raw = decode_strictly(value.strip(), "hex") or base64.b64decode(value.strip() + "==")
        return Ed25519PublicKey.from_public_bytes(raw)
    except (ValueError, UnsupportedAlgorithm):
        return None


def _signed_by(key: Ed25519PublicKey | RSAPublicKey | None, algorithm: str, signature: bytes, message: bytes) -> bool:
    try:
        if algorithm == "ed25519" and isinstance(key, Ed25519PublicKey):
            key.verify(signature, message)
        elif algorithm == "rsa-sha256" and isinstance(key, RSAPublicKey):
            key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        else:
            return False
    except InvalidSignature:
        return False
    return True
