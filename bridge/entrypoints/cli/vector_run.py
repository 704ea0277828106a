"""Runs vector files: reads one, configures the source an operator would configure for it, verifies, normalizes, judges.

`expect`, `note` and `lead_paths` are read by nothing but the agreement column.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bridge.connectors import get_connector
from bridge.connectors.base import (
    Connector,
    Hydrate,
    PayloadMalformed,
    Secret,
    SignatureInvalid,
    SourceOptions,
    Strength,
)
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.ids import DeliveryId, SourceId, TenantId
from bridge.domain.reasons import Reason
from bridge.entrypoints.cli.vector_config import clock_of, configure, kind_of, request_of


class Row(msgspec.Struct, kw_only=True):
    """What became of one file; `agrees` is None where the file expects nothing."""

    file: str
    provider: str = ""
    case: str = ""
    kind: str = ""
    verdict: str = "unreadable"
    """valid | unsigned | handshake | invalid | unreadable | unknown_provider"""
    reason: str = ""
    detail: str = ""
    scheme: str = ""
    agrees: bool | None = None
    expect: str = ""
    event_type: str = ""
    dedup_key: str = ""
    reply: dict[str, Any] = {}
    inquiries: list[dict[str, Any]] = []
    skipped: list[dict[str, str]] = []
    fetches: list[str] = []
    error: str = ""

    @property
    def is_failure(self) -> bool:
        """Tell whether the run must fail for this file."""
        return self.agrees is False or self.verdict in ("unreadable", "unknown_provider") or bool(self.error)


def run_folder(folder: Path, *, only: str = "") -> list[Row]:
    """Return a row for every JSON file below a folder, in the order of their names."""
    rows = []
    for path in sorted(folder.rglob("*.json")):
        provider = path.parent.name if path.parent != folder else ""
        if only in (provider or path.stem):
            rows.append(run_file(path, name=str(path.relative_to(folder)), provider=provider))
    return rows


def run_file(path: Path, *, name: str, provider: str = "") -> Row:
    """Return the row of one file; whatever breaks is told in it."""
    row = Row(file=name, provider=provider, case=path.stem)
    try:
        vector: dict[str, Any] = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        row.provider = str(vector.get("provider") or provider)
        row.case = str(vector.get("case") or path.stem)
        row.expect = str(vector.get("expect") or "")
        request = request_of(vector, row.provider)
    except (OSError, ValueError, TypeError, LookupError) as error:
        row.error = f"cannot be read: {error}"
        return row
    row.kind = kind_of(row.provider)
    if not row.kind:
        row.verdict, row.error = "unknown_provider", f"no connector for {row.provider!r}"
        return row
    connector = get_connector(row.kind)
    _verify(row, connector, request, vector, list(_siblings(path)))
    row.agrees = _agreement(row)
    return row


def _siblings(path: Path) -> Iterator[str]:
    """Yield the scheme texts beside a file: a file that says `same` means the one its folder describes."""
    for other in sorted(path.parent.glob("*.json")):
        try:
            yield str(json.loads(other.read_bytes()).get("scheme") or "")
        except (OSError, ValueError, AttributeError):
            continue


def _verify(row: Row, connector: Connector, request: HookRequest, vector: dict[str, Any], schemes: list[str]) -> None:
    try:
        secrets, options = configure(vector, row.provider, request, schemes)
        now = clock_of(vector, request, connector, options)
        reply = connector.handshake(request, secrets=secrets, options=options)
        if reply is not None:
            row.verdict = "handshake" if reply.status < 400 else "invalid"
            row.reason = "handshake" if reply.status < 400 else f"answered {reply.status}"
            row.reply = {
                "status": reply.status,
                "headers": dict(reply.headers),
                "body": reply.body.decode("utf-8", "replace"),
            }
            return
        verified = connector.verify(request, secrets=secrets, options=options, now=now)
    except SignatureInvalid as found:
        row.verdict, row.reason, row.detail = "invalid", found.reason.value, found.detail
        return
    row.scheme = str(verified)
    row.verdict = "unsigned" if verified.strength is Strength.UNSIGNED else "valid"
    row.reason = verified.scheme if row.verdict == "valid" else _syntax(connector, request, options, now)
    _normalize(row, connector, request, options, str(verified), now)


def _syntax(connector: Connector, request: HookRequest, options: SourceOptions, now: datetime) -> str:
    """Tell how far a signature nobody gave the secret of can be read: well formed, malformed, or none there."""
    probe = (Secret("probe", "whsec_" + "c2VjcmV0" * 4),)
    try:
        connector.verify(request, secrets=probe, options=msgspec.structs.replace(options, unsigned=False), now=now)
    except SignatureInvalid as found:
        if found.reason in (
            Reason.SIGNATURE_MISMATCH,
            Reason.SECRET_UNUSABLE,
            Reason.TIMESTAMP_TOO_OLD,
            Reason.TIMESTAMP_TOO_NEW,
        ):
            return "signature_well_formed"
        return found.reason.value
    return "signature_well_formed"


def _normalize(
    row: Row, connector: Connector, request: HookRequest, options: SourceOptions, by: str, now: datetime
) -> None:
    try:
        identity = connector.identify(request, options=options)
        row.event_type, row.dedup_key = identity.event_type, identity.dedup_key
        reply = connector.reply(identity, redelivered=False, options=options)
        if reply is not None:
            row.reply = {
                "status": reply.status,
                "headers": dict(reply.headers),
                "body": reply.body.decode("utf-8", "replace"),
            }
        delivery = Delivery(
            id=DeliveryId(1), tenant_id=TenantId(1), source_id=SourceId(row.provider), dedup_key=identity.dedup_key,
            event_type=identity.event_type, received_at=now, request=request, verified_by=by, trace_id="",
        )  # fmt: skip
        could = msgspec.structs.replace(options, hydrate=Hydrate())
        row.fetches = [f"{fetch.method} {fetch.url}" for fetch in connector.fetches(delivery, options=could)]
        said = connector.normalize(delivery, options=options)
    except PayloadMalformed as found:
        row.detail = f"verified, then {found}"
        row.skipped = [{"event_type": row.event_type, "reason": found.reason.value}]
        return
    row.inquiries = msgspec.json.decode(msgspec.json.encode(said.inquiries))
    row.skipped = [{"event_type": part.event_type, "reason": part.reason.value} for part in said.skipped]


def _agreement(row: Row) -> bool | None:
    """Judge the verdict against the file's `expect`, by its first word."""
    expect = row.expect.strip().lower()
    if not expect:
        return None
    if expect.startswith("syntax"):
        return row.verdict == "valid" or row.reason == "signature_well_formed"
    if re.match(r"(invalid|error|reject|refus|malformed|unauthori[sz]ed|forbidden|4\d\d\b)", expect):
        return row.verdict == "invalid"
    return row.verdict in ("valid", "unsigned", "handshake")


def frozen(unix: float) -> datetime:
    """Return the moment of a vector's clock."""
    return datetime.fromtimestamp(unix, UTC)
