"""Everything a plan may look at, as values."""

from datetime import datetime

import msgspec

from bridge.domain.ids import EffectKey, SourceId, TenantId
from bridge.domain.party import KnownBooking, PartyRecord
from bridge.domain.reference import ReferenceLists
from bridge.planning.answers import Answer
from bridge.planning.rules import RuleBook
from bridge.settings import SourceSettings, TenantSettings


class OpenBooking(msgspec.Struct, frozen=True, kw_only=True):
    """The booking that an earlier inquiry of the same party wants or made; `booking` is what the mirror knows of it."""

    effect_key: EffectKey
    booking: KnownBooking = KnownBooking()
    known_contacts: tuple[str, ...] = ()
    summary: str = ""
    """What its summary says already, so that only what is new is added."""
    start: datetime | None = None


class PlanContext(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one inquiry besides itself. `nonce` names a replay that a person forced."""

    tenant_id: TenantId
    tenant: TenantSettings
    source_id: SourceId
    source: SourceSettings
    rules: RuleBook = RuleBook()
    reference: ReferenceLists = ReferenceLists()
    party: PartyRecord | None = None
    open_booking: OpenBooking | None = None
    earlier_booking: OpenBooking | None = None
    earlier_lead: EffectKey | int | None = None
    """The lead that this sender's record made: its id, or the key of the effect that makes it."""
    nonce: str = ""
    answers: tuple[Answer, ...] = ()
    """What people said to holds of this inquiry, or of others like it."""
