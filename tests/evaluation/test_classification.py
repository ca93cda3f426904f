from pathlib import Path

import numpy as np
import pytest

from seesay.errors import InputError
from seesay.evaluation.classification import score_classification
from seesay.evaluation.templates import read_templates
from seesay.tasks.prompts import TEMPLATES, TEMPLATES_ZH, named_templates


def test_scores_by_hand() -> None:
    scores = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.6, 0.3, 0.1], [0.4, 0.4, 0.1]])
    found = score_classification(scores, np.array([0, 1, 1, 1]), ["a", "b", "c"])
    assert found.ranks.tolist() == [1, 1, 2, 2], "of equal scores the first class wins"
    assert found.predicted.tolist() == [0, 1, 0, 0]
    assert (found.top1, found.top5) == (0.5, 1.0)
    np.testing.assert_allclose(found.recall, [1, 1 / 3, np.nan])
    assert found.mean_per_class_recall == pytest.approx(2 / 3), "a class without pictures does not count"
    assert found.confusion.tolist() == [[1, 0, 0], [2, 1, 0], [0, 0, 0]]
    assert found.confused() == [("b", "a", 2)]


def test_against_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(0)
    scores, labels = generator.random((300, 12)), generator.integers(12, size=300)
    found = score_classification(scores, labels, [str(i) for i in range(12)])
    assert found.top1 == metrics.accuracy_score(labels, found.predicted)
    assert found.top5 == pytest.approx(metrics.top_k_accuracy_score(labels, scores, k=5))
    assert found.mean_per_class_recall == pytest.approx(metrics.balanced_accuracy_score(labels, found.predicted))
    assert np.array_equal(found.confusion, metrics.confusion_matrix(labels, found.predicted))


def test_nonsense_is_refused() -> None:
    with pytest.raises(InputError, match="expected scores"):
        score_classification(np.ones((2, 3)), np.array([0, 3]), ["a", "b", "c"])
    with pytest.raises(InputError, match="NaN"):
        score_classification(np.full((1, 2), np.nan), np.array([0]), ["a", "b"])


def test_template_sets_have_names_and_languages(tmp_path: Path) -> None:
    assert read_templates("short") == TEMPLATES
    assert read_templates("short", "zh") == TEMPLATES_ZH
    for language in ("en", "zh"):
        full = named_templates("imagenet", language)
        assert len(full) == 80
        assert all(template.count("{}") == 1 for template in full)
    assert "itap of my {}." in named_templates("imagenet")
    with pytest.raises(InputError, match="expected one of short, photo, .*imagenet in one of en, zh"):
        named_templates("short", "fr")


def test_templates_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("a {}\n\nthe {}\n")
    (tmp_path / "t.json").write_text('["a {}", "the {}"]')
    (tmp_path / "bad.json").write_text("{}")
    assert read_templates(str(tmp_path / "t.txt")) == read_templates(str(tmp_path / "t.json")) == ("a {}", "the {}")
    with pytest.raises(InputError, match="expected a list of templates"):
        read_templates(str(tmp_path / "bad.json"))
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_templates(str(tmp_path / "none.txt"))
    with pytest.raises(InputError, match="templates are short, .*imagenet, or"):
        read_templates("long")
