"""What a row of the known file leaves out, taken from the rows that it lives with, where they leave no doubt."""

from collections import defaultdict
from collections.abc import Sequence

from bridge.matching.linkage.files import Record

Key = tuple[str, ...]


def completed(records: Sequence[Record]) -> list[Record]:
    """Return the rows, each with the surname of its house and the street or number of its namesakes where its own is missing.

    Only where everybody else says the same. Else a lead at a known house would look like somebody of it whom the file has not,
    however well the row itself agrees in all that it says.
    """
    surnames: dict[Key, set[str]] = defaultdict(set)
    places: dict[Key, dict[tuple[str, str], Record]] = defaultdict(dict)
    for record in records:
        if _is_placed(record) and record.person.surname:
            surnames[_house(record)].add(record.person.surname)
            for key in _partly(record):
                places[key][record.address.number, record.street] = record
    return [_completed(record, surnames, places) for record in records]


def _completed(
    record: Record, surnames: dict[Key, set[str]], places: dict[Key, dict[tuple[str, str], Record]]
) -> Record:
    if not record.person.surname:
        found = surnames.get(_house(record), set()) if _is_placed(record) else set()
        return record._replace(person=record.person._replace(surname=min(found))) if len(found) == 1 else record
    if _is_placed(record):
        return record
    homes = [home for key in _partly(record) for home in places.get(key, {}).values()]
    if len(homes) != 1 or not _fits(record, homes[0]):
        return record
    home = homes[0]
    return record._replace(
        address=home.address,
        street=home.street,
        unit=record.unit or home.unit,
        city=record.city or home.city,
        state=record.state or home.state,
        zip=record.zip or home.zip,
    )


def _is_placed(record: Record) -> bool:
    return bool(record.address.number and record.street)


def _house(record: Record) -> Key:
    return record.address.number, record.street, record.unit, record.zip or record.city


def _partly(record: Record) -> list[Key]:
    """Return the surname with each of number and street that the row has."""
    surname, parts = record.person.surname, (("number", record.address.number), ("street", record.street))
    return [(surname, name, part) for name, part in parts if part]


def _fits(record: Record, home: Record) -> bool:
    """Tell whether nothing that both say of where they are differs."""
    pairs = ((record.unit, home.unit), (record.city, home.city), (record.state, home.state), (record.zip, home.zip))
    return all(one == other for one, other in pairs if one and other)
