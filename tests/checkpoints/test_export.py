"""Every tower's graph against the tower in torch."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from safetensors.torch import save_file

from seesay.checkpoints.containers.graph_weights import read_weights
from seesay.checkpoints.export import TOLERANCE, verify, write_graphs
from seesay.engines import OnnxEngine
from seesay.engines.onnx import IMAGES
from seesay.models.graph_builder import GraphBuilder
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
    assert sum((tmp_path / f"{tower}.onnx").stat().st_size for tower in ("image", "text")) < whole / 8
    for tower in ("image", "text"):
        onnx.checker.check_model(str(tmp_path / f"{tower}.onnx"), full_check=True)
        for weight, value in read_weights(tmp_path / f"{tower}.onnx").items():
            np.testing.assert_array_equal(value, clip.state_dict()[f"{tower}.{weight}"].numpy())


def test_the_dense_output_is_computed_only_on_request(tmp_path: Path) -> None:
    checkpoint, expected = open_fixture("openai-vit-archive")
    write_graphs(checkpoint.model(), tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / "image.onnx", providers=["CPUExecutionProvider"])
    pixels = expected["pixels"]
    embedding, empty = session.run(None, {"pixels": pixels})
    again, dense = session.run(None, {"pixels": pixels, "with_dense": np.array(True)})
    np.testing.assert_array_equal(embedding, again)
    assert len(empty) == 0
    assert len(dense) == len(pixels)


def test_many_pictures_are_the_same_as_one_by_one(tmp_path: Path) -> None:
    """The engine cuts them into runs; none of them too."""
    checkpoint, expected = open_fixture("openai-vit-archive")
    write_graphs(checkpoint.model(), tmp_path)
    engine = OnnxEngine(tmp_path)
    pixels = np.tile(expected["pixels"], (IMAGES, 1, 1, 1))[: 2 * IMAGES + 1]
    pixels = pixels * np.linspace(0.5, 1.5, len(pixels), dtype=np.float32)[:, None, None, None]
    for encode in (engine.encode_pixels, engine.encode_dense):
        whole = encode(pixels)
        np.testing.assert_allclose(whole, np.concatenate([encode(one[None]) for one in pixels]), rtol=1e-4, atol=1e-5)
        assert encode(pixels[:0]).shape == (0, *whole.shape[1:])


def test_rows_of_zeros_stay_zeros_in_int8() -> None:
    weights = {"layer.weight": np.random.default_rng(0).standard_normal((8, 16)).astype(np.float32)}
    g = GraphBuilder(weights, "int8-rows")
    g.linear("x", "layer", output="y")
    inputs = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 16])
    outputs = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 8])
    graph = g.model("zeros", [inputs], [outputs]).SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    x = np.zeros((3, 16), np.float32)
    x[1] = np.linspace(-1e-30, 1e-30, 16)
    (y,) = session.run(None, {"x": x})
    np.testing.assert_array_equal(y[[0, 2]], 0)
    np.testing.assert_allclose(y[1], x[1] @ weights["layer.weight"].T, atol=2e-31)
