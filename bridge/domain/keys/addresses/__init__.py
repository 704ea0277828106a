"""US and Canadian addresses as comparable parts (`parse_address`). A text that does not parse is `unparsed`, never "no address".

An address goes through `parse`: `fields` puts what ran together where it belongs, `localities` reads city, state and ZIP,
`boxes` what is no street; `line` takes the rest into house number, unit (`units`) and street (`roads` with a number,
`streets` with a name, whose kind is one of `suffixes`). `key` is what comes out.
"""

from bridge.domain.keys.addresses.key import AddressKey, AddressStatus
from bridge.domain.keys.addresses.localities import city_key, state_key, zip_key
from bridge.domain.keys.addresses.parse import parse_address
from bridge.domain.keys.addresses.suffixes import FORMS_OF_SUFFIX
from bridge.domain.keys.addresses.units import unit_key

__all__ = [
    "FORMS_OF_SUFFIX",
    "AddressKey",
    "AddressStatus",
    "city_key",
    "parse_address",
    "state_key",
    "unit_key",
    "zip_key",
]
