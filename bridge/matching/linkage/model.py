"""What agreement is worth, learnt without labels: EM over the stories of how a left record came about.

A left record is one of: a right record at the same place, a right record that moved, another person of a right record's
household, a stranger at its address, or nobody of the right file. Stories of one left record compete, so two equal
candidates share what one would get, and a household is not taken for a person.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bridge.matching.linkage.vectors import COUNTED, FIELDS, LEVELS, PLACE, Codes, Pairs

Floats = npt.NDArray[np.float64]

STORIES = ("same_place", "elsewhere", "household", "newcomer")
_START = (0.62, 0.06, 0.05, 0.03)
_START_JOINING = 0.2
_SHARES: dict[str, tuple[float, ...]] = {
    "given": (0, 0.82, 0.04, 0.08, 0.01, 0.01, 0.01, 0.03),
    "middle": (0, 0.94, 0.06),
    "surname": (0, 0.87, 0.08, 0.02, 0.01, 0.02),
    "order": (0.99, 0.01),
    "company": (0, 0.8, 0.1, 0.05, 0.05),
    "phone": (0, 0.8, 0.05, 0.15),
    "email": (0, 0.75, 0.05, 0.2),
    "born": (0, 0.9, 0.07, 0.03),
    "national_id": (0, 0.93, 0.05, 0.02),
    "number": (0, 0.9, 0.07, 0.03),
    "street": (0, 0.85, 0.1, 0.03, 0.02),
    "unit": (0, 0.8, 0.08, 0.07, 0.05),
    "zip": (0, 0.9, 0.06, 0.04),
    "city": (0, 0.88, 0.08, 0.04),
    "state": (0, 0.95, 0.05),
}
CROWD = 6
"""From so many right records at a left record's address on it is a crowd: a home, a barracks, a campus, where strangers come and go."""
DOUBTED = 0.985
"""At most this much for one given name at one address under two surnames, and nothing that only one person has: either a
marriage or two people of a building, and no score tells which."""
_ANCHORS = ("phone", "email", "born", "national_id")
_PRIOR_PAIRS = 12.0
"""Pseudo-observations that the starting shares stand for: a file of twenty rows learns little, one of a thousand everything."""
_ROUNDS = 25
_LEAST = 1e-7


class Model(NamedTuple):
    """Shares of each level per field for: the same person, a household's other person, a random pair; priors of the stories."""

    same: tuple[Floats, ...]
    household: tuple[Floats, ...]
    random: tuple[Floats, ...]
    priors: Floats
    """One row for ordinary addresses, one for crowds."""
    size: int
    """Right records a left one could be."""
    joining: float = _START_JOINING
    """Of those who moved, how many now live with somebody whom the right file knows, not anywhere."""


def _normal(counts: Floats) -> Floats:
    """Return counts as shares without the missing level."""
    counts = counts.copy()
    counts[0] = 0.0
    shares: Floats = np.maximum(counts / max(counts.sum(), 1e-12), _LEAST)
    return shares


def shares_of(codes: Codes, field: int, prior: Floats, pseudo: float, weights: Floats | None = None) -> Floats:
    """Return the shares of a field's levels among pairs, with a prior of so many pseudo-observations."""
    levels = len(LEVELS[FIELDS[field]])
    counts = np.bincount(codes[:, field], weights=weights, minlength=levels).astype(float)
    if FIELDS[field] == "order":
        shares: Floats = np.maximum((counts + prior * pseudo) / max((counts + prior * pseudo).sum(), 1e-12), _LEAST)
        return shares
    return _normal(counts + prior * pseudo)


def random_shares(codes: Codes) -> tuple[Floats, ...]:
    """Return the shares of levels among random pairs."""
    out = []
    for field, name in enumerate(FIELDS):
        levels = len(LEVELS[name])
        prior = np.full(levels, 0.02 / levels)
        prior[-1] = 0.98
        if name == "order":
            prior = np.array([0.998, 0.002])
        out.append(shares_of(codes, field, prior, 1.0))
    return tuple(out)


def _bits(pairs: Pairs, model: Model) -> tuple[Floats, Floats, Floats]:
    """Return log2 odds of each pair: person as same, person as household, place as shared."""
    count = len(pairs.left)
    same, household, place = np.zeros(count), np.zeros(count), np.zeros(count)
    for field, name in enumerate(FIELDS):
        codes = pairs.codes[:, field]
        base = np.log2(model.random[field])
        to_same = np.log2(model.same[field]) - base
        to_house = np.log2(model.household[field]) - base
        if name != "order":
            to_same[0] = to_house[0] = 0.0
        one, other = to_same[codes], to_house[codes]
        if name in COUNTED:
            exact = codes == 1
            rare = pairs.rarity[:, COUNTED.index(name)]
            one = np.where(exact, np.log2(model.same[field][1]) - rare, one)
            floor = np.log2(np.maximum(model.household[field][1], np.exp2(rare)))
            other = np.where(
                exact, (floor if name in ("given", "middle") else np.log2(model.household[field][1])) - rare, other
            )
        if name in PLACE:
            place += one
        else:
            same += one
            household += other
    return same, household, place


