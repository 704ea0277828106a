"""Configures the source of a vector file the way an operator would: kind, secrets, options, clock.

A provider with a connector of its own needs its secret alone. For a generic one the file's `scheme` text and the headers
say what an operator would have read in the sender's documentation.
"""

import base64
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bridge.connectors import ALIASES, REGISTRY
from bridge.connectors.base import Connector, Secret, SignatureInvalid, SourceOptions
from bridge.connectors.dialect import Dialect
from bridge.connectors.schemes import Scheme
from bridge.connectors.signatures import parse_timestamp
from bridge.domain.delivery import HookRequest

_PLAIN_HEADERS = frozenset(
    {"content-type", "content-length", "user-agent", "accept", "accept-encoding", "host", "date", "connection"}
)


_KEY = re.compile(
    r"\b(base64|hex)[- ](?:decoded|encoded)?[- ]?(?:secret|key)\b|\b(?:secret|key)[- ](?:is |in )?(base64|hex)\b"
)


def kind_of(provider: str) -> str:
    """Return the connector's kind for a provider's folder name, empty where nobody speaks for it."""
    kind = ALIASES.get(provider, provider)
    if kind in REGISTRY:
        return kind
    return "generic" if provider.startswith("generic") else ""


def request_of(vector: dict[str, Any], provider: str) -> HookRequest:
    """Return the request of a vector; raise ValueError or TypeError where the file is no vector."""
    body = vector.get("body", "")
    encoding = str(vector.get("body_encoding") or "").lower()
    if not isinstance(body, str | type(None)):
        raise TypeError("body is no text")
    raw = (body or "").encode()
    if encoding == "base64":
        raw = base64.b64decode(body or "", validate=True)
    elif encoding == "hex":
        raw = bytes.fromhex(body or "")
    elif encoding not in ("", "utf-8", "utf8", "text", "raw"):
        raw = (body or "").encode(encoding)
    headers = vector.get("headers") or {}
    given = headers.items() if isinstance(headers, dict) else ((pair[0], pair[1]) for pair in headers)
    pairs = [
        (str(name).lower(), str(one))
        for name, value in given
        for one in (value if isinstance(value, list) else [value])
    ]
    url = str(vector.get("url") or f"https://crm.example.com/hooks/{provider}")
    return HookRequest(method=str(vector.get("method") or "POST").upper(), url=url, headers=tuple(pairs), body=raw)


def configure(
    vector: dict[str, Any], provider: str, request: HookRequest, schemes: Sequence[str]
) -> tuple[tuple[Secret, ...], SourceOptions]:
    """Return the secrets and options of the vector's source; raise SignatureInvalid for a secret that cannot be one.

    A file without a secret stands for a source that says `unsigned: true`.
    """
    secrets = tuple(_secrets(vector.get("secret")))
    options: dict[str, Any] = {}
    if kind_of(provider) == "generic":
        said = str(vector.get("scheme") or "")
        if not said or said.strip().lower() == "same":
            said = next((text for text in schemes if text and text.strip().lower() != "same"), said)
        options["verify"] = _verify_option(provider, said, request)
    if provider == "rfc9421":
        options["require_digest"] = False
    source = SourceOptions(options=options, public_url=request.url.partition("?")[0], unsigned=not secrets)
    return secrets, source


def _secrets(given: Any) -> list[Secret]:
    if given is None:
        return []
    if isinstance(given, dict):
        user = given.get("username", given.get("user"))
        if user is not None and "password" in given:
            return [Secret("secret", f"{user}:{given['password']}")]
        return [Secret(str(name), str(value)) for name, value in given.items() if isinstance(value, str | int)]
    if isinstance(given, list):
        return [Secret(f"secret-{place}", str(value)) for place, value in enumerate(given)]
    return [Secret("secret", str(given))]


