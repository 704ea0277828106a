"""Who is this, and where? One answer from the evidence, guards that no score overrides, and the reasons (pure)."""

from math import fsum
from typing import NamedTuple

from bridge.domain.ids import LocationId
from bridge.domain.inquiry import Inquiry
from bridge.domain.keys import KEYS_VERSION, AddressStatus, NameKind
from bridge.domain.match import (
    Ambiguous,
    Candidate,
    Comparison,
    Evidence,
    Match,
    Matched,
    MatchKind,
    MatchSettings,
    Unmatched,
)
from bridge.matching.keys import PartyKeys, party_keys
from bridge.matching.lookup import Family, Lookup, Said
from bridge.matching.score import Identity, Place
from bridge.matching.stories import IS_CUSTOMER, IS_STRANGER, Story, tell
from bridge.matching.weights import Weights

SHOWN = 5
"""Candidates kept in the evidence."""


class _View(NamedTuple):
    """One family with what it scored: the probability that it is the customer, and the place that fits best."""

    family: Family
    identity: Identity
    places: tuple[Place, ...]
    here: Place | None
    probability: float
    is_known_place: bool
    """The party's address is one of the family's locations."""


class Weighed(NamedTuple):
    """An inquiry's party beside everybody it could be, before any threshold has spoken."""

    party: PartyKeys
    views: tuple[_View, ...]
    shown: tuple[Candidate, ...]
    """The first of them as evidence."""
    nobody: float
    """The probability that it is nobody we know."""
    never: tuple[int, ...]
    """Customers whom a person said it is not."""
    by_word: Said | None
    weights: Weights


def decide(inquiry: Inquiry, lookup: Lookup, weights: Weights, settings: MatchSettings) -> Match:
    """Return the verdict about an inquiry's party with its evidence; what a person said earlier outranks every score."""
    return judge(weigh(inquiry, lookup, weights, settings), settings)


def weigh(inquiry: Inquiry, lookup: Lookup, weights: Weights, settings: MatchSettings) -> Weighed:
    """Return who an inquiry's party could be, each with its probability; the thresholds of the settings change none of it."""
    party = lookup.party or party_keys(inquiry.person, region=settings.region)
    never = {said.customer_id for said in lookup.said if not said.is_same}
    families = [family for family in lookup.families if family.customer.id not in never]
    views, nobody = _weigh(party, families, lookup, weights, settings)
    by_word = next((said for said in sorted(lookup.said, key=lambda said: not said.is_link) if said.is_same), None)
    if by_word is not None and by_word.customer_id in never:
        by_word = None
    shown = tuple(_candidate(view, place_in_row) for place_in_row, view in enumerate(views[:SHOWN]))
    not_it = tuple(sorted(id_ for id_ in never if id_ is not None))
    return Weighed(party, tuple(views), shown, nobody, not_it, by_word, weights)


def judge(weighed: Weighed, settings: MatchSettings) -> Match:
    """Return the verdict that thresholds, guards and people's words give."""
    party, views, guards = weighed.party, list(weighed.views), [f"never:{customer}" for customer in weighed.never]
    if weighed.by_word is not None:
        return _by_word(party, weighed.by_word, views, weighed.shown, guards, weighed.weights, settings)
    return _judge(party, views, weighed.shown, weighed.nobody, guards, weighed.weights, settings)


def _by_word(
    party: PartyKeys,
    said: Said,
    views: list[_View],
    shown: tuple[Candidate, ...],
    guards: list[str],
    weights: Weights,
    settings: MatchSettings,
) -> Match:
    """Return the verdict that a person gave; the location is the one said, else the one that fits."""
    by = "link" if said.is_link else "person"
    if said.customer_id is None:
        return Unmatched(evidence=_evidence(shown, guards, weights, settings, reason="said_to_be_nobody", by=by))
    view = next(
        (view for view in views if said.customer_id in (view.family.customer.id, view.family.customer.merged_from)),
        None,
    )
    if view is None:  # deleted since, or the mirror is behind
        return _judge(party, views, shown, 0.0, [*guards, "link_target_unknown"], weights, settings, may_match=False)
    known = next((location.id for location in view.family.locations if location.id == said.location_id), None)
    where = known if known is not None and party.address.status is AddressStatus.ABSENT else None
    if where is None and view.is_known_place and view.here is not None and view.here.location is not None:
        where = view.here.location.id
    if where is None and party.address.status is AddressStatus.ABSENT and len(view.family.locations) == 1:
        where = view.family.locations[0].id
    kind = _kind(party, where)
    evidence = _evidence((_candidate(view, 0),), guards, weights, settings, reason=f"decided_by_{by}", by=by)
    return Matched(
        kind=kind,
        customer_id=view.family.customer.id,
        location_id=where,
        probability=1.0,
        may_write=not settings.is_shadow,
        evidence=evidence,
    )


