"""Mirrored customers that share a key with an inquiry: one round trip for a batch of any tenants, bounded whatever is asked."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from psycopg import AsyncRawCursor

from bridge.db.database import Tx
from bridge.db.match_keys import listed
from bridge.db.piped import Piped
from bridge.domain.ids import CustomerId, LocationId, SourceId, TenantId
from bridge.domain.inquiry import Inquiry
from bridge.domain.keys import key64
from bridge.domain.keys.record import full_name_texts
from bridge.domain.match import MatchSettings
from bridge.matching.keys import CAPS, KeyKind, PartyKeys, decision_keys, party_keys, wanted_keys
from bridge.matching.lookup import Family, Lookup, MirroredContact, MirroredCustomer, MirroredLocation, Said

_NO_SOURCE = SourceId("")
MAX_CUSTOMERS = 16
MAX_LOCATIONS, MAX_LOCATIONS_OF_OTHERS = 24, 6
MAX_CONTACTS = 24
MAX_CONTACTS_OF_A_PLACE = 12
"""Read at most per inquiry, per customer (the best, and each other; besides the places that keys led to), and per customer or
location: a manager of 5,000 flats costs what a family does, and sixteen of them little more."""
MOST_PLACES, LEAST_PLACES = 64, 3
MOST_CONTACTS, LEAST_CONTACTS = 128, 4
"""Compared at most per inquiry, and at least of each customer: sixteen managers with all their tenants took 150 ms of CPU time."""

# A hit counts by kind: phone and e-mail 8, address 5, person at a place 4, number with a digit wrong 3, name 2. A key that
# fills its cap says nothing, for the rows read would be the first by id: a contact's or an address's adds 1, a name's is left
# out, as is everybody who shares nothing else. Customers that were merged lead to what they became, as does what people said
# of them; one level is enough, ServiceTitan moves the older merges along. Who shares neither contact nor address is left out
# beside somebody who shares four times as much: it changes no verdict, and most of the work went there.
# Each parameter stands in a SELECT of its own, which the planner does not look into: a plan for these values seems no better
# than the plan for any, so it plans once a connection. Planning each time took 0.7 ms, three times the search itself.
_FIND = f"""
WITH hits AS MATERIALIZED (
  SELECT w.q, w.tenant, w.kind, w.key, h.customer_id, h.location_id, count(*) OVER key >= w.cap AS is_full,
    row_number() OVER (PARTITION BY w.q, w.key, h.customer_id) = 1 AS is_first
  FROM (SELECT q, (SELECT $1::bigint[])[q + 1] AS tenant, kind, key, (ARRAY{list(CAPS.values())})[kind] AS cap
    FROM unnest((SELECT $2::int[]), (SELECT $3::int[]), (SELECT $4::bigint[])) AS u (q, kind, key)) w CROSS JOIN LATERAL (
    SELECT k.customer_id, k.location_id FROM match_keys k WHERE k.tenant_id = w.tenant AND k.key = w.key LIMIT w.cap
  ) h WINDOW key AS (PARTITION BY w.q, w.key)
), said AS MATERIALIZED (
  SELECT s.q, s.tenant, d.customer_id, d.location_id, d.same, false AS is_link
  FROM (SELECT q, (SELECT $1::bigint[])[q + 1] AS tenant, key
    FROM unnest((SELECT $5::int[]), (SELECT $6::bigint[])) AS u (q, key)) s CROSS JOIN LATERAL (
    SELECT customer_id, location_id, same FROM pair_decisions WHERE tenant_id = s.tenant AND party_key = s.key OFFSET 0
  ) d
  UNION ALL
  SELECT s.q, s.tenant, l.customer_id, l.location_id, true, true
  FROM (SELECT q, (SELECT $1::bigint[])[q + 1] AS tenant, source_id, record_id
    FROM unnest((SELECT $7::int[]), (SELECT $8::text[]), (SELECT $9::text[])) AS u (q, source_id, record_id)) s
  CROSS JOIN LATERAL (
    SELECT customer_id, location_id FROM links
    WHERE tenant_id = s.tenant AND source_id = s.source_id AND record_id = s.record_id OFFSET 0
  ) l
), ranked AS (
  SELECT q, tenant, customer_id, sum(worth) AS total, bool_or(is_direct) AS is_direct,
    array_agg(location_id) FILTER (WHERE location_id <> 0) AS places,
    first_value(sum(worth)) OVER best AS most, row_number() OVER best AS place
  FROM (
    SELECT q, tenant, customer_id, location_id, kind <= 3 AS is_direct,
      CASE WHEN NOT is_first THEN 0 WHEN is_full THEN 1 ELSE (ARRAY[8, 8, 5, 4, 3, 2])[kind] END AS worth
    FROM hits WHERE kind <= 3 OR NOT is_full
    UNION ALL SELECT q, tenant, customer_id, location_id, true, 100 FROM said WHERE customer_id IS NOT NULL AND same
  ) scored GROUP BY q, tenant, customer_id
  WINDOW best AS (PARTITION BY q ORDER BY sum(worth) DESC, customer_id)
), chosen AS MATERIALIZED (
  SELECT r.q, r.tenant, r.place, r.places, c.id AS found_id, coalesce(c.merged_to_id, c.id) AS id
  FROM ranked r JOIN mirrored_customers c ON c.tenant_id = r.tenant AND c.id = r.customer_id
  WHERE r.place <= {MAX_CUSTOMERS} AND (r.is_direct OR r.total * 4 >= r.most)
), customers AS MATERIALIZED (SELECT tenant, id, min(place) = 1 AS is_best FROM chosen GROUP BY tenant, id),
places AS MATERIALIZED (
  SELECT tenant, unnest(places) AS id FROM chosen
  UNION
  SELECT c.tenant, l.id FROM customers c CROSS JOIN LATERAL (
    SELECT id FROM mirrored_locations WHERE tenant_id = c.tenant AND customer_id = c.id
    LIMIT CASE WHEN c.is_best THEN {MAX_LOCATIONS} ELSE {MAX_LOCATIONS_OF_OTHERS} END
  ) l
)
SELECT 0, q, customer_id, key, NULL, NULL, NULL, NULL, NULL, NULL, false, false FROM hits WHERE kind <= 2
UNION ALL
SELECT 6, q, count(*) FILTER (WHERE is_first), key, NULL, NULL, NULL, NULL, NULL, NULL, false, false FROM hits WHERE kind = 6 GROUP BY q, key
UNION ALL
SELECT 1, q, found_id, id, place::text, array_to_string(places, ','), NULL, NULL, NULL, NULL, false, false FROM chosen
UNION ALL
SELECT 2, x.tenant, c.id, 0, c.name, c.type, c.street, c.unit, c.city, coalesce(c.state, '') || E'\\x1f' || coalesce(c.zip, ''), c.active,
  coalesce(c.do_not_service, false)
