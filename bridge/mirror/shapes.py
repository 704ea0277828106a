"""What of each kind of record is kept: its columns, and how an answer becomes a row. The one list that all else follows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from bridge.domain.keys.record import name_in
from bridge.servicetitan.reading import Reader
from bridge.servicetitan.responses.bookings import AddressModel, ExportBookingResponse
from bridge.servicetitan.responses.common import CustomerAddress
from bridge.servicetitan.responses.customers import ExportCustomerContactResponse, ExportCustomerResponse
from bridge.servicetitan.responses.leads import ExportLeadsResponse
from bridge.servicetitan.responses.locations import ExportLocationContactResponse, ExportLocationsResponse
from bridge.servicetitan.wire import Answer, Moment

Row = tuple[Any, ...]
UNDATED = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for a `modifiedOn` that was not told: older than all that were."""

_NOWHERE = CustomerAddress()
_NOWHERE_BOOKED = AddressModel()
_encode = msgspec.json.Encoder().encode


def stored_json(value: Any) -> bytes:
    """Return a value as JSON that PostgreSQL keeps: its `jsonb` refuses the character NUL."""
    encoded = _encode(value)
    return _encode(_without_nul(msgspec.json.decode(encoded))) if b"\\u0000" in encoded else encoded


def _without_nul(value: Any) -> Any:
    match value:
        case str():
            return value.replace("\x00", "")
        case list():
            return [_without_nul(item) for item in value]
        case dict():
            return {name.replace("\x00", ""): _without_nul(item) for name, item in value.items()}
        case _:
            return value


class Head(Answer, frozen=True, kw_only=True, gc=False):
    """As much of any record as tells whether the rest is news."""

    id: int
    active: bool | None = None
    modified_on: Moment | None = None
    created_on: Moment | None = None
    customer_id: int | None = None
    location_id: int | None = None


read_head = msgspec.json.Decoder(Head).decode


@dataclass(frozen=True, kw_only=True, eq=False)
class Shape:
    """One kind of record: its table, the type it is read as, and its columns with their PostgreSQL types.

    `fixed` are columns that tell kinds of one table apart. A row starts with id, active, modified_on, and goes on with the
    column that names its `owner` where it has one. `found_by` are the columns that a customer's keys are made of.
    """

    kind: str
    table: str
    answer: type[msgspec.Struct]
    to_row: Callable[[Any], Row]
    columns: dict[str, str]
    fixed: dict[str, str] = field(default_factory=dict)
    owner: str = ""
    found_by: tuple[str, ...] = ()

    @property
    def keyed(self) -> bool:
        """Tell whether such records are part of what a customer is found by."""
        return bool(self.found_by)

    @cached_property
    def _places(self) -> tuple[int, ...]:
        names = list(self.columns)
        return tuple(names.index(name) for name in self.found_by)

    def is_news_to_keys(self, before: Sequence[Any], row: Row) -> bool:
        """Tell whether a record whose `found_by` columns were these is found by something else as this row."""
        return any(
            (old or "") != (row[at] or "")
            and not (name == "memo" and name_in(old or "") is None and name_in(row[at] or "") is None)
            for name, old, at in zip(self.found_by, before, self._places, strict=True)
        )

    @property
    def types(self) -> list[str]:
        """The PostgreSQL types of a row in COPY: the fixed columns first."""
        return ["int8", *("text" for _ in self.fixed), *self.columns.values()]

    @property
    def names(self) -> list[str]:
        """The names of a row's columns in COPY: tenant, fixed columns, own columns."""
        return ["tenant_id", *self.fixed, *self.columns]

    @property
    def key(self) -> list[str]:
        """The columns of the primary key."""
        return ["tenant_id", *self.fixed, "id"]

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.answer)

    def read(self, record: msgspec.Raw) -> Row:
        """Return a record of the feed as a row; raises msgspec.DecodeError for what is none."""
        return self.to_row(self._reader.read(record))

    def head(self, record: msgspec.Raw) -> Row:
        """Return the first columns of a record and the record: a fraction of the work of reading it all."""
        try:
            head = read_head(record)
        except msgspec.ValidationError:
            return (*self.read(record)[:4], record)
        owner = head.customer_id if self.answer is not ExportLocationContactResponse else head.location_id
        return (head.id, head.active is not False, head.modified_on or head.created_on or UNDATED, owner, record)

    def rest(self, head: Row) -> Row:
        """Return the whole row of a head; raises as `read` does."""
        return self.read(head[4])

    @property
    def looked_up_by(self) -> list[str]:
        """The columns whose statistics a plan needs."""
        return [*self.key, *([self.owner] if self.owner else [])]

    def of(self, record: Any) -> Any:
        """Return any answer about such a record as the type of its feed; raises msgspec.ValidationError where it is none."""
        if isinstance(record, self.answer):
            return record
        if isinstance(record, dict):
            return msgspec.convert(record, self.answer)
        return msgspec.convert(record, self.answer, from_attributes=True)


