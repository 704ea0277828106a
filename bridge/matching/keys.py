"""What an inquiry is looked up by: its party read into comparable forms, and the keys to ask the mirror for (pure)."""

from collections.abc import Iterator
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from bridge.domain.inquiry import Person
from bridge.domain.keys import (
    AddressKey,
    EmailKey,
    NameKey,
    NameKind,
    PersonKey,
    PhoneKey,
    email_keys,
    key64,
    parse_address,
    phone_keys,
    read_name,
    read_parts,
)
from bridge.domain.keys.addresses import unit_key
from bridge.domain.keys.names import ABSENT_NAME
from bridge.domain.keys.record import address_texts, name_texts, named_place_texts, phone_texts, sound

MAX_KEYS = 64
"""Keys asked for at most: an inquiry of fifty phones is looked up as fast as any."""


class KeyKind(IntEnum):
    """What a key stands for; the order is how much a hit is worth."""

    PHONE = 1
    EMAIL = 2
    ADDRESS = 3
    NAMED_PLACE = 4
    NEAR_PHONE = 5
    NAME = 6


CAPS = {
    KeyKind.PHONE: 32,
    KeyKind.EMAIL: 32,
    KeyKind.ADDRESS: 40,
    KeyKind.NAMED_PLACE: 24,
    KeyKind.NEAR_PHONE: 12,
    KeyKind.NAME: 16,
}
"""Rows read per key: a value on more records than this says nothing about who somebody is."""


class Wanted(NamedTuple):
    """One key to ask for."""

    kind: KeyKind
    key: int


class PartyKeys(NamedTuple):
    """A party in comparable forms."""

    name: NameKey
    company: NameKey
    phones: tuple[PhoneKey, ...]
    emails: tuple[EmailKey, ...]
    address: AddressKey

    @property
    def people(self) -> tuple[PersonKey, ...]:
        """The people named."""
        return self.name.people


@lru_cache(maxsize=256)  # read twice: to look the party up, and then to name who asks
def party_keys(person: Person, *, region: str = "US") -> PartyKeys:
    """Return a party as the sender gave it, read into comparable forms; text of any length takes bounded time."""
    if person.surname and (person.given_name or not person.name):
        name = read_parts(person.given_name[:200], person.surname[:200])
    else:
        name = read_name((person.name or person.given_name)[:200])
    company = read_name(person.company[:200]) if person.company else ABSENT_NAME
    if company.kind is NameKind.PERSON:
        company = NameKey(NameKind.COMPANY, (), tuple(company.full.split()), company.full)
    if name.kind is NameKind.COMPANY and not company.company:
        company, name = name, ABSENT_NAME
    phones: dict[str, PhoneKey] = {}
    for raw in person.phones[:8]:
        for phone in phone_keys(raw, region):
            phones.setdefault(phone.e164, phone)
    emails: dict[str, EmailKey] = {}
    for raw in person.emails[:8]:
        for email in email_keys(raw):
            emails.setdefault(email.mailbox, email)
    place = person.address
    address = parse_address(
        (place.street or place.raw)[:300], place.unit[:60], place.city[:60], place.state[:40], place.zip[:24]
    )
    return PartyKeys(name, company, tuple(phones.values())[:12], tuple(emails.values())[:8], address)


def _texts(party: PartyKeys) -> Iterator[tuple[KeyKind, str]]:
    """Yield the key texts of a party, the telling kinds first; a name in the wrong order is found by the keys that sort it."""
    for phone in party.phones:
        yield KeyKind.PHONE, f"p{phone.e164}"
    for email in party.emails:
        yield KeyKind.EMAIL, f"m{email.mailbox}"
    for text in address_texts(party.address):
        yield KeyKind.ADDRESS, text
    for person in party.people:
        for text in named_place_texts(party.address, person):
            yield KeyKind.NAMED_PLACE, text
    for name in (party.name, party.company):
        for text in name_texts(name):
            yield KeyKind.NAME, text
    sounds = [sound(last) for person in party.people[:2] if (last := person.surname.rpartition(" ")[2] or person.given)]
    for phone in party.phones[:2]:
        for text in phone_texts(phone.e164, dict.fromkeys(sounds)):
            if text[0] != "p":
                yield KeyKind.NEAR_PHONE, text


def wanted_keys(party: PartyKeys) -> list[Wanted]:
    """Return the keys to ask the mirror for, each once, at most MAX_KEYS."""
    found: dict[str, KeyKind] = {}
    for kind, text in _texts(party):
        found.setdefault(text, kind)
        if len(found) >= MAX_KEYS:
            break
    return [Wanted(kind, key64(text)) for text, kind in found.items()]


def decision_keys(party: PartyKeys) -> list[int]:
    """Return the keys under which a person's word about this party is kept: each contact with the name, else name with address."""
    names = sorted({f"{person.given}|{person.surname}" for person in party.people}) or ["".join(party.company.company)]
    contacts = [phone.e164 for phone in party.phones] + [email.mailbox for email in party.emails]
    if not contacts and party.address.number and any(names):
        place = party.address
        contacts = [f"{place.number}|{place.street}|{unit_key(place.unit)}|{place.zip or place.city}"]
    return [key64(f"w{contact}|{name}") for contact in contacts for name in names]
