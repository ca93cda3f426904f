"""Heads: linear probes in files."""

from pathlib import Path

import numpy as np
import pytest

from seesay.errors import InputError, ModelError
from seesay.evaluation.head import Head, read_head, write_head
from seesay.evaluation.linear_probe import fit_probe


def data(classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), 12)
    vectors = random.standard_normal((classes, 8))[labels] + 0.4 * random.standard_normal((len(labels), 8))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels


def fitted(classes: int) -> Head:
    vectors, labels = data(classes)
    fit = fit_probe(vectors, labels, classes, generator=np.random.default_rng(0))
    weight, bias = (np.asarray(part, dtype=np.float32) for part in (fit.weight, fit.bias))
    return Head(tuple(f"class {i}" for i in range(classes)), weight, bias, "space", "model")


@pytest.mark.parametrize("classes", [2, 5])
def test_its_probabilities_are_those_of_scikit_learn(classes: int) -> None:
    from sklearn.linear_model import LogisticRegression

    vectors, labels = data(classes)
    fit = fit_probe(vectors, labels, classes, generator=np.random.default_rng(0))
    reference = LogisticRegression(C=fit.c, max_iter=1000).fit(vectors.astype(np.float64), labels)
    ours = Head(tuple("abcde"[:classes]), fit.weight, fit.bias, "", "").probabilities(vectors)
    np.testing.assert_allclose(ours, reference.predict_proba(vectors.astype(np.float64)), atol=1e-5)


def test_a_written_head_says_the_same(tmp_path: Path) -> None:
    head = fitted(3)
    write_head(tmp_path / "head.npz", head)
    again = read_head(tmp_path / "head.npz")
    assert (again.names, again.space_id, again.model) == (head.names, head.space_id, head.model)
    vectors, _ = data(3)
    assert np.array_equal(again.probabilities(vectors), head.probabilities(vectors))


def test_a_class_without_pictures_is_never_probable() -> None:
    vectors, labels = data(3)
    fit = fit_probe(vectors, np.where(labels == 2, 3, labels), 4, generator=np.random.default_rng(0))
    probabilities = Head(tuple("abcd"), fit.weight, fit.bias, "", "").probabilities(vectors)
    assert (probabilities[:, 2] == 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_what_is_no_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        read_head(tmp_path / "absent.npz")
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "other.npz", vectors=np.zeros(3))
    np.savez(tmp_path / "pickle.npz", names=np.array([{}], dtype=object))
    for name in ("text", "other", "pickle"):
        with pytest.raises(ModelError, match="is no head, as seesay probe writes it"):
            read_head(tmp_path / f"{name}.npz")
    with pytest.raises(InputError, match="ends in .npz"):
        write_head(tmp_path / "head.pt", fitted(2))


def test_shapes_and_spaces_are_checked() -> None:
    head = fitted(3)
    with pytest.raises(InputError, match=r"expected vectors \(N, 8\), got \(2, 5\)"):
        head.probabilities(np.zeros((2, 5), dtype=np.float32))
    with pytest.raises(InputError, match="this head was trained on 'model', space space; 'other' is space elsewhere"):
        head.check_space("elsewhere", "other")
    with pytest.raises(InputError, match="and 2 names"):
        Head(("a", "b"), np.zeros((3, 4)), np.zeros(3), "", "")
    with pytest.raises(InputError, match="finite numbers"):
        Head(("a", "b"), np.full((2, 4), np.nan), np.zeros(2), "", "")
