"""The config as the program uses it: frozen, names joined to what they name, secrets read, nothing left to look up."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from bridge.domain.ids import SourceId, TenantId
from bridge.settings.rules import Rule
from bridge.settings.schema import AlertTarget, Config, Source, Tenant


class NamedSecret(msgspec.Struct, frozen=True):
    """A secret with the name under which its use is counted; its `repr` hides the value."""

    name: str
    value: str

    def __repr__(self) -> str:
        """Name it without showing it."""
        return f"NamedSecret({self.name!r}, …)"


class TenantSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant with its secrets read; `block` is what the config says, `key` its name there."""

    key: str
    tenant_id: TenantId
    block: Tenant
    client_id: str
    client_secret: str
    app_key: str
    webhook_secret: str = ""

    def __repr__(self) -> str:
        """Name it without its secrets."""
        return f"TenantSettings({self.key!r})"


class SourceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One source with its tenant found and its secrets read; `block` is what the config says."""

    id: SourceId
    tenant_id: TenantId
    block: Source
    secrets: tuple[NamedSecret, ...]
    hydrate: Mapping[str, str] = MappingProxyType({})

    def __repr__(self) -> str:
        """Name it without its secrets."""
        return f"SourceSettings({self.id!r})"


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where alerts go, with its address and key read."""

    name: str
    block: AlertTarget
    url: str
    secret: str = ""

    def __repr__(self) -> str:
        """Name it without its address, which is a secret with most receivers."""
        return f"AlertSettings({self.name!r})"


class RuleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A rule with the place it stands at, as file:line."""

    block: Rule
    at: str


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the program is told. `version` is the hash of `text`, the config as it was read, which holds no secret."""

    config: Config
    tenants: Mapping[TenantId, TenantSettings]
    sources: Mapping[SourceId, SourceSettings]
    rules: tuple[RuleSettings, ...]
    alert_targets: tuple[AlertSettings, ...] = ()
    database_url: str | None
    data_dir: Path
    version: str
    text: str
    is_demo: bool = False

    def __repr__(self) -> str:
        """Name the version; the database's address may hold a password."""
        return f"Settings({self.version!r})"

    def tenant_of(self, source_id: SourceId) -> TenantSettings:
        """Return the tenant of a source; raise KeyError for a source nobody configured."""
        return self.tenants[self.sources[source_id].tenant_id]
