"""Reads files of people with whatever columns they have into comparable records."""

import csv
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from bridge.domain.keys import AddressKey, PersonKey, email_key, fold, parse_address, phone_e164, read_name, read_parts
from bridge.domain.keys.addresses import city_key, state_key, unit_key, zip_key
from bridge.domain.keys.names import NameKind, company_tokens, is_no_given, is_no_surname

COLUMNS = ("id", "given_name", "middle_name", "surname", "name", "phone", "phone2", "email", "street_number", "street", "unit", "city", "state",
           "zip", "date_of_birth", "national_id")  # fmt: skip
"""Columns that are read; a mapping file gives each the name it has in the files."""

_OTHER_NAMES = {
    "id": "id rec_id record_id unique_id",
    "given_name": "given_name first_name firstname first given forename",
    "middle_name": "middle_name middle_initial middle mi",
    "surname": "surname last_name lastname last family_name",
    "name": "name full_name fullname customer_name",
    "phone": "phone phone1 phone_number telephone mobile",
    "phone2": "phone2 phone_2 other_phone",
    "email": "email e_mail email_address mail",
    "street_number": "street_number house_number number",
    "street": "street address address_1 address1 street_name street_address",
    "unit": "unit unit_number address_2 address2 apartment apt",
    "city": "city suburb town locality",
    "state": "state province region",
    "zip": "zip zipcode zip_code postcode postal_code postal",
    "date_of_birth": "date_of_birth dob birth_date birthdate",
    "national_id": "national_id soc_sec_id ssn",
}
_EMPTY = frozenset(("", "nan", "none", "null", "na", "n/a", "<na>", "nat", "-"))


class Record(NamedTuple):
    """One row in comparable forms; empty text is "not given"."""

    id: str
    person: PersonKey
    company: tuple[str, ...]
    phones: tuple[str, ...]
    email: str
    address: AddressKey
    street: str
    unit: str
    city: str
    state: str
    zip: str
    born: str
    national_id: str


class FileUnreadable(Exception):
    """A file has not the columns it needs; the message names them."""


def columns_for(header: Iterable[str], mapping: Mapping[str, object] | None) -> dict[str, str]:
    """Return for each column that is read the name it has in the file.

    Raises FileUnreadable where nothing that identifies anybody is left.
    """
    by_fold = {re.sub(r"[^a-z0-9]+", "_", fold(name).strip().lstrip("\ufeff")).strip("_"): name for name in header}
    exact = {name.strip().lstrip("\ufeff"): name for name in header}
    found: dict[str, str] = {}
    for column in COLUMNS:
        if mapping is not None and column in mapping:
            wanted = mapping[column]
            for name in wanted if isinstance(wanted, (list, tuple)) else [wanted]:
                if name is not None and str(name) in exact:
                    found[column] = exact[str(name)]
                    break
            continue
        if mapping is not None and column != "id":
            continue
        for name in _OTHER_NAMES[column].split():
            if name in by_fold:
                found[column] = by_fold[name]
                break
    if set(found) <= {"id"}:
        raise FileUnreadable(f"none of the columns {', '.join(COLUMNS[1:])} was found among {', '.join(exact)}")
    return found


def read_records(path: Path, mapping: Mapping[str, object] | None = None) -> list[Record]:
    """Return the rows of a CSV file in their order; a row without an id is known by its number."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as opened:
        sample = opened.read(4096)
        opened.seek(0)
        delimiter = next(
            (
                mark
                for mark in ("\t", ";", "|")
                if mark in sample.partition("\n")[0] and "," not in sample.partition("\n")[0]
            ),
            ",",
        )
        rows = csv.DictReader(opened, delimiter=delimiter)
        columns = columns_for(rows.fieldnames or (), mapping)
        return [record(row, columns, str(number)) for number, row in enumerate(rows)]


def read_truth(path: Path) -> set[tuple[str, str]]:
    """Return the pairs of a truth file; its first two columns where they are not named left_id and right_id."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as opened:
        rows = csv.DictReader(opened)
        names = [name.strip() for name in rows.fieldnames or ()]
        if len(names) < 2:
            raise FileUnreadable("the truth needs the columns left_id and right_id")
        raw = list(rows.fieldnames or ())
        left = raw[names.index("left_id")] if "left_id" in names else raw[0]
        right = raw[names.index("right_id")] if "right_id" in names else raw[1]
        return {((row[left] or "").strip(), (row[right] or "").strip()) for row in rows}


