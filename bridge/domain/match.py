"""Who is this, and where? The verdict with its evidence, as data that explains itself."""

from enum import StrEnum

import msgspec

from bridge.domain.ids import CustomerId, LocationId


class Comparison(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One field compared: the level reached, its weight in bits, and both values as they were compared."""

    field: str
    level: str
    weight: float
    ours: str = ""
    theirs: str = ""
    note: str = ""


class Candidate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A party that might be it; `why_not` says why it lost, empty for the winner."""

    customer_id: CustomerId | None = None
    location_id: LocationId | None = None
    customer_name: str = ""
    address: str = ""
    probability: float = 0.0
    total: float = 0.0
    comparisons: tuple[Comparison, ...] = ()
    why_not: str = ""
    flags: tuple[str, ...] = ()
    """do_not_service | inactive | merged | placeholder | generic_contact | household | ..."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why the verdict is what it is: candidates best first, guards that spoke, thresholds and weights in force."""

    candidates: tuple[Candidate, ...] = ()
    guards: tuple[str, ...] = ()
    threshold_auto: float = 0.0
    threshold_review: float = 0.0
    weights_version: str = ""
    keys_version: int = 0
    decided_by: str = "score"
    """score | link | person | none"""
    reason: str = ""


class MatchKind(StrEnum):
    """How a party was recognised."""

    CUSTOMER_AND_LOCATION = "customer_and_location"
    CUSTOMER_NEW_LOCATION = "customer_new_location"
    CUSTOMER_PICK_LOCATION = "customer_pick_location"


class Matched(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="matched"):
    """The customer is known; `may_write` is false below the auto threshold and in shadow mode."""

    kind: MatchKind
    customer_id: CustomerId
    location_id: LocationId | None = None
    probability: float = 1.0
    may_write: bool = False
    evidence: Evidence = Evidence()


class Ambiguous(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="ambiguous"):
    """A person must choose; `location_customer_differs` marks a known location whose customer is somebody else."""

    location_customer_differs: bool = False
    location_id: LocationId | None = None
    is_newcomer: bool = False
    """Only the place is known: no name and no contact of those who have it agrees, so the party is none of them."""
    evidence: Evidence = Evidence()


class Unmatched(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="unmatched"):
    """Nobody in the mirror is this party."""

    evidence: Evidence = Evidence()


Match = Matched | Ambiguous | Unmatched


class MatchSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a tenant wants to be matched.

    A record is written only from `auto` on: 0.999 until the tenant is certified, then 0.99. `verdict` is the probability
    from which a party counts as recognised, `new` the one from which nobody does; between them a person chooses. In
    shadow mode matches are recorded and no record is ever written. `window_hours` is how long an ask stays open for the same
    party. A number or mailbox of `generic` customers or more says nothing about who somebody is.
    """

    auto: float = 0.999
    verdict: float = 0.99
    new: float = 0.9
    is_shadow: bool = False
    region: str = "US"
    window_hours: float = 72.0
    generic: int = 5
    trusts_fictional: bool = False
    """True only for sandboxes, whose phones are all 555-01xx: such a number then counts like any other."""
