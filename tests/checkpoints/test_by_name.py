"""OpenCLIP's names, without OpenCLIP: what we say of them is what tests.parity.by_name found equal to what OpenCLIP builds."""

import json

import pytest

from recipes.catalog.names import PAGE, page
from seesay.checkpoints.formats.open_clip_config import describe
from seesay.checkpoints.hub.catalog import Architecture, catalog
from seesay.checkpoints.preprocessing import preset
from seesay.errors import CheckpointError
from tests.parity.architectures import REFUSED
from tests.parity.by_name import STORED

NAMES = json.loads(STORED.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [name for name, entry in NAMES.items() if "refused" not in entry])
def test_a_published_configuration_is_the_catalogues_architecture(name: str) -> None:
    d = describe({"model_cfg": NAMES[name]["model_cfg"]}, None, name)
    assert d.image
    assert d.text
    assert d.tokenizer
    assert d.tokenizer_spec
    assert Architecture(d.dim, d.image, d.text, d.tokenizer, d.tokenizer_spec) == catalog().architectures[name]
    assert d.image_spec == preset("openai", d.image.image_px)


@pytest.mark.parametrize("name", [name for name, entry in NAMES.items() if "refused" in entry])
def test_a_tower_that_is_not_read_is_named(name: str) -> None:
    with pytest.raises(CheckpointError, match=REFUSED[NAMES[name]["refused"]][0]):
        describe({"model_cfg": NAMES[name]["model_cfg"]}, None, name)


def test_the_page_of_open_clips_names_is_true() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "docs/open-clip.md is stale; run python -m recipes.catalog.names"
