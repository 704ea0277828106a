"""Links two files without labels and compares with the truth: precision, recall, F1, the bound of wrong links, time."""

from collections import defaultdict
from collections.abc import Sequence
from random import Random
from time import perf_counter

import msgspec
import numpy as np

from bridge.matching.bounds import upper_bound
from bridge.matching.linkage.completing import completed
from bridge.matching.linkage.files import Record
from bridge.matching.linkage.model import DOUBTED, Model, Posterior, doubted, fit, posterior
from bridge.matching.linkage.vectors import FIELDS, LEVELS, Codes, Index, Pairs, Rarity, codes_of, compare_all

THRESHOLDS = (0.5, 0.99, 0.999)
_RANDOM_PAIRS = 120_000
_HOUSE_PAIRS = 40_000


class AtThreshold(msgspec.Struct, frozen=True, kw_only=True):
    """What linking at a probability gives; `wrong_upper` is the exact 95 % upper bound of wrong links among the links."""

    threshold: float
    links: int
    right: int
    wrong: int
    precision: float
    recall: float
    f1: float
    wrong_upper: float


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """The result of linking two files; times in milliseconds, `recall_lookup` counts left records and not pairs."""

    left: int
    right: int
    true_pairs: int
    linkable: int
    compared_pairs: int
    pairs_found: int
    blocking_lost: int
    at: list[AtThreshold]
    priors: dict[str, float]
    weights: dict[str, dict[str, float]]
    fit_seconds: float
    lookup_ms_p50: float
    lookup_ms_p99: float


def _sample(left: Sequence[Record], right: Sequence[Record], seed: Random) -> Codes:
    """Return random pairs compared."""
    count = min(_RANDOM_PAIRS, len(left) * len(right) * 2)
    return np.array([codes_of(seed.choice(left), seed.choice(right)) for _ in range(count)], dtype=np.int8).reshape(
        -1, len(FIELDS)
    )


def _households(files: Sequence[Sequence[Record]], seed: Random) -> Codes:
    """Return pairs of one file that share number, street, unit and ZIP compared: other people of a household."""
    out: list[list[int]] = []
    for records in files:
        homes: dict[tuple[str, ...], list[Record]] = defaultdict(list)
        for record in records:
            if record.address.number and record.street:
                homes[record.address.number, record.street, record.unit, record.zip or record.city].append(record)
        for members in homes.values():
            people = members if len(members) <= 12 else seed.sample(members, 12)
            out += [
                codes_of(one, other)
                for place, one in enumerate(people)
                for other in people[place + 1 :]
                if not _looks_double(one, other)
            ]
    if len(out) > _HOUSE_PAIRS:
        out = seed.sample(out, _HOUSE_PAIRS)
    return np.array(out, dtype=np.int8).reshape(-1, len(FIELDS))


def _looks_double(one: Record, other: Record) -> bool:
    """Tell whether two rows of one file at one address are the same person twice: same given name, surname and birth."""
    return (
        one.person.given == other.person.given
        and one.person.surname == other.person.surname
        and one.person.middle[:1] == other.person.middle[:1]
        and one.born == other.born
    )


def learn(left: Sequence[Record], right: Sequence[Record], *, seed: int = 1) -> tuple[Model, Pairs, Index, Rarity]:
    """Return the model learnt from two files, with the pairs it was learnt from."""
    chance = Random(seed)  # noqa: S311  # a sample, no secret
    index, rarity = Index(right), Rarity(right)
    pairs = compare_all(left, right, index, rarity)
    model = fit(
        pairs, _sample(left, right, chance), _households((left, right), chance), lefts=len(left), rights=len(right)
    )
    return model, pairs, index, rarity


def best_links(pairs: Pairs, found: Posterior, lefts: int) -> tuple[np.ndarray, np.ndarray]:
    """Return per left record its best right record (-1 for none) and the probability that it is the same person."""
    who = np.minimum(found.stays + found.moved, np.where(doubted(pairs), DOUBTED, 1.0))
    best, chance = np.full(lefts, -1), np.zeros(lefts)
    order = np.lexsort((-pairs.right, who, pairs.left))
    best[pairs.left[order]] = pairs.right[order]
    chance[pairs.left[order]] = who[order]
    return best, chance


