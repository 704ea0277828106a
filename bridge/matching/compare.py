"""Two values of one field compared: the level they reach, never a raw score."""

import re
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz.distance import OSA, JaroWinkler

from bridge.domain.keys import AddressKey, AddressStatus, PersonKey
from bridge.domain.keys.addresses import FORMS_OF_SUFFIX
from bridge.domain.keys.nicknames import are_forms_of_one
from bridge.domain.keys.record import sound


class NameLevels(NamedTuple):
    """How two people's names compare; `is_swapped` where given name and surname stood in each other's place."""

    given: str
    middle: str
    surname: str
    suffix: str
    is_swapped: bool


MISSING = "missing"
_NUMBERS = re.compile(r"\d+")


def edits(left: str, right: str, most: int) -> bool:
    """Tell whether two texts are within this many letters changed, left out, added or transposed."""
    return OSA.distance(left, right, score_cutoff=most) <= most


@lru_cache(maxsize=4096)
def word_level(left: str, right: str) -> str:
    """Return exact, close or differ for two words folded."""
    if left == right:
        return "exact"
    longest = max(len(left), len(right))
    if longest > 40:
        return "differ"
    if longest >= 3 and edits(left, right, 1 if longest < 6 else 2):
        # Hinder is not Kinles: two slips in a short word, one of them in the first letter, make another word.
        is_near = longest > 7 or left[0] == right[0] or (longest > 3 and edits(left, right, 1))
        return "close" if is_near else "differ"
    if longest >= 5 and JaroWinkler.similarity(left, right) >= 0.9 and sound(left) == sound(right):
        return "close"
    return "differ"


@lru_cache(maxsize=4096)
def given_level(left: str, right: str) -> str:
    """Return exact, nickname, close, initial or differ for two given names."""
    if not left or not right:
        return MISSING
    if left == right:
        return "exact"
    if len(left) == 1 or len(right) == 1:
        return "initial" if left[0] == right[0] else "differ"
    if are_forms_of_one(left, right):
        return "nickname"
    short, long = sorted((left, right), key=len)
    if len(short) >= 3 and long.startswith(short):
        return "nickname"
    return word_level(left, right)


@lru_cache(maxsize=4096)
def surname_level(left: str, right: str) -> str:
    """Return exact, close, part (one of a double name), initial (`Ann S.`, as marketplaces name people) or differ."""
    if not left or not right:
        return MISSING
    if left != right and (len(left) == 1 or len(right) == 1):
        return "initial" if left[0] == right[0] else "differ"
    closed_left, closed_right = left.replace(" ", ""), right.replace(" ", "")
    level = word_level(closed_left, closed_right)
    if level == "differ" and (" " in left or " " in right):
        parts_left, parts_right = left.split(), right.split()
        if any(len(part) > 2 and part in parts_right for part in parts_left):
            return "part"
    return level


_GOOD = {"exact": 4, "nickname": 3, "close": 2, "part": 2, "initial": 1, MISSING: 0, "differ": -2}


def people(left: PersonKey, right: PersonKey) -> NameLevels:
    """Return how two people's names compare, in the better of the two orders."""
    straight = _levels(left, right)
    if straight.given in ("exact", "nickname") and straight.surname == "exact":
        return straight
    if left.middle or right.middle:
        straight = max(
            (straight, _levels(_with_middle(left), right), _levels(left, _with_middle(right))),
            key=lambda levels: _GOOD[levels.given] + _GOOD[levels.surname],
        )
    if not (left.given and left.surname and right.given and right.surname):
        return straight
    swapped = _levels(PersonKey(left.surname, left.middle, left.given, left.suffix), right)
    if _GOOD[swapped.given] + _GOOD[swapped.surname] > _GOOD[straight.given] + _GOOD[straight.surname] + 1:
        return swapped._replace(is_swapped=True)
    return straight


def _with_middle(person: PersonKey) -> PersonKey:
    """Return the person with what stood between taken into the surname (Nunez Pena)."""
    return person._replace(middle="", surname=f"{person.middle} {person.surname}") if len(person.middle) > 1 else person


def _levels(left: PersonKey, right: PersonKey) -> NameLevels:
    """Return how two people compare as they stand."""
    middle = MISSING
    if left.middle and right.middle:
        middle = "exact" if left.middle[0] == right.middle[0] else "differ"
    suffix = MISSING
    if left.suffix or right.suffix:
        suffix = "exact" if left.suffix == right.suffix else "differ" if left.suffix and right.suffix else "one"
    return NameLevels(
        given_level(left.given, right.given),
        middle,
        surname_level(left.surname, right.surname),
        suffix,
        is_swapped=False,
    )


def phone_level(left: str, right: str) -> str:
    """Return exact, near (one digit wrong or two transposed) or differ for two numbers."""
    if left == right:
        return "exact"
    return "near" if len(left) == len(right) and edits(left, right, 1) else "differ"


