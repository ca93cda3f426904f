import numpy as np
import pytest

from seesay.errors import InputError
from seesay.evaluation.directional_similarity import directional_similarity


def test_against_a_slow_one() -> None:
    generator = np.random.default_rng(3)
    before, after, source, target = generator.normal(size=(4, 7, 6))
    for at, found in enumerate(directional_similarity(before, after, source, target)):
        unit = [each[at] / np.linalg.norm(each[at]) for each in (before, after, source, target)]
        picture, text = unit[1] - unit[0], unit[3] - unit[2]
        assert found == pytest.approx(picture @ text / (np.linalg.norm(picture) * np.linalg.norm(text)), abs=1e-5)


def test_an_edit_along_the_texts_is_1_against_them_is_minus_1_and_none_has_no_direction() -> None:
    source, target = np.eye(2)
    found = directional_similarity(
        np.stack([source, target, source, source]),
        np.stack([target, source, source, target]),
        np.stack([source, source, source, target]),
        np.stack([target, target, target, target]),
    )
    np.testing.assert_allclose(found, [1, -1, np.nan, np.nan], atol=1e-6)


def test_what_cannot_be_compared() -> None:
    rows = np.eye(3)
    with pytest.raises(InputError, match="after: vector 0 has values that are no finite numbers"):
        directional_similarity(rows, np.full((3, 3), np.inf), rows, rows)
    with pytest.raises(InputError, match="four arrays of one shape"):
        directional_similarity(rows, rows, rows, np.ones((1, 3)))
