"""Ids that a tower cannot take."""

import numpy as np
import pytest

from seesay.errors import ModelError
from seesay.models.families.cbow.config import CbowConfig
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.token_ids import check_ids

TEXT = ClipTextConfig("clip-text", 8, 1, 1, 16, 10, 5, "gelu", 1e-5, True, "eos", 9)


def test_good_ids_pass() -> None:
    check_ids(np.array([[1, 9, 0], [1, 2, 9]]), TEXT)
    check_ids(np.empty((0, 0), dtype=np.int64), TEXT)
    check_ids(np.array([[1, 2]]), CbowConfig("cbow", 4, 3))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([[1, 9], [1, 10]], "token id 10 is outside the text tower's vocabulary of 10"),
        ([[-1, 9]], "token id -1 is outside"),
        ([[1, 9], [1, 2]], r"text 2 has no end-of-text token \(9\)"),
        ([[1, 2, 3, 4, 5, 9]], "at most 5"),
    ],
)
def test_bad_ids_are_refused(ids: list[list[int]], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        check_ids(np.array(ids), TEXT)
