"""EfficientNet's maps in 8 bits: near float32, the same for torch, and blind to batch-mates."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from seesay.checkpoints.containers.graph_weights import read_weights
from seesay.engines.onnx import OnnxEngine, open_graph
from seesay.models.families.efficientnet_lite.config import EfficientNetLiteConfig
from seesay.models.families.efficientnet_lite.graph import map_ranges
from seesay.models.families.efficientnet_lite.tower import EfficientNetLite
from seesay.models.graphs import image_graph
from seesay.models.initialise import initialise

CONFIG = EfficientNetLiteConfig(
    "efficientnet-lite", 64, ((1, 3, 1), (2, 3, 2), (1, 5, 2)), (8, 8, 12, 16, 32), 7, "conse", branch=1
)


def normalize(x: np.ndarray) -> np.ndarray:
    return np.asarray(x / np.linalg.norm(x, axis=-1, keepdims=True))


@pytest.fixture
def tower() -> EfficientNetLite:
    torch.manual_seed(0)
    tower = EfficientNetLite(CONFIG, 24).eval()
    initialise(tower)
    with torch.no_grad():
        tower.blocks[1].project.weight[3] = 0  # a dead output, of which only the bias is left
        tower.blocks[1].project.bias[3] = 2.5
    return tower


def test_eight_bits_are_near_float32_and_see_no_batch_mates(tower: EfficientNetLite, tmp_path: Path) -> None:
    weights = {name: tensor.detach().numpy() for name, tensor in tower.state_dict().items()}
    pixels = np.random.default_rng(0).uniform(-127 / 128, 1, (12, 3, 64, 64)).astype(np.float32)
    ranges = map_ranges(CONFIG, weights, pixels, open_graph, batch=5)
    projects = {"blocks.0.project", "blocks.1.project", "blocks.2.project", "blocks.3.project", "branch.blocks.0.project"}
    assert set(ranges) == projects | {"blocks.0", "blocks.2"}  # and the sums where a block has a way around it
    onnx.save(image_graph(CONFIG, 24, weights, "int8", ranges=ranges), tmp_path / "image.onnx")
    engine = OnnxEngine(tmp_path)
    with torch.inference_mode():
        exact, dense = (x.numpy() for x in tower.with_dense(torch.from_numpy(pixels)))
    quantized = engine.encode_pixels(pixels)
    assert (normalize(quantized) * normalize(exact)).sum(axis=1).min() > 0.99
    assert (normalize(engine.encode_dense(pixels)) * normalize(dense)).sum(axis=-1).mean() > 0.98
    alone = np.concatenate([engine.encode_pixels(one[None]) for one in pixels])
    np.testing.assert_allclose(normalize(alone), normalize(quantized), atol=1e-6)
    # What torch reads of the graph is what the graph holds.
    read = read_weights(tmp_path / "image.onnx")
    assert read.keys() == weights.keys()
    for name, value in weights.items():
        assert read[name].shape == value.shape
        if "weight" in name and value.ndim == 4:
            step = np.abs(value).max(axis=(1, 2, 3), keepdims=True) / 64
            assert (np.abs(read[name] - value) <= step / 2 + 1e-6).all()
        else:
            np.testing.assert_allclose(read[name], value, atol=0.01 * np.abs(value).max() + 1e-6)
    assert read["blocks.1.project.bias"][3] == pytest.approx(2.5, abs=1e-3)