def _cell(row: Mapping[str, str | None], columns: Mapping[str, str], column: str) -> str:
    """Return a cell's text, empty for what spreadsheets write for nothing; `12.0` is the number 12."""
    name = columns.get(column)
    text = (row.get(name) or "").strip()[:400] if name is not None else ""
    if text.lower() in _EMPTY:
        return ""
    return text[:-2] if text.endswith(".0") and text[:-2].isdigit() else text


def record(row: Mapping[str, str | None], columns: Mapping[str, str], number: str) -> Record:
    """Return one row in comparable forms."""

    def cell(column: str) -> str:
        return _cell(row, columns, column)

    person, company = _who(cell("given_name"), cell("surname"), cell("name"), cell("middle_name"))
    address = parse_address(
        cell("street"), cell("unit"), cell("city"), cell("state"), cell("zip"), cell("street_number")
    )
    phones = tuple(
        dict.fromkeys(phone for raw in (cell("phone"), cell("phone2")) if (phone := phone_e164(raw) or _digits(raw)))
    )
    street = " ".join(part for part in (address.before, address.street, address.suffix, address.after) if part)
    return Record(
        cell("id") or number,
        person,
        company,
        phones,
        email_key(cell("email")) or "",
        address,
        street,
        address.unit or unit_key(cell("unit")) or fold(cell("unit")).replace(" ", "")[:30],
        address.city or city_key(cell("city")),
        address.state or state_key(cell("state")),
        address.zip or zip_key(cell("zip")),
        _born(cell("date_of_birth")),
        "".join(c for c in fold(cell("national_id")) if c.isalnum()),
    )


def _digits(raw: str) -> str:
    """Return a number that is no telephone number of the region as its digits, if there are enough to tell people apart."""
    digits = "".join(c for c in raw if c.isdigit())
    return digits if len(digits) >= 6 and len(set(digits)) > 1 else ""


def _who(given: str, surname: str, whole: str, middle: str) -> tuple[PersonKey, tuple[str, ...]]:
    """Return the person of a row; a whole name is read where no surname is given."""
    if given and surname:
        first, last = fold(given).split(), fold(surname)
        person = PersonKey(_plain(first[0]) if first else "", _plain(" ".join(first[1:])), _plain(last), "")
    elif given or surname:
        person = PersonKey(_plain(fold(given)), "", _plain(fold(surname)), "")
    else:
        name = read_name(whole)
        if name.kind is NameKind.COMPANY:
            return PersonKey("", "", "", ""), company_tokens(whole)
        person = (
            name.people[0]
            if name.people
            else read_parts("", whole).people[0]
            if whole and read_parts("", whole).people
            else PersonKey("", "", "", "")
        )
    if middle:
        person = person._replace(middle=_plain(fold(middle)))
    if is_no_given(person.given):
        person = person._replace(given="")
    if is_no_surname(person.surname):
        person = person._replace(surname="")
    return person, ()


def _plain(text: str) -> str:
    """Return letters, digits and single spaces."""
    return " ".join("".join(c if c.isalnum() else "" if c in "'’`" else " " for c in text).split())


def _born(raw: str) -> str:
    """Return a date as its eight digits, year first where that can be told."""
    parts = re.findall(r"\d+", raw)
    if len(parts) == 3 and len(parts[2]) == 4:
        return f"{parts[2]}{int(parts[0]):02d}{int(parts[1]):02d}"
    if len(parts) >= 3 and len(parts[0]) == 4:
        return f"{parts[0]}{int(parts[1]):02d}{int(parts[2]):02d}"
    return "".join(parts)[:8]
