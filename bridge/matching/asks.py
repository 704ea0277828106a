"""The same ask through two sources: a party that asked within the window joins its open booking instead of making another.

Asks are read for a whole batch of inquiries of all its tenants, looked at and opened in memory, and written with what the batch
decides. One owner processes a tenant's deliveries in order, so look and open meet nobody; the primary key of `open_asks` is the
backstop should two owners ever overlap.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from bridge.db.arrays import integers, numbers, texts
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


MOST_OPEN = 64
"""Open asks looked at per inquiry: the newest, where a contact is on more."""

_LOAD = """
SELECT k.tenant, o.party_key, o.person, o.place, o.customer_id, o.effect_key, o.source_id, o.inquiry_key, o.opened_at, o.closes_at
FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[]) AS k (tenant, key, since) CROSS JOIN LATERAL (
  SELECT * FROM open_asks
  WHERE tenant_id = k.tenant AND party_key = k.key AND opened_at > k.since AND closes_at > %s
  ORDER BY opened_at DESC, effect_key LIMIT %s
) AS o
"""
_OPEN = """
INSERT INTO open_asks (tenant_id, party_key, person, place, ask_key, customer_id, effect_key, source_id, inquiry_key, opened_at,
  closes_at)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[],
  %s::timestamptz[], %s::timestamptz[])
ON CONFLICT (tenant_id, party_key, person, place) DO UPDATE
SET ask_key = excluded.ask_key, customer_id = excluded.customer_id, effect_key = excluded.effect_key,
    source_id = excluded.source_id, inquiry_key = excluded.inquiry_key, opened_at = excluded.opened_at,
    closes_at = excluded.closes_at
WHERE open_asks.closes_at <= excluded.opened_at OR open_asks.effect_key = excluded.effect_key
"""


class Asker(NamedTuple):
    """Who asks and where help is wanted, in comparable forms; `keys` say by what the party is recognised."""

    keys: dict[int, str]
    person: str
    place: str
    customer_id: CustomerId | None


class Row(NamedTuple):
    """One key of an open ask, as stored."""

    key: int
    person: str
    place: str
    customer_id: int | None
    effect_key: str
    source_id: str
    inquiry_key: str
    opened_at: datetime
    closes_at: datetime


class OpenAsks:
    """The asks that are open around a batch of inquiries, those included that the batch opens itself."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._by_key: dict[int, list[Row]] = {}
        self._opened: dict[tuple[int, str, str], Row] = {}
        for row in rows:
            self._by_key.setdefault(row.key, []).append(row)

    def find(self, asker: Asker, *, window: timedelta, now: datetime, is_past: bool = False) -> OpenAsk | None:
        """Return the open ask of the same party within the window, the newest first; None where the inquiry asks anew.

        Where `now` is in the past, what was opened later is not seen.
        """
        rows = [
            row
            for key in asker.keys
            for row in self._by_key.get(key, ())
            if row.opened_at > now - window and row.closes_at > now and not (is_past and row.opened_at > now)
        ]
        rows.sort(key=lambda row: row.effect_key)
        rows.sort(key=lambda row: row.opened_at, reverse=True)
        for row in rows[:MOST_OPEN]:
            if not _may_be_one_place(asker.place, row.place):
                continue
            by = asker.keys[row.key]
            known = asker.customer_id
            if by == "customer" or (known is not None and known == row.customer_id):
                return _ask(row, by)
            if _may_be_one_person(asker.person, row.person):
                return _ask(row, by)
        return None

    def open(
        self,
        asker: Asker,
        *,
        effect_key: EffectKey,
        source_id: SourceId,
        inquiry_key: str,
        window: timedelta,
        now: datetime,
    ) -> None:
        """Open an ask for a booking that is being made; where the same is open already, the first stays."""
        for key in asker.keys:
            rows = self._by_key.setdefault(key, [])
            same = [row for row in rows if (row.person, row.place) == (asker.person, asker.place)]
            if any(row.closes_at > now and row.effect_key != effect_key for row in same):
                continue
            row = Row(
                key, asker.person, asker.place, asker.customer_id, effect_key, source_id, inquiry_key, now, now + window
            )
            self._by_key[key] = [one for one in rows if one not in same] + [row]
            self._opened[key, asker.person, asker.place] = row

    def take_opened(self) -> Collection[Row]:
        """Return what was opened since the last call."""
        opened, self._opened = self._opened, {}
        return opened.values()


