"""Our own writes, in the mirror at once: the answer of a successful call is what the next look will see.

A full answer carries `modifiedOn`, and decides like any page of a feed. A part of a record (a tag, a contact taken away)
marks the record as written by us: an older page does not undo it, the next newer one replaces it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from bridge.db import match_keys
from bridge.db.database import Tx
from bridge.domain.ids import TenantId
from bridge.mirror import keys, rows
from bridge.mirror.shapes import SHAPES, Row

_OWNED = {"customer_contact": "customer_id", "location_contact": "location_id"}
_ANSWERS = {
    "customers.create": "customer",
    "customers.update": "customer",
    "customers.get": "customer",
    "customers.create_contact": "customer_contact",
    "customers.update_contact": "customer_contact",
    "locations.create": "location",
    "locations.update": "location",
    "locations.get": "location",
    "locations.create_contact": "location_contact",
    "locations.update_contact": "location_contact",
    "bookings.create": "booking",
    "bookings.update": "booking",
    "bookings.get": "booking",
    "tenant_bookings.get": "booking",
    "leads.create": "lead",
    "leads.update": "lead",
    "leads.get": "lead",
}
"""Operation of the client → the kind of record it answers."""


class Answered(NamedTuple):
    """A record that a successful call answered whole; `owner_id` says whose a contact is where the answer does not.

    `kind` is customer, location, customer_contact, location_contact, booking or lead.
    """

    kind: str
    record: Any
    owner_id: int | None = None


def answered(operation: str, ids: Mapping[str, int | str], answer: Any) -> Answered | None:
    """Return the record that a call answered, None where it answers none: the operation's name, what filled its path."""
    kind = _ANSWERS.get(operation)
    if kind is None or answer is None:
        return None
    return Answered(kind, answer, _own(ids) if kind in _OWNED else None)


def _own(ids: Mapping[str, int | str]) -> int:
    return int(ids["id"]) if str(ids.get("id", "")).isdigit() else 0


async def write_through(
    tx: Tx,
    tenant_id: TenantId,
    answers: Iterable[Answered],
    *,
    now: datetime,
    region: str = "US",
    expect_new: bool = False,
) -> None:
    """Put answered records into the mirror, with the records inside them and the match keys that follow.

    `region` reads phones; `expect_new` says that they were just created. Raises msgspec.ValidationError for what is no such
    record.
    """
    found: dict[str, list[Row]] = {}
    for one in answers:
        for kind, made in _records(*one).items():
            found.setdefault(kind, []).extend(made)
    # One order for all writers (contacts, locations, customers), so that two never wait for each other in a circle.
    owners: set[int] = set()
    for each in ("customer_contact", "location_contact", "location", "customer", "booking", "lead"):
        if each not in found:
            continue
        applied = await rows.apply(tx, tenant_id, SHAPES[each], found[each], asked_at=now, expect_new=expect_new)
        if SHAPES[each].keyed:
            ids = [row[0] for row in found[each]]
            owners |= await keys.touched(tx, tenant_id, each, ids, left=applied.left)
    await match_keys.renew(tx, tenant_id, owners, region=region)


async def write_new_bookings(tx: Tx, made: Iterable[tuple[TenantId, Any]]) -> bool:
    """Put bookings that were just created for any tenants into the mirror; False, and nothing written, where one is there.

    Raises msgspec.ValidationError for what is no booking.
    """
    shape = SHAPES["booking"]
    return await rows.insert(
        tx, shape, [(tenant_id, _records("booking", record, None)["booking"][0]) for tenant_id, record in made]
    )


def _records(kind: str, record: Any, owner_id: int | None) -> dict[str, list[Row]]:
    """Return the rows of an answer by kind: a created customer brings locations and contacts, without dates of their own."""
    shape = SHAPES[kind]
    given = msgspec.to_builtins(record, builtin_types=(datetime,)) if isinstance(record, msgspec.Struct) else record
    named = dict(given)
    owner = _OWNED.get(kind)
    if owner is not None and owner_id is not None:
        named[_camel(owner)] = owner_id
    main = shape.of(named)
    found = {kind: [shape.to_row(main)]}
    dated = {"modifiedOn": main.modified_on, "createdOn": main.created_on}
    for location in named.get("locations") or ():
        found.setdefault("location", []).append(SHAPES["location"].to_row(SHAPES["location"].of(location)))
        for contact in location.get("contacts") or ():
            whole = {**dated, **contact, "locationId": location["id"]}
            _add(found, "location_contact", whole)
    if kind in {"customer", "location"}:
        for contact in named.get("contacts") or ():
            _add(found, f"{kind}_contact", {**dated, **contact, f"{kind}Id": main.id})
    return found


