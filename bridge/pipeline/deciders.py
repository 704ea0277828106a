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
from bridge.matching.decide import Weighed, judge, weigh
from bridge.matching.weights import Weights
from bridge.mirror import changes, records
from bridge.pipeline.completing import Completed, Completer
from bridge.pipeline.deciding import together
from bridge.pipeline.earlier import Earlier, Made, answers_of, joined, made_by, of_record, open_booking
from bridge.pipeline.known import Facts, Known, Recorded
from bridge.planning.context import OpenBooking, PlanContext
from bridge.planning.plan import plan
from bridge.planning.rules import RuleBook
from bridge.settings import Settings

_LISTS_KEPT = timedelta(minutes=1)
_NO_LISTS_KEPT = timedelta(milliseconds=500)
"""A tenant that was never synced is looked at again as soon as that: its first lists shall count."""


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

    async def match(
        self, tx: Tx, asked: Mapping[TenantId, Sequence[tuple[SourceId, Inquiry]]]
    ) -> dict[TenantId, list[Match]]:
        """Say who each inquiry is about, all of them in one round trip."""
        weighed = await self.weigh(tx, asked)
        return {tenant_id: await self.judge(tx, tenant_id, own) for tenant_id, own in weighed.items()}

    async def weigh(
        self, tx: Tx, asked: Mapping[TenantId, Sequence[tuple[SourceId, Inquiry]]]
    ) -> dict[TenantId, list[Weighed]]:
        """Say for each inquiry who it could be about, and how likely."""
        trained = dict(zip(asked, await together(*(self._trained(tx, tenant_id) for tenant_id in asked)), strict=True))
        settings = {
            tenant_id: self._match_settings(tenant_id, is_certified=is_certified)
            for tenant_id, (_, is_certified) in trained.items()
        }
        wanted = [
            candidates.Asked(tenant_id, source_id, inquiry, settings[tenant_id].region)
            for tenant_id, own in asked.items()
            for source_id, inquiry in own
        ]
        weighed: dict[TenantId, list[Weighed]] = {tenant_id: [] for tenant_id in asked}
        for one, lookup in zip(wanted, await candidates.find(tx, wanted) if wanted else [], strict=True):
            weights, _ = trained[one.tenant_id]
            weighed[one.tenant_id].append(weigh(one.inquiry, lookup, weights, settings[one.tenant_id]))
        return weighed

    async def judge(self, tx: Tx, tenant_id: TenantId, weighed: Sequence[Weighed]) -> list[Match]:
        """Say of what was weighed who it is, by the tenant's thresholds."""
        _, is_certified = await self._trained(tx, tenant_id)
        settings = self._match_settings(tenant_id, is_certified=is_certified)
        return [judge(one, settings) for one in weighed]

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

    async def gather(
        self, tx: Tx, asked: Mapping[TenantId, Sequence[tuple[Inquiry, Match]]], *, now: datetime
    ) -> dict[TenantId, list[Known]]:
        """Return for each inquiry what planning it needs of the database, read for all of them together.

        `now` is the time of the earliest. What one of them asks for, those after it see.
        """
        askers = {tenant_id: self._askers(tenant_id, own) for tenant_id, own in asked.items()}
        asking = {tenant_id: [one for one in own if one is not None] for tenant_id, own in askers.items()}
        windows = {tenant_id: self._settings.tenants[tenant_id].dedup_window for tenant_id in asked}
        stale = [tenant_id for tenant_id in asked if not self._has_lists(tenant_id, now=now)]
        opened, *_ = await together(
            asks.load(tx, asking, windows=windows, now=now),
            *([self._read_lists(tx, stale, now=now)] if stale else []),
        )

        async def of_tenant(tenant_id: TenantId) -> list[Known]:
            # Of what is open now only what is found now can be found later: what the batch itself opens is newer.
            found = [opened[tenant_id].find(asker, window=windows[tenant_id], now=now) for asker in asking[tenant_id]]
            shared = Facts(
                asks=opened[tenant_id],
                bookings=await made_by(tx, tenant_id, {ask.effect_key for ask in found if ask is not None}),
                reference=self._reference[tenant_id][1],
            )
            places = [
                (match.customer_id, match.location_id) if isinstance(match, Matched) else None
                for _, match in asked[tenant_id]
            ]
            parties = await records.parties(tx, tenant_id, {place for place in places if place is not None})
            return [
                Known(shared, asker, parties.get(place) if place is not None else None)
                for asker, place in zip(askers[tenant_id], places, strict=True)
            ]

        return dict(zip(asked, await together(*map(of_tenant, asked)), strict=True))

    def _askers(self, tenant_id: TenantId, asked: Sequence[tuple[Inquiry, Match]]) -> list[asks.Asker | None]:
        region = self._settings.tenants[tenant_id].phone_region
        return [
            asks.asker_of(inquiry, match, region=region) if isinstance(inquiry, BookingInquiry) else None
            for inquiry, match in asked
        ]

    async def as_recorded(
        self, tx: Tx, tenant_id: TenantId, asked: Sequence[tuple[Delivery, Inquiry]], known: Sequence[Known]
    ) -> list[Known]:
        """Return what planning needs of inquiries that were decided before: what each joined when it came, it joins again.

        Asks are forgotten when their window is over and opened anew later: what they tell of the past is not the same each
        day, and a replay after the window would book what was joined. They speak where nothing was joined.
        """
        then = await joined(tx, tenant_id, {delivery.id for delivery, _ in asked})
        return [
            one._replace(recorded=Recorded(*then[name], is_decided=True) if name in then else Recorded())
            for one, name in zip(known, ((delivery.id, inquiry.key) for delivery, inquiry in asked), strict=True)
        ]

    async def plan(
        self,
        tx: Tx,
        delivery: Delivery,
        inquiry: Inquiry,
        match: Match,
        *,
        known: Known,
        nonce: str,
        pending: Mapping[EffectKey, Effect],
        now: datetime,
    ) -> Plan:
        """Say what should happen; only a change of an earlier booking and a hold ask the database again."""
        before = Earlier()
        if isinstance(inquiry, BookingChange):
            before = await of_record(tx, delivery.tenant_id, delivery.source_id, inquiry.refers_to)
        context = PlanContext(
            tenant_id=delivery.tenant_id,
            tenant=self._settings.tenants[delivery.tenant_id],
            source_id=delivery.source_id,
            source=self._settings.sources[delivery.source_id],
            reference=known.facts.reference,
            rules=self._rules,
            party=known.party,
            open_booking=self._open_booking(known, delivery, inquiry, pending=pending, now=now),
            earlier_booking=before.booking,
            earlier_lead=before.lead,
            nonce=nonce,
        )
        made = plan(inquiry, match, context, now=now)
        if made.holds and (answers := await answers_of(tx, delivery, inquiry, region=context.tenant.phone_region)):
            made = plan(inquiry, match, msgspec.structs.replace(context, answers=answers), now=now)
        return made

    def _has_lists(self, tenant_id: TenantId, *, now: datetime) -> bool:
        """Tell whether the tenant's short lists are at hand: they are read again once a minute, where nothing else is said."""
        known = self._reference.get(tenant_id)
        if known is None:
            return False
        return now - known[0] <= (self._lists_kept if known[1].is_loaded else _NO_LISTS_KEPT)

    async def _read_lists(self, tx: Tx, tenant_ids: Sequence[TenantId], *, now: datetime) -> None:
        found = await records.lists(tx, tenant_ids)
        self._reference.update((tenant_id, (now, lists)) for tenant_id, lists in found.items())

    async def apply(self, tx: Tx, tenant_id: TenantId, change: ServiceTitanChange, *, now: datetime) -> None:
        """Bring a change that ServiceTitan told into the mirror."""
        await changes.apply(tx, tenant_id, change, now=now)

    def _open_booking(
        self, known: Known, delivery: Delivery, inquiry: Inquiry, *, pending: Mapping[EffectKey, Effect], now: datetime
    ) -> OpenBooking | None:
        """Return the booking that this party asked for already; not its own: a replay finds what it opened itself."""
        if known.asker is None:
            return None
        window, recorded = self._settings.tenants[delivery.tenant_id].dedup_window, known.recorded
        joined_at = recorded.opened_at if recorded is not None else None
        if recorded is not None and joined_at is not None and joined_at > delivery.received_at - window:
            return recorded.booking
        # What was decided is decided as of then: an ask that was opened since, by a later inquiry, is no earlier one.
        at = delivery.received_at if recorded is not None and recorded.is_decided else now
        ask = known.facts.asks.find(known.asker, window=window, now=at, is_past=recorded is not None)
        if ask is None or (ask.inquiry_key, ask.source_id) == (inquiry.key, delivery.source_id):
            return None
        made = known.facts.bookings.get(ask.effect_key)
        if ask.effect_key in pending:  # wanted by this very batch
            command = pending[ask.effect_key].command
            made = Made(command) if isinstance(command, CreateBooking) else None
        if made is None:
            return None
        return open_booking(ask.effect_key, made)

    def remember(self, known: Known, delivery: Delivery, decided: Decided, *, now: datetime) -> None:
        """Open what later inquiries of the same party may join; `keep` writes it down."""
        inquiry, plan_ = decided.inquiry, decided.plan
        if known.asker is None or inquiry is None or plan_ is None or not plan_.opens_ask:
            return
        known.facts.asks.open(
            known.asker,
            effect_key=next(effect.key for effect in plan_.effects if isinstance(effect.command, CreateBooking)),
            source_id=delivery.source_id,
            inquiry_key=inquiry.key,
            window=self._settings.tenants[delivery.tenant_id].dedup_window,
            now=now,
        )

    async def keep(self, tx: Tx, known: Mapping[TenantId, Sequence[Known]]) -> None:
        """Write down what was opened."""
        await asks.write(
            tx,
            [(tenant_id, row) for tenant_id, own in known.items() if own for row in own[0].facts.asks.take_opened()],
        )