FROM customers x JOIN mirrored_customers c ON c.tenant_id = x.tenant AND c.id = x.id
UNION ALL
SELECT 3, x.tenant, l.customer_id, l.id, l.name, l.street, l.unit, l.city, l.state, l.zip, l.active, false
FROM places x JOIN mirrored_locations l ON l.tenant_id = x.tenant AND l.id = x.id
WHERE l.merged_to_id IS NULL
UNION ALL
SELECT 4, x.tenant, x.id, x.at, k.type, k.value, k.memo, NULL, NULL, NULL, true, false
FROM (SELECT tenant, id, 0 AS at, 'customer' AS party FROM customers UNION ALL SELECT tenant, id, id, 'location' FROM places) x
CROSS JOIN LATERAL (
  SELECT type, value, memo FROM mirrored_contacts
  WHERE tenant_id = x.tenant AND party = x.party AND owner_id = x.id AND active
  LIMIT CASE WHEN x.at = 0 THEN {MAX_CONTACTS} ELSE {MAX_CONTACTS_OF_A_PLACE} END
) k
UNION ALL
SELECT 5, s.q, coalesce(c.merged_to_id, s.customer_id), s.location_id, NULL, NULL, NULL, NULL, NULL, NULL, s.same, s.is_link
FROM said s LEFT JOIN mirrored_customers c ON c.tenant_id = s.tenant AND c.id = s.customer_id
""".encode()


class Asked(NamedTuple):
    """An inquiry to look up among a tenant's customers; phones without a country are of `region`."""

    tenant_id: TenantId
    source_id: SourceId
    inquiry: Inquiry
    region: str


