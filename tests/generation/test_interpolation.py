import numpy as np
import pytest

from seesay.errors import InputError
from seesay.generation.interpolation import slerp, way, weighted
from seesay.models.vectors import normalize


def rows(count: int, dim: int = 12, seed: int = 0) -> np.ndarray:
    return normalize(np.random.default_rng(seed).normal(size=(count, dim)))


def test_slerp_against_a_rotation_in_the_plane() -> None:
    a, b = rows(2)
    angle = np.arccos(np.float64(a @ b))
    aside = (b - (a @ b) * a).astype(np.float64)
    aside /= np.linalg.norm(aside)
    for at in (-0.3, 0.1, 0.25, 0.5, 0.9, 1.4):
        expected = np.cos(at * angle) * a + np.sin(at * angle) * aside
        np.testing.assert_allclose(slerp(a, b, at), expected, atol=2e-7)


def test_ends_are_exact_and_lengths_are_1() -> None:
    for a, b in ((*rows(2),), (rows(1)[0], -rows(1)[0]), (rows(1)[0], rows(1)[0])):
        np.testing.assert_array_equal(slerp(a, b, 0), a)
        np.testing.assert_array_equal(slerp(a, b, 1), b)
        for at in np.linspace(0, 1, 11):
            assert np.linalg.norm(slerp(a, b, at)) == pytest.approx(1, abs=1e-6)
            assert slerp(a, b, at).dtype == np.float32


def test_steps_are_equal_angles_also_between_nearly_equal_vectors() -> None:
    a, b = rows(2)
    for end in (b, normalize(a + 1e-4 * b), normalize(1e-3 * b - a)):
        path = way(np.stack([a, end]), 9).astype(np.float64)
        steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
        np.testing.assert_allclose(steps, steps.mean(), rtol=1e-2)


def test_opposite_vectors_have_one_defined_way() -> None:
    a = rows(1)[0]
    half = slerp(a, -a, 0.5)
    assert abs(half @ a) < 1e-6
    assert np.abs(half).argmax() == np.abs(a).argmin()
    np.testing.assert_array_equal(half, slerp(a, -a, 0.5))


def test_a_way_goes_through_every_vector() -> None:
    stations = rows(3)
    path = way(stations, 5)
    np.testing.assert_array_equal(path[[0, 2, 4]], stations)
    np.testing.assert_allclose(path[1], slerp(stations[0], stations[1], 0.5), atol=1e-6)


def test_scales_space_a_way_and_do_not_move_it_aside() -> None:
    stations = rows(2)
    even, uneven = way(stations, 5), way(stations, 5, np.array([1.0, 3.0]))
    np.testing.assert_array_equal(uneven[[0, 4]], stations)
    ours, theirs = (np.arccos(path[2] @ stations[0]) for path in (uneven, even))
    assert ours > 1.3 * theirs, "the second counts three times as much"
    plane = np.linalg.qr(stations.T.astype(np.float64))[0]
    np.testing.assert_allclose(np.linalg.norm(uneven @ plane, axis=1), 1, atol=1e-6)
    expected = normalize(np.array([1.0, 3.0]) @ stations)
    np.testing.assert_allclose(uneven[2], expected, atol=1e-6)
    np.testing.assert_allclose(way(stations, 5, np.array([2.0, 2.0])), even, atol=1e-6)


def test_weighted_sums_with_negative_weights() -> None:
    a, b, c = rows(3)
    np.testing.assert_allclose(weighted(np.stack([a, b, c]), np.array([1, 0.5, -2])), normalize(a + b / 2 - 2 * c), atol=1e-6)
    np.testing.assert_allclose(weighted(a[None], np.array([-3])), -a, atol=1e-7)


def test_what_cannot_be_mixed() -> None:
    a, b = rows(2)
    both = np.stack([a, b])
    with pytest.raises(InputError, match="take each other away"):
        weighted(np.stack([a, a]), np.array([1, -1]))
    with pytest.raises(InputError, match="a weight for each of 2 parts, got 3"):
        weighted(both, np.ones(3))
    with pytest.raises(InputError, match="finite numbers"):
        weighted(both, np.array([1, np.nan]))
    with pytest.raises(InputError, match="all weights are 0"):
        weighted(both, np.zeros(2))
    with pytest.raises(InputError, match="vector 1 has values that are no finite numbers"):
        slerp(a, np.full(12, np.nan), 0.5)
    with pytest.raises(InputError, match="vector 0 is zero"):
        slerp(np.zeros(12), b, 0.5)
    with pytest.raises(InputError, match="two vectors and two steps, got 2 and 1"):
        way(both, 1)
