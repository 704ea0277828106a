"""A full name that several customers bear: what it says of who asks, and what it must not change."""

import pytest

from bridge.db import match_keys
from bridge.db.database import Tx
from bridge.domain.inquiry import BookingInquiry, Person, PostalAddress
from bridge.domain.match import Ambiguous, Match, Matched, MatchSettings, Unmatched
from bridge.matching import candidates
from bridge.matching.decide import decide
from bridge.matching.lookup import Lookup
from bridge.matching.weights import shipped
from tests.matching.test_candidates import NOW, TENANT
from tests.matching.test_properties import family

NAME = "Farid Zimmerman"
AWAY = PostalAddress(street="4500 Quarry Ct", city="Austin", state="TX", zip="78701")
HOME = PostalAddress(street="101 Oak St", city="Austin", state="TX", zip="78701")
BEARERS = tuple(family(number, NAME, f"{100 + number} Oak St", f"512-444-77{number:02}") for number in range(1, 9))


def verdict(bearers: int, *, address: PostalAddress = AWAY, phone: str = "512-444-3010", name: str = NAME) -> Match:
    person = Person(name=name, phones=(phone,), address=address)
    holders = {"farid zimmerman": bearers, "+15124447701": 1}
    return decide(
        BookingInquiry(key="i", person=person),
        Lookup(families=BEARERS[:bearers], holders=holders),
        shipped(),
        MatchSettings(),
    )


def test_whoever_is_called_as_several_customers_and_shares_nothing_else_is_another_person() -> None:
    assert isinstance(verdict(1), Ambiguous)  # one bearer of a rare name may well have moved and changed the number
    for bearers in range(3, 9):
        assert isinstance(verdict(bearers), Unmatched), bearers


@pytest.mark.parametrize("bearers", range(1, 9))
def test_a_customer_with_the_number_or_at_home_is_recognised_however_many_bear_the_name(bearers: int) -> None:
    for found in (verdict(bearers, phone="512-444-7701"), verdict(bearers, address=HOME, phone="512-444-7701")):
        assert isinstance(found, Matched)
        assert found.customer_id == 1


def test_a_name_alone_at_a_known_place_is_never_taken_for_nobody() -> None:
    assert not isinstance(verdict(8, address=HOME), Unmatched)


def test_more_bearers_make_nobody_likelier_to_be_it_and_the_evidence_says_how_many_there_are() -> None:
    found = [verdict(bearers) for bearers in range(1, 9)]
    chances = [one.evidence.candidates[0].probability for one in found]
    assert chances == sorted(chances, reverse=True)
    told = [part for part in found[-1].evidence.candidates[0].comparisons if part.field == "full_name"]
    assert [(part.level, part.weight < 0, part.note) for part in told] == [
        ("shared", True, "8 customers or more are called so")
    ]
    assert "full_name" not in {part.field for part in found[0].evidence.candidates[0].comparisons}


async def test_the_look_up_counts_the_bearers_whichever_of_the_two_names_stands_first(tx: Tx) -> None:
    for number, name in enumerate((NAME, "Zimmerman, Farid", "FARID ZIMMERMAN", "Farida Zimmer"), 1):
        await tx.execute(
            "INSERT INTO mirrored_customers (tenant_id, id, active, modified_on, name, type, street, city, state, zip)"
            " VALUES (%s, %s, true, %s, %s, 'Residential', %s, 'Austin', 'TX', '78701')",
            [TENANT, number, NOW, name, f"{number} Oak St"],
        )
    await match_keys.renew(tx, TENANT, range(1, 5), region="US")
    inquiry = BookingInquiry(key="i", person=Person(name=NAME, phones=("512-444-3010",), address=AWAY))
    (found,) = await candidates.find_many(tx, TENANT, [inquiry], MatchSettings())
    assert found.holders == {"+15124443010": 0, "farid zimmerman": 3}
