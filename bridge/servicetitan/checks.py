"""Rules of the contract that its schema cannot say; each returns what is wrong, None where nothing is (pure)."""

from math import asin, cos, radians, sin, sqrt

from bridge.servicetitan.requests import CreateBookingRequest, CreateCustomerRequest, LeadCreateRequest
from bridge.servicetitan.requests.common import CustomerAddress as AddressToSend
from bridge.servicetitan.responses import CustomerAddress, JobTypeResponse

EARTH_RADIUS = 6_371_000.0  # metres
SAME_PLACE = 150.0  # metres; two geocoders put the same house this far apart, a neighbour's block is further


def booking(body: CreateBookingRequest) -> str | None:
    """Return why ServiceTitan cannot use the booking: it needs a name, and an address or a way to answer."""
    if not body.name.strip():
        return "a booking needs a name"
    if not body.external_id:
        return "a booking without externalId cannot be found again after a timeout"
    if not body.address and not body.contacts:
        return "a booking needs an address, a phone or an e-mail"
    return None


def customer(body: CreateCustomerRequest) -> str | None:
    """Return why no customer can be made of it: work is booked at a location, so there must be one."""
    return None if body.locations else "a customer needs at least one location"


def lead(body: LeadCreateRequest) -> str | None:
    """Return why no lead can be made of it: each of `callReasonId` and `followUpDate` is required without the other."""
    return None if body.call_reason_id or body.follow_up_date else "a lead needs callReasonId or followUpDate"


def is_pair(job_type: JobTypeResponse, business_unit_id: int) -> bool:
    """Return whether the account maps the job type to the business unit; other pairs leave the CSR's form empty."""
    return not job_type.business_unit_ids or business_unit_id in job_type.business_unit_ids


def address_differences(
    held: CustomerAddress, given: AddressToSend | CustomerAddress, *, metres: float = SAME_PLACE
) -> dict[str, tuple[str, str]]:
    """Return what differs between ServiceTitan's address and ours: member → (held, given); `coordinates` in degrees.

    Case and spacing do not count; a ZIP+4 equals its ZIP; coordinates count where both sides have them.
    """
    found: dict[str, tuple[str, str]] = {}
    for name in ("street", "unit", "city", "state", "zip", "country"):
        ours, theirs = _plain(getattr(given, name)), _plain(getattr(held, name))
        if name == "zip":
            ours, theirs = ours.split("-")[0], theirs.split("-")[0]
        if ours.casefold() != theirs.casefold():
            found[name] = (theirs, ours)
    if (
        isinstance(given.latitude, float)
        and isinstance(given.longitude, float)
        and held.latitude is not None
        and held.longitude is not None
        and distance(held.latitude, held.longitude, given.latitude, given.longitude) > metres
    ):
        found["coordinates"] = (f"{held.latitude}, {held.longitude}", f"{given.latitude}, {given.longitude}")
    return found


def distance(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Return the metres between two points given in degrees (haversine)."""
    first, second = radians(latitude), radians(other_latitude)
    half_height = sin((second - first) / 2)
    half_width = sin(radians(other_longitude - longitude) / 2)
    return 2 * EARTH_RADIUS * asin(sqrt(half_height**2 + cos(first) * cos(second) * half_width**2))


def _plain(value: object) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""
