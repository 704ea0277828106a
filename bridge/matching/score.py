"""How strongly one mirrored family speaks for being the party: who it is and where it is, scored apart, in bits (pure)."""

from collections.abc import Iterator, Mapping
from math import log2
from typing import NamedTuple

from bridge.domain.keys import EmailWorth, PersonKey, PhoneWorth
from bridge.domain.match import Comparison, MatchSettings
from bridge.matching import compare
from bridge.matching.keys import PartyKeys
from bridge.matching.lookup import Family, MirroredLocation, Who
from bridge.matching.weights import Weights

MOST_GIVEN_BITS, MOST_SURNAME_BITS = 12.0, 14.0
"""A rare spelling is often a slip of somebody's, so no single name may say more."""
_PHONE_BITS = {PhoneWorth.PERSONAL: 40.0, PhoneWorth.TOLL_FREE: 5.0, PhoneWorth.FICTIONAL: 10.0}
_EMAIL_BITS = {
    EmailWorth.PERSONAL: 40.0,
    EmailWorth.TYPO: 14.0,
    EmailWorth.ROLE: 9.0,
    EmailWorth.RELAY: 3.0,
    EmailWorth.FICTIONAL: 10.0,
}


class Part(NamedTuple):
    """One comparison with its two weights in bits: for the same person, and for another person of the household."""

    comparison: Comparison
    same: float
    household: float


class Identity(NamedTuple):
    """Who: the best of a family's names and contacts against the party's, with what was compared."""

    who: Who
    parts: tuple[Part, ...]
    same: float
    household: float
    borrowed: float
    """Bits of the agreeing contacts alone, for a number or mailbox that now belongs to somebody else."""
    has_contact: bool
    """An exact contact that is not generic agrees."""
    is_strong: bool
    """At least one agreeing contact is a personal one."""
    has_name: bool
    """Something of the name or company was comparable, and agrees."""
    name_differs: bool


class Place(NamedTuple):
    """Where: one location's address against the party's."""

    location: MirroredLocation | None
    levels: compare.PlaceLevels
    parts: tuple[Part, ...]
    bits: float


def _part(
    weights: Weights, field: str, level: str, ours: str, theirs: str, *, note: str = "", most: float = 60.0
) -> Part:
    """Return one comparison with the weights of its level, capped at `most` bits."""
    same, household = min(weights.bits(field, level), most), min(weights.household_bits(field, level), most)
    comparison = Comparison(
        field=field, level=level, weight=round(same, 2), ours=ours[:80], theirs=theirs[:80], note=note
    )
    return Part(comparison, same, household)


def _name_part(weights: Weights, field: str, level: str, ours: str, theirs: str) -> Part:
    """Return a name's comparison: an agreeing one weighs by how rare the name is."""
    part = _part(weights, field, level, ours, theirs)
    if level != "exact":
        return part
    share = max(weights.share(field, ours), weights.share(field, theirs))
    most = MOST_GIVEN_BITS if field == "given" else MOST_SURNAME_BITS
    table = weights.fields[field][level]
    same = min(log2(table[0] / share), most)
    household = log2(max(table[1], share) / share) if field == "given" else min(log2(table[1] / share), most)
    note = f"1 in {round(1 / share):,} is called so"
    return Part(
        Comparison(field=field, level=level, weight=round(same, 2), ours=ours, theirs=theirs, note=note),
        same,
        min(household, same),
    )


def _name_parts(weights: Weights, ours: PersonKey, theirs: PersonKey) -> tuple[Part, ...]:
    """Return the comparisons of two people's names."""
    levels = compare.people(ours, theirs)
    if levels.is_swapped:
        ours = ours._replace(given=ours.surname, surname=ours.given)
    parts = [
        _name_part(weights, "given", levels.given, ours.given, theirs.given),
        _name_part(weights, "surname", levels.surname, ours.surname, theirs.surname),
    ]
    if levels.middle != compare.MISSING:
        parts.append(_part(weights, "middle", levels.middle, ours.middle, theirs.middle))
    if levels.suffix != compare.MISSING:
        parts.append(_part(weights, "suffix", levels.suffix, ours.suffix, theirs.suffix))
    if levels.is_swapped:
        swapped = Comparison(
            field="order", level="swapped", weight=-3.0, note="given name and surname stand in each other's place"
        )
        parts.append(Part(swapped, -3.0, -3.0))
    return tuple(part for part in parts if part.comparison.level != compare.MISSING)


def _contact_part(
    field: str, weights: Weights, found: tuple[str, str, str, float], *, holders: int, generic: int
) -> tuple[Part, bool]:
    """Return a contact's comparison, and whether it is an exact one that is not generic; found is level, ours, theirs, cap."""
    level, ours, theirs, most = found
    if level != "exact":
        return _part(weights, field, level, ours, theirs), False
    if holders >= generic:
        note = f"on {holders} customers or more: generic"
        return Part(
            Comparison(field=field, level="generic", weight=0.0, ours=ours, theirs=theirs, note=note), 0.0, 0.0
        ), False
    part = _part(weights, field, level, ours, theirs, most=most, note=f"on {holders} customers" if holders > 1 else "")
    shares = weights.fields[field][level]
    return part._replace(household=part.same + log2(shares[1] / shares[0])), True


