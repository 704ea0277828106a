"""What the console and the API are given: built once, passed in, never looked up."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from bridge.connectors.base import Connector
from bridge.db.database import Database
from bridge.domain.ids import SourceId, TenantId
from bridge.reports.search import Local
from bridge.settings import Settings, SourceSettings, TenantSettings


@dataclass(eq=False)  # a reload of the config puts other settings in
class AppContext:
    """The pieces that requests are answered with; `draining` is set when the process is told to end."""

    database: Database
    settings: Settings
    connectors: Mapping[str, Connector]
    clock: Callable[[], datetime]
    draining: asyncio.Event
    config_faults: Callable[[], tuple[str, ...]] = tuple
    """Why the config that lies there now was refused; empty where it is the one in force."""

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        """Return itself: Litestar copies what routes carry, and connections cannot be copied."""
        return self

    def tenant(self, tenant_id: int) -> TenantSettings | None:
        """Return a configured tenant, None for others."""
        return self.settings.tenants.get(TenantId(tenant_id))

    def time_zone(self, tenant_id: int) -> str:
        """Return where a tenant's clock hangs."""
        tenant = self.tenant(tenant_id)
        return tenant.time_zone if tenant else "UTC"

    def region(self, tenant_id: int) -> str:
        """Return the country in which a tenant's phones without a country code are read."""
        tenant = self.tenant(tenant_id)
        return tenant.phone_region if tenant else "US"

    def local(self, tenant_id: int) -> Local:
        """Return what reading a search depends on."""
        return Local(self.clock(), self.time_zone(tenant_id), self.region(tenant_id))

    def sources_of(self, tenant_id: int) -> dict[SourceId, SourceSettings]:
        """Return the configured sources of a tenant."""
        return {
            source_id: source for source_id, source in self.settings.sources.items() if source.tenant_id == tenant_id
        }
