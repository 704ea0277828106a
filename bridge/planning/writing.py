"""What people in the office read: the summary of a booking, the note on a customer."""

from collections.abc import Iterable

from bridge.domain.inquiry import Answer, BookingInquiry, Person, PostalAddress
from bridge.domain.match import Ambiguous, Candidate, Match, Matched, Unmatched
from bridge.domain.values import phone_e164

SUMMARY_LIMIT = 6000
"""Characters; ServiceTitan names no limit, and nobody at the phone reads more."""
_COUNTRIES = {"US": "USA", "CA": "Canada"}


def summary_of(inquiry: BookingInquiry, match: Match) -> str:
    """Return what the office reads: the wish, every answer that no field took, who it may be, how to reach them."""
    person = inquiry.person
    lines = [
        inquiry.message,
        f"Service: {inquiry.service}" if inquiry.service else "",
        f"Preferred time: {inquiry.preferred_time}" if inquiry.preferred_time else "",
        *answers_of(inquiry.answers),
        match_note(match),
        f"Company: {person.company}" if person.company and person.company != person.display_name else "",
        reach_of(person),
        f"Address as given: {address_text(person.address)}" if person.address and not whole(person.address) else "",
        f"Consent: {inquiry.consent}" if inquiry.consent else "",
    ]
    return clipped("\n".join(line for line in lines if line) or f"Inquiry by {inquiry.channel}")


def answers_of(answers: Iterable[Answer]) -> list[str]:
    """Return each answer as a line, so that nothing the person wrote is lost."""
    return [f"{answer.label}: {answer.value}" if answer.label else answer.value for answer in answers if answer.value]


def reach_of(person: Person) -> str:
    """Return how to reach the person, one line."""
    ways = " / ".join((*person.phones, *person.emails))
    return f"Reach: {ways}" if ways else ""


def clipped(text: str) -> str:
    """Return a text no longer than the office reads."""
    return text if len(text) <= SUMMARY_LIMIT else text[: SUMMARY_LIMIT - 1] + "…"


def match_note(match: Match) -> str:
    """Return one line about who this is; candidates are named, since a lead never waits for the answer."""
    match match:
        case Matched(customer_id=customer, location_id=location):
            where = f", location {location}" if location is not None else ""
            flags = match.evidence.candidates[0].flags if match.evidence.candidates else ()
            warning = " DO NOT SERVICE is set." if "do_not_service" in flags else ""
            return f"Existing customer {customer}{where}.{warning}"
        case Ambiguous(location_customer_differs=True) | Ambiguous(is_newcomer=True):
            return f"Known address, other name: {_names(match)}."
        case Ambiguous():
            return f"May be an existing customer: {_names(match)}."
        case Unmatched():
            return ""


def _names(match: Match) -> str:
    return "; ".join(_named(candidate) for candidate in match.evidence.candidates[:3]) or "see the review queue"


def _named(candidate: Candidate) -> str:
    where = f", location {candidate.location_id}" if candidate.location_id is not None else ""
    return f"{candidate.customer_name or 'customer'} (customer {candidate.customer_id}{where})"


def address_text(address: PostalAddress) -> str:
    """Return an address in one line, as given where it could not be taken apart."""
    parts = (address.street, address.unit, address.city, address.state, address.zip)
    return address.raw or ", ".join(part for part in parts if part)


def whole(address: PostalAddress, *, region: str = "US") -> PostalAddress | None:
    """Return the address with its country where street, city, state and ZIP are there: ServiceTitan takes no part of one."""
    if not (address.street and address.city and address.state and address.zip):
        return None
    if address.country:
        return address
    return PostalAddress(
        street=address.street,
        unit=address.unit,
        city=address.city,
        state=address.state,
        zip=address.zip,
        country=_COUNTRIES.get(region, region),
        raw=address.raw,
    )


def comparable(value: str, region: str) -> str:
    """Return a contact value in the form in which two of them are the same."""
    text = value.strip()
    return text.casefold() if "@" in text else phone_e164(text, region) or "".join(filter(str.isalnum, text)).casefold()


def is_new_in(text: str, known: str) -> bool:
    """Tell whether a text says something that another does not, blanks and case aside."""
    return bool(_folded(text)) and _folded(text) not in _folded(known)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
