"""Every key under which a customer's family (its locations and contacts) is looked up, in a shape made for COPY."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from jellyfish import soundex as _soundex

from bridge.domain.keys.addresses import AddressKey, AddressStatus, parse_address
from bridge.domain.keys.emails import email_keys
from bridge.domain.keys.hashing import key64
from bridge.domain.keys.names import NameKey, NameKind, PersonKey, read_name
from bridge.domain.keys.nicknames import filed_under
from bridge.domain.keys.phones import phone_keys

KEYS_VERSION = 3
"""Raised whenever the same record would give other keys; stored keys of another version are computed anew."""


class CustomerRow(NamedTuple):
    """What of a mirrored customer is looked up; the address is the billing address."""

    id: int
    name: str
    street: str = ""
    unit: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""


class LocationRow(NamedTuple):
    """What of a mirrored location is looked up."""

    id: int
    customer_id: int
    name: str = ""
    street: str = ""
    unit: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""


class ContactRow(NamedTuple):
    """A contact of a customer (`location_id` 0) or of a location; `type` as ServiceTitan names it, `name` from its memo."""

    location_id: int
    type: str
    value: str
    name: str = ""


class KeyRow(NamedTuple):
    """One stored key; `location_id` 0 stands for the customer itself."""

    key: int
    customer_id: int
    location_id: int


_LEADING = re.compile(r"0*(\d+)")
_NAMELIKE = re.compile(r"[^\W\d_]{2,}[\s,]+[^\W\d_]{2,}")


@lru_cache(maxsize=2048)
def sound(word: str) -> str:
    """Return how a word sounds: soundex of its Latin letters, else its first four characters."""
    return _soundex(word) if word.isascii() and word[:1].isalpha() else word[:4]


def _sound_of_surname(person: PersonKey) -> str:
    """Return the sound of the last part of a surname, of the given name where there is no surname."""
    last = person.surname.rpartition(" ")[2] or person.given
    return sound(last) if last else ""


def phone_texts(e164: str, surnames: Iterable[str]) -> Iterator[str]:
    """Yield the key texts of a number: itself, and for one wrong digit its first half or its end beside a surname's sound."""
    yield f"p{e164}"
    for surname in surnames:
        yield f"q{e164[:-4]}|{surname}"
        yield f"r{e164[-4:]}|{e164[2:5]}|{surname}"


def address_texts(address: AddressKey) -> Iterator[str]:
    """Yield the key texts of a street address alone: within its ZIP by sound, within its city by spelling."""
    if address.status is AddressStatus.PARSED:
        number = _digits(address.number)
        if address.zip:
            yield f"a{address.zip}|{number}|{sound(address.street.replace(' ', ''))}"
        if address.city:
            yield f"b{address.city[:5]}|{number}|{address.street[:4]}"
        if not (address.zip or address.city):
            yield f"c{number}|{address.street}"
    elif address.status is AddressStatus.PO_BOX and (address.zip or address.city):
        yield f"o{address.zip or address.city}|{address.number}"


def named_place_texts(address: AddressKey, person: PersonKey) -> Iterator[str]:
    """Yield the key texts of a person at a place: they find it when house number, street, ZIP or first name is wrong."""
    surname = _sound_of_surname(person)
    if not surname:
        return
    if address.status in (AddressStatus.PARSED, AddressStatus.PARTIAL):
        zip3 = address.zip[:3]
        if address.number:
            yield f"d{_digits(address.number)}|{surname}|{zip3}"
        if len(address.street) > 1:
            yield f"e{address.street}|{surname}|{zip3}"
    if person.given and person.surname:
        pair = "|".join(sorted((sound(filed_under(person.given)), surname)))
        if address.zip:
            yield f"f{pair}|{address.zip}"
        if address.city:
            yield f"g{'|'.join(sorted((filed_under(person.given), person.surname)))}|{address.city[:5]}"


def full_name_texts(person: PersonKey) -> Iterator[str]:
    """Yield the key text of a person's full name, whichever of its two parts stands first."""
    if person.given and person.surname:
        yield f"h{'|'.join(sorted((filed_under(person.given), person.surname)))}"


def name_texts(name: NameKey) -> Iterator[str]:
    """Yield the key texts of a name alone: full names of people, pairs of a company's words."""
    for person in name.people:
        yield from full_name_texts(person)
    if name.company:
        telling = name.company
        yield f"k{''.join(telling)}"
        if len(telling) > 1:
            yield f"l{'|'.join(sorted(telling[:2]))}"


