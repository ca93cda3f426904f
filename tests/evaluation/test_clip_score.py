import json

import numpy as np
import pytest

from seesay.errors import InputError
from seesay.evaluation.clip_score import clip_scores, cosines, hundred, reference_scores
from tests.parity.generated_scores import FILE, pairs


@pytest.mark.parametrize("case", range(4))
def test_against_torchmetrics(case: int) -> None:
    stored = json.loads(FILE.read_text(encoding="utf-8"))["clip_score"][case]
    assert hundred(cosines(*pairs(case))) == pytest.approx(stored, abs=1e-4)


def test_both_scales_by_hand() -> None:
    pictures, texts = np.array([[3.0, 0.0], [0.0, 2.0], [1.0, 0.0]]), np.array([[1.0, 1.0], [0.0, -1.0], [5.0, 0.0]])
    np.testing.assert_allclose(clip_scores(pictures, texts), [2.5 * 0.5**0.5, 0, 2.5], rtol=1e-6)
    assert hundred(cosines(pictures, texts)) == pytest.approx(100 * (0.5**0.5 - 1 + 1) / 3)
    assert hundred(np.array([-0.5, 0.1])) == 0, "torchmetrics clips the mean"


def test_ref_clip_score_against_a_slow_one() -> None:
    generator = np.random.default_rng(1)
    pictures, texts = generator.normal(size=(6, 5)), generator.normal(size=(6, 5))
    references = [generator.normal(size=(1 + at % 3, 5)) for at in range(6)]

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    for at, found in enumerate(reference_scores(pictures, texts, references)):
        fits = 2.5 * max(0.0, cosine(pictures[at], texts[at]))
        near = max(0.0, max(cosine(texts[at], row) for row in references[at]))
        assert found == pytest.approx(2 / (1 / fits + 1 / near) if fits * near else 0, abs=1e-6)


def test_what_cannot_be_scored() -> None:
    rows = np.eye(3)
    with pytest.raises(InputError, match=r"pictures: vector 1 has values that are no finite numbers"):
        clip_scores(np.where(np.eye(3, k=-1)[[0, 1, 0]] > 0, np.nan, rows), rows)
    with pytest.raises(InputError, match="texts: vector 2 is zero"):
        clip_scores(rows, np.diag([1.0, 1.0, 0.0]))
    with pytest.raises(InputError, match="as many texts as pictures"):
        clip_scores(rows, np.ones((2, 3)))
    with pytest.raises(InputError, match=r"expected vectors \(N, D\), got an array \(0, 3\)"):
        clip_scores(np.empty((0, 3)), np.empty((0, 3)))
    with pytest.raises(InputError, match="at least one reference"):
        reference_scores(rows, rows, [rows, rows, np.empty((0, 3))])
