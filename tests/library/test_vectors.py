"""The product of a library's vectors with one."""

import numpy as np
import pytest

from seesay.library.vectors import view as vectors
from seesay.library.vectors.view import Vectors


@pytest.mark.parametrize("alone", [0, 2**21])
def test_cosines_are_the_product_by_one_core_and_by_all(alone: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "ALONE", alone)
    made = np.random.default_rng(0).standard_normal((70, 16)).astype(np.float32)
    vector = made[3] / np.linalg.norm(made[3])
    for split in (70, 41, 0):
        parts = [(np.arange(split), made[:split]), (np.arange(split, 70), made[split:])]
        found = Vectors(parts[: 1 if split == 70 else 2], 1).cosines(vector)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, [float(row.astype(np.float64) @ vector) for row in made], atol=1e-5)
