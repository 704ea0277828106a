"""What holds for every inquiry: a verdict in bounded text, the same one whatever the order, never a match without a name."""

import random
from collections.abc import Iterable, Iterator
from itertools import combinations

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.domain.ids import CustomerId, LocationId
from bridge.domain.inquiry import BookingInquiry, Person, PostalAddress
from bridge.domain.keys import email_keys, fold, phone_keys
from bridge.domain.keys.addresses import city_key, unit_key, zip_key
from bridge.domain.match import Matched, MatchSettings
from bridge.matching.compare import email_level
from bridge.matching.decide import decide
from bridge.matching.keys import MAX_KEYS, party_keys, wanted_keys
from bridge.matching.lookup import Family, Lookup, MirroredContact, MirroredCustomer, MirroredLocation
from bridge.matching.weights import shipped

pytestmark = pytest.mark.slow  # many examples, each decided several times

NASTY = (
    " " * 600,
    "\n" * 599 + "x",
    "😀" * 400,
    "x" * 10_000,
    "محمد عبد الله",
    "'; DROP TABLE links; --",
    "{{ 7*7 }}",
    "1\n2\n3\n4\n5 Elm St",
    "\0",
    "",
)
STREETS = (
    "12 Oak St",
    "12 Oak Street Apt 4",
    "12 N Oak St",
    "12 S Oak St",
    "PO Box 12",
    "77 Birch Ln",
    "Flat 2, 9 Rue de Paris, 75001 Paris",
)
NAMES = ("Maria Lopez", "Lopez, Maria", "Jose Lopez", "M. Lopez", "New Homeowner", "Acme Plumbing LLC", "Maria")
PHONES = ("(512) 444-7788", "512.444.7788 x9", "+15124447788", "555-0000", "000", "512-444-7799", "1" * 500)
MAILS = ("maria.lopez@gmail.com", "MARIALOPEZ+x@gmail.com", "info@acme.com", "none@none.com", "@@")


def family(number: int, name: str, street: str, phone: str) -> Family:
    customer = MirroredCustomer(
        CustomerId(number), name, "Residential", True, False, None, street, "", "Austin", "TX", "78701"
    )
    place = MirroredLocation(LocationId(number * 10), name, True, street, "", "Austin", "TX", "78701")
    return Family(customer, (place,), (MirroredContact(0, "Phone", phone, ""),), region="US")


FAMILIES = (
    family(1, "Maria Lopez", "12 Oak St", "512-444-7788"),
    family(2, "Jose Lopez", "12 Oak St", "512-444-7788"),
    family(3, "Acme Plumbing LLC", "77 Birch Ln", "512-444-7799"),
    family(4, "New Homeowner", "9 Elm St", "512-444-7700"),
)
texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=40))
people = st.builds(
    Person,
    name=st.one_of(st.sampled_from(NAMES), texts),
    phones=st.lists(st.one_of(st.sampled_from(PHONES), texts), max_size=3).map(tuple),
    emails=st.lists(st.one_of(st.sampled_from(MAILS), texts), max_size=3).map(tuple),
    address=st.builds(
        PostalAddress, street=st.one_of(st.sampled_from(STREETS), texts), city=st.sampled_from(("Austin", "")), state=st.just("TX"),
        zip=st.sampled_from(("78701", "78702", "")),
    ),
)  # fmt: skip


def verdict(person: Person, families: tuple[Family, ...] = FAMILIES) -> object:
    found = decide(BookingInquiry(key="i", person=person), Lookup(families=families), shipped(), MatchSettings())
    return msgspec.to_builtins(found)


@settings(max_examples=40, deadline=None)
@given(people, st.randoms(use_true_random=False))
def test_neither_the_order_of_candidates_nor_of_contacts_changes_a_verdict(
    person: Person, chance: random.Random
) -> None:
    shuffled = list(FAMILIES)
    chance.shuffle(shuffled)
    turned = msgspec.structs.replace(person, phones=person.phones[::-1], emails=person.emails[::-1])
    once = verdict(person)
    assert verdict(person, tuple(shuffled)) == once
    assert kind_of(verdict(turned)) == kind_of(once)


def kind_of(found: object) -> tuple[object, ...]:
    assert isinstance(found, dict)
    return found["type"], found.get("kind"), found.get("customer_id"), found.get("location_id")


@settings(max_examples=60, deadline=None)
@given(people)
def test_nobody_is_matched_without_a_name(person: Person) -> None:
    nameless = msgspec.structs.replace(person, name="", given_name="", surname="", company="")
    found = decide(BookingInquiry(key="i", person=nameless), Lookup(families=FAMILIES), shipped(), MatchSettings())
    assert not isinstance(found, Matched)


