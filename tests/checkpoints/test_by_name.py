"""OpenCLIP's names, without OpenCLIP: what tests.parity.by_name found equal to the original's construction is still said."""

import json

import pytest

from tests.parity.by_name import STORED, said_of

MODELS = json.loads(STORED.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", MODELS)
def test_a_published_configuration_is_described_as_before(name: str) -> None:
    entry = MODELS[name]
    assert said_of(entry["model_cfg"]) == {key: value for key, value in entry.items() if key != "model_cfg"}
