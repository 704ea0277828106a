"""How sure a count makes of a rate: the exact upper bound of wrong ones, and how many more must be looked at (pure)."""

from math import exp, expm1, lgamma, log, log1p

CONFIDENCE = 0.95


def upper_bound(wrong: int, of: int, *, confidence: float = CONFIDENCE) -> float:
    """Return the exact (Clopper-Pearson) one-sided upper bound of a rate of which `wrong` of `of` were seen."""
    if of == 0 or wrong >= of:
        return 1.0
    if wrong == 0:
        return -expm1(log1p(-confidence) / of)
    low, high = wrong / of, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(wrong, of, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _at_most(wrong: int, of: int, rate: float) -> float:
    """Return the probability of at most so many wrong ones at a rate, summed in logarithms so that no term is lost."""
    if rate >= 1:
        return 0.0
    yes, no = log(rate), log1p(-rate)
    ways = lgamma(of + 1)
    return sum(exp(ways - lgamma(k + 1) - lgamma(of - k + 1) + k * yes + (of - k) * no) for k in range(wrong + 1))


def needed(wrong: int, of: int, *, below: float, confidence: float = CONFIDENCE) -> int:
    """Return how many more must be right, none wrong, until the upper bound lies below a rate."""
    if upper_bound(wrong, of, confidence=confidence) < below:
        return 0
    low, high = of, max(2 * of, 16)
    while upper_bound(wrong, high, confidence=confidence) >= below:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if upper_bound(wrong, middle, confidence=confidence) < below:
            high = middle
        else:
            low = middle
    return high - of