async def find(tx: Tx, asked: Sequence[Asked]) -> list[Lookup]:
    """Return what the mirrors know around each inquiry, in their order: one statement however many inquiries and tenants they are.

    To begin it costs PostgreSQL 0.15 ms, and a search in a small mirror as little.
    """
    parties = [party_keys(one.inquiry.person, region=one.region) for one in asked]
    arguments = _arguments(asked, parties)
    lent: object = tx
    if isinstance(lent, Piped):
        return _gather(await (await lent.execute(_FIND, arguments)).fetchall(), asked, parties)
    cursor = AsyncRawCursor(tx)  # one that does not look for %s in 4 KB of text each time
    await cursor.execute(_FIND, arguments, prepare=True)
    return _gather(await cursor.fetchall(), asked, parties)


async def find_many(
    tx: Tx,
    tenant_id: TenantId,
    inquiries: Sequence[Inquiry],
    settings: MatchSettings,
    *,
    source_id: SourceId = _NO_SOURCE,
) -> list[Lookup]:
    """Return what one tenant's mirror knows around each inquiry, in their order."""
    return await find(tx, [Asked(tenant_id, source_id, inquiry, settings.region) for inquiry in inquiries])


def _arguments(asked: Sequence[Asked], parties: Sequence[PartyKeys]) -> list[Any]:
    """Return the parameters of the statement: whose each inquiry is, and which keys, words of people and records it asks for."""
    wanted = [(q, want) for q, party in enumerate(parties) for want in wanted_keys(party)]
    said = [(q, key) for q, party in enumerate(parties) for key in decision_keys(party)]
    records = [
        (q, one.source_id, one.inquiry.record_id[:500].replace("\0", ""))
        for q, one in enumerate(asked)
        if one.inquiry.record_id
    ]
    return [
        listed([one.tenant_id for one in asked]),
        listed([q for q, _ in wanted]),
        listed([int(want.kind) for _, want in wanted]),
        listed([want.key for _, want in wanted]),
        listed([q for q, _ in said]),
        listed([key for _, key in said]),
        listed([q for q, _, _ in records]),
        [source_id for _, source_id, _ in records],
        [record for _, _, record in records],
    ]


_Of = tuple[int, int]
"""Tenant and id: two tenants may have the same."""


def _gather(rows: Iterable[tuple[Any, ...]], asked: Sequence[Asked], parties: Sequence[PartyKeys]) -> list[Lookup]:
    """Return the rows of the statement as one lookup per inquiry; families are shared where several inquiries meet one."""
    holders: list[dict[int, set[int]]] = [{} for _ in parties]
    bearers: list[dict[int, int]] = [{} for _ in parties]
    chosen: list[dict[int, tuple[int, int]]] = [{} for _ in parties]
    customers: dict[_Of, tuple[Any, ...]] = {}
    locations: dict[_Of, list[MirroredLocation]] = {}
    contacts: dict[_Of, list[MirroredContact]] = {}
    at_places: dict[_Of, list[MirroredContact]] = {}
    said: list[list[Said]] = [[] for _ in parties]
    met: list[dict[int, list[str]]] = [{} for _ in parties]
    for kind, q, one, other, a, b, c, d, e, f, yes, also in rows:
        match kind:
            case 0:
                holders[q].setdefault(other, set()).add(one)
            case 1:
                place, kept = int(a), chosen[q].get(other)
                if kept is None or place < kept[0]:
                    chosen[q][other] = (place, one)
                if b:
                    met[q].setdefault(other, []).append(b)
            case 2:  # of these three kinds the second is the tenant
                state, _, code = (f or "\x1f").partition("\x1f")
                customers[q, one] = (a or "", b or "", yes, also, c or "", d or "", e or "", state, code)
            case 3:
                locations.setdefault((q, one), []).append(
                    MirroredLocation(LocationId(other), a or "", yes, b or "", c or "", d or "", e or "", f or "")
                )
            case 4:
                at = at_places if other else contacts
                at.setdefault((q, one), []).append(MirroredContact(other, a or "", b or "", c or ""))
            case 6:
                bearers[q][other] = one
            case _:
                said[q].append(Said(one, other, yes, also))
    families: dict[tuple[int, int, int], Family] = {}
    for one, found in zip(asked, chosen, strict=True):
        for id_, (_, found_id) in found.items():
            of, name = (one.tenant_id, id_), (one.tenant_id, id_, found_id)
            if of in customers and name not in families:
                families[name] = _family(
                    id_, found_id, customers[of], locations.get(of, []), contacts.get(of, []), at_places,
                    tenant_id=one.tenant_id, region=one.region,
                )  # fmt: skip
    return [
        Lookup(
            families=bounded(
                [
                    families[asked[q].tenant_id, id_, found_id]
                    for id_, (_, found_id) in sorted(chosen[q].items(), key=lambda item: item[1][0])
                    if (asked[q].tenant_id, id_) in customers
                ],
                met[q],
            ),
            holders=_holders(party, {key: len(ids) for key, ids in holders[q].items()} | bearers[q]),
            said=tuple(said[q]),
            party=party,
        )
        for q, party in enumerate(parties)
    ]


