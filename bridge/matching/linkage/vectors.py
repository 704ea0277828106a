"""Pairs of records worth comparing, and each pair as the levels its fields reach."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import JaroWinkler

from bridge.domain.keys.nicknames import filed_under
from bridge.domain.keys.record import sound
from bridge.matching import compare
from bridge.matching.linkage.files import Record

LEVELS: dict[str, tuple[str, ...]] = {
    "given": ("missing", "exact", "nickname", "close", "similar", "initial", "letter", "differ"),
    "middle": ("missing", "exact", "differ"),
    "surname": ("missing", "exact", "close", "part", "similar", "differ"),
    "order": ("missing", "swapped"),
    "company": ("missing", "exact", "close", "part", "differ"),
    "phone": ("missing", "exact", "near", "differ"),
    "email": ("missing", "exact", "near", "differ"),
    "born": ("missing", "exact", "close", "differ"),
    "national_id": ("missing", "exact", "close", "differ"),
    "number": ("missing", "exact", "close", "differ"),
    "street": ("missing", "exact", "close", "part", "differ"),
    "unit": ("missing", "exact", "close", "one", "differ"),
    "zip": ("missing", "exact", "close", "differ"),
    "city": ("missing", "exact", "close", "differ"),
    "state": ("missing", "exact", "differ"),
}
FIELDS = tuple(LEVELS)
PLACE = frozenset(("number", "street", "unit", "zip", "city", "state"))
"""Fields that a household shares and a mover changes together."""
COUNTED = ("given", "middle", "surname", "street", "number", "zip", "city", "unit")
"""Fields whose agreement weighs by how rare the value is."""
_CODES = {field: {level: code for code, level in enumerate(levels)} for field, levels in LEVELS.items()}

Codes = npt.NDArray[np.int8]
BLOCK = 60
"""Records on one key at most; a key that more share brings strangers only."""


class Pairs(NamedTuple):
    """Compared pairs, sorted by the left record: indexes, level codes and, for counted fields, log2 of the value's share."""

    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    codes: Codes
    rarity: npt.NDArray[np.float32]


def block_texts(record: Record) -> Iterator[str]:
    """Yield the keys under which a record meets others: pairs of fields, so that any two good ones are enough."""
    person, address = record.person, record.address
    given = sound(filed_under(person.given)) if person.given else ""
    last = person.surname.rpartition(" ")[2]
    surname = sound(last) if last else ""
    number, street = address.number, address.street
    heard = sound(street.replace(" ", "")) if street else ""
    for phone in record.phones:
        yield f"p{phone}"
    if record.email:
        yield f"m{record.email}"
    if record.born:
        yield f"t{record.born}"
    if record.national_id:
        yield f"i{record.national_id}"
    if record.company:
        yield f"k{''.join(record.company)}"
        yield f"l{'|'.join(sorted(record.company[:2]))}"
    pairs = (
        ("a", "|".join(sorted((given, surname))) if given and surname else "", person.middle[:1] or "-"),
        ("A", "|".join(sorted((given, surname))) if given and surname else "", heard),
        ("b", surname, number),
        ("c", surname, heard),
        ("d", given, number),
        ("e", given, heard),
        ("f", number, street[:5]),
        ("g", number, heard),
        ("h", surname, record.zip),
        ("j", given, record.zip),
        ("n", person.given[:4], person.surname[:4]),
        ("q", "".join(sorted(person.given + person.surname))[:9], "-"),
        ("r", person.surname, "-" if person.surname else ""),
        ("s", surname, record.unit),
        ("u", record.unit, heard),
        ("v", record.born[:6], given),
        ("w", record.born[4:], given),
        ("x", record.born[:6], surname),
        ("y", record.born[4:], surname),
        ("z", record.city[:5], surname),
        ("B", record.city[:5], given),
        ("C", street, "-" if street else ""),
        ("D", record.zip, number),
        ("E", record.zip, heard),
        ("F", record.zip, "-" if record.zip else ""),
        ("G", record.city, "-" if record.city else ""),
        ("H", record.unit, "-" if len(record.unit) > 2 else ""),
        ("I", record.city[:5], number),
        ("J", record.city[:5], heard),
        ("K", record.unit, number if len(record.unit) > 2 else ""),
        ("L", person.given, person.middle[:1] if person.given else ""),
        ("M", person.given, "-" if person.given else ""),
    )
    for tag, one, other in pairs:
        if one and other:
            yield f"{tag}{one}|{other}"
    turned = sound(person.given) if person.given else ""
    if turned and number:  # given name and surname in each other's place
        yield f"b{turned}|{number}"
    if surname and heard and turned:
        yield f"c{turned}|{heard}"


class Index:
    """The right file by its keys."""

    def __init__(self, records: Sequence[Record]) -> None:
        blocks: dict[str, list[int]] = defaultdict(list)
        for number, record in enumerate(records):
            for text in set(block_texts(record)):
                blocks[text].append(number)
        self._blocks = {text: members for text, members in blocks.items() if len(members) <= BLOCK}

    def find(self, record: Record) -> list[int]:
        """Return the records that share a key, in their order."""
        found: set[int] = set()
        for text in block_texts(record):
            found.update(self._blocks.get(text, ()))
        return sorted(found)


