"""Weights learnt from a tenant's own mirror and recent inquiries by EM, without labels; the shipped ones are the prior."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from bridge.db.database import Tx
from bridge.domain.ids import TenantId
from bridge.domain.inquiry import Inquiry
from bridge.domain.keys import read_name
from bridge.domain.match import Ambiguous, Match, Matched, MatchSettings, Unmatched
from bridge.matching import candidates
from bridge.matching.decide import decide
from bridge.matching.keys import PartyKeys, party_keys
from bridge.matching.lookup import Lookup
from bridge.matching.stories import IS_CUSTOMER, StoryKind, tell
from bridge.matching.weights import Shares, Weights, shipped

MOST_INQUIRIES = 1000
MOST_NAMES = 50_000
"""Read at most, so that a fit takes seconds whatever the tenant's size."""
_AT_ONCE = 50
_ROUNDS = 4
_SINCE = timedelta(days=180)
_PSEUDO_PAIRS = 200.0
_PSEUDO_NAMES = 20_000.0
"""Observations that the shipped shares stand for: few of the tenant's own change little."""
_LEAST_POPULATION = 10_000.0
_TOLD_BITS = 0.5
"""A weight that moved by less is not worth a line."""
_HOUSEHOLD = frozenset((StoryKind.HOUSEHOLD, StoryKind.RELATIVE))
Counts = Mapping[tuple[str, str], tuple[float, float]]
"""Expected pairs of the same person and of a household, by field and level."""


class WeightChange(msgspec.Struct, frozen=True, kw_only=True):
    """A weight in bits as it is in force, and as it would be."""

    field: str
    level: str
    before: float
    after: float


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """What a fit learnt from, and what would change if it were used."""

    version: str
    compared_with: str
    customers: int
    inquiries: int
    weights: tuple[WeightChange, ...]
    verdicts_changed: int
    transitions: dict[str, int]
    """How many recorded inquiries would go from one verdict to another."""


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded inquiry with what the mirror knows around it."""

    inquiry: Inquiry
    party: PartyKeys
    lookup: Lookup


def expected(observed: Sequence[Observed], weights: Weights, settings: MatchSettings) -> Counts:
    """Return how often each level is to be expected among the same person and among a household, under these weights."""
    same: dict[tuple[str, str], float] = defaultdict(float)
    household: dict[tuple[str, str], float] = defaultdict(float)
    for one in observed:
        told = tell(one.party, one.lookup.families, one.lookup, weights, settings)
        for story, chance in zip(told.stories, told.chances, strict=True):
            if story.identity is None or not (story.kind in IS_CUSTOMER or story.kind in _HOUSEHOLD):
                continue
            counts = same if story.kind in IS_CUSTOMER else household
            for part in (*story.identity.parts, *(story.place.parts if story.place is not None else ())):
                counts[part.field, part.level] += chance
    return {key: (same[key], household[key]) for key in {*same, *household}}


def maximised(counts: Counts, prior: Weights) -> dict[str, dict[str, Shares]]:
    """Return the shares of each level as counted, the prior's as pseudo-counts; strangers' shares stay."""
    fields: dict[str, dict[str, Shares]] = {}
    for field, levels in prior.fields.items():
        totals = [sum(counts.get((field, level), (0.0, 0.0))[column] for level in levels) for column in (0, 1)]
        masses = [sum(shares[column] for shares in levels.values()) for column in (0, 1)]
        fields[field] = {}
        for level, shares in levels.items():
            seen = counts.get((field, level), (0.0, 0.0))
            learnt = [
                masses[column] * (seen[column] + _PSEUDO_PAIRS * shares[column] / masses[column])
                / (totals[column] + _PSEUDO_PAIRS)
                for column in (0, 1)
            ]  # fmt: skip
            fields[field][level] = (learnt[0], learnt[1], shares[2])
    return fields


def shares_of_names(counted: Counter[str], prior: Mapping[str, float], *, rare: float) -> dict[str, float]:
    """Return how common names are, the prior's shares as pseudo-counts; one seen once or twice stays as rare as it was."""
    total = counted.total() + _PSEUDO_NAMES
    names = {*prior, *(name for name, seen in counted.items() if seen > 2)}
    return {name: max((counted[name] + _PSEUDO_NAMES * prior.get(name, rare)) / total, rare) for name in names}


