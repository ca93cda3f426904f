"""Linear probe: logistic regression on frozen vectors, which needs no texts.

After Radford et al. 2021, appendix A.3: L-BFGS; the strength of regularisation is chosen on a validation part of the training
pictures (powers of 100 first, then the best one's neighbourhood in halving steps), then the fit is repeated on all of them.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from seesay.errors import InputError, MissingExtra
from seesay.evaluation.classification import Classification, score_classification
from seesay.system.progress import NamedProgress

COARSE = tuple(10.0**power for power in range(-6, 7, 2))
HALVINGS = 4  # of a step of two decades, so that the last step is an eighth of a decade
ITERATIONS = 1000
VALIDATION = 0.2  # share of each class
FIXED_C = 1.0  # without a validation part: one picture per class


@dataclass(frozen=True)
class LinearProbe:
    """The classification of a test set by a fitted probe, and how it was fitted."""

    score: Classification
    c: float  # inverse strength of regularisation, as scikit-learn counts it
    sweep: dict[float, float]  # C -> accuracy on the validation part; empty without one
    train: np.ndarray  # (K,) numbers of the training pictures used


def linear_probe(
    train: np.ndarray,
    train_labels: np.ndarray,
    test: np.ndarray,
    test_labels: np.ndarray,
    names: Sequence[str],
    *,
    shots: int | None = None,
    seed: int = 0,
    progress: NamedProgress | None = None,
) -> LinearProbe:
    """Fits on train (N, D) and classifies test (M, D); labels (N,) and (M,) are numbers of `names`.

    shots: the number of training pictures of each class, chosen, like the validation part, by `seed`. Deterministic for a seed.
    Raises InputError, MissingExtra.
    """
    if shots is not None and shots < 1:
        raise InputError(f"expected shots from 1, got {shots}")
    generator = np.random.default_rng(seed)
    chosen = np.arange(len(train)) if shots is None else _shots(train_labels, shots, generator)
    fit = fit_probe(train[chosen], train_labels[chosen], len(names), generator=generator, progress=progress)
    score = score_classification(fit.scores(test), test_labels, names)
    return LinearProbe(score, fit.c, fit.sweep, chosen)


@dataclass(frozen=True)
class Fit:
    """A fitted probe: weight (C, D) and bias (C,) float64, whose softmax is the probability of each class. A class without
    training pictures has a bias of -inf. c, sweep: as of `LinearProbe`."""

    weight: np.ndarray
    bias: np.ndarray
    c: float
    sweep: dict[float, float]

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors (N, D) -> (N, C), the logits of the classes."""
        return np.asarray(vectors.astype(np.float64) @ self.weight.T + self.bias)


def fit_probe(
    vectors: np.ndarray,
    labels: np.ndarray,
    classes: int,
    *,
    generator: np.random.Generator,
    progress: NamedProgress | None = None,
) -> Fit:
    """Fits a probe on vectors (N, D) with labels (N,) of 0..classes-1. generator: draws the validation part.

    Raises InputError, MissingExtra.
    """
    if len(np.unique(labels)) < 2:
        raise InputError(f"expected training pictures of at least two classes, got {len(np.unique(labels))}")
    held_out = _validation(labels, generator)
    steps = len(COARSE) + 2 * HALVINGS + 1
    accuracies: dict[float, float] = {}

    def accuracy(c: float) -> float:
        if c not in accuracies:
            if progress:
                progress("fits", len(accuracies), steps)
            scores = Fit(*_fit(vectors[~held_out], labels[~held_out], classes, c), c, {}).scores(vectors[held_out])
            accuracies[c] = float(np.mean(scores.argmax(axis=1) == labels[held_out]))
        return accuracies[c]

    c = _best(accuracy) if held_out.any() else FIXED_C
    weight, bias = _fit(vectors, labels, classes, c)
    if progress:
        progress("fits", steps, steps)
    return Fit(weight, bias, c, dict(sorted(accuracies.items())))


def require() -> None:
    """Raises MissingExtra if scikit-learn is not installed."""
    try:
        import sklearn.linear_model  # noqa: F401
    except ImportError:
        raise MissingExtra("a linear probe", "eval") from None


def _best(accuracy: Callable[[float], float]) -> float:
    """The C of the highest accuracy; the middle one of equal ones, farthest from where accuracy falls."""

    def peak(candidates: Sequence[float]) -> float:
        highest = max(map(accuracy, candidates))
        equal = [c for c in candidates if accuracy(c) == highest]
        return equal[(len(equal) - 1) // 2]

    best, step = peak(COARSE), 2.0
    for _ in range(HALVINGS):
        step /= 2
        near = [round(np.log10(best) + shift, 6) for shift in (-step, 0.0, step)]
        best = peak([10.0**power for power in near if -6 <= power <= 6])
    return best


def _fit(train: np.ndarray, labels: np.ndarray, classes: int, c: float) -> tuple[np.ndarray, np.ndarray]:
    """Weight (classes, D) and bias (classes,); a bias of -inf for classes without training pictures."""
    require()
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits  # scikit-learn's own dependency

    # One thread: L-BFGS makes many small products, whose threads wait for each other (12 times as long on a busy machine).
    with warnings.catch_warnings(), threadpool_limits(1):
        # Weak regularisation may not converge in 1000 iterations, as in the original; its accuracy is compared nevertheless.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=c, max_iter=ITERATIONS, solver="lbfgs").fit(train.astype(np.float64), labels)
    weights, biases = model.coef_, model.intercept_
    if len(weights) == 1:  # two classes: the logit of the second against the first
        weights, biases = np.concatenate([-weights, weights]) / 2, np.concatenate([-biases, biases]) / 2
    weight, bias = np.zeros((classes, train.shape[1])), np.full(classes, -np.inf)
    weight[model.classes_], bias[model.classes_] = weights, biases
    return weight, bias


def _shots(labels: np.ndarray, shots: int, generator: np.random.Generator) -> np.ndarray:
    """The numbers, in order, of up to `shots` random pictures of each class."""
    shuffled = generator.permutation(len(labels))
    return np.sort(np.concatenate([shuffled[labels[shuffled] == label][:shots] for label in np.unique(labels)]))


def _validation(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(N,) bool: VALIDATION of each class, at least one picture; none of a class with a single one."""
    held_out = np.zeros(len(labels), dtype=bool)
    shuffled = generator.permutation(len(labels))
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        if len(members) > 1:
            held_out[members[: max(1, round(VALIDATION * len(members)))]] = True
    return held_out
