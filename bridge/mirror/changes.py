"""ServiceTitan's own webhooks into the mirror: a booking or lead that moved on, in whatever order they come."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from bridge.db.database import Tx
from bridge.domain.ids import TenantId
from bridge.domain.inquiry import ServiceTitanChange
from bridge.mirror.shapes import SHAPES, Shape
from bridge.servicetitan.reading import Reader

_LEFT_OUT = {"booking": {"summary", "uploaded_images"}, "lead": set[str]()}
"""What a webhook's record lacks beside the feed's: it is left alone, and filled in by the feed."""

_READERS = {kind: Reader(SHAPES[kind].answer) for kind in _LEFT_OUT}
_LEAD_NAMES = {"customerName": "leadCustomerName", "phone": "leadPhone", "email": "leadEmail"}


async def apply(tx: Tx, tenant_id: TenantId, change: ServiceTitanChange, *, now: datetime) -> bool:
    """Bring one webhook's record into the mirror where it is newer, and tell whether it was.

    Records of other kinds are left alone, unreadable ones too: the feed brings what counts.
    """
    del now
    if change.entity not in _LEFT_OUT:
        return False
    shape = SHAPES[change.entity]
    try:
        record = _READERS[change.entity].read(_named(change))
    except msgspec.DecodeError:
        return False
    told = _told(shape, bytes(change.data))
    row = dict(zip(shape.columns, shape.to_row(record), strict=True))
    return await _merge(tx, tenant_id, shape, {name: row[name] for name in shape.columns if name in told})


def _record(data: bytes, entity: str) -> dict[str, Any]:
    """Return the record of a webhook, whether it came alone or inside its `data`."""
    given = msgspec.json.decode(data)
    if not isinstance(given, dict):
        return {}
    inner = given.get(entity, given)
    return inner if isinstance(inner, dict) else {}


def _named(change: ServiceTitanChange) -> bytes:
    """Return the record under the names of the feed: a lead's webhook names the prospect differently."""
    record = _record(bytes(change.data), change.entity)
    if change.entity == "lead":
        record = {_LEAD_NAMES.get(name, name): value for name, value in record.items()}
    return msgspec.json.encode({"id": change.entity_id, **record})


def _told(shape: Shape, data: bytes) -> set[str]:
    """Return the columns that a webhook's record speaks of."""
    record = _record(data, shape.kind)
    if shape.kind == "lead":
        record = {_LEAD_NAMES.get(name, name): value for name, value in record.items()}
    spoken = {_snake(name) for name in record} - _LEFT_OUT[shape.kind]
    if "address" in spoken:
        spoken |= {"street", "unit", "city", "state", "zip", "country"} & shape.columns.keys()
    return spoken | {"id", "active", "modified_on"}


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


async def _merge(tx: Tx, tenant_id: TenantId, shape: Shape, row: dict[str, Any]) -> bool:
    """Write the told columns where they are newer; `written_at` lets the feed fill in the others."""
    names = ", ".join(f'"{name}"' for name in row)
    values = ", ".join(f"%s::{shape.columns[name]}" for name in row)
    sets = ", ".join(f'"{name}" = EXCLUDED."{name}"' for name in row if name != "id")
    done = await tx.execute(
        f"INSERT INTO {shape.table} AS t (tenant_id, {names}, written_at) VALUES (%s, {values}, %s)"
        f" ON CONFLICT (tenant_id, id) DO UPDATE SET {sets}, written_at = EXCLUDED.written_at"
        " WHERE EXCLUDED.modified_on > t.modified_on",
        [tenant_id, *row.values(), row["modified_on"] - timedelta(microseconds=1)],
    )
    return done.rowcount == 1
