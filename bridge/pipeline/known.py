"""What is read of the database before a batch of inquiries is planned."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from bridge.domain.ids import EffectKey
from bridge.domain.party import PartyRecord
from bridge.domain.reference import ReferenceLists
from bridge.matching.asks import Asker, OpenAsks
from bridge.pipeline.earlier import Made
from bridge.planning.context import OpenBooking


class Facts(NamedTuple):
    """What a batch of inquiries has in common: the asks that are open, the bookings they make, and the tenant's lists."""

    asks: OpenAsks
    bookings: Mapping[EffectKey, Made]
    reference: ReferenceLists


class Recorded(NamedTuple):
    """The booking that an inquiry was decided to join when it came, and when that was asked for; None for none."""

    booking: OpenBooking | None = None
    opened_at: datetime | None = None
    is_decided: bool = False


class Known(NamedTuple):
    """What planning one inquiry needs of the database; `recorded` where it is planned as of when it came."""

    facts: Facts
    asker: Asker | None
    party: PartyRecord | None
    recorded: Recorded | None = None