class Posterior(NamedTuple):
    """Per pair the probability of being the same person, there and in all; per pair of being a household; per left of nobody."""

    stays: Floats
    moved: Floats
    household: Floats
    newcomer: Floats
    joined: Floats
    """Of `moved`, what moved in with somebody known."""


def crowded(pairs: Pairs, lefts: int) -> npt.NDArray[np.int8]:
    """Return 1 for each left record at whose address a crowd lives, else 0."""
    exact = (pairs.codes[:, FIELDS.index("number")] == 1) & (pairs.codes[:, FIELDS.index("street")] == 1)
    return (np.bincount(pairs.left[exact], minlength=lefts) >= CROWD).astype(np.int8)


def posterior(pairs: Pairs, model: Model, lefts: int) -> Posterior:
    """Return the probabilities of every story of every pair; those of one left record and of nobody sum to one."""
    same, household, place = _bits(pairs, model)
    kinds = crowded(pairs, lefts)
    prior = (np.log2(np.maximum(model.priors, 1e-9)) - np.log2(max(model.size, 1)))[kinds[pairs.left]].T
    # Who moved in with somebody known is somebody else at a known place as well; without this the place spoke against them.
    joining = model.joining * _known_place(pairs, place, model, lefts)
    either = 1.0 - model.joining + joining
    moved = prior[1] + same + np.log2(either)[pairs.left]
    logs = np.stack([prior[0] + same + place, moved, prior[2] + household + place, prior[3] + place])
    nobody = np.log2(np.maximum(1.0 - model.priors.sum(axis=1), 1e-3))[kinds]
    top = nobody.copy()
    np.maximum.at(top, pairs.left, logs.max(axis=0))
    powers = np.exp2(np.clip(logs - top[pairs.left], -200, 0))
    total = np.exp2(nobody - top)
    np.add.at(total, pairs.left, powers.sum(axis=0))
    shares = powers / total[pairs.left]
    joined = shares[1] * (joining / either)[pairs.left]
    return Posterior(shares[0], shares[1], shares[2], shares[3], joined)


def _known_place(pairs: Pairs, place: Floats, model: Model, lefts: int) -> Floats:
    """Return per left record how much likelier its address is as one of the right file's than as any."""
    likelier = np.zeros(lefts)
    np.add.at(likelier, pairs.left, np.exp2(np.minimum(place, 200.0)) / max(model.size, 1))
    return likelier


def doubted(pairs: Pairs) -> npt.NDArray[np.bool_]:
    """Return which pairs have two surnames and nothing else in common that one person alone has."""
    surname = FIELDS.index("surname")
    anchored = np.any([pairs.codes[:, FIELDS.index(name)] == 1 for name in _ANCHORS], axis=0)
    differs = pairs.codes[:, surname] == LEVELS["surname"].index("differ")
    found: npt.NDArray[np.bool_] = differs & ~anchored
    return found


def fit(pairs: Pairs, random: Codes, house: Codes, *, lefts: int, rights: int) -> Model:
    """Return the model that explains the pairs best; `house` are pairs of one file that share an address."""
    prior = [np.array(_SHARES[name]) for name in FIELDS]
    unlinked = random_shares(random)
    homes = tuple(
        shares_of(
            house, field, unlinked[field] * 0.5 + prior[field] * 0.5 if name == "surname" else unlinked[field], 40.0
        )
        for field, name in enumerate(FIELDS)
    )
    model = Model(tuple(np.maximum(p, _LEAST) for p in prior), homes, unlinked, np.array((_START, _START)), rights)
    kinds = crowded(pairs, lefts)
    of_kind = np.bincount(kinds, minlength=2)
    for _ in range(_ROUNDS):
        found = posterior(pairs, model, lefts)
        who = found.stays + found.moved
        where = found.stays + found.household + found.newcomer
        same = tuple(
            shares_of(pairs.codes, field, prior[field], _PRIOR_PAIRS, where if name in PLACE else who)
            for field, name in enumerate(FIELDS)
        )
        counts = np.stack([np.bincount(kinds[pairs.left], weights=part, minlength=2) for part in found[:4]], axis=1)
        priors = (counts + np.array(_START) * _PRIOR_PAIRS) / (of_kind[:, None] + _PRIOR_PAIRS)
        settled = bool(np.abs(priors - model.priors).max() < 1e-5)
        joining = float((found.joined.sum() + _START_JOINING * _PRIOR_PAIRS) / (found.moved.sum() + _PRIOR_PAIRS))
        model = model._replace(same=same, priors=priors, joining=joining)
        if settled:
            break
    return model