def _kind(party: PartyKeys, where: LocationId | None) -> MatchKind:
    """Return which verdict a known customer gets: a place we know, a new one, or one that a person picks."""
    if where is not None:
        return MatchKind.CUSTOMER_AND_LOCATION
    if party.address.status is AddressStatus.PARSED:
        return MatchKind.CUSTOMER_NEW_LOCATION
    return MatchKind.CUSTOMER_PICK_LOCATION


def _weigh(
    party: PartyKeys, families: list[Family], lookup: Lookup, weights: Weights, settings: MatchSettings
) -> tuple[list[_View], float]:
    """Return the families with their probabilities, best first, and the probability that it is a stranger to all of them."""
    told = tell(party, families, lookup, weights, settings)
    is_it = [0.0] * len(families)
    leading: list[tuple[float, Story | None]] = [(-1.0, None) for _ in families]
    for story, chance in zip(told.stories, told.chances, strict=True):
        if story.kind in IS_CUSTOMER:
            is_it[story.family] += chance
            if chance > leading[story.family][0]:
                leading[story.family] = (chance, story)
    views = []
    for index, scored in enumerate(told.scored):
        best = leading[index][1]
        here = max(
            scored.places,
            key=lambda where: (
                _NEARNESS[where.levels.relation],
                where.bits,
                where.location is not None and where.location.is_active,
            ),
            default=None,
        )
        identity = best.identity if best is not None and best.identity is not None else scored.identities[0]
        views.append(
            _View(
                family=scored.family,
                identity=identity.bearing(told.shared_name),
                places=tuple(scored.places),
                here=here,
                probability=min(is_it[index], 1.0),
                is_known_place=here is not None and here.levels.relation in ("same", "near"),
            )
        )
    views.sort(
        key=lambda view: (-view.probability, not view.is_known_place, -view.identity.same, view.family.customer.id)
    )
    pairs = zip(told.stories, told.chances, strict=True)
    return views, fsum(chance for story, chance in pairs if story.kind in IS_STRANGER)


_NEARNESS = {"same": 5, "near": 4, "building": 3, "street": 2, "elsewhere": 1, "unknown": 0}


def _judge(
    party: PartyKeys,
    views: list[_View],
    shown: tuple[Candidate, ...],
    none: float,
    guards: list[str],
    weights: Weights,
    settings: MatchSettings,
    *,
    may_match: bool = True,
) -> Match:
    """Return the verdict that scores and guards give."""

    def evidence(reason: str) -> Evidence:
        return _evidence(shown, guards, weights, settings, reason=reason)

    if _is_nobody(party):
        guards.append("placeholder_inquiry")
        return Ambiguous(evidence=evidence("placeholder_inquiry"))
    best = views[0] if views else None
    if best is not None and may_match and best.probability >= settings.verdict:
        verdict = _recognised(party, best, views, guards)
        if isinstance(verdict, str):
            return Ambiguous(evidence=evidence(verdict))
        kind, where = verdict
        if kind is None:
            return Ambiguous(
                location_customer_differs=True, location_id=where, evidence=evidence("location_of_another_customer")
            )
        return Matched(
            kind=kind,
            customer_id=best.family.customer.id,
            location_id=where,
            probability=best.probability,
            may_write=best.probability >= settings.auto and not settings.is_shadow and best.family.customer.is_active,
            evidence=evidence("recognised"),
        )
    there = [
        view
        for view in views
        if view.here is not None and view.here.levels.relation == "same" and view.here.location is not None
    ]
    is_newcomer = may_match and _is_newcomer(party, views, there, settings)
    if (
        there
        and all(view.probability < 0.5 or _is_called_otherwise(view) for view in views)
        and len({view.family.customer.id for view in there}) == 1
    ):
        here = there[0].here
        where = here.location.id if here is not None and here.location is not None else None
        return Ambiguous(
            location_customer_differs=True,
            location_id=where,
            is_newcomer=is_newcomer,
            evidence=evidence("location_known_customer_differs"),
        )
    met = [view for view in views if view.identity.has_contact]
    if there or any(not _has_changed_hands(view) for view in met):
        if none >= settings.new:
            guards.append("contact_or_place_agrees")
        return Ambiguous(is_newcomer=is_newcomer, evidence=evidence("ambiguous"))
    if none >= settings.new:
        return Unmatched(evidence=evidence("contact_changed_hands" if met else "nobody_agrees"))
    return Ambiguous(evidence=evidence("ambiguous"))


