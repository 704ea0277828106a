"""The signature engine: a scheme is a row of data, and one function checks any row over the raw bytes.

A sender that changes its scheme sends two headers for a while. The first row whose header is present decides, so that
an attacker cannot choose the weaker one; rows that share a header are alternatives, and so are several valid secrets.
"""

import binascii
import contextlib
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial

from bridge.connectors.base import Secret, SignatureInvalid, Verified
from bridge.connectors.schemes import Scheme
from bridge.connectors.signed_text import messages, single_header
from bridge.domain.delivery import HookRequest
from bridge.domain.reasons import Reason

LENGTHS = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64, "ed25519": 64}
MAX_SIGNATURES = 16
"""Entries read of a list header: rotation needs two, and every entry costs a comparison."""


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
    offered = _offered(entries.get(row.field, []), row)
    stamp, at = _timestamp(request, row, entries)
    ident = single_header(request, row.id_header, Reason.SIGNATURE_MISSING) if row.id_header else ""
    if not any(_matches(message, row, secret, offered) for message in messages(request, row, secret, stamp, ident)):
        raise SignatureInvalid(Reason.SIGNATURE_MISMATCH, row.header)
    if at is not None and row.tolerance is not None:
        allowed = tolerance if tolerance is not None else row.tolerance
        age = (now - at).total_seconds()
        if age > allowed:
            raise SignatureInvalid(Reason.TIMESTAMP_TOO_OLD, f"{age:.0f} s old, {allowed} s allowed")
        if age < -allowed:
            raise SignatureInvalid(Reason.TIMESTAMP_TOO_NEW, f"{-age:.0f} s ahead, {allowed} s allowed")


def _entries(request: HookRequest, row: Scheme) -> dict[str, list[str]]:
    """Read the signature header into its named entries; a plain one has a single entry of the row's field name."""
    value = single_header(request, row.header, Reason.SIGNATURE_MISSING).strip()
    if row.layout == "plain":
        return {row.field: [value]}
    separator, joint = (",", "=") if row.layout == "fields" else (" ", ",")
    found: dict[str, list[str]] = {}
    for part in value.split(separator)[: MAX_SIGNATURES * 2]:
        name, joined, text = part.strip().partition(joint)
        if row.layout == "words" and len(text) > 1 and text.endswith(","):
            raise SignatureInvalid(Reason.SIGNATURE_DUPLICATED, row.header)  # two headers that a proxy put into one
        if joined:
            found.setdefault(name.strip(), []).append(text.strip())
    return found


def _offered(texts: list[str], row: Scheme) -> list[bytes]:
    """Return the signatures that can be read; during a rotation a list may hold others that cannot, but never none."""
    if not texts:
        raise SignatureInvalid(Reason.SIGNATURE_MISSING, f"no {row.field or 'value'} in {row.header}")
    found: list[bytes] = []
    failure: SignatureInvalid | None = None
    for text in texts[:MAX_SIGNATURES]:
        try:
            found.append(_decode(text, row))
        except SignatureInvalid as malformed:
            failure = malformed
    if not found and failure is not None:
        raise failure
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
    """Return the bytes of a hex, padded base64 or base64url text (padded or not), None for anything that is not exactly that."""
    try:
        written = text.encode("ascii")
        if encoding == "hex":
            return binascii.unhexlify(written) or None
        if encoding == "base64url":
            if b"+" in written or b"/" in written:
                return None
            bare = written.replace(b"-", b"+").replace(b"_", b"/")
            written = bare if b"=" in bare else bare + b"=" * (-len(bare) % 4)
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
        text = single_header(request, row.timestamp, Reason.TIMESTAMP_MISSING)
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


def _matches(message: bytes, row: Scheme, secret: Secret, offered: list[bytes]) -> bool:
    """Compare every offered signature in constant time; all are compared, so that time tells nothing of which."""
    if row.is_asymmetric:
        from bridge.connectors.public_keys import load_public_key, signed_by  # noqa: PLC0415  9 MB for those who need it

        key = load_public_key(secret.value.removeprefix(row.key_prefix))
        return sum(signed_by(key, row.algorithm, signature, message) for signature in offered) > 0
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
