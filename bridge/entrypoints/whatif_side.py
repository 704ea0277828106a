"""One of two configs that are compared: what it reads out of a delivery, who it says somebody is, what it plans."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from bridge import bootstrap
from bridge.connectors.base import PayloadMalformed
from bridge.db.database import Tx
from bridge.domain.delivery import Delivery
from bridge.domain.ids import TenantId
from bridge.domain.inquiry import Inquiry
from bridge.domain.match import Match, Matched
from bridge.domain.plan import Plan
from bridge.matching.decide import Weighed
from bridge.pipeline.deciders import ConfiguredDeciders
from bridge.pipeline.known import Known
from bridge.planning.rules import RuleBroken
from bridge.settings import Settings


class Met(NamedTuple):
    """Who an inquiry could be about, who it is about, and what is known around it."""

    weighed: Weighed
    match: Match
    known: Known

    def is_about_the_same(self, match: Match) -> bool:
        """Tell whether the same is known around an inquiry that is matched otherwise: what is read goes by customer and place."""
        return _about(self.match) == _about(match)


class Decided(NamedTuple):
    """An inquiry decided by one of the configs."""

    inquiry: Inquiry
    met: Met
    plan: Plan


def _about(match: Match) -> tuple[int, int | None] | None:
    return (match.customer_id, match.location_id) if isinstance(match, Matched) else None


class Side:
    """One of the two configs, deciding."""

    def __init__(self, settings: Settings) -> None:
        self.doors = bootstrap.doors_of(settings)
        self._deciders = ConfiguredDeciders(settings, doors=self.doors, lists_kept=timedelta.max)
        self._tenants = settings.tenants

    def read(self, delivery: Delivery) -> tuple[Inquiry, ...] | str:
        """Return what a delivery asks for, or why it asks for nothing."""
        door = self.doors.get(delivery.source_id)
        if door is None or door.tenant_id != delivery.tenant_id:
            return "source_unknown"
        try:
            normalized = door.connector.normalize(delivery, options=door.options)
        except PayloadMalformed as bad:
            return bad.reason.value
        return normalized.inquiries or normalized.reason.value

    def reads_like(self, other: "Side", delivery: Delivery) -> bool:
        """Tell whether both take the same out of a delivery."""
        door, there = self.doors.get(delivery.source_id), other.doors.get(delivery.source_id)
        return (
            door is not None
            and there is not None
            and (door.tenant_id, door.connector.kind, door.options)
            == (there.tenant_id, there.connector.kind, there.options)
        )

    def weighs_like(self, other: "Side", tenant_id: TenantId) -> bool:
        """Tell whether both compare people alike, whatever the thresholds."""
        here, there = self._tenants[tenant_id], other._tenants.get(tenant_id)  # noqa: SLF001 - another of its kind
        return there is not None and (here.phone_region, here.is_simulator) == (there.phone_region, there.is_simulator)

    def judges_like(self, other: "Side", tenant_id: TenantId) -> bool:
        """Tell whether both have the same thresholds."""
        return self._tenants[tenant_id].thresholds == other._tenants[tenant_id].thresholds  # noqa: SLF001

    def knows_like(self, other: "Side", tenant_id: TenantId) -> bool:
        """Tell whether both look for earlier asks alike."""
        return self._tenants[tenant_id].dedup_window == other._tenants[tenant_id].dedup_window  # noqa: SLF001

    async def meet(
        self,
        tx: Tx,
        tenant_id: TenantId,
        asked: Sequence[tuple[Delivery, Inquiry]],
        *,
        before: "tuple[Side, Mapping[int, Met]] | None" = None,
    ) -> list[Met]:
        """Say who each inquiry is about, and what is known around it as of when its delivery came.

        `before` is the side that met the same inquiries already, with what it found by their places; what holds for this
        side too is taken from it.
        """
        if not asked:
            return []
        met: dict[int, Met] = {}
        weighed: dict[int, Weighed] = {}
        known: Mapping[int, Met] = {}
        if before is not None and self.weighs_like(before[0], tenant_id):
            other, same = before
            weighed = {place: one.weighed for place, one in same.items()}
            known = same if self.knows_like(other, tenant_id) else {}
            met |= known if self.judges_like(other, tenant_id) else {}
        left = [place for place in range(len(asked)) if place not in met]
        unknown = [place for place in left if place not in weighed]
        if unknown:
            inquiries = [(asked[place][0].source_id, asked[place][1]) for place in unknown]
            weighed |= zip(unknown, (await self._deciders.weigh(tx, {tenant_id: inquiries}))[tenant_id], strict=True)
        matches = await self._deciders.judge(tx, tenant_id, [weighed[place] for place in left])
        to_read: list[tuple[int, Match]] = []
        for place, match in zip(left, matches, strict=True):
            one = known.get(place)
            if one is not None and one.is_about_the_same(match):
                met[place] = Met(weighed[place], match, one.known)
            else:
                to_read.append((place, match))
        if to_read:
            pairs = [(asked[place][1], match) for place, match in to_read]
            earliest = min(asked[place][0].received_at for place, _ in to_read)
            gathered = (await self._deciders.gather(tx, {tenant_id: pairs}, now=earliest))[tenant_id]
            of = [asked[place] for place, _ in to_read]
            found = await self._deciders.as_recorded(tx, tenant_id, of, gathered)
            for (place, match), facts in zip(to_read, found, strict=True):
                met[place] = Met(weighed[place], match, facts)
        return [met[place] for place in range(len(asked))]

    async def plan(self, tx: Tx, delivery: Delivery, inquiry: Inquiry, met: Met) -> Decided:
        """Plan as of when the delivery came."""
        now = delivery.received_at
        try:
            made = await self._deciders.plan(
                tx, delivery, inquiry, met.match, known=met.known, nonce="", pending={}, now=now
            )
        except RuleBroken as broken:
            made = broken.plan()
        return Decided(inquiry, met, made)
