"""HTTP Message Signatures (RFC 9421) with Content-Digest (RFC 9530), for senders that sign the standard way."""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

from bridge.connectors.base import About, Secret, SignatureInvalid, SourceOptions, Strength, Verified
from bridge.connectors.dialect import UNSIGNED
from bridge.connectors.generic import Generic
from bridge.connectors.public_keys import load_public_key, signed_by
from bridge.connectors.signatures import decode_strictly, secret_bytes
from bridge.domain.delivery import HookRequest
from bridge.domain.reasons import Reason

_INPUT = re.compile(r'\s*([a-z*][a-z0-9_.*-]*)=(\(([^()]*)\)((?:;[a-z*][a-z0-9_.*-]*=(?:"[^"\\]*"|-?\d+))*))\s*(?:,|$)')
_SIGNATURE = re.compile(r"\s*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):\s*(?:,|$)")
_DIGESTS = frozenset({"sha-256", "sha-512"})
"""What RFC 9530 calls active; the others are broken or no digests, and are passed over."""
_ALGORITHMS = {
    "ed25519": "ed25519", "rsa-v1_5-sha256": "rsa-sha256", "rsa-pss-sha512": "rsa-pss-sha512",
    "ecdsa-p256-sha256": "ecdsa-p256-sha256", "ecdsa-p384-sha384": "ecdsa-p384-sha384",
}  # fmt: skip
"""The registry of RFC 9421 in the words of our schemes; `hmac-sha256` is the shared key's."""
_COMPONENT = re.compile(r'"([^"\\]+)"((?:;[a-z]+(?:="[^"\\]*")?)*)')
_MAX = 8


class Rfc9421(Generic):
    """Any sender of RFC 9421 signatures."""

    options_known = Generic.options_known | {"require_digest"}
    kind = "rfc9421"
    about = About(
        title="HTTP Message Signatures", family="generic",
        signature="Signature, Signature-Input (RFC 9421): HMAC-SHA256, Ed25519, RSA, ECDSA; Content-Digest must be covered",
        dedup="as any sender", retries="as the sender does",
        setup=("Give the sender the hook URL; exchange the shared key or take its public key.",),
        paste="the HMAC key in base64, or a PEM public key",
        notes=("`options.require_digest: false` accepts signatures that leave the body out: only for senders that cannot.",),
    )  # fmt: skip
    shared = None

    def verify(
        self, request: HookRequest, *, secrets: tuple[Secret, ...], options: SourceOptions, now: datetime
    ) -> Verified:
        """Prove the request by any signature of any secret; a Content-Digest that is there must be right."""
        if options.unsigned and not secrets:
            return UNSIGNED
        if not secrets:
            raise SignatureInvalid(Reason.SECRET_UNUSABLE, "no secret is configured")
        has_digest = _check_digest(request)
        signatures = dict(_labelled(request, "signature", _SIGNATURE))
        failure = SignatureInvalid(Reason.SIGNATURE_MISMATCH, "signature")
        for label, inputs in list(_inputs(request))[:_MAX]:
            offered = decode_strictly(signatures.get(label, ""), "base64")
            if not offered:
                raise SignatureInvalid(Reason.SIGNATURE_MALFORMED, f"no signature of label {label!r}")
            base = _base(request, inputs)
            covers = '"content-digest"' in inputs[0] and has_digest
            secret = next((known for known in secrets if _matches(known, offered, base, inputs[1])), None)
            if secret is None:
                continue
            if options.options.get("require_digest", True) and request.body and not covers:
                failure = SignatureInvalid(Reason.SIGNATURE_MISMATCH, "the signature does not cover content-digest")
                continue
            _check_age(inputs[1], now, options.tolerance_seconds)
            strength = Strength.VERIFIED if covers or not request.body else Strength.AUTHENTICATED
            return Verified(scheme="rfc9421", secret_name=secret.name, strength=strength)
        raise failure

    def prove(self, request: HookRequest, *, secret: Secret, options: SourceOptions, now: datetime) -> HookRequest:
        """Return a sample signed with the shared key, its digest covered."""
        del options
        digest = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
        covered = '("@method" "@target-uri" "content-digest")'
        parameters = f'{covered};created={int(now.timestamp())};keyid="sample"'
        headers = (
            *request.headers,
            ("content-digest", f"sha-256=:{digest}:"),
            ("signature-input", f"sig={parameters}"),
        )
        bare = HookRequest(method=request.method, url=request.url, headers=headers, body=request.body)
        base = _base(bare, (covered[1:-1], parameters.removeprefix(covered), parameters))
        signature = base64.b64encode(hmac.digest(_hmac_key(secret), base, "sha256")).decode()
        return HookRequest(
            method=request.method,
            url=request.url,
            headers=(*headers, ("signature", f"sig=:{signature}:")),
            body=request.body,
        )


def _single(request: HookRequest, name: str) -> str:
    """Return a header's values joined as the RFC joins them; a signature twice is refused as everywhere."""
    values = request.header_all(name)
    if len(values) > 1:
        raise SignatureInvalid(Reason.SIGNATURE_DUPLICATED, name)
    if not values:
        raise SignatureInvalid(Reason.SIGNATURE_MISSING, name)
    return values[0]