def _is_newcomer(party: PartyKeys, views: list[_View], there: list[_View], settings: MatchSettings) -> bool:
    """Tell whether somebody named is a stranger to all who have the place, and hardly a customer of another.

    A place alone says nothing of who asks: people move, let and sell. Any name or contact that agrees may be the house's.
    """
    return (
        bool(there)
        and bool(party.people or party.company.company)
        and all(view.family.is_placeholder or _shares_nothing(view) for view in there)
        and all(_has_changed_hands(view) for view in views if view.identity.has_contact)
        and fsum(view.probability for view in views) <= 1.0 - settings.new
    )


def _shares_nothing(view: _View) -> bool:
    """Tell whether the name is another's altogether and no contact agrees, not even nearly."""
    contacts = (part.level for part in view.identity.parts if part.field in ("phone", "email"))
    return view.identity.name_differs and all(level == "differ" for level in contacts)


def _has_changed_hands(view: _View) -> bool:
    """Tell whether a phone that agrees is all: a personal one, under another surname, and nobody whom we must not serve.

    Numbers are given to others, mailboxes are not; and another given name alone may be anybody of the house.
    """
    agreeing = {part.field for part in view.identity.parts if part.level == "exact"}
    compared = {part.field for part in view.identity.parts}
    return (
        view.identity.is_strong
        and view.identity.name_differs
        and "email" not in agreeing
        and bool(compared & {"surname", "company"})
        and not view.family.customer.do_not_service
    )


def _is_called_otherwise(view: _View) -> bool:
    """Tell whether the party's given name is another than the customer's: somebody else of the house, however much else agrees."""
    return any(part.field == "given" and part.level == "differ" for part in view.identity.parts)


def _is_nobody(party: PartyKeys) -> bool:
    """Tell whether the party is made up: a placeholder's name and no contact that reaches anybody."""
    return party.name.kind is NameKind.PLACEHOLDER and not party.phones and not party.emails


def _recognised(
    party: PartyKeys, best: _View, views: list[_View], guards: list[str]
) -> tuple[MatchKind | None, LocationId | None] | str:
    """Return kind and location for a customer that scored enough, or the reason why a person must look."""
    reason = _guard(party, best)
    if reason:
        guards.append(reason)
        return reason
    if best.is_known_place and best.here is not None and best.here.location is not None:
        fits = [view for view in best.places if view.levels.relation == best.here.levels.relation]
        if len(fits) > 1 and best.here.levels.unit == "one":
            guards.append("several_units")
            return MatchKind.CUSTOMER_PICK_LOCATION, None
        others = _owners_of_the_place(best, views)
        if others is not None and best.here.levels.relation == "near":
            guards.append("location_of_another_customer")
            return None, others
        return MatchKind.CUSTOMER_AND_LOCATION, best.here.location.id
    other = _owners_of_the_place(best, views)
    if other is not None:
        guards.append("location_of_another_customer")
        return None, other
    if party.address.status is AddressStatus.PARSED:
        return _new_place(best, guards)
    active = [location for location in best.family.locations if location.is_active] or list(best.family.locations)
    bound = best.identity.who.location_id
    if party.address.status is AddressStatus.ABSENT and (bound or len(active) == 1):
        return MatchKind.CUSTOMER_AND_LOCATION, LocationId(bound) if bound else active[0].id
    if party.address.status is not AddressStatus.ABSENT:
        guards.append(f"address_{party.address.status.value}")
    return MatchKind.CUSTOMER_PICK_LOCATION, None


