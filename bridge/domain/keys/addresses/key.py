"""What reading an address comes to: its parts in forms that can be compared, and how far it was understood."""

from enum import StrEnum
from typing import NamedTuple


class AddressStatus(StrEnum):
    """How far an address was understood."""

    ABSENT = "absent"
    PARSED = "parsed"
    """House number and street."""
    PARTIAL = "partial"
    """A street without a number, or a number without a street."""
    PO_BOX = "po_box"
    UNPARSED = "unparsed"
    """Something was typed that we cannot read."""


class AddressKey(NamedTuple):
    """An address in comparable parts, folded; empty text is "not given". `street` is the name without direction and suffix."""

    status: AddressStatus
    number: str
    before: str
    street: str
    suffix: str
    after: str
    unit: str
    city: str
    state: str
    zip: str
    """Five digits, a Canadian code of six, or another country's as it came."""


ABSENT_ADDRESS = AddressKey(AddressStatus.ABSENT, "", "", "", "", "", "", "", "", "")
