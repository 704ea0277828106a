"""What agreement and disagreement are worth: shares of each level among the same person, a household and strangers."""

from functools import cached_property, lru_cache
from math import log2

import msgspec

from bridge.matching import frequencies

Shares = tuple[float, float, float]
"""How often a level is seen for: the same person, another person of the household, a stranger."""


MOST_BITS = 60.0
"""What one comparison may say at most."""
_NOTHING = (0.0, 0.0)


class Priors(msgspec.Struct, frozen=True, kw_only=True):
    """What an inquiry is before anything is compared; shares of all inquiries, the rest is somebody new."""

    same_place: float = 0.42
    elsewhere: float = 0.08
    household: float = 0.05
    newcomer: float = 0.04
    """A stranger at a location that we know: somebody moved in."""
    borrowed: float = 0.02
    """A stranger with a contact that we know: a recycled or shared number."""


class Weights(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One version of everything a score is made of; `population` is the number of customers that could agree by chance."""

    version: str
    fields: dict[str, dict[str, Shares]]
    surnames: dict[str, float] = {}
    given_names: dict[str, float] = {}
    rare_surname: float = frequencies.RARE_SURNAME
    rare_given: float = frequencies.RARE_GIVEN
    priors: Priors = Priors()
    population: float = 1_000_000.0
    trained_pairs: int = 0

    @cached_property
    def _pairs(self) -> dict[tuple[str, str], tuple[float, float]]:
        return {
            (field, level): (min(log2(same / stranger), MOST_BITS), min(log2(household / stranger), MOST_BITS))
            for field, levels in self.fields.items()
            for level, (same, household, stranger) in levels.items()
        }

    def pair(self, field: str, level: str) -> tuple[float, float]:
        """Return log2 of same person against stranger for a level, and of household; 0 where nothing was compared."""
        return self._pairs.get((field, level), _NOTHING)

    def bits(self, field: str, level: str) -> float:
        """Return log2 of same person against stranger for a level; 0 where nothing was compared."""
        return self.pair(field, level)[0]

    def share(self, field: str, value: str) -> float:
        """Return how common a name is; a field of several words is as common as its rarest."""
        table, rare = (self.surnames, self.rare_surname) if field == "surname" else (self.given_names, self.rare_given)
        return min((table.get(word, rare) for word in value.split()), default=rare)


_SHIPPED: dict[str, dict[str, Shares]] = {
    "given": {
        "exact": (0.78, 0.015, 0.01),
        "nickname": (0.06, 0.004, 0.003),
        "close": (0.06, 0.02, 0.004),
        # A letter alone is as often written for anybody; that it fits is 1 in 10 for a stranger, 1 in 7 in a family.
        "initial": (0.03, 0.0045, 0.003),
        "differ": (0.03, 0.95, 0.98),
    },
    "surname": {
        "exact": (0.88, 0.65, 0.002),
        "close": (0.05, 0.02, 0.002),
        "part": (0.02, 0.02, 0.001),
        "initial": (0.03, 0.023, 0.003),
        "differ": (0.04, 0.31, 0.995),
    },
    "middle": {"exact": (0.75, 0.10, 0.08), "differ": (0.05, 0.90, 0.92)},
    "suffix": {"differ": (0.02, 0.60, 0.30), "exact": (0.50, 0.05, 0.10), "one": (0.40, 0.60, 0.60)},
    "company": {
        "exact": (0.80, 0.01, 0.0002),
        "close": (0.14, 0.01, 0.0006),
        "part": (0.03, 0.03, 0.02),
        "differ": (0.03, 0.95, 0.98),
    },
    "phone": {"exact": (0.80, 0.25, 0.000001), "near": (0.04, 0.01, 0.0002), "differ": (0.16, 0.74, 0.9998)},
    "email": {"exact": (0.65, 0.12, 0.000001), "near": (0.06, 0.02, 0.0005), "differ": (0.29, 0.86, 0.9995)},
    "number": {"exact": (0.95, 0.96, 0.002), "close": (0.04, 0.03, 0.03), "differ": (0.01, 0.01, 0.968)},
    "street": {"exact": (0.90, 0.93, 0.001), "close": (0.08, 0.06, 0.002), "differ": (0.02, 0.01, 0.997)},
    "suffix_of_street": {"differ": (0.02, 0.02, 0.45)},
    "direction": {"differ": (0.01, 0.01, 0.30)},
    "unit": {"exact": (0.90, 0.90, 0.03), "one": (0.20, 0.20, 0.45), "differ": (0.02, 0.03, 0.95)},
    "zip": {"exact": (0.94, 0.95, 0.05), "close": (0.04, 0.03, 0.03), "differ": (0.02, 0.02, 0.92)},
    "city": {"exact": (0.93, 0.94, 0.25), "close": (0.04, 0.03, 0.01), "differ": (0.03, 0.03, 0.74)},
}


@lru_cache(maxsize=1)
def shipped() -> Weights:
    """Return the weights in force until a tenant's mirror has taught better ones."""
    return Weights(
        version="shipped-1", fields=_SHIPPED, surnames=frequencies.SURNAMES, given_names=frequencies.GIVEN_NAMES
    )
