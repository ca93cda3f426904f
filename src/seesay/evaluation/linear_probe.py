"""Logistic regression on frozen vectors: how much of the classes a model's vectors tell, whatever its words.

After Radford et al. 2021, appendix A.3: L-BFGS, the strength of regularisation chosen on a part of the training pictures
(powers of 100 first, then the best one's neighbourhood by halves), then fitted again on all of them.
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
VALIDATION = 0.2  # of each class
FIXED_C = 1.0  # where nothing is left to choose it on: one picture a class


@dataclass(frozen=True)
class LinearProbe:
    score: Classification
    c: float  # inverse strength of regularisation, as scikit-learn counts it
    sweep: dict[float, float]  # C -> accuracy on the validation part; empty where there was none
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
    """Vectors (N, D) and (M, D), labels (N,) and (M,) as numbers of `names`. `shots` takes that many pictures of each class.

    Deterministic for a seed, which chooses the shots and the validation part. Raises InputError, MissingExtra.
    """
    if shots is not None and shots < 1:
        raise InputError(f"expected shots from 1, got {shots}")
    generator = np.random.default_rng(seed)
    chosen = np.arange(len(train)) if shots is None else _shots(train_labels, shots, generator)
    vectors, labels = train[chosen], train_labels[chosen]
    if len(np.unique(labels)) < 2:
        raise InputError(f"expected training pictures of at least two classes, got {len(np.unique(labels))}")
    held = _validation(labels, generator)
    steps = len(COARSE) + 2 * HALVINGS + 1
    tried: dict[float, float] = {}

    def accuracy(c: float) -> float:
        if c not in tried:
            if progress:
                progress("fits", len(tried), steps)
            scores = _fit(vectors[~held], labels[~held], vectors[held], len(names), c)
            tried[c] = float(np.mean(scores.argmax(axis=1) == labels[held]))
        return tried[c]

    c = _best(accuracy) if held.any() else FIXED_C
    scores = _fit(vectors, labels, test, len(names), c)
    if progress:
        progress("fits", steps, steps)
    return LinearProbe(score_classification(scores, test_labels, names), c, dict(sorted(tried.items())), chosen)


def require() -> None:
    """Raises MissingExtra where scikit-learn is not installed."""
    try:
        import sklearn.linear_model  # noqa: F401
    except ImportError:
        raise MissingExtra("a linear probe", "eval") from None


def _best(accuracy: Callable[[float], float]) -> float:
    """The C of the highest accuracy; of equal ones the middle one, which is farthest from where accuracy falls."""

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


def _fit(train: np.ndarray, labels: np.ndarray, test: np.ndarray, classes: int, c: float) -> np.ndarray:
    """Scores (M, classes) of `test`; classes without training pictures have the lowest."""
    require()
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits  # scikit-learn's own dependency

    # One thread: L-BFGS makes many small products, whose threads wait for each other (12 times as long on a busy machine).
    with warnings.catch_warnings(), threadpool_limits(1):
        # Next to no regularisation may not settle in 1000 steps, as in the original; its accuracy is compared all the same.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=c, max_iter=ITERATIONS, solver="lbfgs").fit(train.astype(np.float64), labels)
        found = model.decision_function(test.astype(np.float64))
    if found.ndim == 1:  # two classes: the second one's score
        found = np.stack([-found, found], axis=1)
    scores = np.full((len(test), classes), -np.inf)
    scores[:, model.classes_] = found
    return scores


def _shots(labels: np.ndarray, shots: int, generator: np.random.Generator) -> np.ndarray:
    """Numbers of `shots` pictures of each class that has pictures, or of all it has, in order."""
    mixed = generator.permutation(len(labels))
    return np.sort(np.concatenate([mixed[labels[mixed] == label][:shots] for label in np.unique(labels)]))


def _validation(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(N,) bool: a fifth of each class, at least one of two; none of a class that has one picture."""
    held = np.zeros(len(labels), dtype=bool)
    mixed = generator.permutation(len(labels))
    for label in np.unique(labels):
        mine = mixed[labels[mixed] == label]
        if len(mine) > 1:
            held[mine[: max(1, round(VALIDATION * len(mine)))]] = True
    return held
