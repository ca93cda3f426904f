import sys
import warnings

import numpy as np
import pytest

from seesay.errors import InputError, MissingExtra
from seesay.evaluation.linear_probe import COARSE, linear_probe
from seesay.models.vectors import normalize

pytest.importorskip("sklearn")


def clusters(count: int, spread: float, seed: int, classes: int = 4, dim: int = 8) -> tuple[np.ndarray, np.ndarray]:
    centres = np.random.default_rng(9).standard_normal((classes, dim))
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    return normalize(centres[labels] + spread * generator.standard_normal((count, dim))), labels


NAMES = ["a", "b", "c", "d"]


def test_separable_classes_are_told_apart() -> None:
    found = linear_probe(*clusters(60, 0.1, 0), *clusters(40, 0.1, 1), NAMES)
    assert found.score.top1 == 1.0
    assert found.score.mean_per_class_recall == 1.0


def test_it_is_scikit_learns_regression_at_the_best_c() -> None:
    from sklearn.linear_model import LogisticRegression

    train, labels = clusters(80, 1.0, 0)
    test, truth = clusters(200, 1.0, 1)
    found = linear_probe(train, labels, test, truth, NAMES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(C=found.c, max_iter=1000).fit(train.astype(np.float64), labels)
    assert np.array_equal(found.score.predicted, model.predict(test))
    assert found.score.top1 == model.score(test, truth)
    assert set(COARSE) <= set(found.sweep)
    assert found.sweep[found.c] == max(found.sweep.values())
    steps = np.diff(np.log10(sorted(found.sweep)))
    assert steps.min() == pytest.approx(1 / 8, abs=1e-5)
    again = linear_probe(train, labels, test, truth, NAMES)
    assert (again.c, again.sweep) == (found.c, found.sweep)


def test_shots_take_as_many_of_each_class() -> None:
    train, labels = clusters(80, 0.5, 0)
    found = linear_probe(train, labels, *clusters(40, 0.5, 1), NAMES, shots=3, seed=1)
    assert np.bincount(labels[found.train]).tolist() == [3, 3, 3, 3]
    assert found.train.tolist() != linear_probe(train, labels, *clusters(40, 0.5, 1), NAMES, shots=3, seed=2).train.tolist()
    one = linear_probe(train, labels, *clusters(40, 0.1, 1), NAMES, shots=1)
    assert (one.c, one.sweep) == (1.0, {}), "one picture a class leaves none to choose C on"
    assert len(linear_probe(train, labels, *clusters(40, 0.5, 1), NAMES, shots=999).train) == 80


def test_two_classes_and_classes_without_training_pictures() -> None:
    train, labels = clusters(40, 0.1, 0, classes=2)
    test, truth = clusters(20, 0.1, 1, classes=2)
    names = ["x", "y", "z"]
    assert linear_probe(train, labels * 2, test, truth * 2, names).score.top1 == 1.0
    assert linear_probe(train, labels, test, truth + 1, names).score.counts.tolist() == [0, 10, 10]


def test_what_cannot_be_learnt_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    train, labels = clusters(8, 0.1, 0)
    with pytest.raises(InputError, match="at least two classes, got 1"):
        linear_probe(train, labels * 0, train, labels, NAMES)
    with pytest.raises(InputError, match="shots from 1"):
        linear_probe(train, labels, train, labels, NAMES, shots=0)
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(MissingExtra, match=r"seesay\[eval\]"):
        linear_probe(train, labels, train, labels, NAMES)
