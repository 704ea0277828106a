"""A customer, with a location where one is known, as the mirror last saw them: what a plan compares with."""

import msgspec

from bridge.domain.ids import ContactId, CustomerId, LocationId
from bridge.domain.inquiry import PostalAddress


class KnownContact(msgspec.Struct, frozen=True, kw_only=True):
    """A contact of the customer (`location_id` None) or of one location."""

    id: ContactId
    type: str
    value: str
    memo: str = ""
    location_id: LocationId | None = None
    do_not_text: bool = False


class PartyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in ServiceTitan about a party; custom fields by type id, values as text."""

    customer_id: CustomerId
    name: str = ""
    location_id: LocationId | None = None
    location_name: str = ""
    address: PostalAddress = PostalAddress()
    contacts: tuple[KnownContact, ...] = ()
    customer_fields: dict[int, str] = {}
    location_fields: dict[int, str] = {}
    customer_tags: tuple[int, ...] = ()
    location_tags: tuple[int, ...] = ()
    do_not_service: bool = False
    do_not_mail: bool = False
    active: bool = True


class KnownBooking(msgspec.Struct, frozen=True, kw_only=True):
    """A booking as last seen: `status` New, Accepted, Converted or Dismissed; empty where it is not in the mirror yet."""

    id: int | None = None
    external_id: str = ""
    status: str = ""
    job_id: int | None = None
    customer_id: int | None = None
