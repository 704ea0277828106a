"""Judges a request before anything is stored: pure, over the raw bytes, with the reason for every no."""

from datetime import datetime

import msgspec

from bridge.connectors.base import (
    Connector,
    Identity,
    PayloadMalformed,
    Reply,
    Secret,
    SignatureInvalid,
    SourceOptions,
    Verifier,
)
from bridge.domain.delivery import HookRequest
from bridge.domain.ids import SourceId, TenantId
from bridge.domain.reasons import Reason

_STATUS = {
    Reason.SOURCE_UNKNOWN: 404,
    Reason.METHOD_UNSUPPORTED: 405,
    Reason.BODY_TOO_LARGE: 413,
    Reason.CONTENT_TYPE_UNSUPPORTED: 415,
    Reason.PAYLOAD_MALFORMED: 400,
    Reason.DATABASE_UNREACHABLE: 503,
    Reason.INTAKE_FULL: 503,
}
"""HTTP status by reason; whatever is not named here is a failed verification: 401."""


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """One source as intake sees it: whose it is, how its sender proves itself, and how much it may send."""

    source_id: SourceId
    tenant_id: TenantId
    connector: Connector
    secrets: tuple[Secret, ...]
    options: SourceOptions
    verify: Verifier


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """Believed and named: store it, then give the answer."""

    identity: Identity
    verified_by: str
    secret_name: str


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """A set-up probe of the sender: answer, store nothing."""

    reply: Reply


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Not taken in; `detail` holds no value of the request and no secret."""

    reason: Reason
    detail: str = ""

    @property
    def status(self) -> int:
        """The HTTP status for the sender."""
        return _STATUS.get(self.reason, 401)


Judgement = Accepted | Answered | Refused


def judge(door: Door, request: HookRequest, *, now: datetime) -> Judgement:
    """Say whether the request may come in, is a set-up probe, or is refused and why.

    The order is fixed: probe, method, size, content type, signature, shape. So an unverified body is never parsed by a
    format's reader for its meaning, and the sender hears the first thing that is wrong.
    """
    connector = door.connector
    try:
        reply = connector.handshake(request, secrets=door.secrets, options=door.options)
        if reply is not None:
            return Answered(reply=reply)
        if request.method not in connector.methods:
            return Refused(reason=Reason.METHOD_UNSUPPORTED, detail=f"expected {', '.join(sorted(connector.methods))}")
        if len(request.body) > door.options.max_bytes:
            return too_large(door)
        if not _reads(connector, request):
            expected = ", ".join(sorted(connector.content_types))
            return Refused(reason=Reason.CONTENT_TYPE_UNSUPPORTED, detail=f"expected {expected}")
        verified = door.verify(request, now)
        identity = connector.identify(request, options=door.options)
    except (SignatureInvalid, PayloadMalformed) as no:
        return Refused(reason=no.reason, detail=no.detail)
    return Accepted(identity=identity, verified_by=str(verified), secret_name=verified.secret_name)


def too_large(door: Door) -> Refused:
    """Return the refusal of a body beyond the source's limit."""
    return Refused(reason=Reason.BODY_TOO_LARGE, detail=f"the limit of this source is {door.options.max_bytes} bytes")


def _reads(connector: Connector, request: HookRequest) -> bool:
    if request.method in {"GET", "DELETE"} or "*" in connector.content_types:
        return True
    kind, known = request.content_type, connector.content_types
    # A sender that names no type, or a JSON of its own, is read as JSON: a wrong guess is told as malformed, a no loses a lead.
    return kind in known or ("application/json" in known and (not kind or kind.endswith("+json")))


def without_secrets(text: str, secrets: tuple[Secret, ...]) -> str:
    """Return the text with every secret value taken out, for what is kept of URLs and headers."""
    for secret in secrets:
        text = text.replace(secret.value, "***")
    return text
