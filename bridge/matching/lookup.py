"""What the mirror knows around one inquiry: customers with their locations and contacts, and what people have said."""

from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

from bridge.domain.ids import CustomerId, LocationId
from bridge.domain.keys import (
    AddressKey,
    EmailKey,
    NameKey,
    NameKind,
    PhoneKey,
    email_keys,
    parse_address,
    phone_keys,
    read_name,
)
from bridge.domain.keys.record import name_in
from bridge.matching.keys import PartyKeys


class MirroredContact(NamedTuple):
    """A contact as mirrored; `location_id` 0 for the customer's own."""

    location_id: int
    type: str
    value: str
    memo: str


class MirroredLocation(NamedTuple):
    """A location as mirrored."""

    id: LocationId
    name: str
    is_active: bool
    street: str
    unit: str
    city: str
    state: str
    zip: str

    @property
    def address(self) -> AddressKey:
        """The address in comparable parts."""
        return parse_address(self.street, self.unit, self.city, self.state, self.zip)

    @property
    def line(self) -> str:
        """The address as one line, as mirrored."""
        return ", ".join(filter(None, (self.street, self.unit, self.city, self.state, self.zip)))


class MirroredCustomer(NamedTuple):
    """A customer as mirrored; the address is the one of its bills."""

    id: CustomerId
    name: str
    type: str
    is_active: bool
    do_not_service: bool
    merged_from: CustomerId | None
    street: str
    unit: str
    city: str
    state: str
    zip: str


class Who(NamedTuple):
    """One name under which a customer may ask, with the contacts that belong to it; `location_id` 0 for the customer's own."""

    location_id: int
    name: NameKey
    phones: tuple[PhoneKey, ...]
    emails: tuple[EmailKey, ...]


class Family:
    """A customer with the locations and contacts that were looked up, its contacts read into comparable forms when first asked."""

    def __init__(
        self,
        customer: MirroredCustomer,
        locations: tuple[MirroredLocation, ...],
        contacts: tuple[MirroredContact, ...],
        *,
        region: str,
    ) -> None:
        self.customer = customer
        self.locations = locations
        self.contacts = contacts
        self._region = region
        self.name = read_name(customer.name)
        self.is_placeholder = self.name.kind in (NameKind.PLACEHOLDER, NameKind.ABSENT)
        """The customer is nobody: a name to park locations under."""

    def within(self, places: Iterable[MirroredLocation], contacts: Iterable[MirroredContact]) -> "Family":
        """Return the family with some of its places and contacts alone, in the order of ids."""
        return Family(
            self.customer,
            tuple(sorted(places, key=lambda location: location.id)),
            tuple(sorted(contacts, key=lambda contact: contact.location_id)),
            region=self._region,
        )

    @cached_property
    def whos(self) -> tuple[Who, ...]:
        """Everybody who may ask for this customer: itself with its own contacts, and each named contact with its own."""
        groups: dict[tuple[int, str], tuple[NameKey, list[PhoneKey], list[EmailKey]]] = {}
        own: tuple[NameKey, list[PhoneKey], list[EmailKey]] = (self.name, [], [])
        groups[0, ""] = own
        for location in self.locations:
            if location.name and location.name != self.customer.name:
                named = read_name(location.name)
                if named.kind in (NameKind.PERSON, NameKind.COMPANY) and named != self.name:
                    groups.setdefault((location.id, named.full), (named, [], []))
        for contact in self.contacts:
            named_in = name_in(contact.memo)
            group = groups.setdefault((contact.location_id, named_in.full), (named_in, [], [])) if named_in else own
            if contact.location_id and not named_in:
                group = groups.setdefault((contact.location_id, ""), (self.name, [], []))
            if contact.type == "Email" or "@" in contact.value:
                group[2].extend(email_keys(contact.value))
            else:
                group[1].extend(phone_keys(contact.value, self._region))
        return tuple(
            Who(where, name, tuple(phones), tuple(emails)) for (where, _), (name, phones, emails) in groups.items()
        )


class Said(NamedTuple):
    """What a person decided earlier: by the sender's record (a Link) or by the pair of party and customer."""

    customer_id: CustomerId | None
    location_id: LocationId | None
    is_same: bool
    is_link: bool


class Lookup(NamedTuple):
    """Everything that is known around one inquiry; `holders` counts, per contact and full name, the customers that have it.

    `party` is the inquiry's party as it was looked up, so that it is read once.
    """

    families: tuple[Family, ...] = ()
    holders: dict[str, int] = {}  # noqa: RUF012  # an empty default that nobody writes to
    said: tuple[Said, ...] = ()
    party: PartyKeys | None = None
