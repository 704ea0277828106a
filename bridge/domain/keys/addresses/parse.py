"""The way of an address from fields as they came to its comparable parts."""

from functools import lru_cache

from bridge.domain.keys.addresses.boxes import box_key, plain_route
from bridge.domain.keys.addresses.fields import sort_fields
from bridge.domain.keys.addresses.key import ABSENT_ADDRESS, AddressKey, AddressStatus
from bridge.domain.keys.addresses.line import line_key
from bridge.domain.keys.addresses.localities import city_key, state_key, zip_key
from bridge.domain.keys.addresses.units import unit_key
from bridge.domain.keys.names import fold

MAX_ADDRESS = 300
MAX_NUMBER = 12


@lru_cache(maxsize=1024)
def parse_address(
    street: str, unit: str = "", city: str = "", state: str = "", zip_code: str = "", number: str = ""
) -> AddressKey:
    """Return the comparable parts of an address given as fields, or whole in `street`; `number` where the house number is apart."""
    if not (street or unit or city or state or zip_code or number):
        return ABSENT_ADDRESS
    text = plain_route(street[:MAX_ADDRESS].strip())
    text, unit, city, state, zip_code = sort_fields(text, unit, city, state, zip_code)
    unit = unit_key(unit) if unit else ""
    place = (city_key(city) if city else "", state_key(state) if state else "", zip_key(zip_code) if zip_code else "")
    line = fold(text).replace(".", " ") if "." in text else fold(text)
    if not line.strip() and not number.strip():
        status = AddressStatus.ABSENT if not any(c.isalnum() for c in street + number) else AddressStatus.UNPARSED
        return AddressKey(status, "", "", "", "", "", unit, *place)
    return box_key(line, place) or line_key(line, fold(number.strip()[:MAX_NUMBER]), unit, place)