def fit(
    names: Sequence[str], customers: int, observed: Sequence[Observed], settings: MatchSettings, *, version: str
) -> Weights:
    """Return weights fitted to a mirror's names and to recent inquiries."""
    prior = shipped()
    surnames: Counter[str] = Counter()
    given: Counter[str] = Counter()
    for name in names:
        for person in read_name(name[:200]).people:
            surnames.update(person.surname.split())
            given.update(person.given.split())
    weights = msgspec.structs.replace(
        prior,
        version=version,
        surnames=shares_of_names(surnames, prior.surnames, rare=prior.rare_surname),
        given_names=shares_of_names(given, prior.given_names, rare=prior.rare_given),
        population=max(float(customers), _LEAST_POPULATION),
        trained_pairs=len(observed),
    )
    for _ in range(_ROUNDS):
        counts = expected(observed, weights, settings)
        weights = msgspec.structs.replace(weights, fields=maximised(counts, prior))
    return weights


def moved(before: Weights, after: Weights) -> tuple[WeightChange, ...]:
    """Return the weights that would change, the most first."""
    changes = [
        WeightChange(field=field, level=level, before=round(old, 2), after=round(new, 2))
        for field, levels in after.fields.items()
        for level in levels
        if abs((new := after.bits(field, level)) - (old := before.bits(field, level))) >= _TOLD_BITS
    ]
    return tuple(sorted(changes, key=lambda change: -abs(change.after - change.before)))


def _verdict(found: Match) -> str:
    """Return a verdict in short: its kind, whom, and whether a record may be written."""
    match found:
        case Matched(kind=kind, may_write=may_write):
            return f"{kind.value}{'' if may_write else ' (not written)'}"
        case Ambiguous(location_customer_differs=differs):
            return "location_customer_differs" if differs else "ambiguous"
        case Unmatched():
            return "unmatched"


def transitions(
    observed: Sequence[Observed], before: Weights, after: Weights, settings: MatchSettings
) -> dict[str, int]:
    """Return how many inquiries would get another verdict, by both verdicts."""
    counted: Counter[str] = Counter()
    for one in observed:
        old, new = (decide(one.inquiry, one.lookup, weights, settings) for weights in (before, after))
        whom = [found.customer_id if isinstance(found, Matched) else None for found in (old, new)]
        if _verdict(old) != _verdict(new) or whom[0] != whom[1]:
            counted[f"{_verdict(old)} -> {_verdict(new)}"] += 1
    return dict(counted.most_common())


async def train(
    tx: Tx, tenant_id: TenantId, in_force: Weights, settings: MatchSettings, *, now: datetime
) -> tuple[Weights, Training] | None:
    """Return fitted weights and what they would change; None where the mirror holds nobody."""
    rows = await tx.execute(
        "SELECT name FROM mirrored_customers WHERE tenant_id = %s AND merged_to_id IS NULL ORDER BY id LIMIT %s",
        [tenant_id, MOST_NAMES],
    )
    names = [row[0] or "" for row in await rows.fetchall()]
    if not names:
        return None
    counted = await tx.execute("SELECT count(*) FROM mirrored_customers WHERE tenant_id = %s", [tenant_id])
    customers = (await counted.fetchone() or (0,))[0]
    observed = await _recent(tx, tenant_id, settings, now=now)
    weights = fit(names, customers, observed, settings, version=f"fit-{now:%Y%m%d-%H%M%S}")
    changed = transitions(observed, in_force, weights, settings)
    return weights, Training(
        version=weights.version,
        compared_with=in_force.version,
        customers=customers,
        inquiries=len(observed),
        weights=moved(in_force, weights),
        verdicts_changed=sum(changed.values()),
        transitions=changed,
    )


async def _recent(tx: Tx, tenant_id: TenantId, settings: MatchSettings, *, now: datetime) -> list[Observed]:
    """Return recorded inquiries, the newest first and each once, looked up anew."""
    rows = await tx.execute(
        "SELECT inquiry_key, inquiry::text FROM decisions WHERE tenant_id = %s AND decided_at > %s AND inquiry IS NOT NULL"
        " ORDER BY decided_at DESC LIMIT %s",
        [tenant_id, now - _SINCE, MOST_INQUIRIES],
    )
    latest: dict[str, str] = {}
    for key, text in await rows.fetchall():
        latest.setdefault(key, text)
    inquiries: list[Inquiry] = [msgspec.json.decode(text, type=Inquiry) for text in latest.values()]
    observed: list[Observed] = []
    for start in range(0, len(inquiries), _AT_ONCE):
        asked = inquiries[start : start + _AT_ONCE]
        lookups = await candidates.find_many(tx, tenant_id, asked, settings)
        observed += [
            Observed(inquiry=inquiry, party=party_keys(inquiry.person, region=settings.region), lookup=lookup)
            for inquiry, lookup in zip(asked, lookups, strict=True)
        ]
    return observed