_ORDER = {"exact": 0, "near": 1, "differ": 2}


def _phone(party: PartyKeys, family: Family, who: Who, settings: MatchSettings) -> tuple[str, str, str, float] | None:
    """Return level, values and cap of the best pair of phones, None where either side has none."""
    best: tuple[str, str, str, float] | None = None
    for ours in party.phones:
        for other in family.whos:
            for theirs in other.phones:
                level = compare.phone_level(ours.e164, theirs.e164)
                worth = (
                    PhoneWorth.PERSONAL
                    if settings.trusts_fictional and ours.worth is PhoneWorth.FICTIONAL
                    else ours.worth
                )
                most = _PHONE_BITS[worth]
                if ours.extension and theirs.extension and ours.extension != theirs.extension:
                    most = 6.0
                if (
                    other is not who
                    and other.name.people
                    and who.name.people
                    and other.name != who.name
                    and other.location_id
                ):
                    most = min(most, 8.0)  # somebody else's of the family
                found = (level, ours.e164, theirs.e164, most)
                if best is None or (_ORDER[level], -most) < (_ORDER[best[0]], -best[3]):
                    best = found
    return best


def _email(party: PartyKeys, family: Family, who: Who, settings: MatchSettings) -> tuple[str, str, str, float] | None:
    """Return level, values and cap of the best pair of e-mails, None where either side has none."""
    best: tuple[str, str, str, float] | None = None
    for ours in party.emails:
        for other in family.whos:
            for theirs in other.emails:
                level = compare.email_level(ours.mailbox, theirs.mailbox)
                weakest = min(_EMAIL_BITS[ours.worth], _EMAIL_BITS[theirs.worth])
                most = 40.0 if settings.trusts_fictional and ours.worth is EmailWorth.FICTIONAL else weakest
                if (
                    other is not who
                    and other.name.people
                    and who.name.people
                    and other.name != who.name
                    and other.location_id
                ):
                    most = min(most, 8.0)
                found = (level, ours.mailbox, theirs.mailbox, most)
                if best is None or (_ORDER[level], -most) < (_ORDER[best[0]], -best[3]):
                    best = found
    return best


def _named(weights: Weights, party: PartyKeys, who: Who) -> tuple[Part, ...]:
    """Return the comparisons of the best pair of names: people with people, a company with a company."""
    best: tuple[Part, ...] = ()
    best_bits = float("-inf")
    for ours in party.people:
        for theirs in who.name.people:
            parts = _name_parts(weights, ours, theirs)
            bits = sum(part.same for part in parts)
            if parts and bits > best_bits:
                best, best_bits = parts, bits
    if party.company.company and who.name.company:
        level = compare.company_level(party.company.company, who.name.company)
        part = _part(weights, "company", level, " ".join(party.company.company), " ".join(who.name.company))
        if level == "differ" and best:
            return best
        return (*best, part)
    return best


def identities(
    weights: Weights, party: PartyKeys, family: Family, *, holders: Mapping[str, int], settings: MatchSettings
) -> Iterator[Identity]:
    """Yield how each name under which the family may ask compares with the party."""
    for who in family.whos:
        parts = list(_named(weights, party, who))
        contacts = strong = False
        borrowed = 0.0
        for field, found in (
            ("phone", _phone(party, family, who, settings)),
            ("email", _email(party, family, who, settings)),
        ):
            if found is None:
                continue
            part, exact = _contact_part(
                field, weights, found, holders=holders.get(found[1], 1), generic=settings.generic
            )
            parts.append(part)
            contacts |= exact
            strong |= exact and found[3] > 12.0
            if exact:
                borrowed += part.same
        named = [part for part in parts if part.comparison.field in ("given", "surname", "company")]
        yield Identity(
            who,
            tuple(parts),
            sum(part.same for part in parts),
            sum(part.household for part in parts),
            borrowed,
            contacts,
            strong,
            any(part.comparison.level not in ("differ", "part", "initial") for part in named),
            bool(named) and all(part.comparison.level == "differ" for part in named),
        )


_SHOWN = (("number", "number"), ("street", "street"), ("unit", "unit"), ("zip", "zip"))


def place(weights: Weights, party: PartyKeys, location: MirroredLocation) -> Place:
    """Return how a location's address compares with the party's, in bits against an address picked at random."""
    ours, theirs = party.address, location.address
    levels = compare.places(ours, theirs)
    parts = [
        _part(weights, name, getattr(levels, attribute), getattr(ours, attribute), getattr(theirs, attribute))
        for name, attribute in _SHOWN
    ]
    if levels.zip in (compare.MISSING, "differ"):
        parts.append(_part(weights, "city", levels.city, ours.city, theirs.city))
    if levels.suffix == "differ":
        parts.append(_part(weights, "suffix_of_street", "differ", ours.suffix, theirs.suffix))
    if levels.direction == "differ":
        parts.append(_part(weights, "direction", "differ", ours.before or ours.after, theirs.before or theirs.after))
    kept = tuple(part for part in parts if part.comparison.level not in (compare.MISSING, "both"))
    return Place(location, levels, kept, sum(part.same for part in kept))
