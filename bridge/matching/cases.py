"""Decision cases run through the real path: fixture into the mirror, keys, look-up in SQL, decision; all rolled back."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec

from bridge.db.database import Tx
from bridge.db.match_keys import renew
from bridge.domain.ids import TenantId
from bridge.domain.inquiry import BookingInquiry, Person, PostalAddress
from bridge.domain.match import Ambiguous, Candidate, Match, Matched, MatchKind, MatchSettings, Unmatched
from bridge.matching import candidates
from bridge.matching.decide import decide
from bridge.matching.weights import Weights

CASE_TENANT = TenantId(-1)
"""No tenant of ServiceTitan: nothing of a real one can be met, and everything is rolled back."""
_BEFORE = datetime(2020, 1, 1, tzinfo=UTC)


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one case: best, ok, unexpected, or forbidden."""

    id: str
    title: str
    verdict: str
    grade: str
    customer_id: int | None
    location_id: int | None
    ids_right: bool
    expect: str
    ok: list[str]
    never: list[str]
    explanation: Match


def verdict_word(match: Match) -> str:
    """Return a match in the words of the cases."""
    match match:
        case Matched(kind=MatchKind.CUSTOMER_AND_LOCATION):
            return "MATCH"
        case Matched(kind=MatchKind.CUSTOMER_NEW_LOCATION):
            return "CUST_NEW_LOC"
        case Matched():
            return "CUST_PICK_LOC"
        case Ambiguous(location_customer_differs=True):
            return "LOC_CUST_DIFFERS"
        case Ambiguous():
            return "REVIEW"
        case Unmatched():
            return "NEW"


def _texts(value: Any) -> list[str]:
    """Return one text or several as a list."""
    if value is None or value == "":
        return []
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else [str(value)]


def _text(row: Mapping[str, Any], *names: str) -> str:
    """Return the first of some members that is there, as text."""
    return next((str(row[name]) for name in names if row.get(name) not in (None, "")), "")


def person_of(lead: Mapping[str, Any]) -> Person:
    """Return the person of a case's `lead`: first, last, name, company, phone(s), email(s) and an address."""
    place = lead.get("address")
    where: Mapping[str, Any] = (
        place if isinstance(place, Mapping) else {**lead, "street": lead.get("street") or place or ""}
    )
    return Person(
        name=_text(lead, "name", "full_name"),
        given_name=_text(lead, "first", "first_name", "given_name"),
        surname=_text(lead, "last", "last_name", "surname"),
        company=_text(lead, "company"),
        phones=tuple(phone for key in ("phone", "phones", "phone2") for phone in _texts(lead.get(key))),
        emails=tuple(email for key in ("email", "emails", "email2") for email in _texts(lead.get(key))),
        address=PostalAddress(
            street=_text(where, "street", "address1"),
            unit=_text(where, "unit", "address2"),
            city=_text(where, "city"),
            state=_text(where, "state"),
            zip=_text(where, "zip", "postal_code"),
            country=_text(where, "country"),
        ),
    )


def _address(row: Mapping[str, Any] | str | None) -> list[str]:
    """Return street, unit, city, state and ZIP of a row or of a line of text."""
    if row is None:
        return ["", "", "", "", ""]
    if isinstance(row, str):
        return [row, "", "", "", ""]
    return [
        _text(row, "street", "address1"),
        _text(row, "unit", "address2"),
        *(_text(row, name) for name in ("city", "state", "zip")),
    ]


