"""The bytes that were signed, put together from the parts that a scheme names."""

import hashlib
import hmac
import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import parse_qsl, urlsplit

import msgspec

from bridge.connectors import payloads
from bridge.connectors.base import PayloadMalformed, Secret, SignatureInvalid
from bridge.connectors.schemes import Scheme
from bridge.domain.delivery import HookRequest
from bridge.domain.reasons import Reason

HUBSPOT_ESCAPES = {
    "%3A": ":", "%2F": "/", "%40": "@", "%26": "&", "%3D": "=", "%2B": "+", "%24": "$",
    "%60": "`", "%22": '"', "%2C": ",", "%3B": ";", "%3E": ">", "%3C": "<", "%3F": "?",
}  # fmt: skip
"""The escapes HubSpot undoes before it signs a URL with v3; all others stay as they are."""

_PART = re.compile(r"\{([a-z_]+(?::[A-Za-z0-9_.-]+)?)\}")


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
        elif request.body and request.content_type != payloads.FORM:
            return  # neither the form nor a hash covers this body: anybody could have put it under a signed URL
    for url in _url_spellings(request.url) if row.url_variants else (request.url,):
        parts = []
        for is_part, text in parts_of(template):
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
def parts_of(template: str) -> tuple[tuple[bool, str], ...]:
    """Return a `signed` text piece by piece, each with whether it names a part of the request."""
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
        case ("form", _, ""):
            return _sorted_form(request) if form else b""
        case ("form" | "json" | "query" as where, _, place):
            return _value(request, where, place)
        case ("secret", _, _):
            return secret.value.encode()
        case ("header", _, header):
            return single_header(request, header.lower(), Reason.SIGNATURE_MISSING).encode()
        case _:
            raise SignatureInvalid(Reason.SIGNATURE_MALFORMED, f"the scheme signs an unknown part {name!r}")


def _value(request: HookRequest, where: str, place: str) -> bytes:
    """Return the one value of a form field, JSON path or query parameter; one that is missing or repeated proves nothing."""
    try:
        if where == "json":
            found = payloads.at(payloads.read_json(request), place)
            values = [] if found is None else [found]
        else:
            pairs = _form(request) if where == "form" else payloads.query_pairs(request)
            values = [value for name, value in pairs if name == place]
    except PayloadMalformed:
        values = []
    if len(values) != 1 or isinstance(values[0], dict | list):
        raise SignatureInvalid(Reason.SIGNATURE_MALFORMED, f"no single value at {where}:{place}")
    return values[0].encode() if isinstance(values[0], str) else msgspec.json.encode(values[0])


def _form(request: HookRequest) -> list[tuple[str, str]]:
    """Return the fields of a form as they stand; unlike `payloads.form_pairs` it forgives no line end, which was not signed."""
    text = request.body.decode("utf-8", "replace")
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=payloads.MAX_FIELDS)
    except ValueError as error:
        raise SignatureInvalid(Reason.SIGNATURE_MALFORMED, "too many fields") from error


def _sorted_form(request: HookRequest) -> bytes:
    """Return Twilio's form text: names sorted, each followed by its sorted distinct values, nothing between."""
    if request.content_type != "application/x-www-form-urlencoded":
        return b""
    pairs = _form(request)
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


def single_header(request: HookRequest, name: str, missing: Reason) -> str:
    """Return the one value of a header; raise SignatureInvalid where it is missing or repeated."""
    values = request.header_all(name)
    if len(values) > 1:
        raise SignatureInvalid(Reason.SIGNATURE_DUPLICATED, name)
    if not values or not values[0].strip():
        raise SignatureInvalid(missing, name)
    return values[0]
