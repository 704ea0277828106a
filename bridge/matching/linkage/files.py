"""Reads files of people with whatever columns they have into comparable records."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from bridge.domain.keys import AddressKey, PersonKey, email_key, fold, parse_address, phone_keys, read_name, read_parts
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
_WHEN_MAPPED = frozenset(("date_of_birth", "national_id"))
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

    A mapping names columns that are called otherwise (`surname: last_name`, or turned round), null leaves one out. Beside it
    a column is read under its own name, except a date of birth or a national id: a lead has none, so those are only read
    where they are mapped, or where there is no mapping at all. Raises FileUnreadable where nothing that identifies anybody
    is left, or where a mapped column is not there.
    """
    exact = {name.strip().lstrip("\ufeff"): name for name in header if name}
    by_fold = {_folded(name): name for name in exact.values()}
    if mapping is None:
        found = {
            column: by_fold[name]
            for column in COLUMNS
            for name in [next((name for name in _OTHER_NAMES[column].split() if name in by_fold), None)]
            if name is not None
        }
    else:
        found = _mapped(exact, by_fold, mapping)
        for column in COLUMNS:
            own = _OTHER_NAMES[column].split() if column == "middle_name" else (column,)
            name = next((by_fold[name] for name in own if name in by_fold), None)
            if name is not None and column not in mapping and column not in found and column not in _WHEN_MAPPED:
                found[column] = name
    if set(found) <= {"id", "state"}:
        raise FileUnreadable(
            f"none of the columns {', '.join(COLUMNS[1:])} was found among {', '.join(exact) or 'no columns at all'}"
        )
    return found


def _mapped(exact: Mapping[str, str], by_fold: Mapping[str, str], mapping: Mapping[str, object]) -> dict[str, str]:
    """Return the columns that a mapping names and this file has; each side of a link may have other names of several."""
    found: dict[str, str] = {}
    for key, value in mapping.items():
        names = [str(name) for name in (value if isinstance(value, list | tuple) else [value]) if name is not None]
        if key in COLUMNS:
            column = key
        elif len(names) == 1 and names[0] in COLUMNS:
            column, names = names[0], [key]
        else:
            raise FileUnreadable(f"the mapping names {key!r}, which is none of the columns {', '.join(COLUMNS)}")
        name = next(
            (
                exact.get(name) or by_fold.get(_folded(name))
                for name in names
                if name in exact or _folded(name) in by_fold
            ),
            None,
        )
        if name is not None:
            found[column] = name
        elif names and column != "id":
            raise FileUnreadable(
                f"the mapping reads {column} from {' or '.join(names)}, which the file has not: {', '.join(exact)}"
            )
    return found


def _folded(name: str) -> str:
    """Return a column's name without case and punctuation."""
    return re.sub(r"[^a-z0-9]+", "_", fold(name).strip().lstrip("\ufeff")).strip("_")


def _rows(path: Path) -> tuple[list[str], Iterator[dict[str, str | None]]]:
    """Return the header and the rows of a CSV file: UTF-8 with or without a mark, quoted or not, comma, tab, semicolon or bar."""
    try:
        text = path.read_bytes().decode("utf-8-sig", errors="replace").replace("\0", "")
    except OSError as error:
        raise FileUnreadable(f"{path}: {error.strerror or error}") from None
    first = text.partition("\n")[0]
    delimiter = "," if "," in first else next((mark for mark in ("\t", ";", "|") if mark in first), ",")
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = list(reader.fieldnames or ())
    except csv.Error as error:
        raise FileUnreadable(f"{path}: {error}") from None
    if not any(name.strip() for name in header):
        raise FileUnreadable(f"{path}: the file is empty, not even a line that names its columns")

    def rows() -> Iterator[dict[str, str | None]]:
        try:
            yield from reader
        except csv.Error as error:
            raise FileUnreadable(f"{path}, line {reader.line_num}: {error}") from None

    return header, rows()


def read_records(path: Path, mapping: Mapping[str, object] | None = None) -> list[Record]:
    """Return the rows of a CSV file in their order; a row without an id is known by its number.

    Raises FileUnreadable where two rows have one id: a truth could mean either.
    """
    header, rows = _rows(path)
    try:
        columns = columns_for(header, mapping)
    except FileUnreadable as error:
        raise FileUnreadable(f"{path}: {error}") from None
    records = [record(row, columns, str(number)) for number, row in enumerate(rows)]
    twice = next((id_ for id_, count in Counter(record.id for record in records).items() if count > 1), None)
    if twice is not None:
        raise FileUnreadable(f"{path}: several rows have the id {twice!r}")
    return records


def read_truth(path: Path) -> set[tuple[str, str]]:
    """Return the pairs of a truth file; its first two columns where they are not named left_id and right_id."""
    header, rows = _rows(path)
    names = [name.strip() for name in header]
    if len(names) < 2:
        raise FileUnreadable(f"{path}: the truth needs the columns left_id and right_id")
    left = header[names.index("left_id")] if "left_id" in names else header[0]
    right = header[names.index("right_id")] if "right_id" in names else header[1]
    pairs = {((row[left] or "").strip(), (row[right] or "").strip()) for row in rows}
    return {(one, other) for one, other in pairs if one and other}


def check_truth(truth: set[tuple[str, str]], left: Iterable[Record], right: Iterable[Record]) -> None:
    """Raise FileUnreadable where the truth names records that the files have not: it is another file's."""
    lefts, rights = {record.id for record in left}, {record.id for record in right}
    unknown = sorted(pair for pair in truth if pair[0] not in lefts or pair[1] not in rights)
    if not unknown:
        return
    one, other = unknown[0]
    hint = " (left_id and right_id look swapped)" if all(b in lefts and a in rights for a, b in unknown) else ""
    raise FileUnreadable(
        f"{len(unknown)} of {len(truth)} pairs of the truth name ids that the files have not, such as {one!r}, {other!r}{hint}"
    )


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
    phones = tuple(dict.fromkeys(phone for raw in (cell("phone"), cell("phone2")) if (phone := _phone(raw))))
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


def _phone(raw: str) -> str:
    """Return the first usable number of a cell, else its digits."""
    return next((key.e164 for key in phone_keys(raw)), "") or _digits(raw)


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
