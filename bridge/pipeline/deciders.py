"""What one version of the config decides with: sources, matching, the mirror's knowledge and the rules, brought together."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from time import monotonic

import msgspec

from bridge.db.database import Database, Tx
from bridge.domain.command import CreateBooking
from bridge.domain.delivery import Delivery
from bridge.domain.ids import EffectKey, SourceId, TenantId
from bridge.domain.inquiry import BookingChange, BookingInquiry, Inquiry, ServiceTitanChange
from bridge.domain.match import Match, Matched, MatchSettings
from bridge.domain.plan import Effect, Plan
from bridge.domain.reference import ReferenceLists
from bridge.intake.gate import Door
from bridge.intake.ledger import Decided
from bridge.intake.queue import Queued
from bridge.matching import asks, candidates, certifying, weights_store
from bridge.matching.decide import decide
from bridge.matching.weights import Weights
from bridge.mirror import changes, records
from bridge.pipeline.completing import Completed, Completer
from bridge.pipeline.earlier import Earlier, answers_of, booking_of, of_record
from bridge.planning.context import OpenBooking, PlanContext
from bridge.planning.plan import plan
from bridge.planning.rules import RuleBook
from bridge.settings import Settings

_LISTS_KEPT = timedelta(minutes=1)


class ConfiguredDeciders:
    """Decides as the settings say."""

    def __init__(
        self,
        settings: Settings,
        *,
        doors: Mapping[SourceId, Door],
        completer: Completer | None = None,
        lists_kept: timedelta = _LISTS_KEPT,
    ) -> None:
        self.config_version = settings.version.hash
        self.doors = doors
        self._completer = completer
        self._lists_kept = lists_kept
        self._rules = RuleBook.of(settings)
        self._settings = settings
        self._weights: dict[TenantId, tuple[float, Weights, bool]] = {}
        self._reference: dict[TenantId, tuple[datetime, ReferenceLists]] = {}

    async def store_version(self, database: Database) -> None:
        """Keep the config's text, so that a decision's version can be read for ever."""
        async with database.begin() as tx:
            await tx.execute(
                "INSERT INTO config_versions (version, first_used_at, text) VALUES (%s, now(), %s) ON CONFLICT DO NOTHING",
                [self._settings.version.hash, self._settings.version.text],
            )

    async def complete(
        self, database: Database, loaded: Sequence[tuple[Queued, Delivery]], *, epoch: int, now: datetime
    ) -> list[Completed]:
        """Fetch what thin payloads only name, beside the flow."""
        if self._completer is None:  # a preview fetches nothing
            return [delivery for _, delivery in loaded]
        return await self._completer.complete(database, self.doors, loaded, epoch=epoch, now=now)

    async def match(self, tx: Tx, tenant_id: TenantId, inquiries: Sequence[tuple[SourceId, Inquiry]]) -> list[Match]:
        """Say who each inquiry is about: one round trip per source of the batch."""
        weights, is_certified = await self._trained(tx, tenant_id)
        settings = self._match_settings(tenant_id, is_certified=is_certified)
        found: dict[int, Match] = {}
        for source_id in dict.fromkeys(source for source, _ in inquiries):
            places = [place for place, (source, _) in enumerate(inquiries) if source == source_id]
            asked = [inquiries[place][1] for place in places]
            lookups = await candidates.find_many(tx, tenant_id, asked, settings, source_id=source_id)
            for place, inquiry, lookup in zip(places, asked, lookups, strict=True):
                found[place] = decide(inquiry, lookup, weights, settings)
        return [found[place] for place in range(len(inquiries))]

    async def _trained(self, tx: Tx, tenant_id: TenantId) -> tuple[Weights, bool]:
        """Return the tenant's weights and whether they are certified, read again once a minute."""
        read_at = monotonic()
        known = self._weights.get(tenant_id)
        if known is None or read_at - known[0] > _LISTS_KEPT.total_seconds():
            weights = await weights_store.in_force(tx, tenant_id)
            certified = await certifying.is_certified(tx, tenant_id, weights_version=weights.version)
            known = self._weights[tenant_id] = (read_at, weights, certified)
        return known[1], known[2]

    def _match_settings(self, tenant_id: TenantId, *, is_certified: bool) -> MatchSettings:
        tenant = self._settings.tenants[tenant_id]
        return MatchSettings(
            auto=certifying.auto_threshold(tenant.thresholds.auto, is_certified=is_certified),
            new=1 - tenant.thresholds.review,
            is_shadow=tenant.thresholds.shadow,
            region=tenant.phone_region,
            window_hours=tenant.dedup_window.total_seconds() / 3600,
            trusts_fictional=tenant.is_simulator,
        )

    async def plan(
        self,
        tx: Tx,
        delivery: Delivery,
        inquiry: Inquiry,
        match: Match,
        *,
        nonce: str,
        pending: Mapping[EffectKey, Effect],
        now: datetime,
    ) -> Plan:
        """Say what should happen."""
        before = Earlier()
        if isinstance(inquiry, BookingChange):
            before = await of_record(tx, delivery.tenant_id, delivery.source_id, inquiry.refers_to)
        party = None
        if isinstance(match, Matched):
            party = await records.party(tx, delivery.tenant_id, match.customer_id, match.location_id)
        context = PlanContext(
            tenant_id=delivery.tenant_id,
            tenant=self._settings.tenants[delivery.tenant_id],
            source_id=delivery.source_id,
            source=self._settings.sources[delivery.source_id],
            reference=await self._lists(tx, delivery.tenant_id, now=now),
            rules=self._rules,
            party=party,
            open_booking=await self._open_booking(tx, delivery, inquiry, match, pending=pending, now=now),
            earlier_booking=before.booking,
            earlier_lead=before.lead,
            nonce=nonce,
        )
        made = plan(inquiry, match, context, now=now)
        if made.holds and (answers := await answers_of(tx, delivery, inquiry)):
            made = plan(inquiry, match, msgspec.structs.replace(context, answers=answers), now=now)
        return made

    async def _lists(self, tx: Tx, tenant_id: TenantId, *, now: datetime) -> ReferenceLists:
        """Return the tenant's short lists, read again once a minute, where nothing else is said."""
        known = self._reference.get(tenant_id)
        if known is None or now - known[0] > self._lists_kept:
            known = (now, await records.lists(tx, tenant_id))
            if known[1].is_loaded:
                self._reference[tenant_id] = known
        return known[1]

    async def apply(self, tx: Tx, tenant_id: TenantId, change: ServiceTitanChange, *, now: datetime) -> None:
        """Bring a change that ServiceTitan told into the mirror."""
        await changes.apply(tx, tenant_id, change, now=now)

    async def _open_booking(
        self,
        tx: Tx,
        delivery: Delivery,
        inquiry: Inquiry,
        match: Match,
        *,
        pending: Mapping[EffectKey, Effect],
        now: datetime,
    ) -> OpenBooking | None:
        """Return the booking that this party asked for already; not its own: a replay finds what it opened itself."""
        if not isinstance(inquiry, BookingInquiry):
            return None
        tenant = self._settings.tenants[delivery.tenant_id]
        ask = await asks.find_open(
            tx, delivery.tenant_id, inquiry, match, region=tenant.phone_region, window=tenant.dedup_window, now=now
        )
        if ask is None or (ask.inquiry_key, ask.source_id) == (inquiry.key, delivery.source_id):
            return None
        return await booking_of(
            tx,
            delivery.tenant_id,
            ask.effect_key,
            inquiry_key=ask.inquiry_key,
            source_id=ask.source_id,
            pending=pending,
        )

    async def remember(self, tx: Tx, delivery: Delivery, decided: Decided, *, now: datetime) -> None:
        """Open what later inquiries of the same party may join."""
        inquiry, plan_ = decided.inquiry, decided.plan
        if not isinstance(inquiry, BookingInquiry) or plan_ is None or decided.match is None or not plan_.opens_ask:
            return
        made = next(effect.key for effect in plan_.effects if isinstance(effect.command, CreateBooking))
        tenant = self._settings.tenants[delivery.tenant_id]
        await asks.open_ask(
            tx,
            delivery.tenant_id,
            inquiry,
            decided.match,
            effect_key=made,
            source_id=delivery.source_id,
            region=tenant.phone_region,
            window=tenant.dedup_window,
            now=now,
        )
