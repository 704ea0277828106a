"""Lists that a PATCH replaces whole (custom fields, tags): read what is there, change our part, write all of it back.

ServiceTitan erases a custom field that a PATCH leaves out, and offers no merge mode and no ETag. So these functions are
the way to write such a list; what another writer does between our read and our write is still lost, for milliseconds.
"""

from collections.abc import Iterable, Mapping

from bridge.domain.outcome import Outcome, Succeeded
from bridge.servicetitan.operation import BoundOperation
from bridge.servicetitan.responses import CustomFieldModel


def merged_custom_fields(
    held: Iterable[CustomFieldModel], changes: Mapping[int, str | None]
) -> list[dict[str, int | str]]:
    """Return the whole list to write: what is held, with the changes by type id; a change to None drops the field.

    A held field without a value is left out, as the contract takes no null; leaving it out keeps it empty.
    """
    values = {field.type_id: field.value for field in held if field.type_id is not None}
    values.update(changes)
    return [{"typeId": type_id, "value": value} for type_id, value in values.items() if value is not None]


def merged_tags(held: Iterable[int], *, add: Iterable[int], remove: Iterable[int]) -> list[int]:
    """Return the whole list to write: what is held in its order, without the removed, then the added."""
    gone = set(remove)
    return list(dict.fromkeys(tag for tag in (*held, *add) if tag not in gone))


async def change_custom_fields(
    get: BoundOperation, update: BoundOperation, record_id: int, *, changes: Mapping[int, str | None]
) -> Outcome:
    """Change some custom fields of a customer or location and keep the others; nothing is sent where nothing changes.

    `get` and `update` are those of one family: `st.customers.get, st.customers.update`.
    """
    read = await get(record_id)
    if not isinstance(read, Succeeded):
        return read
    held = {field.type_id: field.value for field in read.body.custom_fields}
    if all(held.get(type_id) == value for type_id, value in changes.items()):
        return read
    return await update(record_id, body={"customFields": merged_custom_fields(read.body.custom_fields, changes)})


async def change_tags(
    get: BoundOperation,
    update: BoundOperation,
    record_id: int,
    *,
    add: Iterable[int] = (),
    remove: Iterable[int] = (),
) -> Outcome:
    """Add and remove tags of a customer or location in one write, keep the others; send nothing where nothing changes."""
    read = await get(record_id)
    if not isinstance(read, Succeeded):
        return read
    tags = merged_tags(read.body.tag_type_ids, add=add, remove=remove)
    if set(tags) == set(read.body.tag_type_ids):
        return read
    return await update(record_id, body={"tagTypeIds": tags})
