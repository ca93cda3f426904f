"""An adapter that peft wrote, against what the model computes that peft adapted (`peft_adapters.py`)."""

import numpy as np

import seesay
from seesay.checkpoints.adapters import read_adapter
from tests.parity.test_checkpoints import DATA, UNIT, open_fixture, unit

ADAPTER = DATA / "peft"


def test_an_adapter_of_peft_gives_peft_s_vectors() -> None:
    inputs, expected = open_fixture("hf-clip-4")[1], np.load(ADAPTER / "vectors.npz")
    for engine in ("onnx", "torch"):
        model = seesay.load(DATA / "hf-clip-4", adapter=ADAPTER, engine=engine)
        assert np.abs(model.encode_pixels(inputs["pixels"]) - unit(expected["image"])).max() <= UNIT
        assert np.abs(model.encode_tokens(inputs["ids"]) - unit(expected["text"])).max() <= UNIT
    assert np.abs(unit(expected["image"]) - unit(inputs["image"])).max() > 0.05


def test_its_ranks_and_alphas_by_layer_are_read() -> None:
    changes = read_adapter(ADAPTER).changes
    scales = {name.removeprefix("base_model.model."): (len(change.down), change.scale) for name, change in changes.items()}
    assert scales["visual_projection"] == (2, 2.5)
    assert scales["text_model.encoder.layers.1.mlp.fc1"] == (3, 1 / 3)
    assert scales["vision_model.encoder.layers.0.self_attn.q_proj"] == (3, 2.0)
    assert len(scales) == 18
