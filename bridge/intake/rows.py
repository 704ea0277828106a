"""Deliveries as PostgreSQL's binary arrays: each value is made when its request comes, while the last batch commits."""

import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec
from psycopg import pq

from bridge.db.direct import array
from bridge.domain.delivery import HookRequest
from bridge.domain.ids import DeliveryId, SourceId, TenantId

_INT8, _TEXT, _BYTEA, _TIMESTAMPTZ = 20, 25, 17, 1184  # PostgreSQL's numbers of its types
_TYPES = (_INT8, _TEXT, _TEXT, _TEXT, _TIMESTAMPTZ, _TEXT, _TEXT, _TEXT, _BYTEA, _TEXT, _TEXT)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_length = struct.Struct(">i").pack
_int8 = struct.Struct(">iq").pack
_encode = msgspec.json.Encoder().encode

Key = tuple[bytes, bytes, bytes]
"""Tenant, source and dedup key as PostgreSQL writes them: what is unique about a delivery, for ever."""


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery about to be stored."""

    tenant_id: TenantId
    source_id: SourceId
    dedup_key: str
    event_type: str
    received_at: datetime
    request: HookRequest
    verified_by: str
    trace_id: str


class Row(msgspec.Struct, frozen=True):
    """An arrival as elements of arrays, one a column."""

    key: Key
    elements: tuple[bytes, ...]


def row_of(arrival: Arrival) -> Row:
    """Return the arrival ready to be sent; raises UnicodeEncodeError for a text that no encoding can carry."""
    request = arrival.request
    tenant, source = _int8(8, arrival.tenant_id), _usual(arrival.source_id)
    dedup_key = arrival.dedup_key.encode()
    elements = (
        tenant,
        source,
        _bytes(dedup_key),
        _usual(arrival.event_type),
        _int8(8, (arrival.received_at - _EPOCH) // _MICROSECOND),
        _usual(request.method),
        _bytes(request.url.encode()),
        _bytes(_encode(request.headers)),
        _bytes(request.body),
        _usual(arrival.verified_by),
        _bytes(arrival.trace_id.encode()),
    )
    return Row((tenant[4:], source[4:], dedup_key), elements)


def columns_of(batch: Sequence[Row]) -> list[bytes]:
    """Return the rows column by column."""
    columns = zip(*[row.elements for row in batch], strict=True)
    return [array(kind, column) for kind, column in zip(_TYPES, columns, strict=True)]


def keys_of(batch: Sequence[Row]) -> list[bytes]:
    """Return the three columns that name the rows."""
    columns = zip(*[row.elements[:3] for row in batch], strict=True)
    return [array(kind, column) for kind, column in zip(_TYPES, columns, strict=False)]


def ids_in(result: pq.abc.PGresult) -> list[DeliveryId]:
    """Return the ids that a result of one column holds."""
    value, number = result.get_value, int.from_bytes
    return [DeliveryId(number(value(place, 0) or b"", "big")) for place in range(result.ntuples)]


def ids_by_key(result: pq.abc.PGresult) -> dict[Key, DeliveryId]:
    """Return the ids of a result by the columns that name its rows."""
    value = result.get_value
    found = {}
    for place in range(result.ntuples):
        key = (value(place, 0) or b"", value(place, 1) or b"", value(place, 2) or b"")
        found[key] = DeliveryId(int.from_bytes(value(place, 3) or b"", "big"))
    return found


def _bytes(value: bytes) -> bytes:
    return _length(len(value)) + value


@lru_cache(maxsize=1024)
def _usual(value: str) -> bytes:
    """Return a text that most rows share."""
    return _bytes(value.encode())
