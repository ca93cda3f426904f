"""Ours against what `python -m tests.parity.clip_benchmark --store` stored of CLIP_benchmark."""

import json

import pytest

from tests.parity.clip_benchmark import RETRIEVAL, STORED, ZERO_SHOT, ours

CONTENT = json.loads(STORED.read_text(encoding="utf-8"))


def test_every_case_is_stored() -> None:
    assert list(CONTENT["scores"]) == [*RETRIEVAL, *ZERO_SHOT]
    assert all(share > 0 for scores in CONTENT["scores"].values() for share in scores.values())


@pytest.mark.parametrize("name", [*RETRIEVAL, *ZERO_SHOT])
def test_scores_are_those_of_clip_benchmark(name: str) -> None:
    assert ours()[name] == pytest.approx(CONTENT["scores"][name], abs=1e-9)