def _new_place(best: _View, guards: list[str]) -> tuple[MatchKind | None, LocationId | None] | str:
    """Return the verdict for a known customer at an address that none of its locations has."""
    here = best.here
    if here is not None and here.levels.relation == "street" and here.levels.number == "exact":
        guards.append("street_suffix_or_direction_conflict")
        return "street_suffix_or_direction_conflict"
    if (
        here is not None
        and here.location is not None
        and here.levels.street == "differ"
        and here.levels.number == here.levels.zip == "exact"
        and len(here.location.address.number) > 2
    ):
        # Of two properties one in some hundreds has the other's number and ZIP; a street misspelt past recognition is commoner.
        guards.append("same_number_other_street")
        return "same_number_other_street"
    if (
        here is not None
        and here.levels.relation == "unknown"
        and here.location is not None
        and here.location.address.status is not AddressStatus.ABSENT
    ):
        guards.append("mirrored_address_unreadable")
        return "mirrored_address_unreadable"
    if not best.identity.has_contact:
        guards.append("no_shared_contact")
        return "no_shared_contact"
    if not best.identity.has_name:
        guards.append("contact_without_name")
        return "contact_without_name"
    return MatchKind.CUSTOMER_NEW_LOCATION, None


def _guard(party: PartyKeys, best: _View) -> str:
    """Return which guard forbids a match at all, empty for none."""
    if party.name.kind is NameKind.PLACEHOLDER and not party.company.company:
        return "placeholder_inquiry"
    if not party.people and not party.company.company:
        return "contact_without_name"
    if best.family.is_placeholder and not best.identity.who.location_id:
        return "placeholder_customer"
    levels = {part.field: part.level for part in best.identity.parts}
    if levels.get("suffix") == "differ":
        return "suffix_conflict"
    if not best.is_known_place and not best.identity.has_contact:
        return "no_shared_contact"
    if not best.is_known_place and best.identity.name_differs:
        return "name_differs"
    if best.here is not None and best.here.levels.relation == "near" and not best.identity.has_contact:
        return "house_number_differs"
    return ""


def _owners_of_the_place(best: _View, views: list[_View]) -> LocationId | None:
    """Return the location at the party's address that another customer owns, None where there is none."""
    for view in views:
        here = view.here
        if (
            view is not best
            and here is not None
            and here.levels.relation == "same"
            and here.location is not None
            and here.location.is_active
        ):
            return here.location.id
    return None


def _evidence(
    shown: tuple[Candidate, ...],
    guards: list[str],
    weights: Weights,
    settings: MatchSettings,
    *,
    reason: str,
    by: str = "score",
) -> Evidence:
    """Return why the verdict is what it is."""
    return Evidence(
        candidates=shown,
        guards=tuple(guards),
        threshold_auto=settings.auto,
        threshold_review=settings.verdict,
        weights_version=weights.version,
        keys_version=KEYS_VERSION,
        decided_by=by,
        reason=reason,
    )


def _candidate(view: _View, index: int) -> Candidate:
    """Return one family as a candidate with every comparison, and why it lost."""
    customer, here = view.family.customer, view.here
    comparisons = [part.told() for part in view.identity.parts]
    total = view.identity.same
    if here is not None and here.location is not None:
        for part in here.parts:
            comparisons.append(part.told())
        total += here.bits if view.is_known_place else 0.0
    flags = [
        flag
        for flag, is_set in (
            ("do_not_service", customer.do_not_service),
            ("inactive", not customer.is_active),
            ("merged", customer.merged_from is not None),
            ("placeholder", view.family.is_placeholder),
            ("generic_contact", any(part.level == "generic" for part in view.identity.parts)),
            (
                "location_inactive",
                here is not None and view.is_known_place and here.location is not None and not here.location.is_active,
            ),
        )
        if is_set
    ]
    return Candidate(
        customer_id=customer.id,
        location_id=here.location.id
        if here is not None and here.location is not None and view.is_known_place
        else None,
        customer_name=customer.name[:120],
        address=here.location.line[:200] if here is not None and here.location is not None else "",
        probability=round(view.probability, 9),
        total=round(total, 2),
        comparisons=tuple(comparisons),
        why_not="" if index == 0 else _why_not(comparisons, view),
        flags=tuple(flags),
    )


def _why_not(comparisons: list[Comparison], view: _View) -> str:
    """Return what spoke most against a runner-up."""
    against = [comparison for comparison in comparisons if comparison.weight < 0]
    if view.family.is_placeholder:
        return "the customer is a placeholder"
    if not against:
        return "others agree as well or better"
    worst = min(against, key=lambda comparison: comparison.weight)
    return (
        f"{worst.field} {worst.level}s ({worst.weight:+.1f} bits)"
        if worst.level == "differ"
        else f"{worst.field} only {worst.level}"
    )
