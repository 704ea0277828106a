"""The same ask through two sources: a party that asked within the window joins its open booking instead of making another.

Call these in the transaction that decides an inquiry. One owner processes a tenant's deliveries in order, so look and open
meet nobody; the primary key of `open_asks` is the backstop should two owners ever overlap.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Any

import msgspec

from bridge.db.database import Tx
from bridge.domain.ids import CustomerId, EffectKey, LocationId, SourceId, TenantId
from bridge.domain.inquiry import Inquiry
from bridge.domain.keys import AddressStatus, EmailWorth, PhoneWorth, key64
from bridge.domain.match import Ambiguous, Match, Matched, Unmatched
from bridge.matching.compare import given_level, surname_level
from bridge.matching.keys import PartyKeys, party_keys


class OpenAsk(msgspec.Struct, frozen=True, kw_only=True):
    """The booking that an earlier inquiry of the same party opened; `by` says how the party was recognised."""

    effect_key: EffectKey
    source_id: SourceId
    inquiry_key: str
    opened_at: datetime
    customer_id: CustomerId | None
    by: str
    """customer | phone | email"""


_FIND = """
SELECT party_key, person, place, customer_id, effect_key, source_id, inquiry_key, opened_at
FROM open_asks WHERE tenant_id = %s AND party_key = ANY(%s) AND opened_at > %s AND closes_at > %s
ORDER BY opened_at DESC, effect_key LIMIT 64
"""
_OPEN = """
INSERT INTO open_asks (tenant_id, party_key, person, place, ask_key, customer_id, effect_key, source_id, inquiry_key, opened_at,
  closes_at)
SELECT %(tenant)s, key, %(person)s, %(place)s, %(ask)s, %(customer)s, %(effect)s, %(source)s, %(inquiry)s, %(now)s, %(closes)s
FROM unnest(%(keys)s::bigint[]) AS k (key)
ON CONFLICT (tenant_id, party_key, person, place) DO UPDATE
SET ask_key = excluded.ask_key, customer_id = excluded.customer_id, effect_key = excluded.effect_key,
    source_id = excluded.source_id, inquiry_key = excluded.inquiry_key, opened_at = excluded.opened_at,
    closes_at = excluded.closes_at
WHERE open_asks.closes_at <= excluded.opened_at OR open_asks.effect_key = excluded.effect_key
"""


def _party_keys(party: PartyKeys, match: Match) -> dict[int, str]:
    """Return the keys by which a party is recognised within the window, each with what it is."""
    keys: dict[int, str] = {}
    match match:
        case Matched(customer_id=customer):
            keys[key64(f"ask-customer|{customer}")] = "customer"
        case Ambiguous() | Unmatched():
            pass
    for phone in party.phones:
        if phone.worth is not PhoneWorth.TOLL_FREE:
            keys[key64(f"ask-phone|{phone.e164}|{phone.extension}")] = "phone"
    for email in party.emails:
        if email.worth not in (EmailWorth.ROLE, EmailWorth.RELAY):
            keys[key64(f"ask-email|{email.mailbox}")] = "email"
    return keys


def _person(party: PartyKeys) -> str:
    """Return who asks, as `given|surname`, a company's words, or empty for nobody named."""
    if party.people:
        return f"{party.people[0].given}|{party.people[0].surname}"
    return f"@{' '.join(party.company.company)}" if party.company.company else ""


def _place(party: PartyKeys, match: Match) -> str:
    """Return where help is wanted, the same for a location and for its address written out; empty where nobody said."""
    address = party.address
    if address.status is AddressStatus.PARSED:
        return f"{address.number}|{address.street}|{address.unit}"
    location: LocationId | None = match.location_id if isinstance(match, Matched) else None
    return f"#{location}" if location is not None and address.status is not AddressStatus.ABSENT else ""


def _may_be_one_person(one: str, other: str) -> bool:
    """Tell whether two names may be one person's: each part the same, a form of it, an initial, a slip, or not given."""
    if not one or not other or one == other:
        return True
    if one.startswith("@") or other.startswith("@"):
        return True  # a company's line, and somebody who called from it
    given, _, surname = one.partition("|")
    given_there, _, surname_there = other.partition("|")
    straight = given_level(given, given_there) != "differ" and surname_level(surname, surname_there) != "differ"
    turned = given_level(given, surname_there) in ("exact", "missing") and surname_level(surname, given_there) in (
        "exact",
        "missing",
    )
    return straight or (turned and bool(surname and surname_there))


