"""What the mirror knows, as the other stages ask for it."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec

from bridge.db.arrays import integers, texts
from bridge.db.database import Tx
from bridge.domain.ids import ContactId, CustomerId, LocationId, TenantId
from bridge.domain.inquiry import PostalAddress
from bridge.domain.party import KnownBooking, KnownContact, PartyRecord
from bridge.domain.reference import ListEntry, ReferenceLists

MERGES_FOLLOWED = 16
"""Steps of a chain of merges; more than that is a circle."""


async def survivors(tx: Tx, tenant_id: TenantId, kind: str, ids: Collection[int]) -> dict[int, int]:
    """Return for each customer or location (`kind`) that is mirrored the one it was merged into in the end, or itself."""
    table = {"customer": "mirrored_customers", "location": "mirrored_locations"}[kind]
    cursor = await tx.execute(
        f"""
        WITH RECURSIVE chain (start, id, merged_to_id, step) AS (
            SELECT id, id, merged_to_id, 0 FROM {table} WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s::bigint[])
            UNION ALL
            SELECT start, t.id, t.merged_to_id, step + 1 FROM chain JOIN {table} t
            ON t.tenant_id = %(tenant)s AND t.id = chain.merged_to_id WHERE step < %(most)s
        ) SELECT DISTINCT ON (start) start, id FROM chain ORDER BY start, step DESC
        """,
        {"tenant": tenant_id, "ids": integers(sorted(ids)), "most": MERGES_FOLLOWED},
    )
    return dict(await cursor.fetchall())


_ADDRESS = ("street", "unit", "city", "state", "zip", "country")
_BOTH = ("id", "merged_to_id", "name", *_ADDRESS, "custom_fields", "tag_type_ids")
_COLUMNS = {
    "customer": (*_BOTH, "do_not_service", "do_not_mail", "active"),
    "location": (*_BOTH, "customer_id"),
}
_RECORDS = {
    kind: f"SELECT {', '.join(columns)} FROM mirrored_{kind}s WHERE tenant_id = %s AND id = ANY(%s::bigint[])"
    for kind, columns in _COLUMNS.items()
}
_CONTACTS = """
SELECT k.id, k.type, k.value, k.memo, k.party, k.owner_id, k.do_not_text
FROM unnest(%(parties)s::text[], %(owners)s::bigint[]) AS o (party, id) CROSS JOIN LATERAL (
  SELECT * FROM mirrored_contacts WHERE tenant_id = %(tenant)s AND party = o.party AND owner_id = o.id AND active OFFSET 0
) AS k ORDER BY k.party, k.id
"""

Columns = dict[str, Any]
"""A row by the names of its columns."""

Place = tuple[CustomerId, LocationId | None]
"""A customer, and the location of it that is meant."""


async def last_changed(tx: Tx, tenant_id: TenantId, kind: str, record_id: int) -> datetime | None:
    """Return when a customer or location (`kind`) was last changed, None where the mirror does not hold it."""
    table = {"customer": "mirrored_customers", "location": "mirrored_locations"}[kind]
    cursor = await tx.execute(
        f"SELECT modified_on FROM {table} WHERE tenant_id = %s AND id = %s", [tenant_id, record_id]
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def party(
    tx: Tx, tenant_id: TenantId, customer_id: CustomerId, location_id: LocationId | None = None
) -> PartyRecord | None:
    """Return a customer with one of its locations, merges followed; None where the mirror does not hold the customer.

    A location of another customer is left out: it is not this party's.
    """
    place = (customer_id, location_id)
    return (await parties(tx, tenant_id, [place])).get(place)


async def parties(tx: Tx, tenant_id: TenantId, places: Collection[Place]) -> dict[Place, PartyRecord]:
    """Return what `party` does for many at once; who is not in the mirror is left out."""
    if not places:
        return {}
    customers = await _following(tx, tenant_id, "customer", {customer for customer, _ in places})
    locations = await _following(tx, tenant_id, "location", {place for _, place in places if place is not None})
    met: dict[Place, tuple[Columns, Columns | None]] = {}
    for place in places:
        customer, location = customers.get(place[0]), locations.get(place[1] or 0)
        if customer is not None:
            is_its = location is not None and location["customer_id"] == customer["id"]
            met[place] = (customer, location if is_its else None)
    owners = {("customer", int(customer["id"])) for customer, _ in met.values()}
    owners |= {("location", int(location["id"])) for _, location in met.values() if location is not None}
    contacts = await _contacts(tx, tenant_id, sorted(owners))
    return {place: _party(customer, location, contacts) for place, (customer, location) in met.items()}


async def _following(tx: Tx, tenant_id: TenantId, kind: str, ids: set[int]) -> dict[int, Columns]:
    """Return the record of each id, or of the one that it was merged into."""
    if not ids:
        return {}
    found = await _by_id(tx, kind, tenant_id, ids)
    merged = {id_ for id_, row in found.items() if row["merged_to_id"] is not None}
    if not merged:
        return found
    became = await survivors(tx, tenant_id, kind, merged)
    ends = await _by_id(tx, kind, tenant_id, set(became.values()))
    return found | {id_: ends[end] for id_, end in became.items()}


async def _by_id(tx: Tx, kind: str, tenant_id: TenantId, ids: set[int]) -> dict[int, Columns]:
    cursor = await tx.execute(_RECORDS[kind], [tenant_id, integers(sorted(ids))], prepare=True)
    return {row[0]: dict(zip(_COLUMNS[kind], row, strict=True)) for row in await cursor.fetchall()}


def _party(
    customer: Columns, location: Columns | None, contacts: dict[tuple[str, int], list[KnownContact]]
) -> PartyRecord:
    at = location or customer
    own = contacts.get(("customer", customer["id"]), [])
    there = contacts.get(("location", location["id"]), []) if location else []
    return PartyRecord(
        customer_id=CustomerId(customer["id"]),
        name=customer["name"] or "",
        location_id=LocationId(location["id"]) if location else None,
        location_name=(location["name"] or "") if location else "",
        address=PostalAddress(**{name: at[name] or "" for name in _ADDRESS}),
        contacts=(*own, *there),
        customer_fields=_fields(customer["custom_fields"]),
        location_fields=_fields(location["custom_fields"]) if location else {},
        customer_tags=tuple(customer["tag_type_ids"] or ()),
        location_tags=tuple(location["tag_type_ids"] or ()) if location else (),
        do_not_service=bool(customer["do_not_service"]),
        do_not_mail=bool(customer["do_not_mail"]),
        active=bool(customer["active"]),
    )


def _fields(stored: list[dict[str, Any]] | None) -> dict[int, str]:
    return {field["typeId"]: field.get("value") or "" for field in stored or () if field.get("typeId") is not None}


async def _contacts(
    tx: Tx, tenant_id: TenantId, owners: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], list[KnownContact]]:
    """Return the contacts that are not deleted by whose they are: `customer` or `location`, and its id."""
    of: dict[tuple[str, int], list[KnownContact]] = {}
    if not owners:
        return of
    found = await tx.execute(
        _CONTACTS,
        {
            "tenant": tenant_id,
            "parties": texts(party for party, _ in owners),
            "owners": integers(owner for _, owner in owners),
        },
        prepare=True,
    )
    for id_, type_, value, memo, party_, owner, do_not_text in await found.fetchall():
        contact = KnownContact(
            id=ContactId(id_),
            type=type_ or "",
            value=value or "",
            memo=memo or "",
            location_id=LocationId(owner) if party_ == "location" else None,
            do_not_text=bool(do_not_text),
        )
        of.setdefault((party_, owner), []).append(contact)
    return of


async def bookings(tx: Tx, tenant_id: TenantId, ids: Collection[int]) -> dict[int, KnownBooking]:
    """Return bookings by their ids; those that the mirror does not hold are left out."""
    if not ids:
        return {}
    found = await tx.execute(
        "SELECT id, external_id, status, job_id FROM mirrored_bookings WHERE tenant_id = %s AND id = ANY(%s::bigint[])",
        [tenant_id, integers(sorted(ids))],
        prepare=True,
    )
    return {
        id_: KnownBooking(id=id_, external_id=external_id or "", status=status or "", job_id=job_id)
        for id_, external_id, status, job_id in await found.fetchall()
    }


class _ListData(msgspec.Struct, frozen=True, rename="camel"):
    data_type: str | None = None
    data_type_options: tuple[str, ...] | None = None
    business_unit_ids: tuple[int, ...] | None = None


async def lists(tx: Tx, tenant_ids: Collection[TenantId]) -> dict[TenantId, ReferenceLists]:
    """Return every short list of these tenants; names are told apart by the one who asks."""
    found = await tx.execute(
        "SELECT tenant_id, kind, id, name, active, data FROM mirrored_lists WHERE tenant_id = ANY(%s)"
        " ORDER BY tenant_id, kind, id",
        [list(tenant_ids)],
    )
    entries: dict[TenantId, dict[str, list[ListEntry]]] = {tenant_id: {} for tenant_id in tenant_ids}
    for tenant_id, kind, record_id, name, active, data in await found.fetchall():
        more = msgspec.convert(data, _ListData)
        entries[tenant_id].setdefault(kind, []).append(
            ListEntry(
                id=record_id,
                name=name,
                active=active,
                data_type=more.data_type or "",
                options=more.data_type_options or (),
                business_unit_ids=more.business_unit_ids or (),
            )
        )
    return {
        tenant_id: ReferenceLists(entries={kind: tuple(listed) for kind, listed in own.items()}, is_loaded=bool(own))
        for tenant_id, own in entries.items()
    }
