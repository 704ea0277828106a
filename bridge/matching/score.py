"""How strongly one mirrored family speaks for being the party: who it is and where it is, scored apart, in bits (pure)."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from math import log2
from typing import NamedTuple

from bridge.domain.keys import AddressKey, EmailWorth, PersonKey, PhoneWorth
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

    field: str
    level: str
    ours: str
    theirs: str
    same: float
    household: float
    share: float = 0.0
    """Of an agreeing name: how many people of one are called so."""
    holders: int = 1
    """Of an agreeing contact or full name: the customers that have it."""

    def told(self) -> Comparison:
        """Return the comparison as evidence; most are never told, so the words are found only here."""
        return Comparison(
            field=self.field,
            level=self.level,
            weight=round(self.same, 2),
            ours=self.ours[:80],
            theirs=self.theirs[:80],
            note=self._note(),
        )

    def _note(self) -> str:
        if self.level == "shared":
            return f"{self.holders} customers or more are called so"
        if self.share:
            return f"1 in {round(1 / self.share):,} is called so"
        if self.level == "generic":
            return f"on {self.holders} customers or more: generic"
        if self.level == "swapped":
            return "given name and surname stand in each other's place"
        return f"on {self.holders} customers" if self.holders > 1 else ""


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

    def bearing(self, shared: Part | None) -> "Identity":
        """Return it with what a shared full name says less, if the full name is what agrees: as evidence."""
        levels = [part.level for part in self.parts if part.field in ("given", "surname")]
        if shared is None or levels != ["exact", "exact"]:
            return self
        return self._replace(parts=(*self.parts, shared), same=self.same + shared.same)


class Place(NamedTuple):
    """Where: one location's address against the party's."""

    location: MirroredLocation | None
    levels: compare.PlaceLevels
    bits: float
    ours: AddressKey
    theirs: AddressKey
    weights: Weights

    @property
    def parts(self) -> tuple[Part, ...]:
        """What was compared; most places are never told, so it is put together only here."""
        return tuple(
            _part(self.weights, field, level, *_values(field, self.ours, self.theirs))
            for field, level in _compared(self.levels)
        )


def _part(weights: Weights, field: str, level: str, ours: str, theirs: str) -> Part:
    """Return one comparison with the weights of its level."""
    return Part(field, level, ours, theirs, *weights.pair(field, level))


def _name_part(weights: Weights, field: str, level: str, ours: str, theirs: str) -> Part:
    """Return a name's comparison: an agreeing one weighs by how rare the name is."""
    if level != "exact":
        return _part(weights, field, level, ours, theirs)
    share = max(weights.share(field, ours), weights.share(field, theirs))
    most = MOST_GIVEN_BITS if field == "given" else MOST_SURNAME_BITS
    table = weights.fields[field][level]
    same = min(log2(table[0] / share), most)
    household = log2(max(table[1], share) / share) if field == "given" else min(log2(table[1] / share), most)
    return Part(field, level, ours, theirs, same, min(household, same), share)


def shared_name(weights: Weights, party: PartyKeys, holders: Mapping[str, int]) -> Part | None:
    """Return what the party's full name says less than its two parts because so many customers bear it, None where it does not.

    A stranger is called so as often as the customers are, but for the one that it would be; who bears a name alone is as rare as
    the parts say. What the given name says is the most that is taken back: one that agrees never speaks against anybody.
    """
    found: Part | None = None
    for person in party.people:
        bearers = holders.get(f"{person.given} {person.surname}", 0)
        if bearers < 2:
            continue
        given = _name_part(weights, "given", "exact", person.given, person.given)
        surname = _name_part(weights, "surname", "exact", person.surname, person.surname)
        share = (bearers - 1) / weights.population
        said = log2(weights.fields["given"]["exact"][0] * weights.fields["surname"]["exact"][0] / share)
        excess = min(given.same + surname.same - said, given.same)
        if excess > (-found.same if found is not None else 0.0):
            found = Part("full_name", "shared", person.given, person.surname, -excess, -excess, share, bearers)
    return found


_SWAPPED = Part("order", "swapped", "", "", -3.0, -3.0)


def _name_parts(weights: Weights, ours: PersonKey, theirs: PersonKey) -> tuple[Part, ...]:
    """Return the comparisons of two people's names."""
    levels = compare.people(ours, theirs)
    if levels.is_swapped:
        ours = ours._replace(given=ours.surname, surname=ours.given)
    parts = []
    if levels.given != compare.MISSING:
        parts.append(_name_part(weights, "given", levels.given, ours.given, theirs.given))
    if levels.surname != compare.MISSING:
        parts.append(_name_part(weights, "surname", levels.surname, ours.surname, theirs.surname))
    if levels.middle != compare.MISSING:
        parts.append(_part(weights, "middle", levels.middle, ours.middle, theirs.middle))
    if levels.suffix != compare.MISSING:
        parts.append(_part(weights, "suffix", levels.suffix, ours.suffix, theirs.suffix))
    if levels.is_swapped:
        parts.append(_SWAPPED)
    return tuple(parts)


class _Met(NamedTuple):
    """One of the party's contacts beside one of the family's; `most` caps what an agreement may say."""

    level: str
    ours: str
    theirs: str
    most: float
    who: Who


_ORDER = {"exact": 0, "near": 1, "differ": 2}
_OTHERS_BITS = 8.0
"""What the contact of somebody else of the family may say at most."""


