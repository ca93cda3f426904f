"""Dense modes of a Vision Transformer equal the formulas of their papers, token by token."""

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from seesay.engines.torch import TorchEngine  # noqa: E402
from seesay.errors import MissingCapability  # noqa: E402
from seesay.models.clip import Clip  # noqa: E402
from seesay.models.families.vit.config import AttentionPoolConfig, VitConfig  # noqa: E402
from seesay.models.families.vit.dense import DENSE_MODES, DenseMode, patch_features  # noqa: E402
from seesay.models.families.vit.tower import Vit  # noqa: E402
from seesay.testing import fake_model  # noqa: E402

CONFIG = VitConfig("vit", 24, 8, 16, 3, 2, 32, "quick_gelu", 1e-5, layer_scale=True)
DIM = 12


def tower(config: VitConfig = CONFIG) -> Vit:
    """A tower with every weight random."""
    vit = Vit(config, DIM).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in vit.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
    return vit


def pixels() -> Any:
    return torch.randn(2, 3, 24, 24, generator=torch.Generator().manual_seed(1))


def numbers(vit: Vit) -> dict[str, np.ndarray]:
    return {name: value.double().numpy() for name, value in vit.state_dict().items()}


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max())
    return np.asarray(e / e.sum())


def slow_features(vit: Vit, x: np.ndarray, mode: DenseMode) -> np.ndarray:
    """The last block over tokens x (N, W), one query and head at a time."""
    w, config, last = numbers(vit), vit.config, f"blocks.{vit.config.depth - 1}"

    def linear(y: np.ndarray, name: str) -> np.ndarray:
        return np.asarray(y @ w[f"{last}.{name}.weight"].T + w[f"{last}.{name}.bias"])

    def norm(y: np.ndarray, name: str) -> np.ndarray:
        y = (y - y.mean(-1, keepdims=True)) / np.sqrt(y.var(-1, keepdims=True) + config.layer_norm_eps)
        return np.asarray(y * w[f"{last}.{name}.weight"] + w[f"{last}.{name}.bias"])

    tokens, size = norm(x, "norm1"), config.width // config.heads
    q, k, v = (linear(tokens, f"attention.{name}") for name in ("query", "key", "value"))
    mixed = np.zeros_like(x)
    pairs = {"vanilla": [(q, k)], "sclip": [(q, q), (k, k)], "clearclip": [(q, q)], "maskclip": []}[mode]
    for head in range(config.heads):
        part = slice(head * size, (head + 1) * size)
        for row in range(len(x)):
            for a, b in pairs:
                mixed[row, part] += softmax(b[:, part] @ a[row, part] / np.sqrt(size)) @ v[:, part]
            if mode == "maskclip":
                mixed[row, part] = v[row, part]
    out = linear(mixed, "attention.out") * w[f"{last}.scale1.weight"]
    if mode == "clearclip":
        return np.asarray(out[1:])
    x = x + out
    inner = linear(norm(x, "norm2"), "mlp.up")
    inner = inner / (1 + np.exp(-1.702 * inner))
    return np.asarray((x + linear(inner, "mlp.down") * w[f"{last}.scale2.weight"])[1:])


@pytest.mark.parametrize("mode", DENSE_MODES)
def test_a_mode_equals_its_formula(mode: DenseMode) -> None:
    vit = tower()
    with torch.inference_mode():
        before = vit.hidden_states(pixels())[-2]
        found = patch_features(vit.blocks[-1], before, mode)  # type: ignore[arg-type]
    for row in range(2):
        np.testing.assert_allclose(found[row], slow_features(vit, before[row].double().numpy(), mode), atol=2e-4, rtol=2e-4)


def test_vanilla_is_the_stock_forward() -> None:
    vit = tower()
    with torch.inference_mode():
        embedding, dense = vit.with_dense(pixels(), "vanilla")
        states = vit.projection(vit.norm_after(vit.hidden_states(pixels())[-1]))
        np.testing.assert_allclose(dense.flatten(1, 2), states[:, 1:], atol=1e-5)
        np.testing.assert_allclose(embedding, states[:, 0], atol=1e-5)
        for mode in DENSE_MODES:
            np.testing.assert_allclose(vit.with_dense(pixels(), mode)[0], embedding, atol=1e-5)


def test_the_default_is_the_dense_output_of_graphs() -> None:
    vit = tower()
    with torch.inference_mode():
        assert torch.equal(vit.with_dense(pixels())[1], vit.with_dense(pixels(), "maskclip")[1])
    assert vit.dense_modes == DENSE_MODES == get_args(DenseMode)


def test_an_engine_takes_another_mode_and_says_which_there_are() -> None:
    config = replace(fake_model().config, image=CONFIG, dim=DIM, text=None, tokenizer_spec=None)
    clip = Clip(config)
    clip.image = tower()
    engine = TorchEngine(clip)
    with torch.inference_mode():
        wanted = clip.image.with_dense(pixels(), "clearclip")[1]
    np.testing.assert_allclose(engine.with_dense_mode("clearclip").encode_dense(pixels().numpy()), wanted, atol=1e-6)
    assert np.abs(engine.encode_dense(pixels().numpy()) - wanted.numpy()).max() > 1e-3  # which stays as it was
    with pytest.raises(MissingCapability, match="it has maskclip, sclip, clearclip, vanilla"):
        engine.with_dense_mode("proxyclip")
    clip.image = tower(replace(CONFIG, attention_pool=AttentionPoolConfig(3, 2, 8)))
    with pytest.raises(MissingCapability, match="one way to its dense output"):
        engine.with_dense_mode("sclip")