def bounded(families: Sequence[Family], met: Mapping[int, Sequence[str]]) -> tuple[Family, ...]:
    """Return the families, the best first, with no more to compare than fits: the places whose keys were met most often stay.

    Each family gets half of what is left, so that many large ones cost little more than one. `met` lists per customer the
    locations as often as a key led there.
    """
    if (
        sum(len(family.locations) for family in families) <= MOST_PLACES
        and sum(len(family.contacts) for family in families) <= MOST_CONTACTS
    ):
        return tuple(families)
    out: list[Family] = []
    places_left, contacts_left = MOST_PLACES, MOST_CONTACTS
    for family in families:
        often = Counter(",".join(met.get(family.customer.id, ())).split(","))
        places = sorted(family.locations, key=lambda location: (-often[str(location.id)], location.id))
        places = places[: max(LEAST_PLACES, places_left // 2)]
        rank = {0: -1} | {location.id: at for at, location in enumerate(places)}
        contacts = [contact for contact in family.contacts if contact.location_id in rank]
        contacts.sort(key=lambda contact: rank[contact.location_id])
        contacts = contacts[: max(LEAST_CONTACTS, contacts_left // 2)]
        places_left, contacts_left = places_left - len(places), contacts_left - len(contacts)
        out.append(family.within(places, contacts))
    return tuple(out)


def _family(
    id_: int,
    found: int,
    row: tuple[Any, ...],
    locations: list[MirroredLocation],
    contacts: list[MirroredContact],
    at_places: Mapping[_Of, Sequence[MirroredContact]],
    *,
    tenant_id: TenantId,
    region: str,
) -> Family:
    """Return one customer with what belongs to it, in the order of ids, so that the same mirror gives the same answer."""
    name, type_, active, do_not_service, street, unit, city, state, code = row
    merged = CustomerId(found) if found != id_ else None
    customer = MirroredCustomer(
        CustomerId(id_), name, type_, active, do_not_service, merged, street, unit, city, state, code
    )
    places = tuple(sorted(locations, key=lambda location: location.id))
    everyone = sorted(contacts)
    for location in places:
        everyone += sorted(at_places.get((tenant_id, location.id), []))
    return Family(customer, places, tuple(everyone), region=region)


def _holders(party: PartyKeys, counted: Mapping[int, int]) -> dict[str, int]:
    """Return per contact and full name of the party how many customers have it, as far as they were read."""
    values = [(f"p{phone.e164}", phone.e164) for phone in party.phones]
    values += [(f"m{mail.mailbox}", mail.mailbox) for mail in party.emails]
    values += [
        (text, f"{person.given} {person.surname}") for person in party.people for text in full_name_texts(person)
    ]
    return {value: counted.get(key64(text), 0) for text, value in values}


__all__ = ["Asked", "KeyKind", "find", "find_many"]
