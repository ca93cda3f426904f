from pathlib import Path

import numpy as np
import pytest

from seesay.library import Library
from seesay.model import Model
from tests.conftest import Paint


def test_spreads_are_those_of_all_pictures(tmp_path: Path, paint: Paint, fake: Model) -> None:
    paths = [paint(f"{colour}.png", colour) for colour in ("red", "green", "blue")]
    queries = fake.encode_text(["red", "green"])
    with Library(tmp_path / "library", fake) as library:
        library.index(tmp_path / "pictures")
        found = library.spreads(queries)
        assert library.spreads(queries[:0]).shape == (0, 2)
    cosines = queries @ fake.encode_image(paths).T
    np.testing.assert_allclose(found, np.stack([cosines.mean(axis=1), cosines.std(axis=1)], axis=1), atol=1e-6)
    assert found[0, 1] == pytest.approx(float(cosines[0].std()), abs=1e-6)
