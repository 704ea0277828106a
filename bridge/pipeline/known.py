"""What is read of the database before a batch of inquiries is planned."""

from collections.abc import Mapping
from typing import NamedTuple

from bridge.domain.ids import EffectKey
from bridge.domain.party import PartyRecord
from bridge.domain.reference import ReferenceLists
from bridge.matching.asks import Asker, OpenAsks
from bridge.pipeline.earlier import Made


class Facts(NamedTuple):
    """What a batch of inquiries has in common: the asks that are open, the bookings they make, and the tenant's lists."""

    asks: OpenAsks
    bookings: Mapping[EffectKey, Made]
    reference: ReferenceLists


class Known(NamedTuple):
    """What planning one inquiry needs of the database."""

    facts: Facts
    asker: Asker | None
    party: PartyRecord | None
