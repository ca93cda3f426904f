import numpy as np
import pytest

from seesay.errors import InputError
from seesay.generation.interpolation import slerp
from seesay.generation.mixture import Mixture, Part, default_steps, spread_out
from seesay.models.vectors import normalize


def mixture(kinds: str, weights: tuple[float, ...], steps: int) -> Mixture:
    """Parts of random vectors; kinds: p for a picture, t for a text."""
    parts = tuple(Part("picture" if kind == "p" else "text", kind, weight) for kind, weight in zip(kinds, weights, strict=True))
    return Mixture(parts, normalize(np.random.default_rng(1).normal(size=(len(parts), 8))), steps)


def test_one_step_is_the_weighted_sum() -> None:
    mixed = mixture("ppt", (1, 2, -0.5), 1)
    (point,) = mixed.points()
    assert point.at is None
    np.testing.assert_allclose(point.vector, normalize(np.array([1, 2, -0.5]) @ mixed.vectors), atol=1e-6)


def test_spreads_make_vectors_count_alike() -> None:
    mixed = mixture("pt", (1, 1), 1)
    (point,) = mixed.points(np.array([0.2, 0.05]))
    np.testing.assert_allclose(point.vector, normalize(np.array([5, 20]) @ mixed.vectors), atol=1e-6)


def test_a_way_leads_through_pictures_and_texts_are_added_at_every_point() -> None:
    mixed = mixture("ptp", (1, 0.5, 1), 3)
    a, text, b = mixed.vectors
    points = mixed.points()
    assert [point.at for point in points] == [0, 0.5, 1]
    for point, along in zip(points, (a, slerp(a, b, 0.5), b), strict=True):
        np.testing.assert_allclose(point.vector, normalize(along + 0.5 * text), atol=1e-6)


def test_a_way_from_a_picture_to_a_text() -> None:
    mixed = mixture("pt", (1, 1), 5)
    points = mixed.points(np.array([0.2, 0.05]))
    np.testing.assert_allclose(points[0].vector, mixed.vectors[0], atol=1e-7)
    np.testing.assert_allclose(points[-1].vector, mixed.vectors[1], atol=1e-7)
    np.testing.assert_allclose(points[2].vector, normalize(np.array([5, 20]) @ mixed.vectors), atol=1e-6)


def test_weights_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="no weights of their own"):
        mixture("pp", (1, 2), 5)
    with pytest.raises(InputError, match="no weights of their own"):
        mixture("pt", (1, 2), 5)
    mixture("ppt", (1, 1, 2), 5)
    with pytest.raises(InputError, match="to lead from and to"):
        mixture("p", (1,), 2)
    with pytest.raises(InputError, match="all weights are 0"):
        mixture("pp", (0, 0), 1)


def test_steps_without_a_number() -> None:
    part = Part("picture", "a", 1)
    assert [default_steps([part] * n, is_weighted=w) for n, w in ((2, False), (2, True), (1, False))] == [5, 1, 1]


def test_a_picture_stands_at_the_point_that_it_is_nearest_to() -> None:
    lists = [["a", "b", "c"], ["b", "a", "c"], ["b", "c", "a"]]
    nearness = {"a": np.array([0.9, 0.5, 0.1]), "b": np.array([0.5, 0.6, 0.8]), "c": np.array([0.1, 0.2, 0.3])}
    assert spread_out(lists, nearness, 1) == [["a"], ["c"], ["b"]], "c is nearest to the last, which is taken"
    assert spread_out(lists, nearness, 3) == [["a"], [], ["b", "c"]]
