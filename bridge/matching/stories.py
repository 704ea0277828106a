"""The stories of how an inquiry came about, each with its odds: one customer asks, somebody of the house, a stranger (pure)."""

from collections.abc import Sequence
from enum import StrEnum
from math import exp, fsum, log
from typing import NamedTuple

from bridge.domain.keys import AddressStatus
from bridge.domain.match import MatchSettings
from bridge.matching.keys import PartyKeys
from bridge.matching.lookup import Family, Lookup
from bridge.matching.score import Identity, NamesRead, Part, Place, identities, place, shared_name
from bridge.matching.weights import Weights

_LN2 = log(2.0)
_IDENTITIES = 4
"""Names of one family that take part at most."""
_RELATIVES = 0.2
"""Somebody of the house asks so often for another place, for each time for the house."""


class StoryKind(StrEnum):
    """How an inquiry can come about."""

    SAME = "same"
    """The customer asks, for a place of theirs or naming none."""
    ELSEWHERE = "elsewhere"
    """The customer asks for another place."""
    HOUSEHOLD = "household"
    """Somebody else of the house asks."""
    RELATIVE = "relative"
    """Somebody else of the house asks for another place, with a contact of the family."""
    BORROWED = "borrowed"
    """A stranger has a contact that was the customer's, or is shared."""
    NEWCOMER = "newcomer"
    """A stranger asks for a place that we know."""
    NOBODY = "nobody"


IS_CUSTOMER = frozenset((StoryKind.SAME, StoryKind.ELSEWHERE))
IS_STRANGER = frozenset((StoryKind.NOBODY, StoryKind.NEWCOMER, StoryKind.BORROWED))
"""Neither a customer nor of a customer's house."""


class Story(NamedTuple):
    """One story with its log-odds; `family` is an index, -1 for nobody's."""

    kind: StoryKind
    family: int
    place: Place | None
    identity: Identity | None
    weight: float


class Scored(NamedTuple):
    """One family with its identities, best first, and its places."""

    family: Family
    identities: list[Identity]
    places: list[Place]


class Told(NamedTuple):
    """Every story with its probability; they sum to one."""

    stories: list[Story]
    chances: list[float]
    scored: list[Scored]
    shared_name: Part | None
    """What the party's full name says less because several customers bear it."""


def tell(
    party: PartyKeys, families: Sequence[Family], lookup: Lookup, weights: Weights, settings: MatchSettings
) -> Told:
    """Return all stories about a party and these families, competing with one another."""
    priors, prior = weights.priors, _priors(party, weights)
    known = priors.same_place + priors.elsewhere + priors.household + priors.newcomer + priors.borrowed
    shared = shared_name(weights, party, lookup.holders)
    strange = -shared.same * _LN2 if shared is not None else 0.0
    stories = [Story(StoryKind.NOBODY, -1, None, None, log(max(0.05, 1.0 - known)) + strange)]
    scored = []
    read: NamesRead = {}
    for index, family in enumerate(families):
        found = identities(weights, party, family, holders=lookup.holders, settings=settings, read=read)
        best = sorted(found, key=lambda who: -who.same)[:_IDENTITIES]
        one = Scored(family, best, [place(weights, party, location) for location in family.locations])
        scored.append(one)
        stories += _of_family(party, index, one, prior, strange)
    top = max(story.weight for story in stories)
    odds = [exp(story.weight - top) for story in stories]
    total = fsum(odds)  # exact, so that the order of candidates changes not even the last digit
    return Told(stories, [share / total for share in odds], scored, shared)


class _Priors(NamedTuple):
    """The log-odds with which each story begins: its prior among a population of customers."""

    same_place: float
    elsewhere: float
    placeless: float
    """The customer, where no place is named."""
    household: float
    relative: float
    borrowed: float
    newcomer: float


def _priors(party: PartyKeys, weights: Weights) -> _Priors:
    priors, chance = weights.priors, log(weights.population)
    named = party.address.status in (AddressStatus.PARSED, AddressStatus.PARTIAL)
    # Who names no place may be at home: were they fewer then, an address that agrees would speak against the customer.
    relative = priors.household * (_RELATIVES if named else 1 + _RELATIVES)
    return _Priors(
        same_place=log(priors.same_place) - chance,
        elsewhere=log(priors.elsewhere) - chance,
        placeless=log(priors.same_place + priors.elsewhere) - chance,
        household=log(priors.household) - chance,
        relative=log(relative) - chance,
        borrowed=log(priors.borrowed) - chance,
        newcomer=log(priors.newcomer) - chance,
    )


def _of_family(party: PartyKeys, index: int, scored: Scored, prior: _Priors, strange: float) -> list[Story]:
    """Return the stories in which a family has a part; a stranger's are likelier by what a shared name says less."""
    out: list[Story] = []
    is_nobody = scored.family.is_placeholder
    named = party.address.status in (AddressStatus.PARSED, AddressStatus.PARTIAL)
    fitting = [where for where in scored.places if where.levels.relation in ("same", "near")]
    for identity in scored.identities[:1] + [who for who in scored.identities[1:] if who.who.location_id]:
        bound = identity.who.location_id
        same, household = identity.same, identity.household
        for where in fitting:
            if where.location is not None and bound not in (0, where.location.id):
                continue
            if not is_nobody or bound:
                weight = prior.same_place + (same + where.bits) * _LN2
                out.append(Story(StoryKind.SAME, index, where, identity, weight))
                weight = prior.household + (household + where.bits) * _LN2
                out.append(Story(StoryKind.HOUSEHOLD, index, where, identity, weight))
        if is_nobody and not bound:
            continue
        if not named:
            out.append(Story(StoryKind.SAME, index, None, identity, prior.placeless + same * _LN2))
        elif bound == 0:
            out.append(Story(StoryKind.ELSEWHERE, index, None, identity, prior.elsewhere + same * _LN2))
        if identity.has_contact:
            weight = prior.borrowed + strange + identity.borrowed * _LN2
            out.append(Story(StoryKind.BORROWED, index, None, identity, weight))
            out.append(Story(StoryKind.RELATIVE, index, None, identity, prior.relative + household * _LN2))
    newcomer = prior.newcomer + strange
    out += [Story(StoryKind.NEWCOMER, index, where, None, newcomer + where.bits * _LN2) for where in fitting]
    return out