@settings(max_examples=60, deadline=None)
@given(people)
def test_whatever_is_typed_asks_for_a_bounded_number_of_keys_each_once(person: Person) -> None:
    wanted = wanted_keys(party_keys(person))
    assert len(wanted) <= MAX_KEYS
    assert len({want.key for want in wanted}) == len(wanted)


def format_noise() -> Iterator[Person]:
    for name in ("MARIA LOPEZ", "maria  lopez", "Lopez, Maria", "Ms. María López"):
        for phone in ("5124447788", "+1 512 444 7788", "1-512-444-7788", "(512)444.7788"):
            for street in ("12 OAK STREET", "12 oak st.", "12 Oak St, Austin, TX 78701"):
                yield Person(
                    name=name, phones=(phone,), address=PostalAddress(street=street, city="austin", zip="78701-1234")
                )


@pytest.mark.parametrize("families", [FAMILIES[:1], FAMILIES[::2]])
def test_format_noise_never_changes_a_match(families: tuple[Family, ...]) -> None:
    verdicts = {kind_of(verdict(person, families)) for person in format_noise()}
    assert verdicts == {("matched", "customer_and_location", 1, 10)}


# What customer 1 is on file with; each piece that a party gives agrees with it.
AGREEING = (
    {"name": "Maria Lopez"},
    {"phones": ("512-444-7788",)},
    {"emails": ("maria.lopez@gmail.com",)},
    {"street": "12 Oak St", "city": "Austin"},
    {"zip": "78701"},
)
ON_FILE = MirroredContact(0, "Email", "maria.lopez@gmail.com", "")


def agreeing(pieces: Iterable[dict[str, object]]) -> Person:
    """Return a party of some pieces."""
    given: dict[str, object] = {}
    for piece in pieces:
        given |= piece
    address = PostalAddress(**{key: given.pop(key) for key in ("street", "city", "zip") if key in given})
    return Person(address=address, **given)


def probability(person: Person, families: tuple[Family, ...]) -> float:
    found = decide(BookingInquiry(key="i", person=person), Lookup(families=families), shipped(), MatchSettings())
    return next((one.probability for one in found.evidence.candidates if one.customer_id == 1), 0.0)


@pytest.mark.parametrize("others", [(), FAMILIES[1:], FAMILIES[2:]], ids=["alone", "household", "strangers"])
def test_more_agreeing_evidence_never_lowers_the_probability(others: tuple[Family, ...]) -> None:
    mail = Family(FAMILIES[0].customer, FAMILIES[0].locations, (*FAMILIES[0].contacts, ON_FILE), region="US")
    lowered = []
    for count in range(len(AGREEING)):
        for pieces in combinations(AGREEING, count):
            before = probability(agreeing(pieces), (mail, *others))
            for more in AGREEING:
                if more not in pieces and not ("zip" in more and not any("street" in piece for piece in pieces)):
                    after = probability(agreeing((*pieces, more)), (mail, *others))
                    if after < before - 1e-9:
                        lowered.append((pieces, more, before, after))
    assert lowered == []


@settings(max_examples=60, deadline=None)
@given(people, st.text(max_size=200), st.text(max_size=60), st.sampled_from(("US", "", "Canada")))
def test_what_is_not_compared_never_changes_a_verdict(person: Person, said: str, record: str, country: str) -> None:
    other = msgspec.structs.replace(
        person, address=msgspec.structs.replace(person.address, country=country, raw=person.address.street and said)
    )
    inquiry = BookingInquiry(key="other", record_id=record, person=other, message=said, service=said)
    found = decide(inquiry, Lookup(families=FAMILIES), shipped(), MatchSettings())
    assert msgspec.to_builtins(found) == verdict(person)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.sampled_from((*NASTY, *NAMES, *PHONES, *MAILS, *STREETS)), texts))
@example("N:O")
def test_a_comparable_form_read_again_is_itself(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    for phone in phone_keys(text):
        assert [again.e164 for again in phone_keys(phone.e164)] == [phone.e164]
    for mail in email_keys(text):
        assert [again.mailbox for again in email_keys(mail.mailbox)] == [mail.mailbox]
    assert zip_key(zip_key(text)) == zip_key(text)
    assert city_key(city_key(text)) == city_key(text)
    assert unit_key(unit_key(text)) == unit_key(text)


def test_a_mailbox_with_another_number_is_another_mailbox() -> None:
    assert email_level("ann.lee25@gmail.com", "ann.lee29@gmail.com") == "differ"
    assert email_level("ann.lee25@gmail.com", "anm.lee25@gmail.com") == "near"
