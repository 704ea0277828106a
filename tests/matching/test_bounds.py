"""The bound of a rate against the binomial distribution itself."""

from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.matching.bounds import needed, upper_bound


def at_most(wrong: int, of: int, rate: float) -> float:
    return sum(comb(of, k) * rate**k * (1 - rate) ** (of - k) for k in range(wrong + 1))


@pytest.mark.slow
@settings(max_examples=40, deadline=None)  # each sums a whole distribution
@given(st.integers(1, 300), st.data())
def test_the_bound_is_where_so_few_wrong_ones_become_as_rare_as_one_in_twenty(of: int, data: st.DataObject) -> None:
    wrong = data.draw(st.integers(0, of - 1))
    assert at_most(wrong, of, upper_bound(wrong, of)) == pytest.approx(0.05, rel=1e-6)


@pytest.mark.parametrize(("wrong", "reviews"), [(0, 2995), (1, 4742), (2, 6294), (3, 7752), (5, 10511)])
def test_so_many_reviews_show_fewer_than_one_in_a_thousand(wrong: int, reviews: int) -> None:
    assert needed(wrong, wrong, below=0.001) + wrong == reviews
    assert upper_bound(wrong, reviews) < 0.001 <= upper_bound(wrong, reviews - 1)
    assert needed(wrong, reviews, below=0.001) == 0


def test_nothing_reviewed_shows_nothing() -> None:
    assert upper_bound(0, 0) == 1.0
    assert upper_bound(7, 7) == 1.0
    assert needed(0, 0, below=0.001) == 2995