async def load_fixture(tx: Tx, tenant_id: TenantId, fixture: Mapping[str, Any], *, region: str = "US") -> None:
    """Write a case's customers, locations and contacts into the mirror, with their keys."""
    contact_ids = count(1)
    contacts: list[tuple[Any, ...]] = []

    def reach(party: str, owner: int, row: Mapping[str, Any], memo: str) -> None:
        for kind, values in (("Phone", ("phone", "phones")), ("Email", ("email", "emails"))):
            for value in (text for name in values for text in _texts(row.get(name))):
                contacts.append((tenant_id, party, next(contact_ids), owner, True, kind, value, memo, _BEFORE))
        if memo and not any(_texts(row.get(name)) for name in ("phone", "phones", "email", "emails")):
            contacts.append((tenant_id, party, next(contact_ids), owner, True, "Phone", "", memo, _BEFORE))

    customers = fixture.get("customers") or []
    for row in customers:
        merged = row.get("mergedTo") or row.get("mergedToId") or row.get("merged_to_id") or row.get("merged_to")
        await tx.execute(
            "INSERT INTO mirrored_customers (tenant_id, id, active, merged_to_id, name, type, street, unit, city, state, zip,"
            " do_not_service, modified_on) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [tenant_id, row["id"], row.get("active", True), merged, _text(row, "name"), row.get("type"), *_address(row.get("billing")),
             bool(row.get("doNotService") or row.get("do_not_service")), _BEFORE],
        )  # fmt: skip
        reach("customer", row["id"], row, "")
        for contact in row.get("contacts") or []:
            reach("customer", row["id"], contact, _text(contact, "name", "memo"))
    for row in fixture.get("locations") or []:
        await tx.execute(
            "INSERT INTO mirrored_locations (tenant_id, id, customer_id, active, name, street, unit, city, state, zip, modified_on)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [tenant_id, row["id"], row.get("customer") or row.get("customerId") or row.get("customer_id"), row.get("active", True),
             row.get("name"), *_address(row.get("address") or row), _BEFORE],
        )  # fmt: skip
        for contact in row.get("contacts") or []:
            reach("location", row["id"], contact, _text(contact, "name", "memo"))
    async with tx.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO mirrored_contacts (tenant_id, party, id, owner_id, active, type, value, memo, modified_on)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            contacts,
        )
    await renew(tx, tenant_id, [row["id"] for row in customers], region=region)


async def run_case(tx: Tx, case: Mapping[str, Any], weights: Weights, settings: MatchSettings) -> CaseResult:
    """Return what comes of one case; the transaction is left as if nothing had been."""
    await tx.execute("SAVEPOINT one_case")
    try:
        await load_fixture(tx, CASE_TENANT, case["fixture"], region=settings.region)
        inquiry = BookingInquiry(key=str(case.get("id", "")), person=person_of(case["lead"]))
        (lookup,) = await candidates.find_many(tx, CASE_TENANT, [inquiry], settings)
        match = decide(inquiry, lookup, weights, settings)
    finally:
        await tx.execute("ROLLBACK TO SAVEPOINT one_case")
    word = verdict_word(match)
    best: Candidate | None = next(iter(match.evidence.candidates), None)
    match match:
        case Matched(customer_id=customer, location_id=location):
            ids: Sequence[int | None] = (customer, location)
        case Ambiguous(location_id=location):
            ids = (best.customer_id if best is not None else None, location)
        case Unmatched():
            ids = (None, None)
    expect, ok, never = str(case["expect"]), list(case.get("ok") or []), list(case.get("never") or [])
    ids_right = _ids_right(word, expect, ids, case.get("want_ids"))
    if word in never or (word == expect and not ids_right):
        grade = "forbidden"
    else:
        grade = "best" if word == expect else "ok" if word in ok else "unexpected"
    return CaseResult(
        id=str(case.get("id", "")),
        title=str(case.get("title", "")),
        verdict=word,
        grade=grade,
        customer_id=ids[0],
        location_id=ids[1],
        ids_right=ids_right,
        expect=expect,
        ok=ok,
        never=never,
        explanation=match,
    )


def _ids_right(word: str, expect: str, ids: Sequence[int | None], want: Iterable[int | None] | None) -> bool:
    """Tell whether the ids are the wanted ones where the verdict is the expected one; null wants nothing."""
    if want is None or word != expect:
        return True
    return all(wanted is None or wanted == found for wanted, found in zip(want, ids, strict=False))