def _add(found: dict[str, list[Row]], kind: str, record: dict[str, Any]) -> None:
    shape = SHAPES[kind]
    found.setdefault(kind, []).append(shape.to_row(shape.of(record)))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


async def observe(
    tx: Tx,
    tenant_id: TenantId,
    operation: str,
    ids: Mapping[str, int | str],
    answer: Any,
    *,
    now: datetime,
    body: Any = None,
    region: str = "US",
) -> bool:
    """Bring what a successful call of the client tells into the mirror, and say whether it told anything.

    `operation` is the operation's name, `ids` what filled its path, `answer` its decoded body, `body` what was sent.
    """
    own = _own(ids)
    family, _, action = operation.partition(".")
    party = {"customers": "customer", "locations": "location"}.get(family)
    if (whole := answered(operation, ids, answer)) is not None:
        await write_through(tx, tenant_id, [whole], now=now, region=region)
    elif party is not None and action in {"add_tag", "remove_tag"}:
        tag = [int(ids["tagTypeId"])]
        added, removed = (tag, []) if action == "add_tag" else ([], tag)
        await change_tags(tx, tenant_id, party, own, added=added, removed=removed, now=now)
    elif party is not None and action == "delete_contact":
        await drop_contact(tx, tenant_id, party, int(ids["contactId"]), now=now, region=region)
    elif operation == "bookings.dismiss":
        reason = _member(body, "callReasonId", "call_reason_id")
        await change_status(tx, tenant_id, "booking", own, status="Dismissed", reason_id=reason, now=now)
    elif operation == "leads.dismiss":
        reason = _member(body, "dismissingReasonId", "dismissing_reason_id")
        await change_status(tx, tenant_id, "lead", own, status="Dismissed", reason_id=reason, now=now)
    else:
        return False
    return True


def _member(body: Any, camel: str, snake: str) -> int | None:
    value = body.get(camel) if isinstance(body, Mapping) else getattr(body, snake, None)
    return value if isinstance(value, int) else None


async def change_tags(
    tx: Tx,
    tenant_id: TenantId,
    party: str,
    record_id: int,
    *,
    added: list[int],
    removed: list[int],
    now: datetime,
) -> None:
    """Add and remove tags of a mirrored customer or location (`party`)."""
    await tx.execute(
        f"UPDATE {SHAPES[party].table} SET written_at = %(now)s, tag_type_ids = ARRAY("
        " SELECT DISTINCT tag FROM unnest(coalesce(tag_type_ids, '{}') || %(added)s::bigint[]) tag"
        " WHERE NOT tag = ANY(%(removed)s::bigint[]) ORDER BY tag) WHERE tenant_id = %(tenant)s AND id = %(id)s",
        {"now": now, "added": added, "removed": removed, "tenant": tenant_id, "id": record_id},
    )


async def drop_contact(
    tx: Tx, tenant_id: TenantId, party: str, contact_id: int, *, now: datetime, region: str = "US"
) -> None:
    """Mark a mirrored contact as deleted; nobody is found by it any more."""
    await tx.execute(
        "UPDATE mirrored_contacts SET active = false, written_at = %s WHERE tenant_id = %s AND party = %s AND id = %s",
        [now, tenant_id, party, contact_id],
    )
    await match_keys.renew(
        tx, tenant_id, await keys.touched(tx, tenant_id, f"{party}_contact", [contact_id]), region=region
    )


async def change_status(
    tx: Tx, tenant_id: TenantId, kind: str, record_id: int, *, status: str, reason_id: int | None, now: datetime
) -> None:
    """Set the status of a mirrored booking or lead (`kind`) and why it was dismissed."""
    await tx.execute(
        f"UPDATE {SHAPES[kind].table} SET status = %s, dismissing_reason_id = coalesce(%s, dismissing_reason_id),"
        " written_at = %s WHERE tenant_id = %s AND id = %s",
        [status, reason_id, now, tenant_id, record_id],
    )