def _best(met: Iterable[_Met], who: Who) -> _Met | None:
    """Return what says most for one name of the family, None where either side has no such contact."""
    best: _Met | None = None
    for one in met:
        other = one.who
        if (
            other is not who
            and other.location_id
            and other.name.people
            and who.name.people
            and other.name != who.name
            and one.most > _OTHERS_BITS
        ):
            one = one._replace(most=_OTHERS_BITS)  # noqa: PLW2901
        if best is None or (_ORDER[one.level], -one.most) < (_ORDER[best.level], -best.most):
            best = one
    return best


def _telling(met: Iterable[_Met]) -> list[_Met]:
    """Return the pairs that agree, and one of those that do not: fifty numbers beside fifty cost what one pair does."""
    kept: list[_Met] = []
    differ: _Met | None = None
    for one in met:
        if one.level != "differ":
            kept.append(one)
        elif differ is None or one.most > differ.most:
            differ = one
    return [*kept, differ] if differ is not None else kept


def _phones(party: PartyKeys, family: Family, settings: MatchSettings) -> Iterator[_Met]:
    """Yield each of the party's phones beside each of the family's."""
    for ours in party.phones:
        is_trusted = settings.trusts_fictional and ours.worth is PhoneWorth.FICTIONAL
        worth = _PHONE_BITS[PhoneWorth.PERSONAL if is_trusted else ours.worth]
        for who in family.whos:
            for theirs in who.phones:
                is_other = ours.extension and theirs.extension and ours.extension != theirs.extension
                level = compare.phone_level(ours.e164, theirs.e164)
                yield _Met(level, ours.e164, theirs.e164, 6.0 if is_other else worth, who)


def _emails(party: PartyKeys, family: Family, settings: MatchSettings) -> Iterator[_Met]:
    """Yield each of the party's mailboxes beside each of the family's."""
    for ours in party.emails:
        is_trusted = settings.trusts_fictional and ours.worth is EmailWorth.FICTIONAL
        for who in family.whos:
            for theirs in who.emails:
                most = 40.0 if is_trusted else min(_EMAIL_BITS[ours.worth], _EMAIL_BITS[theirs.worth])
                level = compare.email_level(ours.mailbox, theirs.mailbox)
                yield _Met(level, ours.mailbox, theirs.mailbox, most, who)


def _contact_part(field: str, weights: Weights, met: _Met, *, holders: int, generic: int) -> tuple[Part, bool]:
    """Return a contact's comparison, and whether it is an exact one that is not generic."""
    level, ours, theirs, most, _ = met
    same, household = weights.pair(field, level)
    if level != "exact":
        return Part(field, level, ours, theirs, same, household), False
    if holders >= generic:
        return Part(field, "generic", ours, theirs, 0.0, 0.0, holders=holders), False
    capped = min(same, most)
    return Part(field, level, ours, theirs, capped, capped + household - same, holders=holders), True


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


NamesRead = dict[tuple[tuple[PersonKey, ...], tuple[str, ...]], tuple[Part, ...]]
"""How names compare with a party's: many who are found by their name alone bear the same, as do a customer's locations."""


def identities(
    weights: Weights,
    party: PartyKeys,
    family: Family,
    *,
    holders: Mapping[str, int],
    settings: MatchSettings,
    read: NamesRead,
) -> Iterator[Identity]:
    """Yield how each name under which the family may ask compares with the party; `read` grows by the names met."""
    met = (
        ("phone", _telling(_phones(party, family, settings))),
        ("email", _telling(_emails(party, family, settings))),
    )
    for who in family.whos:
        name = (who.name.people, who.name.company)
        named = read.get(name)
        if named is None:
            named = read[name] = _named(weights, party, who)
        parts = list(named)
        contacts = strong = False
        borrowed = 0.0
        for field, pairs in met:
            best = _best(pairs, who)
            if best is None:
                continue
            held = holders.get(best.ours, 1)
            part, exact = _contact_part(field, weights, best, holders=held, generic=settings.generic)
            parts.append(part)
            if exact:
                contacts = True
                strong |= best.most > 12.0
                borrowed += part.same
        telling = [part.level for part in named if part.field in ("given", "surname", "company")]
        yield Identity(
            who,
            tuple(parts),
            sum(part.same for part in parts),
            sum(part.household for part in parts),
            borrowed,
            contacts,
            strong,
            any(level not in ("differ", "part", "initial") for level in telling),
            bool(telling) and all(level == "differ" for level in telling),
        )


@lru_cache(maxsize=4096)
def _compared(levels: compare.PlaceLevels) -> tuple[tuple[str, str], ...]:
    """Return the fields that count of two addresses, each with its level."""
    missing = compare.MISSING
    counted = [("number", levels.number), ("street", levels.street)]
    if levels.unit != "both":
        counted.append(("unit", levels.unit))
    counted.append(("zip", levels.zip))
    if levels.zip in (missing, "differ"):
        counted.append(("city", levels.city))
    if levels.suffix == "differ":
        counted.append(("suffix_of_street", "differ"))
    if levels.direction == "differ":
        counted.append(("direction", "differ"))
    return tuple((field, level) for field, level in counted if level != missing)


def _values(field: str, ours: AddressKey, theirs: AddressKey) -> tuple[str, str]:
    """Return both values of a field of two addresses."""
    if field == "suffix_of_street":
        return ours.suffix, theirs.suffix
    if field == "direction":
        return ours.before or ours.after, theirs.before or theirs.after
    return getattr(ours, field), getattr(theirs, field)


def place(weights: Weights, party: PartyKeys, location: MirroredLocation) -> Place:
    """Return how a location's address compares with the party's, in bits against an address picked at random."""
    ours, theirs = party.address, location.address
    levels = compare.places(ours, theirs)
    return Place(location, levels, sum(weights.bits(*one) for one in _compared(levels)), ours, theirs, weights)
