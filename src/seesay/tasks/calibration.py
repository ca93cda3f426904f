"""Calibration: a scale of cosines and thresholds fitted on a few labelled images, and the error that they leave."""

import numpy as np

from seesay.errors import InputError
from seesay.models.logits import scaled, softmax

BINS = 15
FOLDS = 5
SCALES = (0.1, 1000.0)  # a few images that are all right would have an endless scale
HALVINGS = 60


def fitted_scale(cosines: np.ndarray, labels: np.ndarray, *, within: tuple[float, float] = SCALES) -> float:
    """The factor of cosines whose softmax makes the labels likeliest: temperature scaling, one number, the inverse of a
    temperature.

    cosines (N, C), labels (N,) of 0..C-1. The negative log-likelihood is convex in the factor, so the root of its derivative,
    the mean of (expected cosine - right cosine), is found by halving; outside `within` its nearer end is returned, as where all
    images are right. Guo et al. 2017, On Calibration of Modern Neural Networks, section 4.2. Raises InputError.
    """
    _check(cosines, labels)
    wide = cosines.astype(np.float64)
    right = float(wide[np.arange(len(labels)), labels].mean())

    def slope(scale: float) -> float:
        return float((softmax(scaled(wide, scale)) * wide).sum(axis=1).mean()) - right

    low, high = within
    if slope(low) >= 0:
        return low
    if slope(high) <= 0:
        return high
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return (low + high) / 2


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, *, bins: int = BINS) -> float:
    """The mean gap between how sure a classifier is and how often it is right.

    probabilities (N, C), labels (N,). Images are sorted into `bins` of equal width by their highest probability; the error is
    the mean over images of |share that is right - mean probability| of their bin, 0..1. Naeini et al. 2015; Guo et al. 2017,
    equation 3. Raises InputError.
    """
    _check(probabilities, labels)
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    number = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.abs(np.bincount(number, right, bins) - np.bincount(number, confidence, bins))
    return float(gaps.sum() / len(labels))


def held_out(cosines: np.ndarray, labels: np.ndarray, *, folds: int = FOLDS) -> np.ndarray:
    """Softmax probabilities (N, C) of labelled images, each at the scale that is fitted on those of the other folds.

    Image i is in fold i modulo `folds`, so images of one label should not come at that distance. Needs two images. Raises
    InputError.
    """
    _check(cosines, labels)
    if len(labels) < 2:
        raise InputError("expected at least two labelled images, to fit on one and measure on the other, got one")
    fold = np.arange(len(labels)) % min(folds, len(labels))
    probabilities = np.empty(cosines.shape)
    for number in range(int(fold.max()) + 1):
        inside = fold == number
        scale = fitted_scale(cosines[~inside], labels[~inside])
        probabilities[inside] = softmax(scaled(cosines[inside].astype(np.float64), scale))
    return probabilities


def fitted_thresholds(scores: np.ndarray, truth: np.ndarray, default: float = 0.5) -> np.ndarray:
    """Per label the threshold with the best F1 on labelled images, for images that show any number of labels.

    scores (N, C), truth (N, C) bool -> (C,) float64: midway between the lowest score that passes and the highest that does not.
    Of equally good thresholds the one nearest to `default`, which a label without positive or negative images gets.
    Yang 2001, A Study of Thresholding Strategies for Text Categorization (SCut). Raises InputError.
    """
    if scores.shape != truth.shape or scores.ndim != 2 or not len(scores):
        raise InputError(f"expected scores (N, C) and a truth of the same shape, got {scores.shape} and {truth.shape}")
    return np.array([_threshold(scores[:, label], truth[:, label], default) for label in range(scores.shape[1])])


def _threshold(scores: np.ndarray, truth: np.ndarray, default: float) -> float:
    positive = int(truth.sum())
    if positive in (0, len(truth)):
        return default
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order].astype(np.float64)
    last = np.append(ranked[:-1] > ranked[1:], True)  # equal scores pass together
    hits = np.cumsum(truth[order])[last]
    f1 = 2 * hits / (np.flatnonzero(last) + 1 + positive)
    values = ranked[last]
    between = np.append((values[:-1] + values[1:]) / 2, min(values[-1], default))
    best = between[f1 == f1.max()]
    return float(best[np.abs(best - default).argmin()])


def _check(scores: np.ndarray, labels: np.ndarray) -> None:
    if scores.ndim != 2 or len(scores) != len(labels) or not len(labels):
        raise InputError(f"expected scores (N, C) with labels (N,), at least one, got {scores.shape} and {labels.shape}")
    if labels.min() < 0 or labels.max() >= scores.shape[1]:
        raise InputError(f"expected labels of 0..{scores.shape[1] - 1}, got {labels.min()}..{labels.max()}")
