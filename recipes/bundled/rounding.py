"""Rounding of weights to levels so that a layer's output changes least (GPTQ, Frantar et al. 2022, arXiv 2210.17323).

The error of rounding one weight is compensated by those not rounded yet, as far as their inputs correlate on images.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from seesay.models.families.efficientnet_lite.tower import Conv, EfficientNetLite
from seesay.models.graph_builder import WEIGHT_LEVELS

CELLS = 32  # sampled cells of each feature map
DAMPING = 0.01  # relative to the mean square of an input
BATCH = 16


def rounded(tower: EfficientNetLite, pixels: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Rounded weights of all 1 x 1 convolutions, by name; `pixels` (N, 3, image_px, image_px)."""
    layers = {name: layer for name, layer in tower.named_modules() if isinstance(layer, Conv) and layer.kernel_size == (1, 1)}
    moments: dict[str, Tensor] = {}

    def record_inputs(name: str) -> None:
        def hook(layer: Conv, inputs: tuple[Tensor]) -> None:
            cells = inputs[0].flatten(2)
            columns = torch.randint(cells.shape[2], (CELLS,), generator=generator)
            rows = cells[:, :, columns].transpose(1, 2).flatten(0, 1).double()
            moments[name] = moments.get(name, 0) + rows.T @ rows

        layers[name].register_forward_pre_hook(hook)

    generator = torch.Generator().manual_seed(0)
    for name in layers:
        record_inputs(name)
    with torch.inference_mode():
        for start in range(0, len(pixels), BATCH):
            tower(torch.from_numpy(pixels[start : start + BATCH]))
    for name, layer in layers.items():
        weight = layer.weight.detach().numpy()
        levels = nearest(weight[:, :, 0, 0].astype(np.float64), moments[name].numpy(), WEIGHT_LEVELS)
        yield f"{name}.weight", levels[:, :, None, None]


def nearest(weight: np.ndarray, moments: np.ndarray, largest: int) -> np.ndarray:
    """weight (out, in); moments (in, in) of its inputs -> float32, whole multiples of each output's largest weight / `largest`.

    The largest weight stays, so that whoever reads the result finds the same scale.
    """
    order = np.argsort(-np.diag(moments))
    ordered = moments[np.ix_(order, order)]
    ordered += np.eye(len(order)) * (DAMPING * np.diag(moments).mean() + np.finfo(np.float64).tiny)
    shares = np.linalg.cholesky(np.linalg.inv(ordered)).T  # upper; shares.T @ shares is the inverse
    remaining = weight[:, order]
    scale = np.abs(weight).max(axis=1).astype(np.float32) / np.float32(largest)
    scale[scale == 0] = 1
    largest_column = np.abs(remaining).argmax(axis=1)
    signs = np.sign(remaining[np.arange(len(remaining)), largest_column])
    for i in range(len(order)):
        levels = np.clip(np.rint(remaining[:, i] / scale), -largest, largest)
        levels = np.where(largest_column == i, signs * largest, levels)
        error = (remaining[:, i] - levels * scale) / shares[i, i]
        remaining[:, i:] -= np.outer(error, shares[i, i:])
        remaining[:, i] = levels * scale
    result = np.empty_like(remaining)
    result[:, order] = remaining
    return result.astype(np.float32)
