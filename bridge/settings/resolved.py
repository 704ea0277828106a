"""The config as the program uses it: frozen, names joined to what they name, secrets read, nothing left to look up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bridge.domain.ids import SourceId, TenantId
from bridge.settings.base import Reference
from bridge.settings.rules import Do
from bridge.settings.schema import (
    Alerts,
    BusinessHours,
    Defaults,
    Limits,
    MirrorCadence,
    Retention,
    Rhythm,
    Server,
    SourceDefaults,
    Thresholds,
    Updates,
    Worker,
)

DEMO_PROVIDER = 501
"""The booking provider tag that every tenant of the simulator starts with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretValue:
    """A secret with the name under which its use is counted; `repr` hides it."""

    name: str
    value: str = field(repr=False)
    is_read: bool = True
    """False where a config is looked at on a machine that has not its secrets: the value only stands for one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantSettings:
    """One ServiceTitan account. `key` is its name in the config; `environment` may be the origin of a simulator."""

    key: str
    tenant_id: TenantId
    environment: str
    """production | integration | the origin of a simulator; what `Credentials.for_environment` takes"""
    is_simulator: bool
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    app_key: str = field(repr=False)
    booking_provider: int
    time_zone: str
    phone_region: str
    defaults: Defaults
    campaigns: Mapping[str, Reference]
    services: Mapping[str, Reference]
    business_hours: BusinessHours
    dedup_window: timedelta
    thresholds: Thresholds
    external_data_guid: str | None
    webhook_secret: SecretValue | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceSettings:
    """One configured way in, with its tenant found and its secrets read."""

    id: SourceId
    title: str
    connector: str
    tenant_key: str
    tenant_id: TenantId
    secrets: tuple[SecretValue, ...]
    unsigned: bool
    limits: Limits
    options: Mapping[str, Any]
    map: Mapping[str, str]
    defaults: Mapping[str, Any]
    hydrate: Mapping[str, SecretValue]
    booking: SourceDefaults
    updates: Updates
    rhythm: Rhythm
    book_tests: bool
    map_at: str = ""
    """File and line of its `map:`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleSettings:
    """One rule of the config; `at` is its file:line."""

    name: str
    when: str
    tenant_key: str | None
    source_id: SourceId | None
    do: tuple[Do, ...]
    at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertTargetSettings:
    """Where alerts go, with its address and key read."""

    name: str
    url: str = field(repr=False)
    style: str
    secret: SecretValue | None
    cooldown: timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigVersion:
    """A config by name: the hash of its text, and the text, which holds no secret."""

    hash: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Everything the program is told from outside."""

    server: Server
    worker: Worker
    mirror: MirrorCadence
    retention: Retention
    alerts: Alerts
    alert_targets: tuple[AlertTargetSettings, ...]
    tenants: Mapping[TenantId, TenantSettings]
    sources: Mapping[SourceId, SourceSettings]
    rules: tuple[RuleSettings, ...]
    version: ConfigVersion
    database_url: str | None = field(default=None, repr=False)
    data_dir: str = ".bridge"
    is_demo: bool = False
    """True where no config was found and the built-in one is used."""

    def tenant_of(self, source_id: SourceId) -> TenantSettings:
        """Return the tenant of a source; raise KeyError for a source nobody configured."""
        return self.tenants[self.sources[source_id].tenant_id]

    def hook_url(self, source_id: SourceId) -> str:
        """Return the address that the sender of a source posts to."""
        base = self.server.public_url.rstrip("/") or f"http://{self.server.host}:{self.server.port}"
        return f"{base}/hooks/{source_id}"