def email_level(left: str, right: str) -> str:
    """Return exact, near (a slip in the mailbox, or the same telling mailbox elsewhere) or differ."""
    if left == right:
        return "exact"
    here, _, at = left.partition("@")
    there, _, other = right.partition("@")
    if here == there:
        return "near" if len(here) >= 6 else "differ"
    if _NUMBERS.findall(here) != _NUMBERS.findall(there):
        return "differ"  # ann.lee25 is somebody else than ann.lee29: the number is there because the name was taken
    return "near" if at == other and min(len(here), len(there)) >= 6 and edits(here, there, 1) else "differ"


@lru_cache(maxsize=2048)
def company_level(left: tuple[str, ...], right: tuple[str, ...]) -> str:
    """Return exact, close, part or differ for the telling words of two companies."""
    if not left or not right:
        return MISSING
    if left == right or "".join(left) == "".join(right):
        return "exact"
    short, long = sorted((left, right), key=len)
    shared = sum(any(word_level(word, other) != "differ" for other in long) for word in short)
    if shared == len(long) or (edits("".join(left), "".join(right), 2) and len("".join(short)) > 7):
        return "close"
    if shared == len(short) and shared >= 2:
        return "close"
    return "part" if shared else "differ"


class PlaceLevels(NamedTuple):
    """How two addresses compare, part by part; `relation` is what the parts say together."""

    relation: str
    """same | near | building | street | elsewhere | unknown"""
    number: str
    street: str
    suffix: str
    direction: str
    unit: str
    zip: str
    city: str


def number_level(left: str, right: str) -> str:
    """Return exact, close (one digit wrong, two transposed, a letter more) or differ for two house numbers."""
    if not left or not right:
        return MISSING
    if left == right or left.lstrip("0") == right.lstrip("0"):
        return "exact"
    if len(left) >= 2 and len(right) >= 2 and edits(left, right, 1):
        return "close"
    return "differ"


def zip_level(left: str, right: str) -> str:
    """Return exact, close or differ for two postal codes."""
    if not left or not right:
        return MISSING
    if left == right:
        return "exact"
    return "close" if edits(left, right, 1) else "differ"


def street_level(left: str, right: str) -> str:
    """Return exact, close or differ for two street names without directions and suffixes."""
    if not left or not right:
        return MISSING
    if left != right and _NUMBERS.findall(left) != _NUMBERS.findall(right):
        return "differ"  # 5th and 6th, County Road 18 and 81 are two streets, one slip apart
    return word_level(left.replace(" ", ""), right.replace(" ", ""))


def _is_suffix_misspelt(street: str, other: AddressKey) -> bool:
    """Tell whether a street's last word is the other's suffix with a slip (Mesa Ane and Mesa Ave), so that it was read as a name."""
    name, _, last = street.rpartition(" ")
    forms = FORMS_OF_SUFFIX.get(other.suffix, ())
    return bool(name) and name == other.street and len(last) > 1 and any(edits(last, form, 1) for form in forms)


def _both(left: str, right: str) -> str:
    """Return exact, differ or missing for two values that are either the same or not."""
    return MISSING if not left or not right else "exact" if left == right else "differ"


def _with_unit_apart(left: AddressKey, right: AddressKey) -> AddressKey:
    """Return an address whose number ends in what the other calls the unit (14B, and 14 Unit B) written as the other's."""
    if left.unit or not right.unit or left.number != right.number + right.unit or not right.unit.isalpha():
        return left
    return left._replace(number=right.number, unit=right.unit)


def places(left: AddressKey, right: AddressKey) -> PlaceLevels:
    """Return how two addresses compare."""
    if left.unit != right.unit and left.number != right.number:
        left, right = _with_unit_apart(left, right), _with_unit_apart(right, left)
    number = number_level(left.number, right.number)
    street = street_level(left.street, right.street)
    if street == "differ" and bool(left.suffix) != bool(right.suffix):
        named, other = (right, left) if left.suffix else (left, right)
        street = "close" if _is_suffix_misspelt(named.street, other) else street
    suffix = _both(left.suffix, right.suffix)
    ahead, behind = left.before or left.after, right.before or right.after
    direction = _both(ahead, behind)
    unit = (
        "both"
        if not left.unit and not right.unit
        else "one"
        if not left.unit or not right.unit
        else _both(left.unit, right.unit)
    )
    code, city = zip_level(left.zip, right.zip), MISSING
    if left.city and right.city:
        city = word_level(left.city, right.city)
    relation = _relation(left, right, PlaceLevels("", number, street, suffix, direction, unit, code, city))
    return PlaceLevels(relation, number, street, suffix, direction, unit, code, city)


def _relation(left: AddressKey, right: AddressKey, levels: PlaceLevels) -> str:
    """Return what the parts of two addresses say together."""
    usable = (AddressStatus.PARSED, AddressStatus.PARTIAL)
    if left.status not in usable or right.status not in usable or MISSING in (levels.number, levels.street):
        return "unknown"
    apart = levels.zip == "differ" and levels.city != "exact"
    if levels.street == "differ" or apart or (levels.zip == MISSING and levels.city == "differ"):
        return "elsewhere"
    conflict = "differ" in (levels.suffix, levels.direction)
    if levels.number == "exact" and not conflict:
        return "building" if levels.unit == "differ" else "same"
    return "near" if levels.number != "differ" and levels.street == "exact" and not conflict else "street"