def asker_of(inquiry: Inquiry, match: Match, *, region: str = "US") -> Asker:
    """Return who asks with an inquiry."""
    party = party_keys(inquiry.person, region=region)
    known = match.customer_id if isinstance(match, Matched) else None
    return Asker(_party_keys(party, match), _person(party), _place(party, match), known)


async def load(
    tx: Tx, askers: Mapping[TenantId, Sequence[Asker]], *, windows: Mapping[TenantId, timedelta], now: datetime
) -> dict[TenantId, OpenAsks]:
    """Return what is open around the askers of each tenant in one round trip; `now` is the earliest at which one of them asks."""
    wanted = {
        tenant_id: sorted({key for asker in asking for key in asker.keys}) for tenant_id, asking in askers.items()
    }
    rows: dict[TenantId, list[Row]] = {tenant_id: [] for tenant_id in askers}
    if any(wanted.values()):
        since = {tenant_id: (now - windows[tenant_id]).isoformat() for tenant_id in wanted}
        values = [
            integers(tenant_id for tenant_id, keys in wanted.items() for _ in keys),
            integers(key for keys in wanted.values() for key in keys),
            texts(since[tenant_id] for tenant_id, keys in wanted.items() for _ in keys),
            now,
            MOST_OPEN,
        ]
        found = await tx.execute(_LOAD, values, prepare=True)
        for tenant_id, *row in await found.fetchall():
            rows[tenant_id].append(Row(*row))
    return {tenant_id: OpenAsks(own) for tenant_id, own in rows.items()}


async def write(tx: Tx, opened: Iterable[tuple[TenantId, Row]]) -> None:
    """Write opened asks of any tenants in one statement; one that another owner opened meanwhile stays his."""
    ordered = sorted(opened)  # one order for all writers
    if ordered:
        await tx.execute(
            _OPEN,
            [
                integers(tenant_id for tenant_id, _ in ordered),
                integers(row.key for _, row in ordered),
                texts(row.person for _, row in ordered),
                texts(row.place for _, row in ordered),
                texts(_name_of(row) for _, row in ordered),
                numbers(row.customer_id for _, row in ordered),
                texts(row.effect_key for _, row in ordered),
                texts(row.source_id for _, row in ordered),
                texts(row.inquiry_key for _, row in ordered),
                texts(row.opened_at.isoformat() for _, row in ordered),
                texts(row.closes_at.isoformat() for _, row in ordered),
            ],
            prepare=True,
        )


def _name_of(row: Row) -> str:
    """Return what makes an ask one: who and where."""
    return hashlib.sha256(f"{row.person}|{row.place}".encode()).hexdigest()[:16]


def _ask(row: Row, by: str) -> OpenAsk:
    """Return a row as an open ask."""
    return OpenAsk(
        effect_key=EffectKey(row.effect_key),
        source_id=SourceId(row.source_id),
        inquiry_key=row.inquiry_key,
        opened_at=row.opened_at,
        customer_id=CustomerId(row.customer_id) if row.customer_id is not None else None,
        by=by,
    )


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


async def prune_asks(tx: Tx, *, now: datetime, limit: int = 5000) -> int:
    """Return how many asks whose window is over were deleted, at most `limit` at once."""
    done = await tx.execute(
        "DELETE FROM open_asks WHERE ctid = ANY(ARRAY(SELECT ctid FROM open_asks WHERE closes_at <= %s LIMIT %s))",
        [now, limit],
    )
    return done.rowcount
