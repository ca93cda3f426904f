"""Temperature scaling, calibration error and thresholds against slow references."""

import numpy as np
import pytest

from seesay.errors import InputError
from seesay.tasks.calibration import SCALES, expected_calibration_error, fitted_scale, fitted_thresholds, held_out


def data(count: int = 400, classes: int = 6, scale: float = 12.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Cosines, and labels that are drawn from their softmax at a known scale."""
    random = np.random.default_rng(seed)
    cosines = random.normal(0.1, 0.15, (count, classes))
    shares = np.exp(scale * cosines)
    shares /= shares.sum(axis=1, keepdims=True)
    labels = np.array([random.choice(classes, p=share) for share in shares])
    return cosines.astype(np.float32), labels


def loss(cosines: np.ndarray, labels: np.ndarray, scale: float) -> float:
    total = 0.0
    for row, label in zip(cosines.astype(np.float64), labels, strict=True):
        total -= scale * row[label] - np.log(np.sum(np.exp(scale * row)))
    return total / len(labels)


def test_the_fitted_scale_has_the_lowest_loss_of_a_fine_grid() -> None:
    cosines, labels = data()
    got = fitted_scale(cosines, labels)
    grid = np.linspace(1, 40, 400)
    best = grid[np.argmin([loss(cosines, labels, scale) for scale in grid])]
    assert got == pytest.approx(best, abs=0.1)
    for near in (0.999, 1.001):
        assert loss(cosines, labels, got) <= loss(cosines, labels, got * near)


def test_many_labels_give_the_scale_that_they_were_drawn_at() -> None:
    cosines, labels = data(count=20_000)
    assert fitted_scale(cosines, labels) == pytest.approx(12, rel=0.05)


def test_images_that_are_all_right_or_all_wrong_get_an_end_of_the_range() -> None:
    cosines = np.array([[0.3, 0.1], [0.1, 0.2]], dtype=np.float32)
    assert fitted_scale(cosines, np.array([0, 1])) == SCALES[1]
    assert fitted_scale(cosines, np.array([1, 0])) == SCALES[0]


def test_the_calibration_error_is_that_of_a_loop_over_bins() -> None:
    random = np.random.default_rng(1)
    probabilities = random.dirichlet(np.ones(4) * 0.5, 300)
    labels = random.integers(0, 4, 300)
    bins = 15
    wanted = 0.0
    for number in range(bins):
        low, high = number / bins, (number + 1) / bins
        inside = [i for i in range(300) if low < probabilities[i].max() <= high]
        if inside:
            right = np.mean([probabilities[i].argmax() == labels[i] for i in inside])
            wanted += len(inside) / 300 * abs(right - np.mean([probabilities[i].max() for i in inside]))
    assert expected_calibration_error(probabilities, labels) == pytest.approx(wanted, abs=1e-12)


def test_certain_and_right_has_no_error_and_certain_and_wrong_all() -> None:
    certain = np.eye(3)
    assert expected_calibration_error(certain, np.array([0, 1, 2])) == 0
    assert expected_calibration_error(certain, np.array([1, 2, 0])) == 1


def test_calibrating_makes_overconfident_cosines_honest_on_images_held_out() -> None:
    cosines, labels = data(count=200)
    sure = np.exp(60 * cosines.astype(np.float64))
    before = expected_calibration_error(sure / sure.sum(axis=1, keepdims=True), labels)
    after = expected_calibration_error(held_out(cosines, labels), labels)
    assert after < before / 3


def test_held_out_probabilities_use_the_other_folds_only() -> None:
    cosines, labels = data(count=20)
    got = held_out(cosines, labels, folds=4)
    for i in range(20):
        others = [j for j in range(20) if j % 4 != i % 4]
        shares = np.exp(fitted_scale(cosines[others], labels[others]) * cosines[i].astype(np.float64))
        np.testing.assert_allclose(got[i], shares / shares.sum(), rtol=1e-6)


def f1(scores: np.ndarray, truth: np.ndarray, threshold: float) -> float:
    passing = scores >= threshold
    hits = int((passing & truth).sum())
    return 2 * hits / (int(passing.sum()) + int(truth.sum()))


def test_a_threshold_has_the_best_f1_of_all() -> None:
    random = np.random.default_rng(2)
    for _ in range(20):
        scores = random.random((30, 3)).round(1)  # with ties
        truth = random.random((30, 3)) < 0.3
        truth[0], truth[1] = True, False
        for label, threshold in enumerate(fitted_thresholds(scores, truth)):
            best = max(f1(scores[:, label], truth[:, label], each) for each in np.linspace(-0.05, 1.05, 111))
            assert f1(scores[:, label], truth[:, label], threshold) == pytest.approx(best)


def test_a_label_without_examples_of_both_kinds_keeps_the_default() -> None:
    scores = np.array([[0.9, 0.1, 0.7], [0.2, 0.3, 0.1]])
    truth = np.array([[True, False, True], [True, False, False]])
    np.testing.assert_allclose(fitted_thresholds(scores, truth, default=0.6), [0.6, 0.6, 0.4])


def test_nonsense_is_refused() -> None:
    cosines, labels = data(count=4)
    for bad in (labels[:2], labels - 10, labels + 10):
        with pytest.raises(InputError, match="expected"):
            fitted_scale(cosines, bad)
    with pytest.raises(InputError, match="at least two"):
        held_out(cosines[:1], labels[:1])
    with pytest.raises(InputError, match="same shape"):
        fitted_thresholds(cosines, np.zeros((4, 1), dtype=bool))
