"""The same ask through two doors: a party that asked for service, and whose booking a later inquiry joins while it is open."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from bridge.db.database import Tx
from bridge.domain.ids import CustomerId, EffectKey, SourceId, TenantId
from bridge.domain.inquiry import BookingInquiry
from bridge.domain.keys import PersonKey, fold, key64
from bridge.domain.keys.nicknames import are_forms_of_one
from bridge.domain.match import Match, Matched
from bridge.matching.keys import PartyKeys, party_keys

_FIND = """
SELECT party_key, person, place, ask_key, effect_key, source_id, inquiry_key, opened_at FROM open_asks
WHERE tenant_id = %s AND party_key = ANY(%s) AND closes_at > %s ORDER BY opened_at DESC LIMIT 50
"""

# The key is the backstop: a second booking of the same party cannot be opened beside one that is open.
_OPEN = """
INSERT INTO open_asks (tenant_id, party_key, person, place, ask_key, customer_id, effect_key, source_id, inquiry_key, opened_at,
                       closes_at)
SELECT %s, key, %s, %s, %s, %s, %s, %s, %s, %s, %s FROM unnest(%s::int8[]) AS k (key) ORDER BY key
ON CONFLICT (tenant_id, party_key, person, place) DO UPDATE SET
    ask_key = excluded.ask_key, customer_id = excluded.customer_id, effect_key = excluded.effect_key,
    source_id = excluded.source_id, inquiry_key = excluded.inquiry_key, opened_at = excluded.opened_at,
    closes_at = excluded.closes_at
WHERE open_asks.closes_at <= excluded.opened_at OR open_asks.ask_key <> excluded.ask_key
"""


class OpenAsk(msgspec.Struct, frozen=True, kw_only=True):
    """An ask that is open: the effect that makes its booking, and the inquiry that opened it."""

    effect_key: EffectKey
    source_id: SourceId
    inquiry_key: str
    opened_at: datetime


async def find_open(
    tx: Tx, tenant_id: TenantId, inquiry: BookingInquiry, match: Match, *, region: str, now: datetime
) -> OpenAsk | None:
    """Return the newest open ask of the same party for the same thing, None where there is none.

    A party is the same where a customer, a phone or an e-mail is shared and neither the name nor the place speaks
    against it: a couple's two names on one number are two people, and one landlord's two addresses are two visits.
    """
    party = party_keys(inquiry.person, region=region)
    keys = _keys(party, match)
    if not keys:
        return None
    person, place, ask = _person(party), _place(party), fold(inquiry.service)
    rows = await (await tx.execute(_FIND, [tenant_id, keys, now], prepare=True)).fetchall()
    for _, its_person, its_place, its_ask, effect_key, source_id, inquiry_key, opened_at in rows:
        if _may_be_one(person, its_person) and _agree(place, its_place) and _agree(ask, its_ask):
            return OpenAsk(
                effect_key=EffectKey(effect_key),
                source_id=SourceId(source_id),
                inquiry_key=inquiry_key,
                opened_at=opened_at,
            )
    return None


async def open_ask(  # noqa: PLR0913  the columns of the row
    tx: Tx,
    tenant_id: TenantId,
    inquiry: BookingInquiry,
    match: Match,
    *,
    effect_key: EffectKey,
    source_id: SourceId,
    region: str,
    window: timedelta,
    now: datetime,
) -> None:
    """Let later inquiries of this party join the booking of `effect_key` until the window closes; repeats change nothing."""
    party = party_keys(inquiry.person, region=region)
    keys = _keys(party, match)
    if not keys or not window:
        return
    customer = match.customer_id if isinstance(match, Matched) else None
    await tx.execute(
        _OPEN,
        [
            tenant_id,
            _person(party),
            _place(party),
            fold(inquiry.service),
            customer,
            effect_key,
            source_id,
            inquiry.key,
            now,
            now + window,
            keys,
        ],
        prepare=True,
    )


async def close(tx: Tx, tenant_id: TenantId, effect_key: EffectKey, *, now: datetime) -> None:
    """Let nobody join this booking any more: it was dismissed, or became a job."""
    await tx.execute(
        "UPDATE open_asks SET closes_at = %s WHERE tenant_id = %s AND effect_key = %s AND closes_at > %s",
        [now, tenant_id, effect_key, now],
    )


async def prune(tx: Tx, *, before: datetime) -> int:
    """Delete asks that closed before a time, and return how many."""
    return (await tx.execute("DELETE FROM open_asks WHERE closes_at < %s", [before])).rowcount


def _keys(party: PartyKeys, match: Match) -> list[int]:
    """Return what the party is recognised by: the customer where one is sure, each phone, each mailbox."""
    texts: list[str] = [f"p{phone.e164}" for phone in party.phones]
    texts += [f"m{email.mailbox}" for email in party.emails]
    customer: CustomerId | None = match.customer_id if isinstance(match, Matched) else None
    if customer is not None:
        texts.append(f"c{customer}")
    return [key64(text) for text in texts]


def _person(party: PartyKeys) -> str:
    """Return the name as it is compared: people as given|surname, else a company's telling words."""
    return "&".join(f"{one.given}|{one.surname}" for one in party.people) or " ".join(party.company.company)


def _place(party: PartyKeys) -> str:
    """Return number, street and unit where an address was read; what could not be read speaks neither for nor against."""
    address = party.address
    return f"{address.number} {address.street} {address.unit}".strip() if address.number and address.street else ""


def _agree(ours: str, theirs: str) -> bool:
    return not ours or not theirs or ours == theirs


def _may_be_one(ours: str, theirs: str) -> bool:
    """Tell whether two names may be one person's: equal, a form of the other, or one of them says less."""
    if _agree(ours, theirs):
        return True
    return any(_same(one, other) for one in _read(ours) for other in _read(theirs))


def _read(text: str) -> Iterable[PersonKey]:
    for part in text.split("&"):
        given, _, surname = part.partition("|")
        yield PersonKey(given, "", surname, "")


def _same(one: PersonKey, other: PersonKey) -> bool:
    if one.surname and other.surname and one.surname != other.surname:
        return False
    if not one.given or not other.given:
        return True
    initials = len(one.given) == 1 or len(other.given) == 1
    return (
        one.given == other.given
        or are_forms_of_one(one.given, other.given)
        or (initials and one.given[0] == other.given[0])
    )