def _may_be_one_place(one: str, other: str) -> bool:
    """Tell whether two inquiries may be about one place: the same, the unit left out, or not said."""
    if not one or not other or one == other:
        return True
    if one.startswith("#") or other.startswith("#"):
        return one.startswith("#") != other.startswith("#")
    number, street, unit = one.split("|")[:3]
    number_there, street_there, unit_there = other.split("|")[:3]
    return (
        number == number_there
        and surname_level(street, street_there) != "differ"
        and (unit == unit_there or not unit or not unit_there)
    )


async def find_open(
    tx: Tx, tenant_id: TenantId, inquiry: Inquiry, match: Match, *, window: timedelta, now: datetime, region: str = "US"
) -> OpenAsk | None:
    """Return the open ask of the same party within the window, the newest first; None where the inquiry asks anew."""
    party = party_keys(inquiry.person, region=region)
    keys = _party_keys(party, match)
    if not keys:
        return None
    rows = await (await tx.execute(_FIND, [tenant_id, list(keys), now - window, now], prepare=True)).fetchall()
    person, place = _person(party), _place(party, match)
    known = match.customer_id if isinstance(match, Matched) else None
    for row in rows:
        if not _may_be_one_place(place, row[2]):
            continue
        by = keys[row[0]]
        if by == "customer" or (known is not None and known == row[3]) or _may_be_one_person(person, row[1]):
            return _ask(row, by)
    return None


def _ask(row: tuple[Any, ...], by: str) -> OpenAsk:
    """Return a row as an open ask."""
    return OpenAsk(
        effect_key=EffectKey(row[4]),
        source_id=SourceId(row[5]),
        inquiry_key=row[6],
        opened_at=row[7],
        customer_id=CustomerId(row[3]) if row[3] is not None else None,
        by=by,
    )


async def open_ask(
    tx: Tx,
    tenant_id: TenantId,
    inquiry: Inquiry,
    match: Match,
    *,
    effect_key: EffectKey,
    source_id: SourceId,
    window: timedelta,
    now: datetime,
    region: str = "US",
) -> OpenAsk | None:
    """Open an ask for a booking that is being made; return the ask of somebody else where one stands in its place already.

    The caller that gets one back must join it instead: another owner was faster.
    """
    party = party_keys(inquiry.person, region=region)
    keys = _party_keys(party, match)
    if not keys:
        return None
    person, place = _person(party), _place(party, match)
    done = await tx.execute(
        _OPEN,
        {
            "tenant": tenant_id,
            "person": person,
            "place": place,
            "ask": hashlib.sha256(f"{person}|{place}".encode()).hexdigest()[:16],
            "customer": match.customer_id if isinstance(match, Matched) else None,
            "effect": effect_key,
            "source": source_id,
            "inquiry": inquiry.key,
            "now": now,
            "closes": now + window,
            "keys": sorted(keys),
        },
        prepare=True,
    )
    if done.rowcount == len(keys):
        return None
    held = await find_open(tx, tenant_id, inquiry, match, window=window, now=now, region=region)
    return held if held is not None and held.effect_key != effect_key else None


async def close_ask(tx: Tx, tenant_id: TenantId, effect_key: EffectKey) -> int:
    """Return how many rows of a booking's ask were closed: it is dismissed, done or converted, and the next ask is new."""
    return (
        await tx.execute("DELETE FROM open_asks WHERE tenant_id = %s AND effect_key = %s", [tenant_id, effect_key])
    ).rowcount


async def prune_asks(tx: Tx, *, now: datetime, limit: int = 5000) -> int:
    """Return how many asks whose window is over were deleted, at most `limit` at once."""
    done = await tx.execute(
        "DELETE FROM open_asks WHERE ctid = ANY(ARRAY(SELECT ctid FROM open_asks WHERE closes_at <= %s LIMIT %s))",
        [now, limit],
    )
    return done.rowcount
