"""Writes the keys of mirrored customers: whoever changes a customer, a location or a contact has the family's keys made anew."""

import struct
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from bridge.db.database import Tx
from bridge.domain.ids import TenantId
from bridge.domain.keys import ContactRow, CustomerRow, KeyRow, LocationRow, record_keys

_ROW = struct.Struct("!hiqiqiqiq")
_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TAIL = struct.pack("!h", -1)

# Families are read whole, for a name at the customer and a street at the location make one key together.
_CUSTOMERS = """
SELECT id, coalesce(name, ''), coalesce(street, ''), coalesce(unit, ''), coalesce(city, ''), coalesce(state, ''), coalesce(zip, '')
FROM mirrored_customers WHERE tenant_id = %s AND id = ANY(%s)
"""
_LOCATIONS = """
SELECT id, customer_id, coalesce(name, ''), coalesce(street, ''), coalesce(unit, ''), coalesce(city, ''), coalesce(state, ''),
  coalesce(zip, '')
FROM mirrored_locations WHERE tenant_id = %s AND customer_id = ANY(%s) AND merged_to_id IS NULL
"""
_OWN_CONTACTS = """
SELECT owner_id, 0, coalesce(type, ''), coalesce(value, ''), coalesce(memo, '')
FROM mirrored_contacts WHERE tenant_id = %s AND party = 'customer' AND owner_id = ANY(%s) AND active
"""
_PLACE_CONTACTS = """
SELECT owner_id, coalesce(type, ''), coalesce(value, ''), coalesce(memo, '')
FROM mirrored_contacts WHERE tenant_id = %s AND party = 'location' AND owner_id = ANY(%s) AND active
"""


async def rekey(
    tx: Tx, tenant_id: TenantId, customer_ids: Sequence[int], *, region: str = "US", is_first_load: bool = False
) -> int:
    """Return how many keys were written for these customers, their old ones gone; `is_first_load` skips looking for old ones.

    Call it after a chunk of mirrored rows is written, with the customers they belong to (for a location that moved, both).
    """
    ids = list(customer_ids)
    customers = await (await tx.execute(_CUSTOMERS, [tenant_id, ids])).fetchall()
    locations = await (await tx.execute(_LOCATIONS, [tenant_id, ids])).fetchall()
    own = await (await tx.execute(_OWN_CONTACTS, [tenant_id, ids])).fetchall()
    theirs = await (await tx.execute(_PLACE_CONTACTS, [tenant_id, [row[0] for row in locations]])).fetchall()
    keys = list(_families(customers, locations, own, theirs, region))
    if not is_first_load:
        await tx.execute("DELETE FROM match_keys WHERE tenant_id = %s AND customer_id = ANY(%s)", [tenant_id, ids])
    await copy_keys(tx, tenant_id, keys)
    return len(keys)


async def copy_keys(tx: Tx, tenant_id: TenantId, keys: Collection[KeyRow]) -> None:
    """Write keys by binary COPY; a (key, record) pair that is there already is an error of the caller."""
    if not keys:
        return
    async with tx.cursor().copy(
        "COPY match_keys (tenant_id, key, customer_id, location_id) FROM STDIN (FORMAT BINARY)"
    ) as copy:
        pack = _ROW.pack
        await copy.write(
            _HEAD
            + b"".join(pack(4, 8, tenant_id, 8, key, 8, customer, 8, place) for key, customer, place in keys)
            + _TAIL
        )


def _families(
    customers: list[Any], locations: list[Any], own: list[Any], theirs: list[Any], region: str
) -> Iterable[KeyRow]:
    """Yield the keys of each customer with what belongs to it."""
    places: dict[int, list[LocationRow]] = {}
    owner: dict[int, int] = {}
    for row in locations:
        places.setdefault(row[1], []).append(LocationRow(*row))
        owner[row[0]] = row[1]
    contacts: dict[int, list[ContactRow]] = {}
    for customer_id, *rest in own:
        contacts.setdefault(customer_id, []).append(ContactRow(*rest))
    for location_id, *rest in theirs:
        contacts.setdefault(owner[location_id], []).append(ContactRow(location_id, *rest))
    for row in customers:
        yield from record_keys(CustomerRow(*row), places.get(row[0], []), contacts.get(row[0], []), region=region)