_HEAD = {"id": "int8", "active": "bool", "modified_on": "timestamptz"}
_ADDRESS = dict.fromkeys(("street", "unit", "city", "state", "zip", "country"), "text")
_PLACE = {**_ADDRESS, "latitude": "float8", "longitude": "float8"}
_TAIL = {"custom_fields": "jsonb", "tag_type_ids": "int8[]", "created_on": "timestamptz"}


def _json(value: Any) -> Jsonb | None:
    return Jsonb(value, dumps=stored_json) if value else None


def _customer(record: ExportCustomerResponse) -> Row:
    at = record.address or _NOWHERE
    return (
        record.id,
        record.active is not False,
        record.modified_on or record.created_on or UNDATED,
        record.merged_to_id,
        record.name,
        record.type,
        at.street,
        at.unit,
        at.city,
        at.state,
        at.zip,
        at.country,
        at.latitude,
        at.longitude,
        record.do_not_mail,
        record.do_not_service,
        record.national_account,
        _json(record.custom_fields),
        list(record.tag_type_ids),
        record.created_on,
    )


def _location(record: ExportLocationsResponse) -> Row:
    at = record.address or _NOWHERE
    return (
        record.id,
        record.active is not False,
        record.modified_on or record.created_on or UNDATED,
        record.customer_id,
        record.merged_to_id,
        record.name,
        at.street,
        at.unit,
        at.city,
        at.state,
        at.zip,
        at.country,
        at.latitude,
        at.longitude,
        record.zone_id,
        record.tax_zone_id,
        _json(record.custom_fields),
        list(record.tag_type_ids),
        record.created_on,
    )


def _contact(record: ExportCustomerContactResponse | ExportLocationContactResponse, owner_id: int | None) -> Row:
    phone = record.phone_settings
    return (
        record.id,
        record.active is not False,
        record.modified_on or record.created_on or UNDATED,
        owner_id,
        record.type,
        record.value,
        record.memo,
        phone.phone_number if phone else None,
        phone.do_not_text if phone else None,
        _json(record.preferences),
        record.created_on,
    )


def _customer_contact(record: ExportCustomerContactResponse) -> Row:
    return _contact(record, record.customer_id)


def _location_contact(record: ExportLocationContactResponse) -> Row:
    return _contact(record, record.location_id)


def _booking(record: ExportBookingResponse) -> Row:
    at = record.address or _NOWHERE_BOOKED
    return (
        record.id,
        record.active is not False,
        record.modified_on or record.created_on or UNDATED,
        record.external_id,
        record.booking_provider_id,
        record.status,
        record.job_id,
        record.dismissing_reason_id,
        record.source,
        record.name,
        at.street,
        at.unit,
        at.city,
        at.state,
        at.zip,
        at.country,
        record.customer_type,
        record.start,
        record.summary,
        record.campaign_id,
        record.business_unit_id,
        record.job_type_id,
        record.priority,
        record.is_first_time_client,
        record.is_send_confirmation_email,
        list(record.uploaded_images or ()),
        record.created_on,
    )


_LEAD = {
    "status": "text",
    "priority": "text",
    "customer_id": "int8",
    "location_id": "int8",
    "booking_id": "int8",
    "campaign_id": "int8",
    "business_unit_id": "int8",
    "job_type_id": "int8",
    "call_reason_id": "int8",
    "dismissing_reason_id": "int8",
    "follow_up_date": "timestamptz",
    "summary": "text",
    "capture_source": "text",
    "lead_customer_name": "text",
    "lead_phone": "text",
    "lead_email": "text",
    "lead_street": "text",
    "lead_unit": "text",
    "lead_city": "text",
    "lead_state": "text",
    "lead_zip": "text",
    "lead_country": "text",
}


