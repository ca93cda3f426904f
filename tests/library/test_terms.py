"""What a query looks for and does not want: the vectors of its terms, and the penalty of those that are taken away."""

import numpy as np
import pytest

from seesay.errors import InputError
from seesay.library.search.terms import Terms


def test_positive_terms_are_one_vector_and_negative_ones_stay_apart() -> None:
    a, b, c = np.eye(3, dtype=np.float32)
    terms = Terms.weighted([a, b, c], [3.0, 4.0, -2.5])
    np.testing.assert_allclose(terms.positive, [0.6, 0.8, 0], atol=1e-6)
    ((vector, weight),) = terms.negative
    np.testing.assert_allclose(vector, c)
    assert weight == 2.5
    only = Terms.weighted([a, b], [-3.0, -4.0])
    np.testing.assert_allclose(only.positive, [-0.6, -0.8, 0], atol=1e-6)
    assert only.negative == ()
    with pytest.raises(InputError, match="nothing is left"):
        Terms.weighted([a, -a], [1.0, 1.0])


def test_a_picture_loses_what_it_shows_of_a_negative_term() -> None:
    a, b, c = np.eye(3, dtype=np.float32)
    terms = Terms.weighted([a, b, c], [1.0, -1.0, -0.5])
    lost = terms.penalty([np.array([2.0, -3.0, 0.0]), np.array([4.0, 4.0, -1.0])])
    np.testing.assert_allclose(lost, [4 + 4, 0 + 4, 0])


def test_where_phrases_say_nothing_the_library_is_the_measure() -> None:
    rng = np.random.default_rng(0)
    ranks, other = rng.standard_normal((2, 50)).astype(np.float32)
    terms = Terms.weighted(list(np.eye(2, dtype=np.float32)), [1.0, -2.0])
    mean, deviation = sum(other) / 50, (sum((x - sum(other) / 50) ** 2 for x in other) / 50) ** 0.5
    spread = (sum((x - sum(ranks) / 50) ** 2 for x in ranks) / 50) ** 0.5
    expected = [4 * spread * max((x - mean) / deviation, 0) for x in other]
    np.testing.assert_allclose(terms.penalty_by_spread(ranks, [other]), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(terms.penalty_by_spread(ranks, [np.ones(50, dtype=np.float32)]), np.zeros(50))