def _verify_option(provider: str, said: str, request: HookRequest) -> dict[str, Any]:
    """Return the `verify:` option that a description of a scheme amounts to; what it leaves open, the request itself tells."""
    text = said.lower()
    if not re.search(r"hmac|sha-?\d|ed25519|rsa|signature", text) and not provider.endswith("hmac"):
        field = re.search(r"body[ .](?:field[ :`'\"]+)?([a-z0-9_.]+)", text)
        return {"shared": {"body": [field[1]] if field else []}}
    key = _KEY.search(text)  # how the secret is written says nothing about the signature
    text = _KEY.sub(" ", text)
    signature = _signature_header(request, text)
    value = (request.header(signature) or "").strip()
    row: dict[str, Any] = {"header": signature} | _layout(value)
    offered = value.removeprefix(row.get("prefix", ""))
    is_hex = re.fullmatch(r"(?:[0-9a-fA-F]{2})+", offered) is not None or row.get("layout") == "fields"
    row["encoding"] = "base64" if "base64" in text or ("hex" not in text and not is_hex) else "hex"
    if row["encoding"] == "base64" and re.search(r"base64[ -]?url|url[ -]?safe", text):
        row["encoding"] = "base64url"
    row["algorithm"] = _algorithm(text, len(offered) // 2 if is_hex else len(offered) * 3 // 4)
    if "timestamp" not in row and (stamp := _stamp_header(request, signature)):
        row |= {"timestamp": stamp, "unit": _unit((request.header(stamp) or "").strip())}
    if ident := next(
        (name for name, _ in request.headers if re.search(r"(webhook|event|message|request|delivery)-?id$", name)), ""
    ):
        row["id_header"] = ident
    row["signed"] = _signed(text, stamp=row.get("timestamp", ""))
    if "{id}" not in row["signed"]:
        row.pop("id_header", None)
    if "{timestamp}" not in row["signed"]:
        row.pop("timestamp", None)
    if key or "whsec" in said:
        row["key"] = key[1] or key[2] if key else "whsec"
    return row


def _layout(value: str) -> dict[str, Any]:
    """Return how a signature header is laid out: `t=…,v1=…`, `v1,… v1,…`, or one value behind a prefix."""
    if "t=" in value and "," in value:
        entry = re.search(r"(?:^|,)\s*(v\d|s|sig|signature|h)=", value)
        return {"layout": "fields", "field": entry[1] if entry else "v1", "timestamp": "field:t"}
    if words := re.match(r"(v\d\w?),", value):
        return {"layout": "words", "field": words[1]}
    prefix = re.match(r"[A-Za-z][\w-]{0,20}[= ](?=\S{20})", value)
    return {"prefix": prefix[0]} if prefix else {}


def _algorithm(text: str, size: int) -> str:
    """Return the algorithm a text names, else the HMAC whose digests are nearest to the size of what was sent."""
    if "ed25519" in text:
        return "ed25519"
    if "ecdsa" in text or re.search(r"\bp-?(256|384)\b|\bes(256|384)\b", text):
        return "ecdsa-p384-sha384" if "384" in text else "ecdsa-p256-sha256"
    if "rsa" in text:
        return f"rsa-{'pss-' if 'pss' in text else ''}{'sha512' if '512' in text else 'sha256'}"
    if found := re.search(r"sha-?(512|384|256|1)\b", text):
        return f"hmac-sha{found[1]}"
    by_size = {20: "hmac-sha1", 32: "hmac-sha256", 48: "hmac-sha384", 64: "hmac-sha512"}
    nearest = min(by_size, key=lambda known: abs(known - size))
    return by_size[nearest] if size else "hmac-sha256"


def _stamp_header(request: HookRequest, signature: str) -> str:
    names = [name for name, _ in request.headers if name != signature]
    return next((name for name in names if "timestamp" in name or re.search(r"-(?:time|date)$", name)), "")


def _unit(stamp: str) -> str:
    if stamp.isdigit():
        return "ms" if len(stamp) >= 13 else "s"
    return "http-date" if stamp.endswith("GMT") else "iso" if re.match(r"\d{4}-", stamp) else "s"


def _signature_header(request: HookRequest, text: str) -> str:
    names = [name for name, _ in request.headers if name not in _PLAIN_HEADERS]
    told = [name for name in names if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)]
    for among in (told, names):
        for pattern in (r"signature(?!.*(?:timestamp|date|id)$)|hmac", r"sign|digest|hash|auth|\bsig\b"):
            if found := next((name for name in among if re.search(pattern, name)), ""):
                return found
    named = re.search(r"([a-z][a-z0-9]*(?:-[a-z0-9]+)*-(?:signature|hmac|sign)[a-z0-9-]*)", text)
    return next(iter(names), named[1] if named else "x-signature")


_WORDS = (
    ("{timestamp}", r"[\w-]*timestamp[\w-]*|\bt\b|\btime\b|[\w-]+-date\b"),
    ("{id}", r"[\w-]*-id\b|\bid\b"),
    ("{method}", r"\bmethod\b"),
    ("{url}", r"\bur[il]\b"),
    ("{path}", r"\bpath\b"),
    ("{body}", r"\b(?:raw[ _])?body\b|\bpayload\b"),
)
_DESCRIBED = (
    r"\((?:[^,()]*(?:secret|key|token)[^,()]*,)\s*([^()]*)\)",
    r"(?:ed25519|sha-?256)\s*\(([^()]*)\)",
    r"\b(?:over|of)\s+((?:[^,;(]|\"[^\"]*\")*)",
)
"""Where a text says what is signed: `hmac(secret, …)`, `ed25519(…)`, `over …`."""


def _signed(text: str, *, stamp: str) -> str:
    """Return the signed string a text describes: `timestamp + "." + raw body` or `timestamp.body`; else the body alone."""
    inside = next((found for pattern in _DESCRIBED if (found := re.search(pattern, text)) and "body" in found[1]), None)
    if not inside:
        return "{body}" if not stamp or "body" in text else "{timestamp}.{body}"
    described, parts = inside[1].replace(stamp or "\0", " t "), []
    for piece in re.finditer(
        r'"([^"]*)"|' + "|".join(f"({pattern})" for _, pattern in _WORDS) + r"|(\.|:|\\n|\|)", described
    ):
        if piece[1] is not None:
            parts.append(piece[1])
        elif piece[len(_WORDS) + 2]:
            parts.append(piece[len(_WORDS) + 2].replace("\\n", "\n"))
        else:
            parts.append(next(name for place, (name, _) in enumerate(_WORDS, start=2) if piece[place]))
    joined = "".join(parts).strip()
    return joined if "{body}" in joined else "{body}"


def clock_of(vector: dict[str, Any], request: HookRequest, connector: Connector, options: SourceOptions) -> datetime:
    """Return the frozen clock: the file's, else the time the request itself was signed at, so that age is not judged."""
    at = vector.get("verify_at_unix")
    if isinstance(at, int | float):
        return datetime.fromtimestamp(at, UTC)
    rows: tuple[Scheme, ...] = connector.proofs(options)[0] if isinstance(connector, Dialect) else ()
    for row in rows:
        text = request.header(row.timestamp) or ""
        if row.timestamp.startswith("field:"):
            entry = re.search(rf"(?:^|,)\s*{re.escape(row.timestamp[6:])}=([^,]+)", request.header(row.header) or "")
            text = entry[1] if entry else ""
        try:
            if text:
                return parse_timestamp(text.strip(), row.unit)
        except SignatureInvalid:
            continue
    if created := re.search(r"created=(\d+)", request.header("signature-input") or ""):
        return datetime.fromtimestamp(int(created[1]), UTC)
    return datetime(2026, 1, 1, tzinfo=UTC)