@lru_cache(maxsize=2048)
def _digits(number: str) -> str:
    """Return a house number's leading digits without zeros, the whole where it starts otherwise."""
    hit = _LEADING.match(number)
    return hit[1] if hit else number


def people_of(*names: NameKey) -> list[PersonKey]:
    """Return the people of some names, each once."""
    seen: dict[tuple[str, str], PersonKey] = {}
    for name in names:
        for person in name.people:
            seen.setdefault((person.given, person.surname), person)
    return list(seen.values())[:8]


def name_in(memo: str) -> NameKey | None:
    """Return the name in a contact's memo (`Mary Smith`), None where it reads as a remark."""
    if not memo or len(memo) > 60 or not _NAMELIKE.search(memo):
        return None
    name = read_name(memo)
    return name if name.kind is NameKind.PERSON else None


def location_address(row: LocationRow | CustomerRow) -> AddressKey:
    """Return the address of a mirrored row."""
    return parse_address(row.street, row.unit, row.city, row.state, row.zip)


def record_keys(
    customer: CustomerRow, locations: Iterable[LocationRow], contacts: Iterable[ContactRow], *, region: str = "US"
) -> list[KeyRow]:
    """Return every key of a customer and all that belongs to it, each (key, record) once."""
    found = record_texts(customer, locations, contacts, region=region)
    return [KeyRow(key64(text), customer.id, where) for where, texts in found.items() for text in texts]


def record_texts(
    customer: CustomerRow, locations: Iterable[LocationRow], contacts: Iterable[ContactRow], *, region: str = "US"
) -> dict[int, set[str]]:
    """Return the text of every key by the location it stands for, 0 for the customer itself."""
    name = read_name(customer.name)
    people = people_of(name)
    own = set(name_texts(name))
    texts = {0: own}
    at = _contacts(texts, contacts, people, region=region)
    seen: set[AddressKey] = set()
    for location in locations:
        there = texts.setdefault(location.id, set())
        others = at.get(location.id, [])
        if location.name and location.name != customer.name:
            others = [read_name(location.name), *others]
        address = location_address(location)
        seen.add(address)
        _place(there, address, people_of(name, *others) if others else people)
        for other in others:
            there.update(name_texts(other))
    if customer.street or not seen:
        billing = location_address(customer)
        if _is_new_place(billing, seen):
            _place(own, billing, people_of(name, *at.get(0, ())))
    for other in at.get(0, ()):
        own.update(name_texts(other))
    return texts


def _contacts(
    texts: dict[int, set[str]], contacts: Iterable[ContactRow], people: list[PersonKey], *, region: str
) -> dict[int, list[NameKey]]:
    """Add the keys of phones and mailboxes, and return the people whom memos name, by location."""
    at: dict[int, list[NameKey]] = {}
    sounds = {_sound_of_surname(person) for person in people}
    read: dict[tuple[str, str], list[str]] = {}  # a location's contact repeats the customer's more often than not
    for where, kind, value, memo in contacts:
        named = name_in(memo) if memo else None
        if named is not None:
            at.setdefault(where, []).append(named)
            found = contact_texts(kind, value, {_sound_of_surname(person) for person in named.people}, region)
        elif (kind, value) in read:
            found = read[kind, value]
        else:
            found = read[kind, value] = contact_texts(kind, value, sounds, region)
        texts.setdefault(where, set()).update(found)
    return at


def contact_texts(kind: str, value: str, surnames: Iterable[str], region: str) -> list[str]:
    """Return the key texts of a contact of a kind; numbers count beside each surname's sound."""
    if kind == "Email" or "@" in value:
        return [f"m{mail.mailbox}" for mail in email_keys(value)]
    return [text for phone in phone_keys(value, region) for text in phone_texts(phone.e164, surnames)]


def _is_new_place(billing: AddressKey, seen: set[AddressKey]) -> bool:
    """Tell whether a billing address is looked up by something that no location is looked up by."""
    if billing.status is not AddressStatus.PARSED:
        return True
    if billing in seen:
        return False
    known = {text for address in seen for text in address_texts(address)}
    return any(text not in known for text in address_texts(billing))


def _place(texts: set[str], address: AddressKey, people: Iterable[PersonKey]) -> None:
    """Add the keys of a place and of the people there."""
    texts.update(address_texts(address))
    for person in people:
        texts.update(named_place_texts(address, person))
