"""What one version of the config decides with: sources, matching, the mirror's knowledge and the rules, brought together."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bridge.db.database import Database, Tx
from bridge.domain.delivery import Delivery
from bridge.domain.ids import SourceId, TenantId
from bridge.domain.inquiry import Inquiry, ServiceTitanChange
from bridge.domain.match import Evidence, Match, Unmatched
from bridge.domain.plan import Plan
from bridge.intake.gate import Door
from bridge.intake.ledger import Decided
from bridge.planning.context import PlanContext
from bridge.planning.plan import plan
from bridge.settings import Settings


class ConfiguredDeciders:
    """Decides as the settings say."""

    def __init__(self, settings: Settings, *, doors: Mapping[SourceId, Door]) -> None:
        self.config_version = settings.version.hash
        self.doors = doors
        self._settings = settings

    async def store_version(self, database: Database) -> None:
        """Keep the config's text, so that a decision's version can be read for ever."""
        async with database.begin() as tx:
            await tx.execute(
                "INSERT INTO config_versions (version, first_used_at, text) VALUES (%s, now(), %s) ON CONFLICT DO NOTHING",
                [self._settings.version.hash, self._settings.version.text],
            )

    async def complete(
        self, database: Database, delivery: Delivery, *, attempts: int, now: datetime
    ) -> Delivery | timedelta:
        """Fetch what a thin payload only names."""
        del database, attempts, now
        return delivery

    async def match(self, tx: Tx, tenant_id: TenantId, inquiries: Sequence[Inquiry]) -> list[Match]:
        """Say who each inquiry is about."""
        del tx, tenant_id
        return [Unmatched(evidence=Evidence(decided_by="none")) for _ in inquiries]

    async def plan(
        self, tx: Tx, delivery: Delivery, inquiry: Inquiry, match: Match, *, nonce: str, now: datetime
    ) -> Plan:
        """Say what should happen."""
        del tx
        return plan(inquiry, match, self._context(delivery, nonce=nonce), now=now)

    async def apply(self, tx: Tx, tenant_id: TenantId, change: ServiceTitanChange, *, now: datetime) -> None:
        """Bring a change that ServiceTitan told into the mirror."""

    async def remember(self, tx: Tx, delivery: Delivery, decided: Decided, *, now: datetime) -> None:
        """Open what later inquiries of the same party may join."""

    def _context(self, delivery: Delivery, *, nonce: str) -> PlanContext:
        source = self._settings.sources[delivery.source_id]
        return PlanContext(
            tenant_id=delivery.tenant_id,
            tenant=self._settings.tenants[delivery.tenant_id],
            source_id=delivery.source_id,
            source=source,
            nonce=nonce,
        )
