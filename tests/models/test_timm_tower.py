"""Towers that timm builds: described, exported operator by operator, and refused where that cannot be exact. Needs timm."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from seesay.checkpoints.export import verify, write_graphs
from seesay.checkpoints.formats.foreign_config import ForeignConfig
from seesay.checkpoints.formats.timm_trunk import configure
from seesay.engines.onnx import OnnxEngine
from seesay.engines.torch import TorchEngine
from seesay.errors import InputError, MissingCapability, MissingExtra, ModelError
from seesay.images.spec import ImageSpec
from seesay.model import Model
from seesay.models.clip import Clip
from seesay.models.config import ModelConfig
from seesay.models.families.timm.config import TimmConfig
from seesay.models.initialise import initialise
from seesay.models.layers.groups import parameters_in
from seesay.models.size import operations, parameters
from tests.parity.fixtures import randomise

try:
    from seesay.models.families.timm.operators import OPERATORS
    from seesay.models.families.timm.trunk import library, measure

    library()
except MissingExtra as error:
    pytest.skip(str(error), allow_module_level=True)

DIM = 12
# timm's own small models for tests: model, pixels, pooling, whether its classifier projects, projection.
TOWERS: dict[str, tuple[str, int, str, bool, Any]] = {
    "branches": ("test_byobnet", 64, "avg", True, "linear"),
    "convnext": ("test_convnext", 64, "", False, "mlp"),
    "convnext-bare": ("test_convnext", 64, "avg", True, "none"),
    "mobile": ("test_efficientnet", 64, "", False, "linear"),
    "resnet": ("test_resnet", 64, "avg", True, "linear"),
    "standardised": ("test_nfnet", 64, "", False, "linear"),
    "vit": ("test_vit", 160, "token", True, "linear"),
    "vit-mean": ("test_vit", 160, "avg", False, "linear"),
    "vit-registers": ("test_vit4", 160, "", False, "linear"),
}


def asked(model: str, px: int, pool: str, classifier: bool, projection: Any) -> TimmConfig:
    return TimmConfig("timm", px, model, pool, classifier, projection, 1, 0, 1, 1)


def make(config: TimmConfig, *, random: bool = True) -> Clip:
    clip = Clip(ModelConfig(1, "towers", DIM, config, None, None, None, 0.0, None, "softmax", {}, (), "none", (), "0" * 32))
    tables = {name: buffer.clone() for name, buffer in clip.named_buffers() if name not in clip.state_dict()}
    if random:
        randomise(clip.image, 4)
    for name, table in tables.items():
        clip.get_buffer(name).copy_(table)
    return clip


@pytest.mark.parametrize("name", TOWERS)
def test_a_tower_is_measured_split_and_exported(name: str, tmp_path: Path) -> None:
    config = measure(asked(*TOWERS[name]))
    clip = make(config if config.projects else replace(config))
    tower: Any = clip.image
    pixels = torch.randn(2, 3, config.image_px, config.image_px)
    with torch.no_grad():
        features, whole = tower.features(pixels), tower(pixels)
        torch.testing.assert_close(tower.project(features), whole, rtol=1e-5, atol=1e-5)
        embedding, dense = tower.with_dense(pixels)
    assert features.shape == (2, config.width)
    torch.testing.assert_close(embedding, whole, rtol=1e-5, atol=1e-5)
    assert dense.shape == (2, config.grid, config.grid, whole.shape[1])
    assert parameters(config, DIM) == sum(p.numel() for p in tower.parameters())
    assert operations(config, DIM) >= config.multiplications > config.weights
    grouped = [p for group in tower.groups() for p in parameters_in(group)]
    assert sorted(map(id, grouped)) == sorted(map(id, tower.parameters()))
    assert len(tower.groups()) > 2
    assert len(tower.hidden_states(pixels)) > 1
    if whole.shape[1] == DIM:
        write_graphs(clip, tmp_path)
        assert max(verify(clip, tmp_path).values()) < 1e-5


def test_branches_of_training_become_one_layer(tmp_path: Path) -> None:
    clip = make(measure(asked("repvgg_a0", 64, "avg", True, "linear")))
    write_graphs(clip, tmp_path)
    graph = onnx.load(tmp_path / "image.onnx").graph
    convolutions = sum(node.op_type == "Conv" for node in graph.node)
    assert convolutions < sum(isinstance(module, torch.nn.Conv2d) for module in clip.image.modules())
    assert not any(node.op_type == "BatchNormalization" for node in graph.node)
    assert any(tensor.name.startswith("fused.") for tensor in graph.initializer)
    assert verify(clip, tmp_path)["image"] < 1e-5


def test_8_bit_weights_stay_near(tmp_path: Path) -> None:
    clip = make(measure(asked(*TOWERS["convnext"])), random=False)
    torch.manual_seed(0)
    initialise(clip.image)
    write_graphs(clip, tmp_path, "int8-rows")
    pixels = np.random.default_rng(0).standard_normal((4, 3, 64, 64)).astype(np.float32)
    ours, exact = OnnxEngine(tmp_path).encode_pixels(pixels), TorchEngine(clip).encode_pixels(pixels)
    cosines = (ours * exact).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(exact, axis=1)
    assert cosines.min() > 0.99
    assert not np.allclose(ours, exact, atol=1e-6)


def test_first_weights_are_timms_and_the_projections() -> None:
    clip = make(measure(asked(*TOWERS["vit-mean"])), random=False)
    with torch.no_grad():
        for parameter in clip.image.parameters():
            parameter.fill_(float("nan"))
    torch.manual_seed(0)
    initialise(clip.image)
    assert all(p.isfinite().all() for p in clip.image.parameters())
    assert clip.image.state_dict()["head.proj.weight"].std() > 0.01


def wrong(onnx_op: str, **attributes: Any) -> Any:
    return lambda p, c: p.g.node(onnx_op, p.value(getattr(c, "self", None) or c.input), **attributes)


def scaled_more(p: Any, c: SimpleNamespace) -> Any:
    return p.g.node("Mul", p.value(c.self), p.value(1.01))


@pytest.mark.parametrize(
    ("name", "operator", "mistake"),
    [
        ("convnext", "gelu", wrong("Gelu", approximate="tanh")),
        ("convnext", "mul", scaled_more),  # layer scale
        ("resnet", "adaptive_avg_pool2d", wrong("GlobalMaxPool")),
        ("resnet", "relu", wrong("Identity")),
        ("vit", "layer_norm", wrong("Identity")),
        ("vit", "permute", wrong("Transpose", perm=[2, 0, 1, 3, 4])),
        ("mobile", "sigmoid", wrong("Tanh")),
    ],
)
def test_a_mistake_in_an_operator_is_noticed(
    name: str, operator: str, mistake: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make(measure(asked(*TOWERS[name])))
    monkeypatch.setitem(OPERATORS, operator, mistake)
    write_graphs(clip, tmp_path)
    with pytest.raises(ModelError, match="differs from torch|not a graph|cannot be run"):
        verify(clip, tmp_path)


def test_an_operator_that_is_not_known_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(OPERATORS, "gelu")
    with pytest.raises(ModelError, match="torch's operator 'gelu' has no counterpart.*engine='torch'"):
        write_graphs(make(measure(asked(*TOWERS["convnext"]))), tmp_path)


def test_a_tower_without_a_map_has_no_dense_output(tmp_path: Path) -> None:
    config = replace(measure(asked(*TOWERS["resnet"])), cells=0)
    clip = make(config)
    write_graphs(clip, tmp_path)
    assert [output.name for output in onnx.load(tmp_path / "image.onnx").graph.output] == ["embedding"]
    assert "dense" not in verify(clip, tmp_path)
    assert "dense" not in TorchEngine(clip).capabilities
    spec = ImageSpec(64, "shortest", 64, "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    model = Model(replace(clip.config, image_spec=spec), None, OnnxEngine(tmp_path), folder=None)
    with pytest.raises(MissingCapability, match="no map of features"):
        model.encode_dense(np.zeros((8, 8, 3), np.uint8))


def faults(**vision: Any) -> str:
    found: list[str] = []
    configure(ForeignConfig(vision, "vision_cfg", found))
    return "\n".join(found)


def test_what_cannot_be_built_is_refused_with_the_reason() -> None:
    small = {"timm_model_name": "test_convnext", "image_size": 64}
    assert faults(**small, timm_pool="", timm_proj="linear") == ""
    assert "near: test_convnext" in faults(**small | {"timm_model_name": "test_convnex"})
    for name in ("hf-hub:timm/test_vit.r160_in1k", "local-dir:/etc", "../test_vit", "x" * 500):
        assert "has no architecture" in faults(**small | {"timm_model_name": name})
    assert "does not take images of 100 pixels" in faults(timm_model_name="vit_tiny_patch16_224", image_size=100)
    assert "does not build 'test_vit' with the pooling 'median'" in faults(
        timm_model_name="test_vit", image_size=160, timm_pool="median", timm_proj=None
    )
    assert "attention pooling is not read" in faults(**small, timm_pool="rot_attn")
    assert "without pooling" in faults(**small, timm_pool="", timm_proj=None)
    assert "timm_proj: 'tanh' is not one of" in faults(**small, timm_proj="tanh")
    assert "timm_extra: unknown key" in faults(**small, timm_extra=1)
    with pytest.raises(InputError, match="expected projection 'linear' or 'none'"):
        asked("test_vit", 160, "token", True, "mlp")
