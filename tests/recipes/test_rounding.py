"""Rounding of the bundled recipe: products change less than if each weight is rounded by itself."""

import numpy as np
import torch

from recipes.bundled.rounding import nearest, rounded
from seesay.models.families.efficientnet_lite.config import EfficientNetLiteConfig
from seesay.models.families.efficientnet_lite.tower import EfficientNetLite
from seesay.models.graph_builder import WEIGHT_LEVELS
from seesay.models.initialise import initialise


def test_products_change_less_than_by_rounding_each_weight() -> None:
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(6, 40))
    weight[4] = 0
    inputs = rng.normal(size=(400, 8)) @ rng.normal(size=(8, 40)) + 0.1 * rng.normal(size=(400, 40))
    scale = np.abs(weight).max(axis=1, keepdims=True).astype(np.float32) / np.float32(16)
    scale[4] = 1
    rounded_weights = nearest(weight.copy(), inputs.T @ inputs, 16)
    levels = rounded_weights / scale
    np.testing.assert_allclose(levels, np.rint(levels), rtol=0, atol=1e-5)
    assert np.rint(np.abs(levels).max(axis=1)).tolist() == [16, 16, 16, 16, 0, 16]  # so that the scale can be recovered
    squared_error, plain_error = (
        ((inputs @ (weight - value).T) ** 2).mean() for value in (rounded_weights, np.rint(weight / scale) * scale)
    )
    assert squared_error < plain_error / 5


def test_every_convolution_of_single_cells_is_rounded() -> None:
    config = EfficientNetLiteConfig("efficientnet-lite", 48, ((1, 3, 1), (2, 3, 2)), (8, 8, 16, 48), 7, "conse", branch=1)
    torch.manual_seed(0)
    tower = EfficientNetLite(config, 24).eval()
    initialise(tower)
    pixels = np.random.default_rng(0).normal(size=(3, 3, 48, 48)).astype(np.float32)
    rounded_weights = dict(rounded(tower, pixels))
    state = tower.state_dict()
    assert set(rounded_weights) == {name for name, value in state.items() if value.ndim == 4 and value.shape[2:] == (1, 1)}
    for name, value in rounded_weights.items():
        scale = state[name].abs().amax(dim=(1, 2, 3), keepdim=True).numpy() / WEIGHT_LEVELS
        np.testing.assert_allclose(value / scale, np.rint(value / scale), rtol=0, atol=1e-4)
        assert 0 < np.abs(value - state[name].numpy()).max() < 6 * scale.max()
