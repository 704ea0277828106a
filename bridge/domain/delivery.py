"""One verified webhook request, kept exactly as it came."""

from datetime import datetime
from functools import lru_cache

import msgspec

from bridge.domain.ids import DeliveryId, SourceId, TenantId


class HookRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to a hook URL as received: header names lower case, in order, duplicates kept; body untouched.

    `url` is the public URL the sender used (scheme, host, path, query), built from the configured public address.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the value of the first header of this lower-case name."""
        for key, value in self.headers:  # intake asks a dozen times a request: a loop costs half of a generator
            if key == name:
                return value
        return None

    def header_all(self, name: str) -> list[str]:
        """Return all values of the header of this lower-case name."""
        return [value for key, value in self.headers if key == name]

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters."""
        return _media_type(self.header("content-type") or "")


@lru_cache(maxsize=256)
def _media_type(header: str) -> str:
    return header.partition(";")[0].strip().lower()


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """What hydration brought for one fetch of a thin payload; stored beside the delivery, so that a replay needs no network."""

    name: str
    status: int
    body: bytes
    fetched_at: datetime


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A stored delivery, ready to be read by its connector."""

    id: DeliveryId
    tenant_id: TenantId
    source_id: SourceId
    dedup_key: str
    event_type: str
    received_at: datetime
    request: HookRequest
    verified_by: str
    """The scheme, and after a colon the name of the secret; `unsigned` where the config says so."""
    trace_id: str
    fetched: tuple[Fetched, ...] = ()
