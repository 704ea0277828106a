"""What one version of the config decides with: sources, matching, the mirror's knowledge and the rules, brought together."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bridge.db.database import Database, Tx
from bridge.domain.delivery import Delivery
from bridge.domain.ids import SourceId, TenantId
from bridge.domain.inquiry import Inquiry, ServiceTitanChange
from bridge.domain.match import Match, MatchSettings
from bridge.domain.plan import Plan
from bridge.intake.gate import Door
from bridge.intake.ledger import Decided
from bridge.matching import candidates
from bridge.matching.decide import decide
from bridge.matching.weights import shipped
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

    async def match(self, tx: Tx, tenant_id: TenantId, inquiries: Sequence[tuple[SourceId, Inquiry]]) -> list[Match]:
        """Say who each inquiry is about: one round trip per source of the batch."""
        settings = self._match_settings(tenant_id)
        weights = shipped()
        found: dict[int, Match] = {}
        for source_id in dict.fromkeys(source for source, _ in inquiries):
            places = [place for place, (source, _) in enumerate(inquiries) if source == source_id]
            asked = [inquiries[place][1] for place in places]
            lookups = await candidates.find_many(tx, tenant_id, asked, settings, source_id=source_id)
            for place, inquiry, lookup in zip(places, asked, lookups, strict=True):
                found[place] = decide(inquiry, lookup, weights, settings)
        return [found[place] for place in range(len(inquiries))]

    def _match_settings(self, tenant_id: TenantId) -> MatchSettings:
        tenant = self._settings.tenants[tenant_id]
        return MatchSettings(
            auto=tenant.thresholds.auto,
            new=1 - tenant.thresholds.review,
            is_shadow=tenant.thresholds.shadow,
            region=tenant.phone_region,
            window_hours=tenant.dedup_window.total_seconds() / 3600,
            trusts_fictional=tenant.is_simulator,
        )

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
