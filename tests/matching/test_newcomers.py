"""Somebody new at a place we know: told from the house's people by evidence, since a place alone says nothing of who asks."""

import pytest

from bridge.domain.ids import CustomerId
from bridge.domain.inquiry import BookingInquiry, Person, PostalAddress
from bridge.domain.match import Ambiguous, Match, MatchSettings, Unmatched
from bridge.matching.decide import decide
from bridge.matching.lookup import Family, Lookup, Said
from bridge.matching.weights import shipped
from tests.matching.test_properties import family

HERE = PostalAddress(street="12 Oak St", city="Austin", state="TX", zip="78701")
OWNER = family(1, "Maria Lopez", "12 Oak St", "512-444-7788")
TWIN = family(2, "Maria Lopez", "12 Oak St", "512-444-7788")
PARKED = family(3, "New Homeowner", "12 Oak St", "")
ELSEWHERE = family(4, "Ingrid Vance", "900 Pine Rd", "512-444-9911")


def verdict(*families: Family, address: PostalAddress = HERE, **said: object) -> Match:
    inquiry = BookingInquiry(key="i", person=Person(address=address, **said))
    return decide(inquiry, Lookup(families=families), shipped(), MatchSettings())


@pytest.mark.parametrize(
    "families", [(OWNER,), (PARKED,), (OWNER, TWIN)], ids=["owner", "parked", "in the books twice"]
)
def test_another_name_and_number_at_a_known_place_is_a_newcomer(families: tuple[Family, ...]) -> None:
    found = verdict(*families, name="Ingrid Vance", phones=("512-444-3010",))
    assert isinstance(found, Ambiguous)
    assert found.is_newcomer


@pytest.mark.parametrize(
    "said",
    [
        {"name": "Ingrid Lopez", "phones": ("512-444-3010",)},
        {"name": "Ingrid Vance", "phones": ("512-444-7788",)},
        {"name": "Ingrid Vance", "phones": ("512-444-7789",)},
        {"name": "Marla Vance", "phones": ("512-444-3010",)},
        {"phones": ("512-444-3010",)},
        {},
    ],
    ids=["the surname", "the phone", "the phone but a digit", "nearly the given name", "no name", "the place alone"],
)
def test_whoever_may_be_of_the_house_is_not_one(said: dict[str, object]) -> None:
    found = verdict(OWNER, **said)
    assert isinstance(found, Ambiguous)
    assert not found.is_newcomer


def test_nor_is_somebody_who_may_be_a_customer_of_another_place() -> None:
    found = verdict(OWNER, ELSEWHERE, name="Ingrid Vance", phones=("512-444-9911",))
    assert not (isinstance(found, Ambiguous) and found.is_newcomer)


def test_nor_is_somebody_whose_record_a_person_linked_to_a_customer_that_is_gone() -> None:
    said = Said(CustomerId(99), None, is_same=True, is_link=True)
    inquiry = BookingInquiry(key="i", person=Person(name="Ingrid Vance", phones=("512-444-3010",), address=HERE))
    found = decide(inquiry, Lookup(families=(OWNER,), said=(said,)), shipped(), MatchSettings())
    assert isinstance(found, Ambiguous)
    assert not found.is_newcomer


def test_an_old_number_of_somebody_else_leaves_a_stranger_a_stranger() -> None:
    street = PostalAddress(street="4500 Quarry Ct", city="Austin", state="TX", zip="78701")
    assert isinstance(verdict(ELSEWHERE, address=street, name="Bram Quist", phones=("512-444-9911",)), Unmatched)
