"""What diffusers, PEFT, compel and web interfaces made of prompts (tests/parity/prompts.py) is what we make of them."""

from pathlib import Path

import numpy as np
import pytest

from tests.generation.parity_cases import CASES, Case, differences
from tests.generation.tiny import generator

DATA = Path(__file__).parents[1] / "parity" / "data" / "prompts.npz"
pytestmark = pytest.mark.filterwarnings("ignore::seesay.errors.UnusualPrompt")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_conditioning_equals_the_originals(case: Case, tmp_path: Path) -> None:
    with np.load(DATA) as data:
        expected = {name.rpartition("/")[2]: data[name] for name in data.files if name.rpartition("/")[0] == case.name}
    assert expected
    assert differences(case, tmp_path, generator(tmp_path / "generator", case.family, **case.index), expected) < 1e-5
