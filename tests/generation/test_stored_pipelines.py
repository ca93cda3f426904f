"""Conditioning equals what other libraries made of the same pipelines, by stored results (tests/parity/pipelines.py)."""

from collections.abc import Iterator
from itertools import groupby

import numpy as np
import pytest

from tests.generation.conftest import Generators
from tests.generation.prompt_cases import STORED, Case, projections

GROUPS = ("a1111", "clip_skip", "compel")


def cases(group: str, generator: str) -> Iterator[tuple[Case, dict[str, np.ndarray]]]:
    """What is stored: a case, and projections of each tensor by its name."""
    stored = np.load(STORED / f"{group}.npz")
    for name, parts in groupby(sorted(stored), key=lambda name: name.rpartition("/")[0]):
        maker, source, skip, rule, negative, prompt = name.split("/", 5)
        if maker == generator:
            case = Case(
                maker, source, prompt, None if negative == "None" else negative, rule, None if skip == "None" else int(skip)
            )
            yield case, {part.rpartition("/")[2]: stored[part] for part in parts}


@pytest.mark.parametrize("generator", ["stable_diffusion_1", "stable_diffusion_2", "stable_diffusion_xl"])
@pytest.mark.parametrize("group", GROUPS)
def test_conditioning_equals_what_is_stored(group: str, generator: str, generators: Generators) -> None:
    opened = generators[generator].conditioners
    checked = 0
    for case, expected in cases(group, generator):
        for conditioner in opened.values() if case.source == "both" else [opened[case.source]]:
            found = case.of(conditioner)
            for part, value in expected.items():
                np.testing.assert_allclose(projections(found[part].numpy()), value, atol=2e-5, rtol=0, err_msg=case.id)
                checked += 1
    assert checked >= 10