def evaluate(
    left: Sequence[Record], right: Sequence[Record], truth: set[tuple[str, str]], *, seed: int = 1
) -> Evaluation:
    """Return how well two files are linked without labels."""
    started = perf_counter()
    right = completed(right)
    model, pairs, index, rarity = learn(left, right, seed=seed)
    fitted = perf_counter() - started
    best, chance = best_links(pairs, posterior(pairs, model, len(left)), len(left))
    lefts, rights = {record.id for record in left}, {record.id for record in right}
    true = {pair for pair in truth if pair[0] in lefts and pair[1] in rights}
    compared = {(left[int(one)].id, right[int(other)].id) for one, other in zip(pairs.left, pairs.right, strict=True)}
    linkable = len({one for one, _ in true})
    times = _times(left, right, model, index, rarity)
    return Evaluation(
        left=len(left),
        right=len(right),
        true_pairs=len(true),
        linkable=linkable,
        compared_pairs=len(pairs.left),
        pairs_found=len(true & compared),
        blocking_lost=len(true - compared),
        at=[_at(threshold, left, right, best, chance, true, linkable) for threshold in THRESHOLDS],
        priors=dict(
            zip(
                ("same_place", "elsewhere", "household", "newcomer"),
                (round(float(p), 5) for p in model.priors[0]),
                strict=True,
            )
        ),
        weights={
            name: {
                level: round(float(np.log2(model.same[field][code] / model.random[field][code])), 2)
                for code, level in enumerate(LEVELS[name])
                if level != "missing" and (pairs.codes[:, field] == code).any()
            }
            for field, name in enumerate(FIELDS)
        },
        fit_seconds=round(fitted, 2),
        lookup_ms_p50=round(float(np.percentile(times, 50)), 3) if times else 0.0,
        lookup_ms_p99=round(float(np.percentile(times, 99)), 3) if times else 0.0,
    )


def _times(left: Sequence[Record], right: Sequence[Record], model: Model, index: Index, rarity: Rarity) -> list[float]:
    """Return milliseconds of single look-ups: keys, comparison and decision of one record against the whole right file."""
    out = []
    for record in left[: min(len(left), 400)]:
        started = perf_counter()
        pairs = compare_all(
            [record], right if len(right) < 1 else _Only(right, index.find(record)), _Fixed(index, record), rarity
        )
        if len(pairs.left):
            posterior(pairs, model, 1)
        out.append((perf_counter() - started) * 1000)
    return out


class _Only(Sequence[Record]):
    """The candidates of one look-up as if they were the whole file."""

    def __init__(self, right: Sequence[Record], chosen: list[int]) -> None:
        self._rows = [right[number] for number in chosen]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204
        return self._rows[place]


class _Fixed(Index):
    """An index that has one answer."""

    def __init__(self, index: Index, record: Record) -> None:
        self._count = len(index.find(record))

    def find(self, record: Record) -> list[int]:
        """Return all."""
        del record
        return list(range(self._count))


def _at(
    threshold: float,
    left: Sequence[Record],
    right: Sequence[Record],
    best: np.ndarray,
    chance: np.ndarray,
    true: set[tuple[str, str]],
    linkable: int,
) -> AtThreshold:
    """Return precision, recall and F1 of the links from a probability on."""
    links = [
        (left[number].id, right[int(best[number])].id)
        for number in map(int, np.nonzero((chance >= threshold) & (best >= 0))[0])
    ]
    right_links = sum(link in true for link in links)
    precision = right_links / len(links) if links else 1.0
    recall = right_links / linkable if linkable else 0.0
    return AtThreshold(
        threshold=threshold,
        links=len(links),
        right=right_links,
        wrong=len(links) - right_links,
        precision=round(precision, 6),
        recall=round(recall, 6),
        f1=round(2 * precision * recall / (precision + recall), 6) if precision + recall else 0.0,
        wrong_upper=round(upper_bound(len(links) - right_links, len(links)), 6),
    )
