"""What attention says of patches: the explicit blocks are the stock ones, and both measures equal their definitions."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from seesay.engines.torch import TorchEngine  # noqa: E402
from seesay.errors import MissingCapability  # noqa: E402
from seesay.models.clip import Clip  # noqa: E402
from seesay.models.families.vit.relevance import attended, gradients, rollout  # noqa: E402
from seesay.testing import fake_model  # noqa: E402
from tests.models.test_dense_modes import CONFIG, DIM, pixels, tower  # noqa: E402


def test_a_block_with_its_attention_shown_is_the_stock_block() -> None:
    vit = tower()
    x = vit.hidden_states(pixels())[0]
    found, weights = attended(vit.blocks[0], x)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.detach(), vit.blocks[0](x).detach(), atol=1e-5)
    np.testing.assert_allclose(weights.sum(dim=-1).detach(), 1, atol=1e-5)


def test_rollout_multiplies_attention_with_half_of_each_residual() -> None:
    generator = np.random.default_rng(0)
    weights = generator.random((3, 1, 2, 5, 5))
    weights /= weights.sum(axis=-1, keepdims=True)
    joint = np.eye(5)
    for each in weights:
        joint = (each[0].mean(axis=0) + np.eye(5)) / 2 @ joint
    found = rollout([torch.tensor(each, dtype=torch.float32) for each in weights])
    np.testing.assert_allclose(found[0], joint[0], atol=1e-6)
    assert float(found.sum()) == pytest.approx(1, abs=1e-5)


def test_gradients_are_the_slopes_of_the_cosine() -> None:
    generator = torch.Generator().manual_seed(2)
    values = torch.randn(1, 2, 4, 6, generator=generator, dtype=torch.float64)
    weights = torch.rand(1, 2, 4, 4, generator=generator, dtype=torch.float64).requires_grad_()
    text = torch.randn(1, 12, generator=generator, dtype=torch.float64)

    def cosine(w: Any) -> Any:
        return torch.nn.functional.cosine_similarity((w @ values)[:, :, 0].flatten(1), text).sum()

    found = gradients(weights, (weights @ values)[:, :, 0].flatten(1), text)[0]
    slopes, step = torch.zeros(2, 4, 4, dtype=torch.float64), 1e-6
    for at in np.ndindex(2, 4, 4):
        moved = weights.detach().clone()
        moved[(0, *at)] += step
        slopes[at] = (cosine(moved) - cosine(weights.detach())) / step
    np.testing.assert_allclose(found, slopes.clamp(min=0).mean(dim=(0, 1)), atol=1e-5)


def test_a_tower_tells_of_each_patch_and_of_each_text() -> None:
    vit = tower()
    texts = torch.randn(2, DIM, generator=torch.Generator().manual_seed(3))
    plain, first, other = (
        vit.patch_relevance(pixels()),
        vit.patch_relevance(pixels(), texts),
        vit.patch_relevance(pixels(), -texts),
    )
    for found in (plain, first, other):
        assert found.shape == (2, 3, 3)
        assert (found >= 0).all()
        assert not found.requires_grad
    assert not torch.allclose(first, other)
    with torch.inference_mode(False), torch.no_grad():
        assert torch.allclose(vit.patch_relevance(pixels(), texts), first)


def test_the_engine_gives_arrays_and_says_for_which_towers() -> None:
    config = replace(fake_model().config, image=CONFIG, dim=DIM, text=None, tokenizer_spec=None)
    clip = Clip(config)
    clip.image = tower()
    texts = np.random.default_rng(4).standard_normal((2, DIM)).astype(np.float32)
    found = TorchEngine(clip).patch_relevance(pixels().numpy(), texts)
    np.testing.assert_allclose(found, clip.image.patch_relevance(pixels(), torch.from_numpy(texts)), atol=1e-6)
    clip.image = tower(replace(CONFIG, pooling="mean"))
    with pytest.raises(MissingCapability, match="ViTs with a class token"):
        TorchEngine(clip).patch_relevance(pixels().numpy())
