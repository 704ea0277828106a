"""What the mirror knows, as the other stages ask for it."""

from typing import Any, LiteralString

import msgspec
from psycopg.rows import DictRow, dict_row

from bridge.db.database import Tx
from bridge.domain.ids import ContactId, CustomerId, LocationId, TenantId
from bridge.domain.inquiry import PostalAddress
from bridge.domain.party import KnownBooking, KnownContact, PartyRecord
from bridge.domain.reference import ListEntry, ReferenceLists

MERGES_FOLLOWED = 16
"""Steps of a chain of merges; more than that is a circle."""


async def survivor(tx: Tx, tenant_id: TenantId, kind: str, record_id: int) -> int:
    """Return the customer or location (`kind`) that a record was merged into in the end, itself where it was not."""
    table = {"customer": "mirrored_customers", "location": "mirrored_locations"}[kind]
    cursor = await tx.execute(
        f"""
        WITH RECURSIVE chain (id, merged_to_id, step) AS (
            SELECT id, merged_to_id, 0 FROM {table} WHERE tenant_id = %(tenant)s AND id = %(id)s
            UNION ALL
            SELECT t.id, t.merged_to_id, step + 1 FROM chain JOIN {table} t
            ON t.tenant_id = %(tenant)s AND t.id = chain.merged_to_id WHERE step < %(most)s
        ) SELECT id FROM chain ORDER BY step DESC LIMIT 1
        """,
        {"tenant": tenant_id, "id": record_id, "most": MERGES_FOLLOWED},
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else record_id


async def party(
    tx: Tx, tenant_id: TenantId, customer_id: CustomerId, location_id: LocationId | None = None
) -> PartyRecord | None:
    """Return a customer with one of its locations, merges followed; None where the mirror does not hold the customer.

    A location of another customer is left out: it is not this party's.
    """
    owner = await survivor(tx, tenant_id, "customer", customer_id)
    place = await survivor(tx, tenant_id, "location", location_id) if location_id is not None else None
    customer = await _one(
        tx,
        "SELECT * FROM mirrored_customers WHERE tenant_id = %(tenant)s AND id = %(id)s",
        {"tenant": tenant_id, "id": owner},
    )
    if customer is None:
        return None
    location = await _one(
        tx,
        "SELECT * FROM mirrored_locations WHERE tenant_id = %(tenant)s AND id = %(id)s AND customer_id = %(owner)s",
        {"tenant": tenant_id, "id": place, "owner": owner},
    )
    at = location or customer
    return PartyRecord(
        customer_id=CustomerId(owner),
        name=customer["name"] or "",
        location_id=LocationId(location["id"]) if location else None,
        location_name=(location["name"] or "") if location else "",
        address=PostalAddress(**{name: at[name] or "" for name in _ADDRESS}),
        contacts=await _contacts(tx, tenant_id, owner, location["id"] if location else None),
        customer_fields=_fields(customer["custom_fields"]),
        location_fields=_fields(location["custom_fields"]) if location else {},
        customer_tags=tuple(customer["tag_type_ids"] or ()),
        location_tags=tuple(location["tag_type_ids"] or ()) if location else (),
        do_not_service=bool(customer["do_not_service"]),
        do_not_mail=bool(customer["do_not_mail"]),
        active=bool(customer["active"]),
    )


_ADDRESS = ("street", "unit", "city", "state", "zip", "country")


async def _one(tx: Tx, query: LiteralString, values: dict[str, Any]) -> DictRow | None:
    return await (await tx.cursor(row_factory=dict_row).execute(query, values)).fetchone()


def _fields(stored: list[dict[str, Any]] | None) -> dict[int, str]:
    return {field["typeId"]: field.get("value") or "" for field in stored or () if field.get("typeId") is not None}


async def _contacts(tx: Tx, tenant_id: TenantId, owner: int, location_id: int | None) -> tuple[KnownContact, ...]:
    found = await tx.execute(
        "SELECT id, type, value, memo, party, owner_id, do_not_text FROM mirrored_contacts"
        " WHERE tenant_id = %s AND active AND ((party = 'customer' AND owner_id = %s)"
        " OR (party = 'location' AND owner_id = %s)) ORDER BY party, id",
        [tenant_id, owner, location_id],
    )
    return tuple(
        KnownContact(
            id=ContactId(row[0]),
            type=row[1] or "",
            value=row[2] or "",
            memo=row[3] or "",
            location_id=LocationId(row[5]) if row[4] == "location" else None,
            do_not_text=bool(row[6]),
        )
        for row in await found.fetchall()
    )


async def booking(
    tx: Tx, tenant_id: TenantId, *, booking_id: int | None = None, external_id: str | None = None
) -> KnownBooking | None:
    """Return a booking by its id or by its `externalId`, None where the mirror does not hold it.

    ServiceTitan does not keep `externalId` unique: of several the first made counts.
    """
    by, value = ("id", booking_id) if booking_id is not None else ("external_id", external_id)
    found = await tx.execute(
        f"SELECT id, external_id, status, job_id FROM mirrored_bookings"
        f" WHERE tenant_id = %s AND {by} = %s ORDER BY id LIMIT 1",
        [tenant_id, value],
    )
    row = await found.fetchone()
    if row is None:
        return None
    return KnownBooking(id=row[0], external_id=row[1] or "", status=row[2] or "", job_id=row[3])


class _ListData(msgspec.Struct, frozen=True, rename="camel"):
    data_type: str | None = None
    data_type_options: tuple[str, ...] | None = None
    business_unit_ids: tuple[int, ...] | None = None


async def lists(tx: Tx, tenant_id: TenantId) -> ReferenceLists:
    """Return every short list of a tenant; names are told apart by the one who asks."""
    found = await tx.execute(
        "SELECT kind, id, name, active, data FROM mirrored_lists WHERE tenant_id = %s ORDER BY kind, id", [tenant_id]
    )
    entries: dict[str, list[ListEntry]] = {}
    for kind, record_id, name, active, data in await found.fetchall():
        more = msgspec.convert(data, _ListData)
        entries.setdefault(kind, []).append(
            ListEntry(
                id=record_id,
                name=name,
                active=active,
                data_type=more.data_type or "",
                options=more.data_type_options or (),
                business_unit_ids=more.business_unit_ids or (),
            )
        )
    return ReferenceLists(entries={kind: tuple(listed) for kind, listed in entries.items()}, is_loaded=bool(entries))