def _lead(record: ExportLeadsResponse) -> Row:
    return (
        record.id,
        record.active is not False,
        record.modified_on or record.created_on or UNDATED,
        *(getattr(record, name) for name in _LEAD),
        list(record.tag_type_ids),
        record.created_on,
    )


_CONTACT = {
    **_HEAD,
    "owner_id": "int8",
    "type": "text",
    "value": "text",
    "memo": "text",
    "phone_number": "text",
    "do_not_text": "bool",
    "preferences": "jsonb",
    "created_on": "timestamptz",
}

_CONTACT_FOUND_BY = ("active", "owner_id", "type", "value", "memo")

CUSTOMERS = Shape(
    kind="customer",
    table="mirrored_customers",
    answer=ExportCustomerResponse,
    to_row=_customer,
    columns={
        **_HEAD,
        "merged_to_id": "int8",
        "name": "text",
        "type": "text",
        **_PLACE,
        "do_not_mail": "bool",
        "do_not_service": "bool",
        "national_account": "bool",
        **_TAIL,
    },
    found_by=("merged_to_id", "name", *_ADDRESS),
)
LOCATIONS = Shape(
    kind="location",
    table="mirrored_locations",
    answer=ExportLocationsResponse,
    to_row=_location,
    columns={
        **_HEAD,
        "customer_id": "int8",
        "merged_to_id": "int8",
        "name": "text",
        **_PLACE,
        "zone_id": "int8",
        "tax_zone_id": "int8",
        **_TAIL,
    },
    owner="customer_id",
    found_by=("customer_id", "merged_to_id", "name", *_ADDRESS),
)
CUSTOMER_CONTACTS = Shape(
    kind="customer_contact",
    table="mirrored_contacts",
    answer=ExportCustomerContactResponse,
    to_row=_customer_contact,
    columns=_CONTACT,
    fixed={"party": "customer"},
    owner="owner_id",
    found_by=_CONTACT_FOUND_BY,
)
LOCATION_CONTACTS = Shape(
    kind="location_contact",
    table="mirrored_contacts",
    answer=ExportLocationContactResponse,
    to_row=_location_contact,
    columns=_CONTACT,
    fixed={"party": "location"},
    owner="owner_id",
    found_by=_CONTACT_FOUND_BY,
)
BOOKINGS = Shape(
    kind="booking",
    table="mirrored_bookings",
    answer=ExportBookingResponse,
    to_row=_booking,
    columns={
        **_HEAD,
        "external_id": "text",
        "booking_provider_id": "int8",
        "status": "text",
        "job_id": "int8",
        "dismissing_reason_id": "int8",
        "source": "text",
        "name": "text",
        **_ADDRESS,
        "customer_type": "text",
        "start": "timestamptz",
        "summary": "text",
        "campaign_id": "int8",
        "business_unit_id": "int8",
        "job_type_id": "int8",
        "priority": "text",
        "is_first_time_client": "bool",
        "is_send_confirmation_email": "bool",
        "uploaded_images": "text[]",
        "created_on": "timestamptz",
    },
)
LEADS = Shape(
    kind="lead",
    table="mirrored_leads",
    answer=ExportLeadsResponse,
    to_row=_lead,
    columns={**_HEAD, **_LEAD, "tag_type_ids": "int8[]", "created_on": "timestamptz"},
)

SHAPES: dict[str, Shape] = {
    shape.kind: shape for shape in (CUSTOMERS, LOCATIONS, CUSTOMER_CONTACTS, LOCATION_CONTACTS, BOOKINGS, LEADS)
}

FEEDS: dict[str, Shape] = {
    "customers": CUSTOMERS,
    "locations": LOCATIONS,
    "customer_contacts": CUSTOMER_CONTACTS,
    "location_contacts": LOCATION_CONTACTS,
    "bookings": BOOKINGS,
    "leads": LEADS,
}
"""Export feed → what it holds, in the order of a first load."""
