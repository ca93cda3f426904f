"""Every tower's graph against the tower in torch."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from safetensors.torch import save_file

from seesay.checkpoints.graph_weights import read_weights
from seesay.engines import OnnxEngine
from seesay.engines.export import TOLERANCE, verify, write_graphs
from tests.parity.test_checkpoints import NAMES, open_fixture, unit


@pytest.mark.parametrize("name", NAMES)
def test_graphs_compute_what_torch_computes(name: str, tmp_path: Path) -> None:
    checkpoint, expected = open_fixture(name)
    clip = checkpoint.model()
    write_graphs(clip, tmp_path)
    worst = verify(clip, tmp_path)
    assert worst
    assert max(worst.values()) <= TOLERANCE
    engine = OnnxEngine(tmp_path)
    if "pixels" in expected:  # and what the original computed, without torch between
        assert np.abs(unit(engine.encode_pixels(expected["pixels"])) - unit(expected["image"])).max() <= TOLERANCE
    if "ids" in expected:
        assert np.abs(unit(engine.encode_tokens(expected["ids"])) - unit(expected["text"])).max() <= TOLERANCE


@pytest.mark.parametrize("name", ["openai-vit-archive", "cn-clip-resnet", "open-clip-xlm-roberta"])
def test_graphs_beside_safetensors_hold_no_weights(name: str, tmp_path: Path) -> None:
    checkpoint, _ = open_fixture(name)
    clip = checkpoint.model()
    save_file(clip.state_dict(), tmp_path / "model.safetensors")
    write_graphs(clip, tmp_path)
    assert max(verify(clip, tmp_path).values()) <= TOLERANCE
    whole = (tmp_path / "model.safetensors").stat().st_size
    assert sum((tmp_path / f"{tower}.onnx").stat().st_size for tower in ("image", "text")) < whole / 10
    for tower in ("image", "text"):
        onnx.checker.check_model(str(tmp_path / f"{tower}.onnx"), full_check=True)
        for weight, value in read_weights(tmp_path / f"{tower}.onnx").items():
            np.testing.assert_array_equal(value, clip.state_dict()[f"{tower}.{weight}"].numpy())