def _labelled(request: HookRequest, name: str, pattern: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    value, place = _single(request, name), 0
    while place < len(value):
        found = pattern.match(value, place)
        if not found:
            raise SignatureInvalid(Reason.SIGNATURE_MALFORMED, name)
        yield found[1], found[2]
        place = found.end()


def _inputs(request: HookRequest) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Yield label → (components, parameters, the whole as written)."""
    value, place = _single(request, "signature-input"), 0
    while place < len(value):
        found = _INPUT.match(value, place)
        if not found:
            raise SignatureInvalid(Reason.SIGNATURE_MALFORMED, "signature-input")
        yield found[1], (found[3], found[4], found[2])
        place = found.end()


def _base(request: HookRequest, inputs: tuple[str, str, str]) -> bytes:
    """Return the signature base: a line per covered component, then the parameters."""
    lines, seen = [], set()
    rest = _COMPONENT.sub("", inputs[0]).strip()
    if rest:
        raise SignatureInvalid(Reason.SIGNATURE_MALFORMED, "covered components")
    for found in _COMPONENT.finditer(inputs[0]):
        if found[0] in seen or (found[2] and not found[1] == "@query-param"):
            raise SignatureInvalid(Reason.SIGNATURE_MALFORMED, f"component {found[0]}")
        seen.add(found[0])
        lines.append(f"{found[0]}: {_component(request, found[1], found[2])}")
    lines.append(f'"@signature-params": {inputs[2]}')
    return "\n".join(lines).encode()


def _component(request: HookRequest, name: str, parameters: str) -> str:
    url = urlsplit(request.url)
    port = f":{url.port}" if url.port and url.port != {"https": 443, "http": 80}.get(url.scheme) else ""
    derived = {
        "@method": request.method.upper(), "@target-uri": request.url, "@authority": (url.hostname or "") + port,
        "@scheme": url.scheme, "@path": url.path or "/", "@query": f"?{url.query}",
        "@request-target": (url.path or "/") + (f"?{url.query}" if url.query else ""),
    }  # fmt: skip
    if name == "@query-param":
        wanted = re.fullmatch(r';name="([^"]*)"', parameters)
        values = [
            part.partition("=")[2] for part in url.query.split("&") if wanted and part.partition("=")[0] == wanted[1]
        ]
        if len(values) == 1:
            return values[0]
    elif name in derived:
        return derived[name]
    elif not name.startswith("@") and (values := request.header_all(name.lower())):
        return ", ".join(value.strip() for value in values)
    raise SignatureInvalid(Reason.SIGNATURE_MALFORMED, f"covers {name!r}, which the request has not")


def _check_digest(request: HookRequest) -> bool:
    """Compare Content-Digest with the body; False where the header is absent."""
    if request.header("content-digest") is None:
        return False
    stated = [found for found in _labelled(request, "content-digest", _SIGNATURE) if found[0] in _DIGESTS]
    for name, written in stated:
        actual = hashlib.new(name.replace("-", ""), request.body).digest()
        if not hmac.compare_digest(actual, decode_strictly(written, "base64") or b""):
            raise SignatureInvalid(Reason.SIGNATURE_MISMATCH, "content-digest")
    return bool(stated)


def _matches(secret: Secret, signature: bytes, base: bytes, parameters: str) -> bool:
    stated = re.search(r';alg="([^"]*)"', parameters)
    algorithm = stated[1] if stated else ""
    key = load_public_key(secret.value) if "-----BEGIN" in secret.value else None
    if key is None:
        return algorithm in ("", "hmac-sha256") and hmac.compare_digest(
            hmac.digest(_hmac_key(secret), base, "sha256"), signature
        )
    if algorithm:
        return algorithm in _ALGORITHMS and signed_by(key, _ALGORITHMS[algorithm], signature, base)
    return any(
        signed_by(key, known, signature, base) for known in _ALGORITHMS.values()
    )  # the key's kind leaves one or two


def _hmac_key(secret: Secret) -> bytes:
    try:
        return secret_bytes(secret.value, "base64")
    except SignatureInvalid:
        return secret.value.encode()


def _check_age(parameters: str, now: datetime, tolerance: int) -> None:
    """Judge `created` and `expires`; a signature without a time has nothing to judge."""
    moments = {name: int(value) for name, value in re.findall(r";(created|expires)=(\d{1,12})(?![0-9])", parameters)}
    try:
        if "created" in moments:
            age = (now - datetime.fromtimestamp(moments["created"], UTC)).total_seconds()
            if age > tolerance:
                raise SignatureInvalid(Reason.TIMESTAMP_TOO_OLD, f"{age:.0f} s old")
            if age < -tolerance:
                raise SignatureInvalid(Reason.TIMESTAMP_TOO_NEW, f"{-age:.0f} s ahead")
        if "expires" in moments and now > datetime.fromtimestamp(moments["expires"], UTC):
            raise SignatureInvalid(Reason.TIMESTAMP_TOO_OLD, "expired")
    except (ValueError, OverflowError, OSError) as error:
        raise SignatureInvalid(Reason.TIMESTAMP_MALFORMED, "created or expires") from error
