"""Reads the case files: requests in a sender's dialect and what they mean."""

import functools
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bridge.connectors import get_connector
from bridge.connectors.base import Connector, Hydrate, Secret, SourceOptions
from bridge.domain.delivery import Delivery, Fetched, HookRequest
from bridge.domain.ids import DeliveryId, SourceId, TenantId

CASES = Path(__file__).parents[1] / "cases"
NOW = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
SECRETS = {
    "standard-webhooks": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "svix": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "google-forms-apps-script": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "salesforce": "00D000000000001",
}
"""Where a scheme wants its secret written in a certain way."""


@functools.cache
def paths() -> tuple[Path, ...]:
    return tuple(sorted(CASES.glob("*/*.json")))


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def secret_for(kind: str) -> Secret:
    return Secret("primary", SECRETS.get(kind, "a-secret-of-the-tests-1"))


class Case:
    """One case file, its request and its source."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kind = path.parent.name
        self.data: dict[str, Any] = msgspec.json.decode(path.read_bytes())
        self.connector: Connector = get_connector(self.kind)
        given = self.data.get("options", {})
        hydrate = msgspec.convert(given["hydrate"], Hydrate) if "hydrate" in given else None
        self.options = msgspec.convert({key: value for key, value in given.items() if key != "hydrate"}, SourceOptions)
        self.options = msgspec.structs.replace(self.options, hydrate=hydrate)

    @property
    def request(self) -> HookRequest:
        body = self.data["body"]
        raw = body.encode() if isinstance(body, str) else msgspec.json.encode(body)
        return HookRequest(
            method=self.data.get("method", "POST"),
            url=f"https://crm.example.com/hooks/{self.kind}{self.data.get('path', '')}",
            headers=tuple(self.data["headers"].items()),
            body=raw,
        )

    @property
    def signed(self) -> HookRequest:
        return self.connector.prove(self.request, secret=secret_for(self.kind), options=self.options, now=NOW)

    def delivery(self, request: HookRequest | None = None) -> Delivery:
        request = request or self.request
        identity = self.connector.identify(request, options=self.options)
        fetched = tuple(
            Fetched(name=name, status=200, body=msgspec.json.encode(data), fetched_at=NOW)
            for name, data in self.data.get("fetched", {}).items()
        )
        return Delivery(
            id=DeliveryId(1), tenant_id=TenantId(1), source_id=SourceId(self.kind), dedup_key=identity.dedup_key,
            event_type=identity.event_type, received_at=NOW, request=request, verified_by="test", trace_id="t", fetched=fetched,
        )  # fmt: skip

    def outcome(self) -> dict[str, Any]:
        delivery = self.delivery()
        said = self.connector.normalize(delivery, options=self.options)
        found = {
            "event_type": delivery.event_type,
            "dedup_key": delivery.dedup_key,
            "inquiries": said.inquiries,
            "skipped": [{"event_type": part.event_type, "reason": part.reason.value} for part in said.skipped],
        }
        again: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(found))
        return again