def codes_of(left: Record, right: Record) -> list[int]:
    """Return the level of each field of a pair, as codes."""
    names = compare.people(left.person, right.person)
    given, middle, surname = names.given, names.middle, names.surname
    if given in ("differ", compare.MISSING) and left.person.middle and right.person.given and not names.is_swapped:
        joined = compare.given_level(left.person.given + left.person.middle.replace(" ", ""), right.person.given)
        given = joined if joined in ("exact", "close") else given
    elif given == "differ" and right.person.middle and left.person.given:
        joined = compare.given_level(left.person.given, right.person.given + right.person.middle.replace(" ", ""))
        given = joined if joined in ("exact", "close") else given
    if given == "differ":
        given = _farther(left.person.given, right.person.given)
    if surname in ("differ", "initial") and not names.is_swapped:
        surname = "similar" if _is_similar(left.person.surname, right.person.surname) else "differ"
    here, there = left.address, right.address
    surname = "differ" if surname == "initial" else surname
    return [
        _CODES["given"][given],
        _CODES["middle"][middle],
        _CODES["surname"][surname],
        int(names.is_swapped),
        _CODES["company"][compare.company_level(left.company, right.company)],
        _best(left.phones, right.phones),
        _CODES["email"][compare.email_level(left.email, right.email)] if left.email and right.email else 0,
        _CODES["born"][_code(left.born, right.born)],
        _CODES["national_id"][_code(left.national_id, right.national_id)],
        _CODES["number"][compare.number_level(here.number, there.number)],
        _CODES["street"][_street(left, right)],
        _CODES["unit"][_unit(left.unit, right.unit)],
        _CODES["zip"][compare.zip_level(left.zip, right.zip)],
        _CODES["city"][
            compare.word_level(left.city.replace(" ", ""), right.city.replace(" ", ""))
            if left.city and right.city
            else "missing"
        ],
        0 if not left.state or not right.state else 1 if left.state == right.state else 2,
    ]


def _farther(left: str, right: str) -> str:
    """Return similar, letter (one side is a single letter that does not fit) or differ for given names that are not close."""
    if len(left) == 1 or len(right) == 1:
        return "letter"
    return "similar" if _is_similar(left, right) else "differ"


def _is_similar(left: str, right: str) -> bool:
    """Tell whether two words share so much that a bad hand or ear may have made one of the other."""
    if min(len(left), len(right)) < 3:
        return False
    return JaroWinkler.similarity(left, right, score_cutoff=0.8) > 0 or (
        len(left) > 4 and len(right) > 4 and compare.edits(left, right, 3)
    )


def _code(left: str, right: str) -> str:
    """Return the level of two numbers or dates: one slip or two digits transposed is close."""
    if not left or not right:
        return "missing"
    return "exact" if left == right else "close" if compare.edits(left, right, 1) else "differ"


def _unit(left: str, right: str) -> str:
    """Return the level of two units; `one` where only one side has one."""
    if not left and not right:
        return "missing"
    if not left or not right:
        return "one"
    if left == right:
        return "exact"
    return (
        "close"
        if len(left) > 1 and len(right) > 1 and compare.edits(left, right, 1 if len(left) < 6 else 2)
        else "differ"
    )


def _street(left: Record, right: Record) -> str:
    """Return the level of two streets; a shared telling word, or one that stands where the other has its unit, is a part."""
    one, other = left.address.street, right.address.street
    level = compare.street_level(one, other)
    if level != "differ":
        return level
    if left.street == right.street or compare.edits(left.street, right.street, 2):
        return "close"
    if _crossed(one, right.unit) or _crossed(other, left.unit):
        return "part"
    words = {word for word in one.split() if len(word) > 3}
    return "part" if words and words & set(other.split()) else "differ"


def _crossed(street: str, unit: str) -> bool:
    """Tell whether a street's name stands in the other side's unit."""
    closed = street.replace(" ", "")
    return (
        len(closed) > 3 and len(unit) > 3 and (unit.startswith(closed) or compare.edits(closed, unit[: len(closed)], 1))
    )


def _best(left: tuple[str, ...], right: tuple[str, ...]) -> int:
    """Return the code of the best pair of phones."""
    if not left or not right:
        return 0
    return min(_CODES["phone"][compare.phone_level(one, other)] for one in left for other in right)


def values_of(record: Record) -> tuple[str, ...]:
    """Return the values of the counted fields."""
    person, address = record.person, record.address
    return (
        filed_under(person.given),
        person.middle[:1],
        person.surname,
        address.street,
        address.number,
        record.zip,
        record.city,
        record.unit,
    )


class Rarity:
    """How common each value of the counted fields is in a file: log2 of its share, a value never seen as one seen half a time."""

    def __init__(self, records: Sequence[Record]) -> None:
        counters: list[Counter[str]] = [Counter() for _ in COUNTED]
        for record in records:
            for counter, value in zip(counters, values_of(record), strict=True):
                if value:
                    counter[value] += 1
        self._shares = [
            {value: float(np.log2((count + 0.5) / max(total, 1))) for value, count in counter.items()}
            for counter in counters
            for total in (sum(counter.values()),)
        ]
        self._rare = [float(np.log2(0.5 / max(sum(counter.values()), 1))) for counter in counters]

    def of(self, record: Record) -> list[float]:
        """Return log2 of the share of each counted value."""
        return [
            shares.get(value, rare)
            for shares, rare, value in zip(self._shares, self._rare, values_of(record), strict=True)
        ]


def compare_all(left: Sequence[Record], right: Sequence[Record], index: Index, rarity: Rarity) -> Pairs:
    """Return every pair that shares a key, compared."""
    lefts: list[int] = []
    rights: list[int] = []
    codes: list[list[int]] = []
    rare: list[list[float]] = []
    shares = [rarity.of(record) for record in right]
    for number, record in enumerate(left):
        for other in index.find(record):
            lefts.append(number)
            rights.append(other)
            codes.append(codes_of(record, right[other]))
            rare.append(shares[other])
    return Pairs(
        np.array(lefts, dtype=np.int32),
        np.array(rights, dtype=np.int32),
        np.array(codes, dtype=np.int8).reshape(-1, len(FIELDS)),
        np.array(rare, dtype=np.float32).reshape(-1, len(COUNTED)),
    )
