"""What a row leaves out and its house-mates say: taken over where it leaves no doubt, left out where it does."""

from bridge.matching.linkage.completing import completed
from bridge.matching.linkage.files import Record, columns_for, record

COLUMNS = columns_for(("given_name", "surname", "street_number", "street", "zip"), None)


def row(given: str, surname: str, number: str, street: str, code: str = "78701") -> Record:
    cells = {"given_name": given, "surname": surname, "street_number": number, "street": street, "zip": code}
    return record(cells, COLUMNS, given)


SUSAN = row("Susan", "Gonzalez", "4909", "Katherine St")


def only(*rows: Record) -> Record:
    return completed(rows)[0]


def test_a_street_or_a_number_that_is_missing_is_that_of_the_namesakes() -> None:
    for partly in (row("Kenneth", "Gonzalez", "4909", ""), row("Kenneth", "Gonzalez", "", "Katherine St")):
        found = only(partly, SUSAN)
        assert (found.address, found.street) == (SUSAN.address, SUSAN.street)
        assert (found.id, found.person) == (partly.id, partly.person)


def test_a_surname_that_is_missing_is_that_of_the_house() -> None:
    assert only(row("Claudia", "", "4909", "Katherine St"), SUSAN).person.surname == "gonzalez"


def test_nothing_is_taken_where_the_others_differ_or_are_elsewhere() -> None:
    partly, nameless = row("Kenneth", "Gonzalez", "4909", ""), row("Claudia", "", "4909", "Katherine St")
    for one, others in (
        (partly, (SUSAN, row("Ana", "Gonzalez", "4909", "Elm St"))),
        (partly, (row("Susan", "Gonzalez", "4909", "Katherine St", "10001"),)),
        (partly, (row("Susan", "Gomez", "4909", "Katherine St"),)),
        (nameless, (SUSAN, row("Bo", "Tran", "4909", "Katherine St"))),
        (nameless, (row("Susan", "Gonzalez", "4910", "Katherine St"),)),
        (nameless, (row("Susan", "Gonzalez", "4909", "Katherine St", "10001"),)),
    ):
        assert only(one, *others) == one


def test_whole_rows_stay_as_they_are() -> None:
    rows = [SUSAN, row("Bo", "Tran", "4909", "Katherine St"), row("Ana", "Gonzalez", "7", "Elm St")]
    assert completed(rows) == rows
