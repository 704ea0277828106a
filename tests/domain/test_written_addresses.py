"""Addresses as forms and hurried people write them: the same comparable parts as the plain writing has."""

import pytest

from bridge.domain.keys import AddressStatus, parse_address
from bridge.matching.compare import places

HOUSE = parse_address("2441 Lincoln Ave", "", "Tampa", "FL", "33602")


@pytest.mark.parametrize(
    "written",
    [
        ("2441 Lincoln Ave", "", "Tampa, FL 33602", "", ""),
        ("2441 Lincoln Ave", "", "Tampa FL 33602-1234", "", ""),
        ("2441 Lincoln Ave", "", "Tampa, Florida", "", "33602"),
        ("2441 Lincoln Ave", "", "Tampa, FL", "FL", "33602"),
        ("2441, Lincoln Avenue", "", "Tampa", "FL", "33602"),
        ("#2441 Lincoln Avenue", "", "Tampa", "FL", "33602"),
        ("2441 Lincoln Ave (back door, ring twice)", "", "Tampa", "FL", "33602"),
        ("2441 Lincoln Ave - gate code 4412", "", "Tampa", "FL", "33602"),
        ("2441 Lincoln Ave, door code: #12", "", "Tampa", "FL", "33602"),
    ],
)
def test_a_house_is_read_through_remarks_and_fields_that_ran_together(written: tuple[str, ...]) -> None:
    assert parse_address(*written) == HOUSE


def test_what_only_looks_like_it_stays() -> None:
    assert parse_address("2441 Lincoln Ave (Apt 4)", "", "Tampa", "FL", "33602").unit == "4"
    assert parse_address("#5 2441 Lincoln Ave", "", "Tampa", "FL", "33602") == HOUSE._replace(unit="5")
    assert parse_address("2441, Apt 5", "", "Tampa", "FL", "33602").status is AddressStatus.PARTIAL
    assert parse_address("5 Gate Code Rd", "", "Tampa", "FL", "33602").street == "gate code"
    assert parse_address("(5 Oak St)", "", "Tampa", "FL", "33602").street == "oak"
    assert parse_address("5 Oak St", "", "Val-d'Or", "QC", "").city == parse_address("5 Oak St", "", "Val-d'Or").city
    assert parse_address("401, 43 Hanna Ave", "", "Toronto") == parse_address("43 Hanna Ave", "401", "Toronto")


@pytest.mark.parametrize(
    "nasty", ["(" * 300, "-" * 290 + "code", "#" * 300, "1," * 150, "gate code " * 30, ", " * 150 + "(#1)"]
)
def test_long_nonsense_is_read_in_bounded_steps(nasty: str) -> None:
    for place in (parse_address(nasty), parse_address("5 Oak St", "", nasty), parse_address("5 Oak St", nasty)):
        assert isinstance(place.status, AddressStatus)


def test_a_letter_of_the_number_and_the_same_letter_as_a_unit_are_one_place() -> None:
    letter, unit = parse_address("14B Quince St", "", "Tampa"), parse_address("14 Quince St", "Unit B", "Tampa")
    assert places(letter, unit).relation == places(unit, letter).relation == "same"
    assert places(letter, parse_address("14 Quince St", "Unit C", "Tampa")).relation != "same"


def test_a_spanish_avenue_is_one_shortened_or_not() -> None:
    assert parse_address("12 Ave del Sol") == parse_address("12 Avenida del Sol")
    assert parse_address("12 Ave Maria Blvd") != parse_address("12 Avenida Maria Blvd")
