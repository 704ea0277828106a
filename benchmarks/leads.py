"""Leads made of mirrored customers: an ordinary day's mix and a noisier one, each lead with the customer it is, 0 for nobody.

People are drawn, not records: who has two records asks no more often than others. The shares are an assumption and printed
beside every result.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from bridge.domain.inquiry import BookingInquiry, Person, PostalAddress

ORDINARY = {
    "as_stored": 36, "messy": 15, "nickname": 3, "slip": 4, "zip_missing": 1, "moved": 5, "phone_and_name": 5,
    "spouse": 3, "newcomer": 3, "namesake": 2, "recycled": 1, "stranger": 22,
}  # fmt: skip
"""Percent of a day: a quarter are new, of them some are called as a customer is or have a customer's old number."""
NOISY = {
    "as_stored": 15, "messy": 15, "nickname": 8, "slip": 10, "two_slips": 6, "zip_missing": 4, "moved": 6, "phone_and_name": 6,
    "spouse": 5, "newcomer": 5, "namesake": 5, "recycled": 3, "stranger": 12,
}  # fmt: skip
NOT_THE_CUSTOMER = frozenset(("spouse", "newcomer", "namesake", "recycled", "stranger"))
_SHORT = {"Ben": "Benjamin", "Frank": "Francis", "Maria": "Mary", "Samuel": "Sam", "Victor": "Vic", "Mohammed": "Mohamed",
          "José": "Jose", "Elena": "Helen", "Pedro": "Peter", "Karen": "Kari", "Wendy": "Wen", "Esther": "Essie"}  # fmt: skip
_GIVEN = ("Ingrid", "Osric", "Perla", "Quill", "Bram", "Delphine", "Tomas", "Una")
_SURNAMES = ("Zabel", "Yarrow", "Umstead", "Quist", "Vickers", "Thorne")


class Lead(NamedTuple):
    """One lead of a kind, with the customer it is."""

    kind: str
    customer_id: int
    inquiry: BookingInquiry
    location_id: int = 0
    """The customer's location that it names."""


class Known(NamedTuple):
    """What of a mirrored customer leads are made of."""

    id: int
    name: str
    street: str
    unit: str
    city: str
    state: str
    zip: str
    phone: str
    email: str = ""
    location_id: int = 0


def slip(text: str, chance: random.Random) -> str:
    """Return a text with one letter or digit after the first left out, doubled, transposed or typed wrongly."""
    places = [at for at, c in enumerate(text) if c.isalnum() and at]
    if not places:
        return text
    at = chance.choice(places)
    kind = chance.randrange(4)
    if kind == 0 and not text[at].isdigit():
        return text[:at] + text[at + 1 :]
    if kind == 1 and not text[at].isdigit():
        return text[:at] + text[at] + text[at:]
    if kind == 2 and at + 1 < len(text) and text[at + 1].isalnum():
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    other = chance.choice("0123456789" if text[at].isdigit() else "aeinorst")
    return text[:at] + other + text[at + 1 :]


def _stranger(chance: random.Random) -> tuple[str, str]:
    """Return name and phone of somebody whom no mirror has: area code 989 is given out to none of the made-up customers."""
    name = f"{chance.choice(_GIVEN)} {chance.choice(_SURNAMES)}{chance.choice(('', 'son', 'ski', 'er'))}"
    return name, f"+1989{chance.randint(2_000_000, 9_999_999)}"


def _other_street(chance: random.Random) -> str:
    return f"{chance.randint(20_000, 99_000)} {chance.choice(('Wren', 'Tulip', 'Harbor', 'Quarry'))} Ct"


def lead_of(known: Known, kind: str, number: int, chance: random.Random) -> Lead:
    """Return one lead of a kind made of a mirrored customer."""
    id_, name, street, unit, city, state, code, phone, _, _ = known
    surname, comma, given = name.partition(", ")
    if not comma:
        given, _, surname = name.partition(" ")
    if kind == "messy":
        name, street = name.upper(), street.replace(" Rd", " Road").replace(" St", " Street").upper()
        phone = "+1" + "".join(c for c in phone if c.isdigit())
    elif kind == "nickname":
        name = f"{_SHORT.get(given, f'{given[0]}.')} {surname}"
    elif kind in ("slip", "two_slips"):
        fields = ["name", "street", "phone"]
        for field in chance.sample(fields, 2 if kind == "two_slips" else 1):
            if field == "name":
                name = slip(name, chance)
            elif field == "street":
                street = slip(street, chance)
            else:
                phone = slip(phone, chance)
    elif kind == "zip_missing":
        state = code = ""
    elif kind == "moved":
        street, unit = _other_street(chance), ""
    elif kind == "phone_and_name":
        street = unit = city = state = code = ""
    elif kind == "spouse":
        name = f"{chance.choice(_GIVEN)} {surname}"
    elif kind == "newcomer":
        name, phone = _stranger(chance)
    elif kind == "namesake":
        street, unit, phone = _other_street(chance), "", _stranger(chance)[1]
    elif kind == "recycled":
        name, street, unit = _stranger(chance)[0], _other_street(chance), ""
    elif kind == "stranger":
        name, phone = _stranger(chance)
        street, unit = f"{chance.randint(20_000, 99_000)} {street.partition(' ')[2]}", ""
    address = PostalAddress(street=street, unit=unit, city=city, state=state, zip=code)
    person = Person(name=name, phones=(phone,), address=address)
    where = known.location_id if kind not in ("moved", "phone_and_name") else 0
    inquiry = BookingInquiry(key=str(number), person=person)
    return Lead(kind, 0, inquiry) if kind in NOT_THE_CUSTOMER else Lead(kind, id_, inquiry, where)


Making = Callable[[Known, str, int, random.Random], Lead]


def mixed(rows: Sequence[tuple[Any, ...]], mix: dict[str, int], *, seed: int, made_by: Making = lead_of) -> list[Lead]:
    """Return a lead for each person of some rows, in the shares of a mix."""
    people = [Known._make(row) for row in rows]
    chance = random.Random(seed)
    kinds = chance.choices(list(mix), weights=list(mix.values()), k=len(people))
    return [made_by(known, kind, at, chance) for at, (known, kind) in enumerate(zip(people, kinds, strict=True))]
